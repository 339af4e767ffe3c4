"""Full-integer layers that multiply every code by one number, chosen so that a rule shows."""

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.graph import Graph, Tensor
from tests.kit.full_integer import quantized
from tests.kit.one_operator import one_operator
from tests.kit.strategies import KERNELS

f32 = np.float32


def times(scale: float, channels: int) -> Graph:
    """A depthwise convolution with weights of 1: ``round(x * scale)``."""
    scales = quantized([scale] * channels, along=3)
    weights = np.ones((1, 1, 1, channels), np.int8)
    bias = np.zeros(channels, np.int32)
    x, y = (Tensor(n, (1, 1, 2, channels), np.dtype(np.int8), None, quantized(1)) for n in "xy")
    return one_operator(
        "DEPTHWISE_CONV_2D",
        [
            x,
            Tensor("filter", weights.shape, weights.dtype, weights, scales),
            Tensor("bias", bias.shape, bias.dtype, bias, quantized([scale] * channels)),
        ],
        [y],
        padding="VALID",
        stride_h=1,
        stride_w=1,
        dilation_h_factor=1,
        dilation_w_factor=1,
        depth_multiplier=1,
        fused_activation_function="NONE",
    )


@pytest.mark.parametrize(
    ("kernels", "wanted"),
    [("reference", [-1] * 11), ("optimized", [0] * 8 + [-1] * 3), ("xnnpack", [0] * 11)],
)
def test_ties_of_a_depthwise_convolution(kernels, wanted):
    """-2 / 4 is -0.5: away from zero, upward in whole groups of eight channels, to even."""
    graph = times(0.25, channels=11)
    x = np.int8([[[[-2] * 11, [-6] * 11]]])
    ours = drqsim.run(graph, x, kernels)[0]["y"]
    assert ours[0, 0, 0].tolist() == wanted
    assert np.array_equal(ours, litert.run(graph, x, kernels).outputs["y"])


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("scale", [np.nextafter(f32(256), f32(0)), f32(256)])
def test_xnnpack_takes_effective_scales_below_256(scale, kernels):
    graph = times(scale, channels=3)
    x = np.arange(-3, 3, dtype=np.int8).reshape(1, 1, 2, 3)
    if kernels == "xnnpack" and scale == 256:
        for run in (drqsim.run, litert.run):
            with pytest.raises(drqsim.DrqsimError):
                run(graph, x, kernels)
        return
    ours = drqsim.run(graph, x, kernels)[0]["y"]
    assert np.array_equal(ours, litert.run(graph, x, kernels).outputs["y"])
