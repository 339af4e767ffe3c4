"""Which hybrid kernel runs a convolution: one rule, and what is told from it."""

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.ops import conv_2d
from drqsim.ops.conv_2d import PER_CHANNEL, PER_CHANNEL_REFERENCE, PER_TENSOR

f32 = np.float32
EQUAL, DIFFERENT = f32([0.5, 0.5]), f32([0.5, 0.25])


@pytest.mark.parametrize(
    ("filter_scale", "groups", "kernels", "kernel"),
    [
        (EQUAL[:1], 1, "optimized", PER_TENSOR),
        (EQUAL, 1, "optimized", PER_TENSOR),  # values are compared, not counted
        (EQUAL, 1, "reference", PER_TENSOR),
        (DIFFERENT, 1, "optimized", PER_CHANNEL),
        (DIFFERENT, 1, "xnnpack", PER_CHANNEL),
        (DIFFERENT, 1, "reference", PER_CHANNEL_REFERENCE),
        (EQUAL, 2, "optimized", PER_CHANNEL_REFERENCE),
        (DIFFERENT, 2, "xnnpack", PER_CHANNEL_REFERENCE),
    ],
)
def test_the_builtin_kernel_of_a_layer(filter_scale, groups, kernels, kernel):
    assert conv_2d.kernel_of(filter_scale, groups, kernels) is kernel
    assert conv_2d.is_per_channel(filter_scale, groups) == (kernel is not PER_TENSOR)


def convolution(weights, scale, channels=None):
    weights = np.asarray(weights, np.int8)
    return drqsim.conv_relu(
        weights,
        input_shape=(1, 4, 4, channels or weights.shape[3]),
        activation="NONE",
        filter_scale=f32(scale),
    )


def hazards(graph, kernels="optimized"):
    return " ".join(drqsim.explain(graph, kernels)[graph.operators[0].name].hazards)


@pytest.mark.parametrize("channels", [3, 4])
def test_equal_scales_meet_the_hazard_of_the_lowest_weight(channels):
    """Three channels do not fill the kernel's vectors, so it takes the dense layer's product."""
    random = np.random.default_rng(0)
    weights = random.integers(-9, 9, (channels, 3, 3, 8))
    weights[0, :, :, :4] = -128
    graph = convolution(weights, [0.01] * channels)
    x = -np.abs(random.normal(size=(1, 4, 4, 8))).astype(f32)
    assert ("-128" in hazards(graph)) == (channels == 3)
    theirs = litert.run(graph, x, "optimized").outputs["y"]
    right = np.abs(x).max() / 127 * 0.01 * _sums(graph, x)
    assert np.allclose(theirs, right, rtol=1e-5) == (channels == 4)
    assert litert.compare(graph, x, "optimized").exact


def _sums(graph, x):
    """Sums of codes times weights with every sign right."""
    q = np.rint(x / (np.abs(x).max() / 127)).astype(int)  # no value lies halfway
    q = np.pad(q, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(q, (3, 3), axis=(1, 2))
    return np.einsum("bhwcij,oijc->bhwo", windows, graph.tensors[1].value.astype(int))


def test_row_sums_of_a_grouped_filter_do_not_wrap():
    """It runs the reference kernel on either path, which takes the zero point off every code."""
    weights = np.full((2, 3, 3, 256), 127)
    graph = convolution(weights, [0.001, 0.002], channels=512)
    assert "wraps" in hazards(convolution(weights, [0.001, 0.002]))
    assert "wraps" not in hazards(graph)
    x = np.random.default_rng(0).uniform(0, 1, (1, 4, 4, 512)).astype(f32)
    one, other = (
        litert.run(graph, x, kernels).outputs["y"] for kernels in ("optimized", "reference")
    )
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("out", range(1, 9))
def test_sums_of_the_dense_product_never_reach_memory(out):
    """The other product writes them into the runtime's buffer, pixel by pixel."""
    random = np.random.default_rng(out)
    graph = convolution(random.integers(-9, 9, (out, 3, 3, 5)), [0.01] * out)
    x = random.normal(size=(1, 4, 4, 5)).astype(f32)
    record = drqsim.run(graph, x, "optimized")[1]["conv_2d_0/accumulator"]
    scratch = litert.run(graph, x, "optimized").scratch
    (sums,) = (t.value for t in scratch if t.dtype == np.int32)
    written = np.array_equal(sums.reshape(record.value.shape), record.value)
    assert (record.stored == "arena") == written == (not conv_2d.is_dense(PER_TENSOR, out))
    assert not conv_2d.is_dense(PER_CHANNEL, out)


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_every_group_has_slots_for_every_pixel(groups):
    random = np.random.default_rng(groups)
    weights = random.integers(-9, 9, (6, 3, 3, 2))
    graph = convolution(weights, random.uniform(0.01, 0.02, 6), channels=2 * groups)
    x = random.normal(size=(1, 4, 4, 2 * groups)).astype(f32)
    scratch = litert.run(graph, x, "optimized").scratch
    (scales,) = (t.value.nbytes for t in scratch if t.dtype == f32)
    _, trace = drqsim.run(graph, x, "optimized")
    reserved = {trace[f"conv_2d_0/{name}"].reserved for name in ("input_scale", "input_zero_point")}
    assert reserved == {scales} == {4 * 4 * groups * 4}
    assert drqsim.plan_memory(graph)["conv_2d_0/input_scale"].nbytes == scales
