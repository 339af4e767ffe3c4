"""Figures: their text is golden, their HTML is whole, labelled, escaped and stable."""

import re

import numpy as np
import pytest

import drqsim
from drqsim import figures
from drqsim.figures.style import DARK, LIGHT
from drqsim.kernels import KERNELS
from drqsim.memory import plan_memory
from tests.kit.digits import digits, small_layer, trace_of
from tests.kit.html import EVIL, Checked
from tests.kit.places import ROOT

BOOK = ROOT / "book"


def every_figure(trace):
    """One of each kind, drawn from a trace."""
    model, layer, _ = digits()
    value = {record.name: record.value for record in trace}
    codes = value["input_quantized"]
    scale, zero = value["input_scale"], value.get("input_zero_point", np.array([0]))
    pictures = figures.grid(value["input"][0, :, :, 3], "input", "float32", highlight={(0, 1)})
    return {
        "layer": figures.layer(trace, layer.operator("conv_2d_1")),
        "grid": pictures,
        "grids": figures.grids(
            [
                pictures,
                figures.grid(codes[0, :, :, 3], "codes", "int8", center=zero),
                figures.grid(value["filter"][0, :, :, 3], "filter", "weight"),
                figures.grid(value["accumulator"][0, :, :, 4], "accumulator", "int32"),
            ]
        ),
        "number_line": figures.number_line(0, value["input"].max(), scale, zero, [0.5, 1.7]),
        "histogram": figures.histogram(
            value["accumulator"], "accumulator", "int32", marks={"zero": 0}
        ),
        "two_histograms": figures.two_histograms(
            value["input"], codes, ("input", "codes"), ("float32", "int8"), scale, zero
        ),
        "two_outputs": figures.two_histograms(
            value["pre_activation"], value["output"], ("before", "after"), ("float32", "float32")
        ),
        "bars": figures.bars([(r.name, r.nbytes, "float32") for r in trace], "bytes", "bytes"),
        "lifetimes": figures.lifetimes(model),
        "memory_map": figures.memory_map(plan_memory(model, kernels="reference")),
        "memory_bars": figures.memory_bars({"float": plan_memory(digits("digits_float")[0])}),
        "lines": figures.lines([2, 4, 8], {"error": [0.5, 0.1, 0.01]}, "error", log=True),
    }


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", ["digits_drq", "digits_drq_per_tensor"])
def test_every_figure_is_whole_labelled_and_stable(kernels, name):
    trace = trace_of(kernels, name)
    first, again = every_figure(trace), every_figure(trace)
    for name, figure in first.items():
        html = figure._repr_html_()
        page = Checked(html)
        assert [f["aria-label"] for f in page.figures] == [figure.alt], name
        assert figure.alt.strip()
        assert repr(figure).strip()
        assert html == again[name]._repr_html_(), name
        assert repr(figure) == repr(again[name]), name
        assert "<script" not in html and "http" not in html, name
        assert not re.search(r"#f0f0\d\d|0x[0-9a-f]{6}", html + repr(figure)), name


def test_different_drawings_on_one_page_share_no_id():
    drawn = [
        figures.number_line(-1, 1, scale, 0, [0.1], codes=(-4, 3))._repr_html_()
        for scale in (0.25, 0.5)
    ]
    assert len(Checked("".join(drawn)).ids) > 0
    assert all(f"#{name}" in drawn[0] for name in Checked(drawn[0]).ids)


def test_markup_in_names_stays_text():
    _, trace = small_layer()
    record = drqsim.trace.make_record(EVIL, "output", np.ones((1, 1), np.float32))
    made = [
        figures.layer(drqsim.Trace([record], EVIL)),
        figures.grid(np.ones((1, 1)), EVIL, "float32"),
        figures.number_line(-1, 1, 0.5, 0, title=EVIL),
        figures.histogram(np.ones(3), EVIL, "float32", marks={EVIL: 1}),
        figures.two_histograms(np.ones(3), np.ones(3), (EVIL, EVIL), ("int8", "int8")),
        figures.bars([(EVIL, 1, "int8")], EVIL, EVIL),
        figures.lines([1, 2], {EVIL: [1, 2]}, EVIL, EVIL, EVIL),
    ]
    for figure in made:
        page = Checked(figure.captioned(EVIL)._repr_html_())
        assert "onload" not in "".join(f"<{tag}" for tag in page.tags)
        assert page.tags.count("b") == figure.body.count("<b>")
        assert page.text.count(EVIL) >= 2
        assert EVIL in page.figures[0]["aria-label"]


def test_a_drawing_is_an_image_until_it_has_a_caption():
    drawn = figures.histogram(np.ones(3), "x", "int8")
    assert Checked(drawn._repr_html_()).figures[0]["role"] == "img"
    page = Checked(drawn.captioned("Seen twice.")._repr_html_())
    assert "role" not in page.figures[0]
    assert page.figures[0]["aria-label"] == drawn.alt
    assert page.text.endswith("Seen twice.")


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: figures.grid(np.ones(3), "x", "int8"), "two dimensions"),
        (lambda: figures.grid(np.ones((1, 1)), "x", "int4"), "kind is 'int4'"),
        (lambda: figures.number_line(1, 0, 0.5, 0), "low <= high"),
        (lambda: figures.histogram([], "x", "int8"), "at least one"),
        (lambda: figures.bars([("x", -1, "int8")], "x"), "from 0 up"),
        (lambda: figures.lines([1, 2], {"x": [1]}), "needs 2 values"),
        (lambda: figures.lines([1], {}), "one to four series"),
        (lambda: figures.lifetimes(drqsim.Graph((), (), (), ())), "no operators"),
    ],
)
def test_wrong_arguments_are_explained(call, complaint):
    with pytest.raises(drqsim.InputError, match=complaint):
        call()


def test_the_palette_is_that_of_the_book():
    sheet = (BOOK / "_static" / "drqsim.css").read_text(encoding="utf-8")
    light, dark = sheet.split('html[data-theme="dark"] {')[:2]
    for part, palette in ((light, LIGHT), (dark, DARK)):
        for kind, (colour, tint, _) in palette.items():
            assert f"--drq-{kind}: {colour};" in part
            assert f"--drq-{kind}-bg: {tint};" in part
