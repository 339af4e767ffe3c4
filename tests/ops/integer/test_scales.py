"""Scales with which the full-integer kernels cannot work."""

import numpy as np
import pytest

import drqsim
from drqsim.graph import Quantization, Tensor
from tests.kit.one_operator import one_operator


def codes(name, shape, scale, value=None):
    scales = Quantization(np.float32([scale]), np.zeros(1, np.int64), 0)
    return Tensor(name, shape, np.dtype(np.int8), value, scales)


@pytest.mark.parametrize("kernels", ["reference", "optimized"])
def test_a_multiplier_that_int32_has_no_room_for_is_refused(kernels):
    x = np.ones((1, 4), np.int8)
    weights = codes("w", (2, 4), 0.5, np.ones((2, 4), np.int8))
    for scale, is_refused in ((1e-42, True), (2.0**-32, True), (2.0**-31, False)):
        graph = one_operator(
            "FULLY_CONNECTED",
            [codes("x", (1, 4), 0.5), weights],
            [codes("y", (1, 2), scale)],
            fused_activation_function="NONE",
            keep_num_dims=False,
        )
        if is_refused:
            with pytest.raises(drqsim.UnsupportedOperatorError, match="32 bits left by"):
                drqsim.run(graph, x, kernels)
        else:
            assert drqsim.run(graph, x, kernels)[0]["y"].max() == 127
