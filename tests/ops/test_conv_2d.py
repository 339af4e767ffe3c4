"""CONV_2D against the runtime: every readable tensor, bit for bit, on random layers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from tests.kit.strategies import KERNELS, hybrid_convolutions

f32 = np.float32


@pytest.mark.parametrize("kernels", KERNELS)
@given(data=st.data())
def test_every_readable_tensor_has_the_bits_of_the_runtime(kernels, data):
    graph, x = data.draw(hybrid_convolutions(kernels))
    comparison = litert.compare(graph, x, kernels)
    assert comparison.exact, f"\n{graph}\n{comparison}"


# layers beyond what the random draw reaches: sums past 2^24, and row sums past int16
DEEP = {
    "sums past 2^24": dict(weights=(64, 127), shape=(4, 3, 3, 256), values=(0.5, 1)),
    "row sums that wrap": dict(weights=(127, 128), shape=(2, 3, 3, 256), values=(-1, 1)),
    "more than one exact piece": dict(weights=(-127, 128), shape=(5, 3, 3, 600), values=(-1, 1)),
}


@pytest.mark.parametrize("scales", [4, 1])
@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("what", DEEP)
def test_deep_layers(what, kernels, scales):
    case = DEEP[what]
    random = np.random.default_rng(7)
    weights = random.integers(*case["weights"], case["shape"], dtype=np.int8)
    scale = random.uniform(1e-3, 1e-2, len(weights) if scales > 1 else 1).astype(f32)
    x = random.uniform(*case["values"], (1, 4, 4, weights.shape[3])).astype(f32)
    graph = drqsim.conv_relu(weights, input_shape=x.shape, filter_scale=scale)
    assert litert.compare(graph, x, kernels).exact
    if what == "sums past 2^24":
        accumulator = drqsim.run(graph, x, kernels)[1]["conv_2d_0/accumulator"].value
        assert accumulator.max() > 2**24


@pytest.mark.parametrize(("channels", "out"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_a_scale_for_every_pixel_but_from_one_channel_to_one(channels, out):
    """XNNPACK makes a dense layer of a 1x1 convolution, but one of one weight it convolves."""
    random = np.random.default_rng(channels)
    weights = random.integers(1, 128, (out, 1, 1, channels), dtype=np.int8)
    x = random.normal(size=(2, 3, 4, channels)).astype(f32) * f32([[[[1], [10], [100], [1000]]]])
    graph = drqsim.conv_relu(
        weights, input_shape=x.shape, activation="NONE", filter_scale=f32([0.01] * out)
    )
    assert litert.compare(graph, x, "xnnpack").exact
    scales = drqsim.run(graph, x, "xnnpack")[1]["conv_2d_0/input_scale"].value
    assert scales.size == (2 if channels == out == 1 else 2 * 3 * 4)


def test_the_kernel_paths_are_not_the_same():
    """What each path does differently shows: otherwise a test above could compare the wrong one."""
    random = np.random.default_rng(5)
    weights = random.normal(size=(8, 3, 3, 16)).astype(f32)
    x = random.normal(size=(1, 9, 9, 16)).astype(f32)
    layer = drqsim.quantize(drqsim.conv_relu(weights, input_shape=x.shape))
    outputs = {kernels: drqsim.run(layer, x, kernels)[0]["y"] for kernels in KERNELS}
    for one, other in (("reference", "optimized"), ("optimized", "xnnpack")):
        assert not np.array_equal(outputs[one], outputs[other])
        assert np.allclose(outputs[one], outputs[other], rtol=1e-4, atol=1e-4)
