"""CONV_2D against the runtime: every readable tensor, bit for bit, on random layers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from tests.strategies import KERNELS, hybrid_convolutions

f32 = np.float32


@pytest.mark.parametrize("kernels", KERNELS)
@given(data=st.data())
def test_every_readable_tensor_has_the_bits_of_the_runtime(kernels, data):
    graph, x = data.draw(hybrid_convolutions(kernels))
    comparison = litert.compare(graph, x, kernels)
    assert comparison.exact, f"\n{graph}\n{comparison}"
