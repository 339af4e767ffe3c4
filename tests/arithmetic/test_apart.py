"""How far two arrays are apart, in little memory."""

import tracemalloc

import numpy as np
import pytest

from drqsim.arithmetic import apart

f32 = np.float32


@pytest.mark.parametrize("block", [1, 3, 2**20])
def test_the_largest_difference_is_found_in_every_piece(monkeypatch, block):
    monkeypatch.setattr(apart, "BLOCK", block)
    theirs = np.arange(10, dtype=f32).reshape(2, 5)
    for at in np.ndindex(theirs.shape):
        ours = theirs.copy()
        ours[at] += 3
        assert apart.difference(ours, theirs) == 3
        assert apart.relative(ours, theirs) == pytest.approx(1 / 3)
    assert apart.difference(theirs, theirs) == apart.difference(theirs[:0], theirs[:0]) == 0
    both = f32([np.nan, np.inf])
    assert apart.difference(both, both) == 0 and np.isnan(apart.difference(both[::-1], both))


def test_large_arrays_are_taken_in_pieces():
    large = np.ones(2**23, f32)
    tracemalloc.start()
    assert apart.relative(large, large) == 0
    assert tracemalloc.get_traced_memory()[1] < 2 * large.nbytes
    tracemalloc.stop()
