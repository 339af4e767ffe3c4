"""Fused multiply-add: one rounding, checked against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drqsim.ops.floats import fma

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
