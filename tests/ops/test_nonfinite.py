"""NaN, infinity and ranges past float32 against the runtime: every readable tensor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drqsim import litert
from tests.kit.strategies import HYBRID_LAYERS

f32 = np.float32
STRANGE = {
    "NaN": (np.nan,),
    "infinity": (np.inf,),
    "minus infinity": (-np.inf,),
    "overflow": (3e38, -3e38),
    "huge": (3e38,),
    "anything": (np.nan, np.nan, np.inf, -np.inf, 3e38, -3e38, 0.0, 1e10, -1e30),
}


@st.composite
def with_strange_values(draw, x):
    """``x`` with some of its values replaced."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = STRANGE[draw(st.sampled_from(sorted(STRANGE)))]
    often = draw(st.sampled_from((0.01, 0.1, 0.5, 0.95)))
    where = random.random(x.shape) < often
    where.reshape(-1)[random.integers(x.size)] = True
    return np.where(where, random.choice(values, x.shape), x).astype(f32)


@pytest.mark.parametrize("kernels", ["reference", "optimized"])
@pytest.mark.parametrize("name", HYBRID_LAYERS)
@given(data=st.data())
def test_every_readable_tensor_is_what_the_runtime_makes_of_it(name, kernels, data):
    graph, x = data.draw(HYBRID_LAYERS[name](kernels))
    x = data.draw(with_strange_values(x))
    comparison = litert.compare(graph, x, kernels, allow_nonfinite=True)
    assert comparison.exact, f"\n{graph}\n{comparison}"
