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
    # the scale 3/127 rounds up to float32; 4.5 float64 scales are just over 4.5 float32 ones
    scale = 3 / 127
    weights = row(3, np.nextafter(f32(4.5 * scale), f32(1)))
    codes, stored, _ = qparams.quantize_weights(weights, None)
    exact = float(weights[0, 1]) / scale
    assert codes[0, 1] == int(exact + 0.5)
    assert stored[0] == f32(scale)


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


def test_the_same_value_gets_two_codes_by_position():
    # trunc(0.49999997 + 0.5) is 1 in float32; the last 10 % 8 values are rounded exactly
    codes = qparams.symmetric(row(127, *[0.49999997] * 9)).codes
    assert codes.tolist() == [[127, 1, 1, 1, 1, 1, 1, 1, 0, 0]]


def test_asymmetric_range_always_contains_zero():
    codes, scale, zero_point = qparams.asymmetric(row(255, 510))
    assert (scale, zero_point) == (2, -128)  # not from 255: from 0
    assert codes.tolist() == [[0, 127]]  # 127.5 is rounded to 128, then the zero point is added


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
        assert nan_range.with_zero(values) == (min(values.min(), 0), max(values.max(), 0))


@pytest.mark.parametrize("weights", [np.ones(3), np.empty(0, f32), row(1, np.nan)])
def test_weights_that_make_no_sense_are_refused(weights):
    with pytest.raises(drqsim.InputError, match="expected finite float32"):
        qparams.quantize_weights(weights, None)
