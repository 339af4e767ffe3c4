"""The other hybrid operators against the runtime: every readable tensor, bit for bit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drqsim import litert
from tests.kit.strategies import (
    KERNELS,
    hybrid_batch_matmul,
    hybrid_dense,
    hybrid_depthwise,
    hybrid_transpose_conv,
)

LAYERS = {
    "depthwise_conv_2d": hybrid_depthwise,
    "fully_connected": hybrid_dense,
    "batch_matmul": hybrid_batch_matmul,
    "transpose_conv": hybrid_transpose_conv,
}


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", LAYERS)
@given(data=st.data())
def test_every_readable_tensor_has_the_bits_of_the_runtime(name, kernels, data):
    graph, x = data.draw(LAYERS[name](kernels))
    comparison = litert.compare(graph, x, kernels)
    assert comparison.exact, f"\n{graph}\n{comparison}"
