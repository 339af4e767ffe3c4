"""int4 weights: how the file packs them, and every kernel that takes them, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drqsim import litert
from tests.strategies import KERNELS, hybrid_convolutions, hybrid_dense, int4

f32 = np.float32


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("layers", [hybrid_convolutions, hybrid_dense], ids=lambda f: f.__name__)
@given(data=st.data())
def test_every_readable_tensor_has_the_bits_of_the_runtime(layers, kernels, data):
    graph, x = data.draw(int4(layers, kernels))
    comparison = litert.compare(graph, x, kernels)
    assert comparison.exact, f"\n{graph}\n{comparison}"
