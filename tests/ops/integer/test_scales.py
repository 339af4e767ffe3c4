"""Scales with which the full-integer kernels cannot work."""

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.graph import Quantization, Tensor
from tests.kit.one_operator import one_operator


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
def test_past_int32_the_reference_kernel_has_the_smallest_number(scale):
    assert litert.compare(dense(scale), X, "reference").exact
