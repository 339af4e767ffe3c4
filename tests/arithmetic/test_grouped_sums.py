"""Sums over windows where a group of filters sees only its own channels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drqsim import accumulate


@given(
    seed=st.integers(0, 2**32 - 1),
    groups=st.integers(1, 3),
    depth=st.integers(1, 3),
    own=st.integers(1, 2),
    unfolded=st.booleans(),
)
def test_each_group_by_itself(seed, groups, depth, own, unfolded):
    random = np.random.default_rng(seed)
    windows = random.integers(-128, 128, (2, 3, 2, 2, 3, groups * depth), dtype=np.int8)
    filters = random.integers(-127, 128, (groups * own, 2, 3, depth), dtype=np.int8)
    parts = np.split(windows.astype(int), groups, axis=-1)
    wanted = [
        np.einsum("bhwijc,oijc->bhwo", part, few)
        for part, few in zip(parts, np.split(filters.astype(int), groups), strict=True)
    ]
    seen = windows.reshape(2, 3, 2, -1) if unfolded else windows
    total = accumulate.grouped(seen, filters, groups)
    assert total.dtype == np.int32
    assert np.array_equal(total, np.concatenate(wanted, axis=-1))


@pytest.mark.parametrize("groups", [1, 2])
def test_the_product_is_the_caller_s(groups):
    windows = np.full((1, 1, 1, 1, 1, 2), 2**20)
    filters = np.full((2, 1, 1, 2 // groups), 2**20)
    total = accumulate.grouped(windows, filters, groups, accumulate.wide_matmul)
    assert total.dtype == np.int64 and (total == 2**40 * 2 // groups).all()
