"""Float layers against ``litert``: so large that BLAS adds them up, and denormal."""

import numpy as np
import pytest

from drqsim.arithmetic.float_order import one_by_one
from tests.kit.one_operator import Case, constants, fed, run_both, same_bits
from tests.kit.strategies import KERNELS

f32 = np.float32
ONCE = {"stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
WINDOW = ONCE | {"padding": "SAME", "fused_activation_function": "NONE"}
DENSE = {"keep_num_dims": False, "fused_activation_function": "RELU"}
# operator, input, weights, number of outputs, options
LAYERS = {
    "convolution": ("CONV_2D", (2, 20, 20, 5), (19, 3, 3, 5), 19, WINDOW),
    "pointwise": ("CONV_2D", (1, 9, 9, 300), (20, 1, 1, 300), 20, WINDOW),
    "depthwise": ("DEPTHWISE_CONV_2D", (2, 24, 24, 21), (1, 3, 3, 21), 21, WINDOW),
    "with multiplier": ("DEPTHWISE_CONV_2D", (1, 24, 24, 9), (1, 3, 2, 27), 27, WINDOW),
    "dense": ("FULLY_CONNECTED", (12, 700), (33, 700), 33, DENSE),
}


def case(name, scale, unit):
    """Weights of this scale; input and bias in this unit."""
    code, shape, filters, out, options = LAYERS[name]
    options = dict(options)
    if code == "DEPTHWISE_CONV_2D":
        options["depth_multiplier"] = out // shape[3]
    random = np.random.default_rng(3)
    x, bias = (f32(random.normal(size=size) * unit) for size in (shape, out))
    weights = f32(random.normal(size=filters) * scale)
    return Case(code, fed(x) + constants(weights, bias), options)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", LAYERS)
def test_large_layers_have_the_bits_of_the_runtime(name, kernels):
    layer = case(name, 1, 1)
    x, weights, bias = (operand.value for operand in layer.operands)
    ((mine, real),) = run_both(layer, kernels)
    assert mine.size * weights.size // bias.size >= one_by_one.MANY
    assert same_bits(mine, real)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", ["convolution", "pointwise", "depthwise", "dense"])
def test_denormals_have_the_bits_of_the_runtime(name, kernels):
    """XNNPACK takes them for zero, as ruy does on arm64; the other kernels compute with them."""
    layer = case(name, 0.2, 1e-38)
    layer.options["fused_activation_function"] = "NONE"
    ((mine, real),) = run_both(layer, kernels)
    assert same_bits(mine, real)
    if kernels != "optimized":
        denormal = (real != 0) & (np.abs(real) < np.finfo(f32).tiny)
        assert denormal.any() == (kernels == "reference")
