"""Each part is what its name says: against loops, sums of codes, and operators run alone."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import drqsim
from drqsim.attribution.formula import quantized_input
from drqsim.attribution.parts import CAUSES
from tests.kit import strategies
from tests.kit.attribution import assert_adds_up, branched, layer, unquantized
from tests.kit.strategies import KERNELS

f32, f64 = np.float32, np.float64


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("activation", ["NONE", "RELU"])
def test_parts_against_the_operators_run_alone(activation, kernels):
    """As far as float32 shows: the float operator on the quantized model's activations."""
    net, outputs = branched(6, activation)
    float_model, drq = net.graph(*outputs), net.quantized(*outputs)
    x = net.random.normal(size=(1, 5, 4, 3)).astype(f32)
    ours, theirs = (drqsim.run(model, x, kernels)[1] for model in (float_model, drq))
    found = drqsim.attribute_error(float_model, drq, x, kernels, keep_values=True)
    rounded = unquantized(drq, net.random, 0)
    for name in (row.operator for row in found.net):
        read = theirs[f"{name}/input"].value
        in_float, of_float, of_rounded, in_drq = (
            ours[f"{name}/output"].value,
            *(
                next(iter(drqsim.run(model.extract(name), read, kernels)[0].values()))
                for model in (float_model, rounded)
            ),
            theirs[f"{name}/output"].value,
        )
        near = 1e-5 * np.abs(in_float).max()
        steps = of_float - in_float, of_rounded - of_float, in_drq - of_rounded, 0 * in_float
        for cause, expected in zip(CAUSES, steps, strict=True):
            part = found[name].parts[cause].values[0]
            assert np.abs(part - expected).max() <= near, (name, cause)
            assert cause == "inherited" or (part != part.astype(f32)).any(), (name, cause)
        assert np.abs(steps[2]).max() > 100 * near


LAYERS = ("convolutions", "depthwise", "dense", "batch_matmul", "transpose_conv")


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kernels", KERNELS)
@settings(max_examples=settings().max_examples // 4 + 1)  # each runs the layer a dozen times
@given(data=st.data(), seed=st.integers(0, 1000))
def test_random_layers(layer, kernels, data, seed):
    drq, x = data.draw(getattr(strategies, f"hybrid_{layer}")(kernels))
    assume(np.abs(x).max() > 1e-30)  # XNNPACK takes denormals for zero, and the formula does not
    random = np.random.default_rng(seed)
    exact, rounded = unquantized(drq, random, 0), unquantized(drq, random)
    for model in (drq, exact, rounded):
        assume(all(np.isfinite(y).all() for y in drqsim.run(model, x, kernels)[0].values()))
    found = assert_adds_up(rounded, drq, [x], kernels)
    assert found.rows[0].parts["inherited"].largest == 0
    # weights that are products of code and scale, rounded once to float32
    weights = drqsim.attribute_error(exact, drq, x, kernels).rows[0].parts["weight rounding"]
    assert weights.snr > 100 or weights.largest <= 1e-6 * found.rows[0].error.largest


def plain_convolution(x, weights, bias, options):
    """A convolution in float64 as a loop over taps."""
    from drqsim.arithmetic.window import axis

    out, kernel_h, kernel_w, depth = weights.shape
    strides = options["stride_h"], options["stride_w"]
    dilations = options["dilation_h_factor"], options["dilation_w_factor"]
    rows, cols = (
        axis(n, k, s, d, options["padding"])
        for n, k, s, d in zip(x.shape[1:3], (kernel_h, kernel_w), strides, dilations, strict=True)
    )
    x = np.pad(x, ((0, 0), (rows.before, rows.after), (cols.before, cols.after), (0, 0)))
    groups = x.shape[3] // depth
    y = np.zeros((len(x), rows.out, cols.out, out))
    for row in range(kernel_h):
        for col in range(kernel_w):
            top, left = row * dilations[0], col * dilations[1]
            pixels = x[:, top :: strides[0], left :: strides[1]][:, : rows.out, : cols.out]
            for o in range(out):
                own = slice(o // (out // groups) * depth, (o // (out // groups) + 1) * depth)
                y[..., o] += pixels[..., own] @ weights[o, row, col]
    return y + bias


BOUNDS = {"NONE": (None, None), "RELU": (0, None), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}


@pytest.mark.parametrize("kernels", KERNELS)
@settings(max_examples=settings().max_examples // 4 + 1)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_convolutions_against_a_loop_and_against_the_accumulator(kernels, data, seed):
    """F(x, W) from a plain loop, F(x^, W^) from the kernel's own int32 sums."""
    drq, x = data.draw(strategies.hybrid_convolutions(kernels))
    _, codes, bias, _ = drq.tensors
    assume((codes.value > -128).all())  # some kernels get their products wrong
    model = unquantized(drq, np.random.default_rng(seed))
    outputs, trace = drqsim.run(drq, x, kernels)
    assume(np.abs(x).max() < 1e30 and np.isfinite(outputs["y"]).all())
    row = drqsim.attribute_error(model, drq, x, kernels, keep_values=True).rows[0]
    parts = {cause: part.values[0] for cause, part in row.parts.items()}
    options = drq.operators[0].options
    low, high = BOUNDS[options["fused_activation_function"]]
    scale = codes.quantization.scale.astype(f64)
    dequantized = codes.value * scale.reshape(-1, 1, 1, 1)

    def value(x, weights):
        y = plain_convolution(x.astype(f64), weights, bias.value, options)
        return y if low is None and high is None else np.clip(y, low, high)

    s_in = trace["conv_2d_0/input_scale"].value.astype(f64)
    s_in = s_in.reshape(*x.shape[:3], 1) if s_in.size != len(x) else s_in.reshape(-1, 1, 1, 1)
    of_sums = trace["conv_2d_0/accumulator"].value * s_in * scale + bias.value
    if low is not None:
        of_sums = np.clip(of_sums, low, high)
    of_float, of_weights = value(x, model.tensors[1].value.astype(f64)), value(x, dequantized)
    # the sums of up to 102 products in another order
    size = value(np.abs(x), np.abs(dequantized)).max() + np.abs(bias.value).max() + s_in.max()
    near = 1e-12 * size
    assert np.abs(of_weights - of_float - parts["weight rounding"]).max() <= near
    assert np.abs(of_sums - of_weights - parts["input rounding"]).max() <= near
    rounding = (outputs["y"] - of_sums) + (of_float - drqsim.run(model, x, kernels)[0]["y"])
    assert np.abs(rounding - parts["float rounding"]).max() <= near


@pytest.mark.parametrize("kernels", KERNELS)
def test_weights_on_the_grid_round_to_themselves(kernels):
    """Multiples of a power of two up to 127 of it: a different scale for each channel."""
    random = np.random.default_rng(0)
    steps = random.integers(-126, 127, (5, 8))
    steps[:, 3] = 127
    weights = steps * 2.0 ** -np.arange(5)[:, None]
    models = layer(weights, (1, 3, 3, 8))
    x = random.normal(size=(1, 3, 3, 8)).astype(f32)
    row = drqsim.attribute_error(*models, x, kernels).rows[0]
    assert row.parts["weight rounding"].largest == 0
    assert row.parts["weight rounding"].snr == math.inf
    assert row.parts["input rounding"].largest > 0
    off = drqsim.attribute_error(*layer(weights + 0.01, (1, 3, 3, 8)), x, kernels).rows[0]
    assert off.parts["weight rounding"].largest > 0


@pytest.mark.parametrize("kernels", KERNELS)
def test_an_input_on_the_grid_rounds_to_itself(kernels):
    random = np.random.default_rng(1)
    models = layer(random.normal(size=(5, 8)), (1, 3, 3, 8))
    steps = random.integers(-100, 156, (1, 3, 3, 8))
    steps[..., 0], steps[..., 1] = -100, 155  # every pixel spans 255 steps
    x = (steps / 16).astype(f32)
    row = drqsim.attribute_error(*models, x, kernels).rows[0]
    assert row.parts["input rounding"].largest == row.clipping.largest == 0
    assert row.parts["weight rounding"].largest > 0
    row = drqsim.attribute_error(*models, x * f32(1.001) + f32(0.01), kernels).rows[0]
    assert row.parts["input rounding"].largest > 0


def test_an_outlier_costs_the_other_values_their_steps():
    random = np.random.default_rng(2)
    models = layer(random.normal(size=(5, 8)), (1, 6, 6, 8))
    x = random.normal(size=(1, 6, 6, 8)).astype(f32)
    usual = drqsim.attribute_error(*models, x).rows[0]
    x[0, 2, 4, 5] = 2000
    found = drqsim.attribute_error(*models, x)
    row = found.rows[0]
    apart = row.parts["input rounding"].largest / usual.parts["input rounding"].largest
    assert 100 < apart < 1000  # the range is some 300 times as wide
    assert row.parts["input rounding"].share > 0.5
    assert any("outliers" in text for _, text in found.hazards)


def test_a_range_about_zero_is_clipped_at_its_end():
    """From -127.5 to 127.5 steps the zero point is a tie, rounded to -1: the end would be -129."""
    models = layer(np.random.default_rng(3).normal(size=(5, 8)), (1, 2, 2, 8))
    x = np.zeros((1, 2, 2, 8), f32)
    x[0, 1, 0, :2] = 127.5 / 64, -127.5 / 64
    x[0, 0, 1, 2] = 0.3
    row = drqsim.attribute_error(*models, x, keep_values=True).rows[0]
    cut = row.clipping.values[0]
    assert np.abs(cut[0, 1, 0]).min() > 0
    assert np.array_equal(cut != 0, np.broadcast_to(x[..., 1:2] < 0, cut.shape))
    half_a_step = 0.5 / 64
    weights = np.abs(models[0].tensors[1].value[:, 0, 0, 1])
    assert np.abs(cut[0, 1, 0]) == pytest.approx(half_a_step * weights, rel=0.05)


@pytest.mark.parametrize(
    ("low", "high", "cut"),
    [
        (-127.5, 127.5, [True, False]),  # the zero point, -0.5, becomes -1, and the end -129
        (-128.5, 126.5, [False, True]),  # 0.5 becomes 1, and the end 128
        (-128.0, 127.0, [False, False]),
    ],
)
def test_codes_are_cut_at_either_end(low, high, cut):
    _, drq = layer(np.random.default_rng(3).normal(size=(5, 8)), (1, 2, 2, 8))
    x = np.zeros((1, 2, 2, 8), f32)
    x[0, 0, 0, :2] = low / 64, high / 64
    _, trace = drqsim.run(drq, x, "optimized")
    values, found = quantized_input(drq.operators[0], trace, x.astype(f64))
    assert found.reshape(-1)[:2].tolist() == cut and found.sum() == sum(cut)
    assert np.abs(values - x).max() == 0.5 / 64 * any(cut)
