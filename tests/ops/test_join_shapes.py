"""Shapes that broadcast, joined without NumPy's own limits."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from drqsim.ops.call import join_shapes

SHAPES = st.lists(st.lists(st.sampled_from((0, 1, 1, 2, 3)), max_size=4).map(tuple), min_size=1)


@given(SHAPES)
@example([(0,), (1,)])
@example([(0,), (2,)])
def test_as_numpy_joins_them(shapes):
    try:
        wanted = np.broadcast_shapes(*shapes)
    except ValueError:
        wanted = None
    assert join_shapes(*shapes) == wanted


def test_sizes_past_all_memory():
    assert join_shapes((2**40, 1), (1, 2**40)) == (2**40, 2**40)
