"""Halves away from zero: the one rule, and what the x86 kernels make of it."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from drqsim.arithmetic import rounding

f32 = np.float32
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
IN_INT32 = st.floats(-(2.0**31) + 256, 2.0**31 - 256, width=32)


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(0.49999999999999994)  # the float64 below a half: adding a half would round up to 1
@example(-2.5)
@example(4503599627370497.5)
def test_half_away_is_the_schoolbook_rule(x):
    # Decimal holds every float64 exactly; its "half up" is away from zero
    assert rounding.half_away(x) == float(Decimal(x).to_integral_value(ROUND_HALF_UP))


@given(FLOATS)
@example(0.49999997)
@example(8388609.0)
def test_half_away_stays_in_float32(x):
    whole = rounding.half_away(np.full(3, x, f32))
    assert whole.dtype == f32
    assert (whole == float(Decimal(x).to_integral_value(ROUND_HALF_UP))).all()


def test_half_away_lets_infinity_pass():
    assert rounding.half_away(f32([np.inf, -np.inf])).tolist() == [np.inf, -np.inf]


@given(IN_INT32)
@example(0.49999997)
@example(-0.49999997)
@example(2.5)
@example(-0.0)
def test_the_rounding_of_eight_adds_a_half_in_float32_and_cuts(x):
    v = f32([x])
    wanted = int(f32(x) + f32(np.copysign(0.5, x)))
    assert rounding.half_away_x86_overflowed(v).tolist() == [wanted]
    assert rounding.half_away_x86(v).tolist() == [wanted]  # last: it uses v up


def test_where_the_rounding_of_eight_differs():
    below_a_half = np.nextafter(f32(0.5), f32(0))
    assert rounding.half_away(below_a_half) == 0
    assert rounding.half_away_x86(np.full(1, below_a_half)).tolist() == [1]


def test_what_int32_cannot_hold():
    past = f32([np.nan, np.inf, -np.inf, 3e9, -3e9])
    low, high = -(2**31), 2**31 - 1
    assert rounding.half_away_x86_overflowed(past).tolist() == [low, high, low, high, low]
    assert rounding.to_int32_x86(past).tolist() == [low] * 5
