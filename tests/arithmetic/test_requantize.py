"""Requantization, worked out by hand: ties, the carry, and the ends of the range.

``m = multiplier * 2^(shift - 31)``, so a multiplier of 2^30 with a shift of 0 is one half.
"""

import numpy as np
import pytest

from drqsim.arithmetic import fixed_point, requantize
from drqsim.arithmetic.requantize import Multiplier

f32 = np.float32
HALF = np.int32(2**30)


def multiplied(rule, accumulators, shift):
    by = Multiplier(HALF, np.int32(shift))
    return rule(np.array(accumulators, np.int32), by).tolist()


def test_ties_of_the_first_rounding():
    """Times 1/2, upward on either kernel: -1.5 to -1, -0.5 to 0, 0.5 to 1."""
    for rule in (
        requantize.double_rounding,
        requantize.double_rounding_upward,
        requantize.single_rounding_upward,
    ):
        assert multiplied(rule, [-3, -1, 1, 3], shift=0) == [-1, 0, 1, 2]


def test_ties_of_the_second_rounding():
    """Times 1/2 is exact; halved again, -1.5 and -0.5 go away from zero, or upward."""
    even = [-6, -2, 2, 6]
    assert multiplied(requantize.double_rounding, even, shift=-1) == [-2, -1, 1, 2]
    for upward in (requantize.double_rounding_upward, requantize.single_rounding_upward):
        assert multiplied(upward, even, shift=-1) == [-1, 0, 1, 2]


def test_a_shift_to_the_left_comes_first():
    """Times 1/2 and 2^3; arm64 shifts one bit more, and back."""
    for rule in (requantize.double_rounding_upward, requantize.single_rounding_upward):
        assert multiplied(rule, [-5, 0, 7], shift=3) == [-20, 0, 28]


def test_ties_in_fixed_point():
    """A product of 2^30 is half a step of 2^31; a quotient of 2 has halves as well."""
    products = fixed_point.high_multiply(np.array([-3, -1, 1, 3]), 2**30)
    assert products.tolist() == [-1, 0, 1, 2]  # towards zero where negative, upward where positive
    quotients = fixed_point.divide_by_power(np.array([-6, -5, -2, 2, 5, 6]), 2)
    assert quotients.tolist() == [-2, -1, -1, 1, 1, 2]  # -1.5 and -0.5 away from zero


@pytest.mark.parametrize("real", [1 - 2.0**-40, 0.25 - 2.0**-42])
def test_a_multiplier_that_is_rounded_up_to_2_to_the_31_is_carried(real):
    """``q * 2^31`` is 2^31 - 2^-9, which rounds to 2^31: int32 has half of it, one bit further."""
    by = requantize.quantize_multiplier(np.array([real]))
    assert (by.multiplier.tolist(), by.shift.tolist()) == ([2**30], [1 + round(np.log2(real))])
    assert by.multiplier.dtype == by.shift.dtype == np.int32


def test_the_smallest_effective_scale():
    """2^-32 is 1/2 * 2^-31; below, the shift would pass -31, and the kernels take 0."""
    by = requantize.quantize_multiplier(np.array([2.0**-32, 0.75 * 2.0**-32]))
    assert (by.multiplier.tolist(), by.shift.tolist()) == ([2**30, 0], [-31, 0])


def test_fifteen_bits_are_rounded_twice():
    """(2^30 + 2^15) / 2^16 = 2^14 + 1/2, rounded up to 2^14 + 1; the last 65536 have no 2^15."""
    by = Multiplier(np.array([2**30 + 2**15, 2**31 - 1], np.int32), np.int32(0))
    steps = requantize.fifteen_bits(np.array([2**15, 2**15], np.int64), by)
    assert steps.tolist() == [2**14 + 1, 2**15 - 1]
    halves = requantize.fifteen_bits(np.array([-1, 1]), Multiplier(HALF, np.int32(0)))
    assert halves.tolist() == [0, 1]  # upward


def test_requantization_in_floats():
    halves = np.array([-3, -1, 1, 3], np.int32)
    assert requantize.in_float64(halves, np.float64(0.5)).tolist() == [-2, -1, 1, 2]
    assert requantize.in_float32(halves, f32(0.5), 127).tolist() == [-2, 0, 0, 2]
    # the product is cut before it is a whole number: int32 has no 2^31 * 255
    huge = np.array([-(2**31), 2**31 - 1], np.int32)
    assert requantize.in_float32(huge, f32(255), 100).tolist() == [-(2**31), 100]


@pytest.mark.parametrize(
    ("zero_point", "builtin", "xnnpack"),
    [(0, (0, 2), (0, 2)), (1, (1, 3), (1, 2)), (126, (126, 127), (126, 127))],
)
def test_the_bounds_of_an_activation_as_codes(zero_point, builtin, xnnpack):
    """6 / 4 = 1.5: rounded to 2 and the zero point added; or 1.5 + 1 = 2.5 rounded to even."""
    args = f32(4), zero_point
    assert requantize.activation_range("RELU6", np.dtype(np.int8), *args) == builtin
    assert requantize.activation_range_xnnpack("RELU6", *args) == xnnpack
