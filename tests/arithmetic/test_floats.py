"""Fused multiply-add: one rounding, checked against exact rational arithmetic; running sums."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drqsim.arithmetic import floats
from drqsim.arithmetic.floats import fma

finite = st.floats(
    width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**60), max_value=2.0**60
)


def nearest(value: Fraction) -> np.float32:
    """The float32 nearest to a rational, ties to even: the definition of one rounding."""
    guess = np.float32(float(value))
    candidates = [
        np.nextafter(guess, np.float32(-np.inf)),
        guess,
        np.nextafter(guess, np.float32(np.inf)),
    ]
    return min(
        candidates,
        key=lambda c: (abs(Fraction(float(c)) - value), int(c.view(np.uint32)) & 1),
    )


@given(finite, finite, finite)
def test_rounded_once(a, b, c):
    a, b, c = (np.float32(v) for v in (a, b, c))
    expected = nearest(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c)))
    assert fma(a, b, c) == expected


def test_differs_from_two_roundings():
    a = np.float32(1 + 2**-12)
    b = np.float32(-(1 + 2**-11))
    assert a * a + b == 0
    assert fma(a, a, b) == np.float32(2.0**-24)


def test_differs_from_rounding_to_float64_first():
    # 24929 * 673 = 2^24 + 1, so the product is 1 + 2^-24, a tie; c decides it, below float64
    a, b, c = np.float32(24929), np.float32(673 / 2**24), np.float32(2.0**-60)
    assert np.float32(np.float64(a) * np.float64(b) + np.float64(c)) == 1
    assert fma(a, b, c) == np.float32(1 + 2.0**-23)
    assert fma(a, b, -c) == 1


def test_differs_from_rounding_to_float64_first_among_denormals():
    # 411849 * 20857 = 2^33 + 1: half a step of the denormals, and a little that float64 loses
    a, b = np.float32(411849 * 2.0**-100), np.float32(20857 * 2.0**-83)
    c = np.float32(2.0**-127)
    assert np.float32(np.float64(a) * np.float64(b) + np.float64(c)) == c
    assert fma(a, b, c) == np.float32(2.0**-127 + 2.0**-149)


def test_an_array_of_ties_and_others():
    a, b = np.float32([[24929, 3], [24929, -24929]]), np.float32(673 / 2**24)
    c = np.float32([2.0**-60, 0.5])
    expected = [
        [
            nearest(Fraction(float(p)) * Fraction(float(b)) + Fraction(float(q)))
            for p, q in zip(row, c, strict=True)
        ]
        for row in a
    ]
    assert np.array_equal(fma(a, b, c), expected)


@pytest.mark.parametrize("columns", [1, 3])
def test_a_running_sum_keeps_the_order_and_the_sign_of_zeros(columns):
    # 2^24 + 1 has no float32: every 1 is lost, where 1 + 1 first would be kept
    rows = np.float32([[1, 2.0**24, 1, 1]]).T.repeat(columns, axis=1)
    assert (floats.running_sum(rows) == 2.0**24).all()
    zeros = floats.running_sum(np.full((4, columns), -0.0, np.float32))
    assert np.signbit(zeros).all() and not zeros.any()


def test_denormals_become_zeros_of_their_sign():
    tiny = np.finfo(np.float32).tiny
    x = np.float32([tiny, -tiny, tiny / 2, -tiny / 2, 0, -0.0, 1, np.inf])
    flushed = floats.flush_denormals(x)
    assert flushed.tolist() == [tiny, -tiny, 0, 0, 0, 0, 1, np.inf]
    assert np.signbit(flushed).tolist() == np.signbit(x).tolist()
