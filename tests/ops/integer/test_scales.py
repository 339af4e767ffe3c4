"""Scales with which the full-integer kernels cannot work."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.graph import Quantization, Tensor
from tests.kit.one_operator import one_operator

ONCE = {
    "padding": "VALID",
    "stride_h": 1,
    "stride_w": 1,
    "dilation_h_factor": 1,
    "dilation_w_factor": 1,
    "fused_activation_function": "NONE",
}


def codes(name, shape, scale, value=None):
    scales = Quantization(np.float32([scale]), np.zeros(1, np.int64), 0)
    return Tensor(name, shape, np.dtype(np.int8), value, scales)


def dense(scale):
    """A dense layer whose effective scale is a quarter of ``1 / scale``."""
    weights = codes("w", (2, 4), 0.5, np.int8([[1, 2, 3, 4], [-1, -2, -3, -4]]))
    reads, results = [codes("x", (1, 4), 0.5), weights], [codes("y", (1, 2), scale)]
    options = {"fused_activation_function": "NONE", "keep_num_dims": False}
    return one_operator("FULLY_CONNECTED", reads, results, **options)


X = np.ones((1, 4), np.int8)


def test_a_multiplier_that_int32_has_no_room_for_is_refused():
    for scale in (1e-42, 2.0**-33, 2.0**-32):
        with pytest.raises(drqsim.UnsupportedOperatorError, match="32 bits left by"):
            drqsim.run(dense(scale), X, "optimized")
    assert litert.compare(dense(2.0**-31), X, "optimized").exact


@pytest.mark.parametrize("scale", [1e-42, 2.0**-33, 2.0**-31, 2.0**-28, 0.25])
def test_past_int32_the_reference_kernel_has_what_the_processor_makes_of_it(scale):
    assert litert.compare(dense(scale), X, "reference").exact


@pytest.mark.parametrize("code", ["CONV_2D", "DEPTHWISE_CONV_2D"])
@pytest.mark.parametrize("kernels", ["reference", "optimized", "xnnpack"])
def test_a_bias_with_a_zero_point_is_refused_as_by_the_runtime(code, kernels):
    shape = (4, 1, 1, 4) if code == "CONV_2D" else (1, 1, 1, 4)
    filters = codes("w", shape, 0.5, np.ones(shape, np.int8))
    own = Quantization(np.float32([0.25]), np.ones(1, np.int64), 0)
    bias = Tensor("b", (4,), np.dtype(np.int32), np.zeros(4, np.int32), own)
    reads, results = [codes("x", (1, 2, 2, 4), 0.5), filters, bias], [codes("y", (1, 2, 2, 4), 1)]
    options = {"depth_multiplier": 1} if code != "CONV_2D" else {}
    graph = one_operator(code, reads, results, **options, **ONCE)
    x = np.ones((1, 2, 2, 4), np.int8)
    for run in drqsim.run, litert.run:
        with pytest.raises(drqsim.ModelFileError, match=r"bias->params.zero_point != 0"):
            run(graph, x, kernels)
    if kernels != "xnnpack":  # of several the builtin kernels see none
        several = Quantization(np.full(4, 0.25, np.float32), np.ones(4, np.int64), 0)
        tensors = (*graph.tensors[:2], replace(bias, quantization=several), *graph.tensors[3:])
        assert litert.compare(replace(graph, tensors=tensors), x, kernels).exact
