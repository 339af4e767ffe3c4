"""The drawing of a layer: every record once, each step in its place."""

import re

import numpy as np
import pytest

import drqsim
from drqsim import figures
from drqsim.kernels import KERNELS
from tests.kit.digits import digits, small_layer, trace_of


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
        "not stored (24 bytes set aside, never written)  -10,795 … 18,817\n"
        "    | × input scale × filter scale\n"
        "  + filter_scale     float32[1]              4 bytes  model file (offline)  = 0.25\n"
        "dequantized          float32[1,2,3,1]        0 bytes  not stored  -63.75 … 111.1\n"
        "    | + bias\n"
        "  + bias             float32[1]              4 bytes  model file (offline)  = 0.5\n"
        "pre_activation       float32[1,2,3,1]        0 bytes  not stored  -63.25 … 111.6\n"
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
        assert ("0 bytes stored" in card) == ("drq-tile-size" not in card) == (card in passing)
    assert figures.layer(trace_of("optimized")).body.count("(room for 64 ") == 2


def test_scale_and_zero_point_are_seen_to_enter_again():
    again = r"drq-flow-again drq-(\w+)\"><span>(\w+) ="
    both = [("int32", "input_zero_point"), ("float32", "input_scale")]
    assert re.findall(again, figures.layer(trace_of("optimized")).body) == both
    assert re.findall(again, figures.layer(trace_of(name="digits_drq_per_tensor")).body) == both[1:]
    assert re.findall(again, figures.layer(trace_of(name="digits_float")).body) == []


@pytest.mark.parametrize("kernels", KERNELS)
def test_the_codes_are_seen_to_come_from_the_input_and_its_scale(kernels):
    body = figures.layer(trace_of(kernels)).body
    scale, codes = body.index("<b>input_scale</b>"), body.index("<b>input_quantized</b>")
    assert '<span class="drq-flow-again drq-float32"><span>input</span>' in body[scale:codes]
    assert "<span>input</span>" not in figures.layer(trace_of(name="digits_float")).body


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
