"""Requantization: an int32 accumulator becomes an int8 or int16 code of the output's scale.

A full-integer layer has no float on the way. Its accumulator counts steps of
``s_in * s_w``; the output counts steps of ``s_out``. So every accumulator is multiplied with the
*effective scale* ``m = s_in * s_w / s_out`` and rounded to a whole number, and the kernels do this
in six ways, which differ by one step now and then:

======================  =====================================================  ===============
function                ``m`` is                                               used by
======================  =====================================================  ===============
double_rounding         an int32 multiplier and a shift, rounded twice         reference CONV_2D
double_rounding_upward  the same, ties upward                                  optimized
single_rounding_upward  the same, rounded once                                 the same, arm64
fifteen_bits            the multiplier cut to 15 bits, rounded once            CONV_2D, int64 sums
in_float64              float64                                                reference dense
in_float32              float32                                                XNNPACK
======================  =====================================================  ===============

Rounding twice, ``x * m`` may end half a step off: 14.499 becomes 14.5 and then 15. That is why a
formula copied from a paper is off by one from the runtime now and then.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/internal/quantization_util.cc``
(``QuantizeMultiplier``), ``internal/common.cc`` (``MultiplyByQuantizedMultiplier``, which the pip
build compiles with ``TFLITE_SINGLE_ROUNDING`` off), gemmlowp ``fixedpoint.h``, ruy's kernels,
``tflite/kernels/kernel_util.cc`` (``CalculateActivationRangeQuantized``),
``internal/reference/integer_ops/fully_connected.h``; XNNPACK ``src/qs8-gemm`` (the fp32 variants).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drqsim.arithmetic.fixed_point import divide_by_power, high_multiply
from drqsim.arithmetic.rounding import half_away, to_int32_x86

f32 = np.float32
f64 = np.float64
ONE = np.int64(1)
INT32 = np.iinfo(np.int32)


class Multiplier(NamedTuple):
    """A real number as ``multiplier * 2^(shift - 31)``, int32 each, one for each channel."""

    multiplier: np.ndarray
    shift: np.ndarray


def quantize_multiplier(real: np.ndarray) -> Multiplier:
    """The fixed-point form of effective scales: 31 bits and an exponent.

    ``real = q * 2^shift`` with ``q`` in [0.5, 1), and ``multiplier = round(q * 2^31)``, ties away
    from zero. What is smaller than 2^-32 becomes 0.

    Parameters
    ----------
    real : float64 array
        Effective scales, positive.
    """
    q, shift = np.frexp(np.asarray(real, f64))
    multiplier = half_away(q * 2.0**31).astype(np.int64)
    carried = multiplier == 2**31
    multiplier = np.where(carried, 2**30, multiplier)
    shift = shift.astype(np.int32) + carried
    lost = shift < -31
    return Multiplier(
        np.where(lost, 0, multiplier).astype(np.int32), np.where(lost, 0, shift).astype(np.int32)
    )


def double_rounding(accumulator: np.ndarray, by: Multiplier) -> np.ndarray:
    """``x * multiplier / 2^31``, rounded, then divided by ``2^-shift``, rounded again.

    The first rounding takes ties upward for positive and towards zero for negative products, the
    second takes them away from zero.

    Parameters
    ----------
    accumulator : int32 array [..., channels]
    by : Multiplier

    Returns
    -------
    int32 array
    """
    left, right = np.maximum(by.shift, 0), np.maximum(-by.shift, 0).astype(np.int64)
    shifted = (accumulator.astype(np.int64) << left).astype(np.int32)  # int32 may wrap
    return divide_by_power(high_multiply(shifted, by.multiplier), right).astype(np.int32)


def double_rounding_upward(accumulator: np.ndarray, by: Multiplier) -> np.ndarray:
    """The same with every tie upward: what a vector's rounding shift does; int32 as given."""
    left, right = np.maximum(by.shift, 0), np.maximum(-by.shift, 0).astype(np.int64)
    shifted = (accumulator.astype(np.int64) << left).astype(np.int32)  # int32 may wrap
    high = (shifted.astype(np.int64) * by.multiplier + 2**30) >> 31
    return _halves_upward(high, right).astype(np.int32)


def single_rounding_upward(accumulator: np.ndarray, by: Multiplier) -> np.ndarray:
    """``x * multiplier / 2^(31 - shift)``, rounded once, ties upward; int32 as given.

    ruy's kernels of arm64 cut the product with ``sqdmulh`` and round where they shift to the right,
    always by at least one bit.
    """
    right = np.maximum(-by.shift, 1).astype(np.int64)
    shifted = (accumulator.astype(np.int64) << (by.shift + right)).astype(np.int32)  # may wrap
    high = (shifted.astype(np.int64) * by.multiplier) >> 31
    return _halves_upward(high, right).astype(np.int32)


def _halves_upward(x: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``x / 2^right``, ties upward."""
    return (x + ((ONE << right) >> 1)) >> right


def fifteen_bits(accumulator: np.ndarray, by: Multiplier) -> np.ndarray:
    """The same for int64 sums: the multiplier is cut to 15 bits, so that the product fits."""
    reduced = (by.multiplier.astype(np.int64) + 2**15) >> 16
    reduced = np.where(by.multiplier < 0x7FFF0000, reduced, 0x7FFF)
    total = 15 - by.shift.astype(np.int64)
    return ((accumulator * reduced + (ONE << (total - 1))) >> total).astype(np.int32)


def in_float64(accumulator: np.ndarray, real: np.ndarray, to_int32=to_int32_x86) -> np.ndarray:
    """``round(float64(x) * real)``, ties away from zero; ``to_int32`` is the processor's."""
    return to_int32(half_away(accumulator.astype(f64) * real))


def in_float32(accumulator: np.ndarray, real: np.ndarray, highest: int) -> np.ndarray:
    """``rint(min(float32(x) * real, highest))``, ties to even; int32.

    ``highest`` is the output's largest code without its zero point: a float that int32 cannot hold
    is cut before it is converted.
    """
    scaled = np.minimum(accumulator.astype(f32) * real.astype(f32), f32(highest))
    return np.rint(np.maximum(scaled, f32(INT32.min))).astype(np.int32)


def activation_range(
    activation: str, dtype: np.dtype, scale: np.float32, zero_point: int
) -> tuple[int, int] | None:
    """Smallest and largest code of a fused activation: its bounds in the output's scale.

    ``zero_point + round(bound / scale)`` in float32, ties away from zero, within the type; None
    where the quotient is past int32.
    """
    limits = np.iinfo(dtype)
    low, high = _BOUNDS[activation]
    ends = [limits.min, limits.max]
    for at, bound in enumerate((low, high)):
        if bound is not None:
            steps = half_away(f32(bound) / f32(scale))
            if not INT32.min <= steps <= INT32.max:
                return None
            code = zero_point + int(steps)
            ends[at] = max(ends[0], code) if at == 0 else min(ends[1], code)
    return ends[0], ends[1]


_BOUNDS = {"NONE": (None, None), "RELU": (0, None), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}


def activation_range_xnnpack(
    activation: str, scale: np.float32, zero_point: int
) -> tuple[int, int]:
    """The same in XNNPACK, int8: ``rint(bound / scale + zero_point)``, ties to even."""
    ends = []
    for bound, limit in zip(_BOUNDS[activation], (-128, 127), strict=True):
        code = f32(limit if bound is None else f32(bound) / f32(scale) + f32(zero_point))
        ends.append(int(np.rint(np.clip(code, f32(-128), f32(127)))))
    return ends[0], ends[1]
