"""Rounding rules, with values worked out by hand; the runtime judges them all in test_conv_2d."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import qparams
from drqsim.arithmetic import nan_range

f32 = np.float32


def row(*values):
    return np.array([values], f32)


def test_weights_round_half_away_from_zero_in_the_narrow_range():
    # max 127 makes the scale 1
    codes, scale, zero_point = qparams.quantize_weights(row(127, 0.5, -0.5, 1.5, 2.5, -127), None)
    assert codes.tolist() == [[127, 1, -1, 2, 3, -127]]
    assert scale == 1 and zero_point == 0


def test_weights_are_divided_by_the_float64_scale():
    # the float32 next to 1.5 / 127 lies a little below 1.5 scales, but at 1.5 of those stored
    codes, stored, _ = qparams.quantize_weights(row(1, 1.5 / 127), None)
    assert stored == f32(1 / 127) and f32(1.5 / 127) / stored == 1.5
    assert codes.tolist() == [[127, 1]]


def test_litert_quantizer_rounds_halves_to_even():
    codes, scale, _ = qparams.quantize_weights_f32(row(127, 0.5, -0.5, 1.5, 2.5, -127), None)
    assert codes.tolist() == [[127, 0, 0, 2, 2, -127]] and scale == 1


def test_a_channel_of_zeros_has_a_scale():
    codes, scale, _ = qparams.quantize_weights(np.array([[0, 0], [1, 2]], f32), 0)
    assert codes.tolist() == [[0, 0], [64, 127]]
    assert scale.tolist() == [f32(5e-7 / 127), f32(2 / 127)]


def test_symmetric_scale_is_a_127th_of_the_largest():
    codes, scale, zero_point = qparams.symmetric(row(-254, 1, 3, 254))
    assert scale == 2 and zero_point == 0
    assert codes.tolist() == [[-127, 1, 2, 127]]  # 0.5 and 1.5 go away from zero


def test_symmetric_zeros_get_scale_one():
    codes, scale, _ = qparams.symmetric(row(0, 0))
    assert scale == 1 and not codes.any()


@pytest.mark.parametrize(("n", "last"), [(10, 2), (14, 6)])
def test_the_same_value_gets_two_codes_by_position(n, last):
    # trunc(0.49999997 + 0.5) is 1 in float32; the last n % 8 values are rounded exactly
    codes = qparams.symmetric(row(127, *[0.49999997] * (n - 1))).codes
    assert codes.tolist() == [[127, *[1] * (n - last - 1), *[0] * last]]


@pytest.mark.parametrize("n", [3, 9])
def test_symmetric_codes_are_multiplied_by_127_over_the_largest(n):
    # half the largest is 63.5 steps: 5.5 * f32(127 / 11) lies above it, 5.5 / f32(11 / 127) below
    assert f32(5.5) * (f32(127) / f32(11)) > 63.5 > f32(5.5) * (f32(1) / (f32(11) / f32(127)))
    codes, scale, _ = qparams.symmetric(row(11, *[5.5] * (n - 1)))
    assert codes.tolist() == [[127, *[64] * (n - 1)]] and scale == f32(11) / f32(127)


def test_asymmetric_range_always_contains_zero():
    codes, scale, zero_point = qparams.asymmetric(row(255, 510))
    assert (scale, zero_point) == (2, -128)  # not from 255: from 0
    assert codes.tolist() == [[0, 127]]  # 127.5 is rounded to 128, then the zero point is added


def test_the_asymmetric_zero_point_is_found_in_float64():
    # 127 - 1 / (2 / 255) is -0.5, a tie; the float32 next to 2 / 255 would make it -0.4999995
    assert qparams.asymmetric(row(-1, 1)).zero_point == -1
    assert 127 - 1 / np.float64(f32(2 / 255)) > -0.5


def test_the_end_nearer_to_zero_gives_the_zero_point():
    # the range, 255 + 2^-20, is 255 in float32, and the scale 1: from the lower end the zero point
    # is -127.499999, from the upper end -127.5
    assert qparams.asymmetric(row(-0.5 - 2**-20, 254.5)).zero_point == -127
    assert qparams.asymmetric(row(-254.5, 0.5 + 2**-20)).zero_point == 126


@pytest.mark.parametrize("n", [3, 8, 12])
def test_the_zero_point_is_added_to_what_is_rounded(n):
    # 0.5 - 28 is a tie as well, but one that would go the other way
    codes, scale, zero_point = qparams.asymmetric(row(-100, *[0.5] * (n - 2), 155))
    assert (scale, zero_point) == (1, -28)
    assert codes.tolist() == [[-128, *[-27] * (n - 2), 127]]


def test_asymmetric_zero_point_is_the_code_of_zero():
    codes, scale, zero_point = qparams.asymmetric(row(-100, 0, 155))
    assert (scale, zero_point) == (1, -28)
    assert codes.tolist() == [[-128, -28, 127]]


def test_xnnpack_rounds_ties_to_even_and_zeros_give_127():
    codes, scale, zero_point = qparams.asymmetric_xnnpack(row(-128, 0.5, 1.5, 127))
    assert (scale, zero_point) == (1, 0)
    assert codes.tolist() == [[-128, 0, 2, 127]]
    assert qparams.asymmetric(row(-128, 0.5, 1.5, 127)).codes.tolist() == [[-128, 1, 2, 127]]
    assert qparams.asymmetric_xnnpack(row(0, 0)).zero_point == 127


TINY = np.finfo(f32).tiny  # 2^-126; what is nearer to zero is denormal


def test_a_denormal_among_ordinary_values_is_zero_to_xnnpack():
    # the factor 255 / (255 * 2^-126) is 2^126: 0.75 * 2^-126 would be 0.75 steps, and rounded to 1
    codes, scale, zero_point = qparams.asymmetric_xnnpack(row(255 * TINY, 0.75 * TINY, TINY))
    assert (scale, zero_point) == (TINY, -128)
    assert codes.tolist() == [[127, -128, -127]]
    assert qparams.fixed_xnnpack(f32([0.75 * TINY, TINY, 3 * TINY]), TINY).tolist() == [0, 1, 3]


def test_a_range_of_denormals_is_empty_to_xnnpack():
    codes, scale, zero_point = qparams.asymmetric_xnnpack(row(TINY / 2, -TINY / 4))
    assert (scale, zero_point) == (1, 127) and codes.tolist() == [[127, 127]]


def test_a_scale_that_would_be_denormal_is_zero_to_xnnpack():
    # the factor 255 / (127.5 * 2^-126) is 2^127, and its inverse denormal
    codes, scale, zero_point = qparams.asymmetric_xnnpack(row(127.5 * TINY, TINY))
    assert (scale, zero_point) == (0, -128) and codes.tolist() == [[127, -126]]


def test_the_last_values_of_quantize_are_divided_in_float64():
    """Eight values are multiplied by 1 / scale and rounded to even, the ninth is not."""
    tenth = f32(0.1)
    assert f32(0.25) / tenth == 2.5 > 0.25 / np.float64(tenth)
    assert qparams.fixed_optimized(np.full(9, 0.25, f32), tenth).tolist() == [2] * 9
    halves = qparams.fixed_optimized(np.full(9, 0.25, f32), f32(0.5))
    assert halves.tolist() == [0] * 8 + [1]
    assert qparams.fixed_optimized(np.full(9, -0.25, f32), f32(0.5)).tolist() == [0] * 8 + [-1]


@pytest.mark.parametrize("rule", [qparams.asymmetric, qparams.asymmetric_xnnpack])
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40))
def test_a_code_is_within_a_step_of_its_value(rule, values):
    x = row(*values)
    codes, scale, zero_point = rule(x)
    if not np.abs(x).max() > 1e-30:
        return  # denormal ranges have no useful scale
    back = (codes.astype(np.float64) - zero_point[:, None]) * scale[:, None]
    # half a step of rounding, and up to half a step of clamping because the zero point was rounded
    assert np.abs(back - x).max() <= 1.0001 * scale.max()


def test_each_row_has_its_own_scale():
    x = np.stack([np.linspace(-1, 1, 9), np.linspace(-100, 100, 9)]).astype(f32)
    for rule in (qparams.symmetric, qparams.asymmetric, qparams.asymmetric_xnnpack):
        both = rule(x)
        for at in range(2):
            alone = rule(x[at : at + 1])
            assert np.array_equal(both.codes[at], alone.codes[0])
            assert both.scale[at] == alone.scale[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_without_a_range_are_refused(bad):
    for rule in (qparams.symmetric, qparams.asymmetric, qparams.asymmetric_xnnpack):
        with pytest.raises(drqsim.InputError, match="spans"):
            rule(row(1, bad))


def test_a_range_past_float32_has_no_asymmetric_scale():
    with pytest.raises(drqsim.InputError, match="-3e\\+38 to 3e\\+38"):
        qparams.asymmetric(row(-3e38, 3e38))
    assert qparams.symmetric(row(-3e38, 3e38)).codes.tolist() == [[-127, 127]]


def test_a_lane_forgets_what_came_before_its_last_nan():
    # four lanes; the first, 300 and NaN, has forgotten the 300: the range is [0, 255], the scale 1
    x = row(300, 2, 3, 255, np.nan, 1, 1, 1)
    codes, scale, zero_point = qparams.asymmetric(x, allow_nonfinite=True)
    assert (scale, zero_point) == (1, -128)
    # 300 is cut; NaN is int32's smallest value, from which the zero point wraps to a large one
    assert codes.tolist() == [[127, -126, -125, 127, 127, -127, -127, -127]]
    assert qparams.asymmetric(row(np.nan, 2, 3, 4, 5, 1, 1, 1), True).scale == f32(5 / 255)


def test_nan_in_the_last_values_empties_the_range_or_not():
    assert qparams.asymmetric(row(1, np.nan), True).codes.tolist() == [[0, 0]]
    # the pair (NaN, 1) takes its second value for the larger one
    codes, scale, zero_point = qparams.asymmetric(row(np.nan, 1), True)
    assert (codes.tolist(), scale, zero_point) == ([[0, 127]], f32(1 / 255), -128)


def test_a_symmetric_scale_may_be_nan():
    codes, scale, _ = qparams.symmetric(row(np.nan, 1, 2), True)
    assert np.isnan(scale) and codes.tolist() == [[-127, -127, -127]]
    codes, scale, _ = qparams.symmetric(row(1, np.nan, 2), True)
    assert scale == f32(2 / 127) and codes.tolist() == [[64, -127, 127]]


def test_an_infinite_range_has_one_code_for_all_finite_values():
    codes, scale, zero_point = qparams.asymmetric(row(-np.inf, 1, 2), True)
    assert (scale, zero_point) == (np.inf, 127) and codes.tolist() == [[0, 127, 127]]
    codes, scale, zero_point = qparams.asymmetric(row(-3e38, 3e38), True)
    assert (scale, zero_point) == (np.inf, 127) and codes.tolist() == [[127, 127]]
    codes, scale, _ = qparams.symmetric(row(np.inf, 1, -2), True)
    assert scale == np.inf and codes.tolist() == [[-127, 0, 0]]


def test_without_nan_its_range_is_the_plain_one():
    x = np.random.default_rng(0).normal(size=(50, 23)).astype(f32)
    for values in x:
        assert nan_range.largest(values) == np.abs(values).max()
        for with_zero in (nan_range.with_zero_x86, nan_range.with_zero_neon):
            assert with_zero(values) == (min(values.min(), 0), max(values.max(), 0))


@pytest.mark.parametrize("weights", [np.ones(3), np.empty(0, f32), row(1, np.nan)])
def test_weights_that_make_no_sense_are_refused(weights):
    with pytest.raises(drqsim.InputError, match="expected finite float32"):
        qparams.quantize_weights(weights, None)
