"""Figures: their text is golden, their HTML is whole, labelled, escaped and stable."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import drqsim
from drqsim import figures
from drqsim.figures.cells import STRONGEST
from drqsim.figures.histograms import bin_edges
from drqsim.figures.style import DARK, LIGHT
from drqsim.figures.svg import tick
from drqsim.kernels import KERNELS
from drqsim.memory import plan_memory
from tests.kit.places import MODELS, ROOT

BOOK = ROOT / "book"
VOID = set("area base br col hr img input link meta path use wbr".split())
EVIL = "<b onload=\"x('&')\">$x_1$"
PAGES = {"light": ("#ffffff", "#222832"), "dark": ("#121212", "#ced6dd")}


class Checked(HTMLParser):
    """Parses HTML and complains about tags that do not match and ids that repeat."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.figures, self.tags, self.text = [], [], [], [], ""
        self.feed(html)
        self.close()
        assert self.open == []
        assert len(set(self.ids)) == len(self.ids)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag == "figure":
            self.figures.append(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += "" if "style" in self.open else data


def digits(name="digits_drq"):
    model = drqsim.load(MODELS / f"{name}.tflite")
    image = np.load(MODELS / "digits_inputs.npz")["images"][:1]
    (x,) = drqsim.run(model.extract("conv_2d_0"), image)[0].values()
    return model, model.extract("conv_2d_1"), x


def trace_of(kernels="optimized", name="digits_drq"):
    _, layer, x = digits(name)
    return drqsim.run(layer, x, kernels=kernels)[1]


def small_layer(activation="RELU"):
    filter = np.array([[[[127], [-64]]]], np.int8)
    layer = drqsim.conv_relu(
        filter,
        np.array([0.5], np.float32),
        input_shape=(1, 2, 3, 1),
        activation=activation,
        filter_scale=np.array([0.25], np.float32),
    )
    x = np.array([[[[0.0], [1.0], [2.0]], [[3.0], [-1.0], [-2.0]]]], np.float32)
    return layer, drqsim.run(layer, x)[1]


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


def test_a_layer_reads_as_a_list_of_steps():
    layer, trace = small_layer()
    assert repr(figures.layer(trace, layer.operator("conv_2d_0"))) == (
        "conv_2d_0, optimized kernels\n"
        "input                float32[1,2,3,1]       24 bytes  arena  -2 … 3\n"
        "    | find the largest magnitude\n"
        "input_scale          float32[1]              4 bytes  "
        "arena (room for 6 scales)  = 0.02362\n"
        "    | round(x × 127/largest magnitude)\n"
        "input_quantized      int8[1,2,3,1]           6 bytes  arena  -85 … 127\n"
        "    | copy every window into a row\n"
        "im2col               int8[1,2,3,2]          12 bytes  arena  -85 … 127\n"
        "    | sum of products, int8 × int8 → int32\n"
        "  + filter           int8[1,1,2,1]           2 bytes  model file (offline)  -64 … 127\n"
        "accumulator          int32[1,2,3,1]          0 bytes  "
        "register (24 bytes set aside, never written)  -10,795 … 18,817\n"
        "    | × input scale × filter scale\n"
        "  + filter_scale     float32[1]              4 bytes  model file (offline)  = 0.25\n"
        "dequantized          float32[1,2,3,1]        0 bytes  register  -63.75 … 111.1\n"
        "    | + bias\n"
        "  + bias             float32[1]              4 bytes  model file (offline)  = 0.5\n"
        "pre_activation       float32[1,2,3,1]        0 bytes  register  -63.25 … 111.6\n"
        "    | ReLU: negative numbers become 0\n"
        "output               float32[1,2,3,1]       24 bytes  arena  0 … 111.6"
    )


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", ["digits_drq", "digits_drq_per_tensor", "digits_float"])
def test_a_layer_shows_every_record_once(kernels, name):
    trace = trace_of(kernels, name)
    figure = figures.layer(trace)
    shown = re.findall(r"<b>(\w+)</b>", figure.body)
    assert sorted(shown) == sorted(record.name for record in trace)
    named = [line.strip(" +").split()[0] for line in repr(figure).splitlines()[1:]]
    assert [n for n in named if n != "|"] == shown


def test_the_operation_on_an_arrow_follows_the_kernel_path():
    texts = {kernels: repr(figures.layer(trace_of(kernels))) for kernels in KERNELS}
    assert "| sum of (code − zero point) × weight → int32" in texts["reference"]
    assert "| − zero point × row sums" in texts["optimized"]
    assert "| sum of products − zero point × row sums → int32" in texts["xnnpack"]
    assert "| sum of products + bias" in repr(figures.layer(trace_of(name="digits_float")))


def test_a_card_shows_only_what_is_stored():
    cards = figures.layer(trace_of("optimized")).body.split('<div class="drq-tile ')[1:]
    passing = [card for card in cards if "drq-passing" in card.split(">")[0]]
    assert len(cards) == 14
    assert len(passing) == 3
    for card in cards:
        assert ("0 bytes stored" in card) == ("width:0.00%" in card) == (card in passing)
    assert figures.layer(trace_of("optimized")).body.count("(room for 64 ") == 2


def test_scale_and_zero_point_are_seen_to_enter_again():
    again = r"drq-flow-again drq-(\w+)\"><span>(\w+) ="
    both = [("int32", "input_zero_point"), ("float32", "input_scale")]
    assert re.findall(again, figures.layer(trace_of("optimized")).body) == both
    assert re.findall(again, figures.layer(trace_of(name="digits_drq_per_tensor")).body) == both[1:]
    assert re.findall(again, figures.layer(trace_of(name="digits_float")).body) == []


def test_the_panel_of_the_constants_begins_beside_the_card_above_the_first():
    for name, last in (("digits_drq", "im2col"), ("digits_float", "input")):
        lead, panel = figures.layer(trace_of(name=name)).body.split("drq-flow-panel")
        assert re.findall(r"<b>(\w+)</b>", panel)[0] == last
        assert "The same for every input" in panel and "<b>filter</b>" not in lead


def test_row_sums_say_when_they_are_computed():
    assert "made once, on the first run<" in figures.layer(trace_of("optimized")).body
    assert "made once<" in figures.layer(trace_of("xnnpack")).body


@pytest.mark.parametrize(
    ("activation", "told", "seen"),
    [
        ("RELU", "ReLU: ", "ReLU: "),
        ("RELU6", "ReLU6: ", "ReLU6: "),
        ("RELU_N1_TO_1", "ReLU N1 to 1: ", "ReLU N1 to 1: "),
        ("NONE", "no activation", "activation: changed nothing here"),
    ],
)
def test_the_activation_is_told_by_the_operator_or_seen_in_the_values(activation, told, seen):
    layer, trace = small_layer(activation)
    assert f"| {told}" in repr(figures.layer(trace, layer.operator("conv_2d_0")))
    assert f"| {seen}" in repr(figures.layer(trace, "conv_2d_0"))


def test_a_layer_without_recorded_values_still_draws():
    _, layer, x = digits()
    _, trace = drqsim.run(layer, x, record="shapes")
    text = repr(figures.layer(trace, layer.operator("conv_2d_1")))
    assert "…" not in text
    assert "| ReLU: negative numbers become 0" in text


def test_an_operator_without_weights_draws_as_one_step():
    pool = drqsim.trace.make_record("relu_0", "input", np.ones((1, 2), np.float32))
    out = drqsim.trace.make_record("relu_0", "output", np.ones((1, 2), np.float32))
    text = repr(figures.layer(drqsim.Trace([pool, out], "optimized")))
    assert text.splitlines()[2] == "    | relu"


def test_grid_text():
    values = np.array([[-128, 3], [40, 127]], np.int8)
    figure = figures.grid(values, "codes", "int8", highlight={(1, 0)}, center=-128)
    assert repr(figure) == "codes  int8[2,2]  -128 … 127\n-128     3\n 40*   127"
    assert "drq-below" not in figure.body
    assert f"--shade:{STRONGEST}%" in figure.body
    assert figure.alt == (
        "codes: a table of 2 by 2 int8 numbers from -128 to 127, 1 of them outlined."
    )


def test_a_grid_says_what_its_colour_means():
    one = figures.grid(np.array([[9216, -1]]), "a", "int32")
    other = figures.grid(np.array([[3]]), "b", "int8", center=-128)
    assert repr(one).splitlines()[1] == "9,216     -1"
    assert "color: distance from 0<" in one.body
    assert "color: distance from \N{MINUS SIGN}128<" in other.body
    assert figures.grids([one, one]).body.count("color:") == 1
    assert figures.grids([one, other]).body.count("color:") == 2
    shared = figures.grids([one, other], note="color: <what> it is").body
    assert shared.count("color:") == 1 and shared.endswith("color: &lt;what&gt; it is</span></div>")


def test_grids_of_one_scale_have_the_same_colour_for_the_same_number():
    small, large = np.array([[1, 2]]), np.array([[4, 2]])
    shades = [
        re.findall(r"--shade:(\d+)%", figures.grid(values, "a", "int32", top=4).body)
        for values in (small, large)
    ]
    assert shades == [["10", "20"], ["40", "20"]]


def test_a_format_with_a_width_gives_every_cell_room():
    space = "\N{FIGURE SPACE}"
    body = figures.grid(np.array([[7, -128]]), "a", "int8", "4d").body
    assert f">{space * 3}7</td>" in body and ">\N{MINUS SIGN}128</td>" in body


def test_a_grid_of_fewer_bits_says_how_many():
    figure = figures.grid(np.array([[7, -7]], np.int8), "codes", "weight", bits=4)
    assert repr(figure).startswith("codes  int4[1,2]  -7 … 7\n")
    assert ">int4[1,2]<" in figure.body and "1 by 2 int4 numbers" in figure.alt


@pytest.mark.parametrize(
    ("largest", "text"),
    [(0.0, "0"), (3.14159, "3.14"), (31.4159, "31.4"), (0.0314159, "0.0314"), (3e-9, "3.0e-09")],
)
def test_grid_writes_three_digits_of_the_largest_value(largest, text):
    figure = figures.grid(np.array([[largest]]), "x", "float32")
    assert repr(figure).splitlines()[1] == text


def test_grid_takes_infinity_and_nan():
    figure = figures.grid(np.array([[np.nan, np.inf, 1.0]]), "x", "float32")
    assert repr(figure).splitlines()[1].split() == ["nan", "inf", "1.00"]


def test_grids_join_texts():
    one = figures.grid(np.array([[1]]), "a", "int32")
    assert repr(figures.grids([one, one])) == f"{one!r}\n\n{one!r}"
    rows = figures.grids({"first": [one, one], "second <b>": [one]})
    assert repr(rows) == f"first\n{one!r}\n\n{one!r}\n\nsecond <b>\n{one!r}"
    assert rows.alt == f"first. {one.alt} {one.alt} second <b>. {one.alt}"
    assert rows.body.count('class="drq-beside"') == 2 and "second &lt;b&gt;" in rows.body
    assert rows.body.count("color:") == 1


def test_number_line_text():
    figure = figures.number_line(-1, 2, 0.5, -2, [0.24, 0.25, -9], codes=(-4, 3))
    assert repr(figure) == (
        "Real numbers and their codes: -1 to 2, scale 0.5, zero point -2, codes -4 to 3\n"
        "  codes: -4 = -1, -3 = -0.5, -2 = 0, -1 = 0.5, 0 = 1, 1 = 1.5, 2 = 2, 3 = 2.5\n"
        "  values: 0.24 -> -2, 0.25 -> -1, -9 -> -4"
    )


def test_histogram_text():
    figure = figures.histogram(np.array([0, 1, 1, 3]), "codes", "int8", marks={"zero": 0})
    assert repr(figure) == (
        "codes: 4 values from 0 to 3, mean 1.25, standard deviation 1.09\n"
        "  counts from left to right: 1 2 0 1\n"
        "  marks: zero = 0"
    )


def test_bars_are_as_high_as_their_counts():
    """Measured in the picture: each bar's corners, left of it its bin's edge."""
    values = np.repeat([0, 1, 2, 5], [3, 7, 1, 4])
    body = figures.histogram(values, "codes", "int8").body
    bars = re.findall(r'<path d="([^"]*)"[^>]*fill: var\(--drq-int8', body)
    corners = np.array([re.findall(r"[\d.]+", bar) for bar in bars], float).reshape(-1, 4, 2)
    height = corners[:, 0, 1] - corners[:, 1, 1]
    assert height / height.sum() * values.size == pytest.approx([3, 7, 1, 4], abs=1e-4)
    left = corners[:, 0, 0] - corners[0, 0, 0]
    assert left / left[1] == pytest.approx([0, 1, 2, 5], abs=1e-4)


@pytest.mark.parametrize("bins", [1, 2, 7, 40])
@pytest.mark.parametrize(
    "values",
    [
        np.array([-3.1, 0.0, 2.0]),
        np.array([-1e-9, 1e9]),
        np.array([-0.1, 0.3], np.float32),
        np.array([-128, 0, 127], np.int8),
        np.array([-185787, 158167], np.int32),
        np.array([-1, 1]),
    ],
)
def test_a_bin_begins_at_zero_and_none_is_lost(values, bins):
    edges = bin_edges(values, bins)
    zero = -0.5 if values.dtype.kind == "i" else 0
    assert zero in edges
    assert len(edges) - 1 <= max(bins, 2)
    assert np.histogram(values, edges)[0].sum() == values.size


def test_codes_are_binned_from_their_zero_point():
    edges = bin_edges(np.arange(-128, 128), 40, zero=5)
    assert 4.5 in edges
    assert edges[0] <= -128 and edges[-1] >= 127


def test_two_histograms_say_when_their_heights_differ():
    few, many = np.arange(-3.0, 4), np.zeros(90)
    titles, kinds = ("a", "b"), ("int8", "int8")
    assert "other scale" in figures.two_histograms(few, many, titles, kinds).body
    assert "other scale" not in figures.two_histograms(few, few + 1, titles, kinds).body


def test_two_histograms_count_the_same_bins():
    real = np.array([0.0, 0.5, 0.5, 1.5], np.float32)
    figure = figures.two_histograms(
        real, np.array([-4, -3, -3, -1], np.int8), ("x", "q"), ("float32", "int8"), 0.5, -4
    )
    counts = [line for line in repr(figure).splitlines() if "counts" in line]
    assert counts == ["  counts from left to right: 1 2 0 1"] * 2


def test_two_histograms_name_their_axes():
    real, codes, kinds = np.array([0.0, 1.5]), np.array([-4, -1], np.int8), ("float32", "int8")
    for upper, lower, scale, names in (
        (real, codes, 0.5, ["value", "code"]),
        (codes, codes, None, ["code"]),
        (real, real, None, ["value"]),
    ):
        body = figures.two_histograms(
            upper, lower, ("x", "q"), kinds, scale, -4 if scale else 0
        ).body
        assert re.findall(r">(value|code)</text>", body) == names


def test_a_value_of_0_has_no_bar():
    body = figures.bars([("a", 4, "int8"), ("b", 0, "int32")], "Bytes").body
    assert body.count('class="drq-track"') == 2 and body.count("<div style=") == 1


def test_bars_of_one_scale_have_the_same_length_for_the_same_number():
    for values, widths in (((1, 2), ["25.00", "50.00"]), ((8, 2), ["100.00", "25.00"])):
        body = figures.bars([("a", v, "int8") for v in values], "Bytes", top=4).body
        assert re.findall(r"width:([\d.]+)%", body) == widths


def test_bars_write_numbers_as_they_are_told():
    figure = figures.bars([("a", 0.00044, "weight"), ("b", 0.5, "weight")], "e", "", 0, ".4f")
    assert repr(figure) == "e: 2 bars up to 0.5000\n  a  0.0004\n  b  0.5000"
    assert "<td>0.0004</td>" in figure.body and "a 0.0004; b 0.5000" in figure.alt


def test_bars_text():
    figure = figures.bars([("filter", 4608, "weight"), ("bias", 128, "weight")], "Size", "bytes")
    assert repr(figure) == (
        "Size: 2 bars up to 4,608 bytes\n  filter  4,608 bytes\n  bias    128 bytes"
    )


def test_lifetimes_text():
    layer, _ = small_layer()
    assert repr(figures.lifetimes(layer)) == (
        "lifetimes: at most 48 bytes alive, during conv_2d_0\n"
        "  input        float32[1,2,3,1]         24 bytes, 0 to the end\n"
        "  0 conv_2d_0  float32[1,2,3,1]         24 bytes, 0 to the end\n"
        "  alive: 48"
    )


def test_lines_text():
    figure = figures.lines([1, 2], {"a": [0.5, 0.25], "long name": [1, 2]}, "t", "bits")
    assert repr(figure) == (
        "t\n  bits     a  long name\n     1   0.5          1\n     2  0.25          2"
    )


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


@pytest.mark.parametrize(("theme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_numbers_stay_readable_on_the_strongest_cell(theme, palette):
    page, ink = map(rgb, PAGES[theme])
    mixes = [(rgb(cell), STRONGEST / 100) for _, _, cell in palette.values()]
    for colour, share in [*mixes, (ink, 0.7 * STRONGEST / 100)]:
        assert contrast(ink, share * colour + (1 - share) * page) >= 4.5


def rgb(colour):
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], float)


def contrast(one, other):
    """The ratio of the WCAG."""
    light = sorted(luminance(colour) for colour in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


def luminance(colour):
    c = colour / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_ticks_of_millions_are_written_out():
    shown = {1.25e6: "1,250,000", -2e7: "\u221220,000,000", 0.25: "0.25", 1e15: "1e+15"}
    assert {value: tick(value, 0) for value in shown} == shown
