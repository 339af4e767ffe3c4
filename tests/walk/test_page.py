"""The page of a walk says what the walk in Python says."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim.kernels import KERNELS
from drqsim.trace import TensorRecord, Trace
from drqsim.walk import Walk, numbers, text
from tests.kit.digits import digits
from tests.kit.html import EVIL, Checked
from tests.kit.walks import START, data_of, walk_of

f32 = np.float32


def test_the_page_starts_with_the_sum_of_the_text():
    walk = walk_of(caption="A caption.")
    html = walk._repr_html_()
    page = Checked(html)
    for line in repr(walk).splitlines()[-4:]:
        assert line.partition(": ")[2].replace("-", "\N{MINUS SIGN}") in page.text
    assert "A caption." in page.text
    assert page.tags.count("drq-walk") == 1
    assert page.tags.count("i") == 2 * 100 + 9 + 3 * 64
    assert html.count('role="gridcell"') == 64
    assert html.count('aria-selected="true"') == 1
    assert len(re.findall(r'class="[^"]*drq-on', html)) == 9 + 9 + 9 + 3 + 1
    assert html == walk_of(caption="A caption.")._repr_html_()
    assert len(html.encode()) < 300_000


def test_the_numbers_of_the_page_are_the_records_bit_for_bit():
    walk = walk_of("xnnpack")
    data = data_of(walk)
    assert data["start"] == list(START)
    for record in walk.layer.records.values():
        if record.name in data and record.name not in ("input_scale",):
            values = np.array(data[record.name]).astype(record.dtype)
            assert values.tobytes() == record.value.tobytes(), record.name


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.3941045, "1.3941045"),
        (0.1, "0.1"),
        (-0.0, "-0"),
        (0, "0"),
        (3, "3"),
        (1e-7, "1e-7"),
        (1.5e-6, "0.0000015"),
        (-2.5e-30, "-2.5e-30"),
        (16777216, "16777216"),
        (1e21, "1e+21"),
        (1.2345679e20, "123456790000000000000"),
    ],
)
def test_floats_are_written_as_javascript_writes_them(value, written):
    assert text.decimal(f32(value)) == written
    assert f32(float(written)) == f32(value)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_no_float_loses_a_bit_in_writing(value):
    written = json.loads(text.decimal(f32(value)), parse_int=float)
    assert f32(written).tobytes() == f32(value).tobytes()


def test_markup_in_names_and_captions_stays_text():
    _, layer, x = digits()
    _, trace = drqsim.run(layer, x)
    name = f"conv_2d_{EVIL}"
    renamed = [TensorRecord(**{**vars(record), "op": name}) for record in trace]
    html = Walk(Trace(renamed, EVIL), name, caption=EVIL)._repr_html_()
    page = Checked(html)
    assert "<b onload" not in html
    assert page.text.count(EVIL) == 3
    assert page.figures[0]["aria-label"] == f"Tensor walk: {name}, {EVIL} kernels"


def test_the_script_is_small_and_asks_nobody():
    for file, most in (("walk.js", 12 * 1024), ("walk.css", 8 * 1024)):
        source = numbers.__spec__.origin.replace("numbers.py", file)
        with open(source, encoding="utf-8") as lines:
            content = lines.read()
        assert len(content.encode()) < most
        assert "http" not in content and "fetch(" not in content and "</script" not in content
    html = walk_of()._repr_html_()
    assert "http" not in html


@pytest.mark.parametrize("kernels", KERNELS)
def test_grid_and_card_say_the_same_of_where_the_sums_are(kernels):
    html = walk_of(kernels)._repr_html_()
    name = html[html.index("<b>5 accumulator</b>") :][:300]
    card = html[html.index("<b>5 <span data-told>accumulator") :][:300]
    raw = kernels == "optimized"
    assert "not stored" in name and "not stored" in card
    assert ("raw sums in the arena" in name) == raw
    assert ("raw sum: scratch in the arena" in card) == raw


def bigger(shape, filters):
    random = np.random.default_rng(0)
    graph = drqsim.conv_relu(
        random.integers(-127, 128, filters, dtype=np.int8),
        input_shape=shape,
        filter_scale=np.full(filters[0], 0.1, f32),
    )
    return drqsim.run(graph, random.normal(size=shape).astype(f32))[1]


@pytest.mark.parametrize(
    ("shape", "filters", "complaint"),
    [
        ((1, 17, 16, 1), (1, 3, 3, 1), r"272 input pixels; the walk draws at most 256"),
        ((1, 8, 8, 1), (1, 8, 7, 1), r"56 taps; the walk draws at most 49"),
        ((1, 4, 4, 65), (1, 1, 1, 65), r"65 channels in a sum; the walk draws at most 64"),
        ((1, 16, 16, 64), (64, 3, 3, 64), r"values to embed; the walk draws at most 100,000"),
    ],
)
def test_what_is_too_large_to_draw_is_refused(shape, filters, complaint):
    with pytest.raises(drqsim.InputError, match=complaint):
        Walk(bigger(shape, filters))


@pytest.mark.parametrize("kernels", KERNELS)
def test_a_dashed_frame_is_around_what_is_never_stored(kernels):
    """The raw sum is stored on one path, the corrected one on none."""
    walk = walk_of(kernels)
    steps = walk._repr_html_().split('<li class="drq-step ')[1:]
    is_stored = "accumulator_raw" in walk.layer.records
    assert is_stored == (kernels == "optimized")
    dashed = ["drq-passing" in step[: step.index('"')] for step in steps]
    assert dashed == [False] * 3 + [True, not is_stored, True, True, False]
    (*_, raw), *corrected = (
        re.findall('data-text="([^"]*)"', part)
        for part in steps[4].split('<div class="drq-corrected">')
    )
    if is_stored:
        assert raw == "{raw}" and corrected[0][0].endswith("{accumulator}")
    else:
        assert corrected == []
