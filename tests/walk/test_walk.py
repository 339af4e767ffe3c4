"""The tensor walk: every sum it writes is the recorded number, and its page says the same."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim.arithmetic.floats import flush_denormals, fma
from drqsim.kernels import KERNELS
from drqsim.processor import PROCESSORS
from drqsim.walk import Walk, text
from tests.kit.digits import digits
from tests.kit.places import MODELS
from tests.kit.strategies import hybrid_convolutions
from tests.kit.walks import data_of, every_pixel, walk_of

f32 = np.float32


def check_sum(layer, pixel):
    """The parts add up to the recorded accumulator, and the float steps to the recorded floats."""
    n = vars(layer.numbers(pixel))
    assert [a * b for a, b in zip(n["q"], n["w"], strict=True)] == n["products"]
    assert sum(n["products"]) == n["part"] == n["parts"][pixel[3]]
    assert sum(n["parts"]) == n["raw"] == layer.raw[pixel[:3]]
    assert n["raw"] - n["zero_point"] * n["row_sum"] == n["accumulator"]
    assert n["accumulator"] == layer.accumulator[pixel[:3]]
    for name in ("dequantized", "pre_activation", "output"):
        assert n[name] == getattr(layer, name)[pixel[:3]]


def check_floats(layer):
    """The products that are shown lead to the recorded floats, in every pixel and channel."""
    acc, factor = layer.accumulator.astype(f32), layer.factor
    scale = layer.scale if layer.scale.size == 1 else layer.scale.reshape(*acc.shape[:2], 1)
    delegated = layer.records["input_scale"].stored == "delegate"
    flushed = flush_denormals if delegated else lambda x: x  # to XNNPACK denormals are zero
    bias = flushed(layer.bias)
    if layer.order == "scales together":
        assert np.array_equal(factor, layer.filter_scale * scale)
        dequantized = flushed(acc * flushed(factor))
    elif layer.order == "filter scale first":
        assert np.array_equal(factor, acc * layer.filter_scale)
        dequantized = factor * scale
    else:
        assert delegated
        assert np.array_equal(factor, flush_denormals(acc * scale))
        dequantized = flush_denormals(factor * layer.filter_scale)
        added = fma(factor, layer.filter_scale, flush_denormals(layer.bias))
        assert np.array_equal(flush_denormals(added), layer.pre_activation)
    assert np.array_equal(dequantized, layer.dequantized)
    if layer.order != "input scale first":
        assert np.array_equal(flushed(dequantized + bias), layer.pre_activation)


def test_text_is_the_whole_sum():
    assert repr(walk_of()) == (
        "conv_2d_1, optimized kernels: output row 5, column 3, channel 0\n"
        "input channel 3: codes, weights, products\n"
        "    -94    5 -128      18   40   -1     -1,692     200     128\n"
        "    -12 -111 -128     -26   -9  -72        312     999   9,216\n"
        "    -19   -7  -55      19   71   72       -361    -497  -3,960\n"
        "their sum: 4,345\n"
        "the sums of the 16 input channels:\n"
        "      16,298     2,978    33,986     4,345   -12,890    -9,037   -53,397     4,001\n"
        "       9,177    -9,961   -31,247     2,298   -33,704   -23,395     6,084     9,182\n"
        "all 144 products: -85,282\n"
        "accumulator: -85,282 - (-128) × 1,411 = -85,282 - (-180,608) = 95,326\n"
        "dequantized: 95,326 × (0.0019706232 × 0.012017935) = 95,326 × 0.00002368282 = 2.2575884\n"
        "pre_activation: 2.2575884 + (-0.86348385) = 1.3941045\n"
        "output: max(1.3941045, 0) = 1.3941045"
    )


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", ["digits_drq", "digits_drq_per_tensor"])
def test_every_sum_of_the_digit_is_the_recorded_one(kernels, name):
    layer = walk_of(kernels, name).layer
    check_floats(layer)
    for pixel in every_pixel(layer):
        check_sum(layer, pixel)


@given(st.data())
def test_every_sum_of_any_layer_is_the_recorded_one(data):
    kernels = data.draw(st.sampled_from(KERNELS))
    graph, x = data.draw(hybrid_convolutions(kernels))
    processor = data.draw(st.sampled_from(sorted(PROCESSORS)))
    outputs, trace = drqsim.run(graph, x, kernels=kernels, processor=processor)
    image = data.draw(st.integers(0, len(x) - 1))
    op = graph.operators[0]
    values = {record.name: record.value for record in trace}
    finite = ("dequantized", "pre_activation", "output")
    if not all(np.isfinite(values[name]).all() for name in finite):
        with pytest.raises(drqsim.InputError, match="infinite"):
            Walk(trace, op, pixel=(image, 0, 0))
        return
    walk = Walk(trace, op, pixel=(image, 0, 0))
    check_floats(walk.layer)
    places = list(every_pixel(walk.layer))
    for pixel in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=4)):
        check_sum(walk.layer, pixel)
    written = data_of(walk)
    for name in ("dequantized", "pre_activation", "output"):
        assert np.array_equal(np.array(written[name], f32), values[name][image].ravel())
    assert walk.sum_of(*places[-1]).count("\n") > 6


@pytest.mark.parametrize(
    ("stride", "padding"), [(1, "SAME"), (2, "SAME"), (2, "VALID"), (3, "VALID")]
)
@pytest.mark.parametrize("scales", [1, 4])
def test_the_name_is_enough_where_one_window_fits(stride, padding, scales):
    random = np.random.default_rng(3)
    graph = drqsim.conv_relu(
        random.integers(-127, 128, (4, 3, 3, 2), dtype=np.int8),
        input_shape=(1, 7, 8, 2),
        stride=stride,
        padding=padding,
        filter_scale=random.uniform(0.01, 0.1, scales).astype(f32),
    )
    _, trace = drqsim.run(graph, random.normal(size=(1, 7, 8, 2)).astype(f32))
    by_name, by_operator = Walk(trace, "conv_2d_0"), Walk(trace, graph.operators[0])
    assert (by_name.layer.rows, by_name.layer.cols) == (
        by_operator.layer.rows,
        by_operator.layer.cols,
    )
    assert by_name.layer.rows.stride == stride
    for pixel in every_pixel(by_name.layer):
        check_sum(by_name.layer, pixel)


def test_a_window_over_the_border_holds_the_zero_point():
    corner = walk_of(pixel=(0, 0, 0))
    codes = np.reshape(corner.layer.numbers(corner.start).q, (3, 3))
    assert (codes[0] == -128).all() and (codes[:, 0] == -128).all()
    html = corner._repr_html_()
    assert html.count('<td class="drq-pad">\N{MINUS SIGN}128</td>') == 5
    assert html.count('<td class="drq-pad">0</td>') == 5


def test_the_lines_follow_the_kernel_path():
    lines = {kernels: repr(walk_of(kernels)).splitlines()[-3] for kernels in KERNELS}
    assert lines["reference"].startswith("dequantized: (95,326 × 0.0019706232) × 0.012017935 =")
    assert lines["optimized"].startswith("dequantized: 95,326 × (0.0019706232 × 0.012017935) =")
    assert lines["xnnpack"].startswith("dequantized: (95,326 × 0.012017934) × 0.0019706232 =")
    assert "fma(1145.6216, 0.0019706232, -0.86348385)" in repr(walk_of("xnnpack"))
    symmetric = repr(walk_of(name="digits_drq_per_tensor")).splitlines()[-4]
    assert re.fullmatch(r"accumulator: (-?[\d,]+) = \1", symmetric)


@pytest.mark.parametrize("kernels", KERNELS)
def test_each_stage_says_where_this_path_keeps_its_tensor(kernels):
    layer = walk_of(kernels).layer
    said = {stage.name: stage for stage in text.stages(layer)}
    assert list(said) == [
        "input",
        "input_quantized",
        "filter",
        "products",
        "accumulator",
        "dequantized",
        "pre_activation",
        "output",
    ]
    assert ("raw sum" in said["accumulator"].place) == (kernels == "optimized")
    assert ("XNNPACK" in said["input_quantized"].place) == (kernels == "xnnpack")
    assert ("takes the zero point off each code" in said["accumulator"].says) == (
        kernels == "reference"
    )
    assert ("fma" in said["pre_activation"].says) == (kernels == "xnnpack")
    assert said["pre_activation"].place == "not stored" and said["output"].place == "arena"


@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
def test_the_activation_is_written_as_what_it_does(activation):
    random = np.random.default_rng(1)
    graph = drqsim.conv_relu(
        random.integers(-127, 128, (3, 3, 3, 2), dtype=np.int8),
        input_shape=(1, 4, 4, 2),
        activation=activation,
        filter_scale=random.uniform(0.1, 1, 3).astype(f32),
    )
    _, trace = drqsim.run(graph, random.normal(size=(1, 4, 4, 2)).astype(f32))
    for op in (graph.operators[0], "conv_2d_0"):
        walk = Walk(trace, op)
        assert walk.layer.activation == activation
        for pixel in every_pixel(walk.layer):
            line = walk.sum_of(*pixel).splitlines()[-1]
            formula, _, result = line.removeprefix("output: ").rpartition(" = ")
            value = eval(formula, {"min": min, "max": max})
            assert f32(value) == f32(float(result)) == walk.layer.output[pixel[:3]]


def test_what_makes_no_sense_is_refused():
    model, layer, x = digits()
    _, trace = drqsim.run(layer, x)
    for settings, complaint in (
        (dict(pixel=(1, 0, 0)), "image 1 does not exist: the input has 1"),
        (dict(pixel=(0, 8, 0)), "row is 8; expected 0 to 7"),
        (dict(pixel=(0, 0, -1)), "column is -1"),
        (dict(channel=32), "channel is 32; expected 0 to 31"),
        (dict(input_channel=16), "input_channel is 16"),
        (dict(op="conv_2d_9"), "has no operator 'conv_2d_9'"),
    ):
        with pytest.raises(drqsim.InputError, match=complaint):
            Walk(trace, **settings)
    image = np.load(MODELS / "digits_inputs.npz")
    _, whole = drqsim.run(model, image["images"][:1])
    for op in ("conv_2d_0", "depthwise_conv_2d_0", "mean_0"):
        with pytest.raises(drqsim.InputError, match="not a convolution with int8 weights"):
            Walk(whole, op)
    assert repr(Walk(whole, "conv_2d_1", (0, 5, 3), input_channel=3)) == repr(walk_of())
    _, shapes = drqsim.run(layer, x, record="shapes")
    with pytest.raises(drqsim.InputError, match="run with record='values'"):
        Walk(shapes)


def test_another_operator_than_the_traces_is_refused():
    random = np.random.default_rng(0)
    filters = random.integers(-127, 128, (2, 3, 3, 1), dtype=np.int8)
    scale = np.array([0.1, 0.2], f32)

    def graph(dilation):
        return drqsim.conv_relu(
            filters, input_shape=(1, 6, 6, 1), dilation=dilation, filter_scale=scale
        )

    _, trace = drqsim.run(graph(2), random.normal(size=(1, 6, 6, 1)).astype(f32))
    assert Walk(trace, graph(2).operators[0]).layer.rows.dilation == 2
    for op in ("conv_2d_0", graph(1).operators[0]):
        with pytest.raises(drqsim.InputError, match="no window over the input"):
            Walk(trace, op)


def test_a_walk_through_kleidiai_multiplies_both_scales_first():
    """On arm64 with a dot product XNNPACK's 1x1 convolutions do, for every pixel its own."""
    weights = np.random.default_rng(0).integers(-127, 128, (3, 1, 1, 4), dtype=np.int8)
    x = np.random.default_rng(1).uniform(-1, 1, (1, 2, 2, 4)).astype(f32)
    scale = f32([0.01, 0.02, 0.03])
    graph = drqsim.conv_relu(weights, input_shape=x.shape, filter_scale=scale)
    for processor, order in (("x86-64", "input scale first"), ("arm64-i8mm", "scales together")):
        trace = drqsim.run(graph, x, "xnnpack", processor=processor)[1]
        layer = Walk(trace, graph.operators[0]).layer
        assert layer.order == order
        assert layer.factor.shape == (2, 2, 3)
        check_floats(layer)
        for pixel in every_pixel(layer):
            check_sum(layer, pixel)
