"""From real numbers to whole ones: halves away from zero, and what the x86 kernels make of it.

C's ``round`` takes a half away from zero, NumPy's ``rint`` (XNNPACK, ONNX Runtime, PyTorch) to the
even neighbor. Rounding in integers is another matter: ``fixed_point``.
"""

from __future__ import annotations

import numpy as np

f32 = np.float32
INT32 = np.iinfo(np.int32)


def half_away(x: np.ndarray) -> np.ndarray:
    """The nearest whole number, ties away from zero (C's ``round``), in the type of ``x``.

    ``trunc(x + 0.5)`` would not do: the sum may round up to the next whole number.
    """
    whole = np.trunc(x)
    with np.errstate(invalid="ignore"):  # infinity stays infinity
        return whole + np.where(np.abs(x - whole) >= 0.5, np.copysign(1, x), 0)


def half_away_x86(v: np.ndarray) -> np.ndarray:
    """int32 of float32 ``v``, rounded as the x86 kernels round eight values at a time.

    ``trunc(v +- 0.5)`` in float32 is half away from zero but for 0.49999997, where the sum rounds
    up to 1. ``v`` is used up; without NaN and values past int32.
    """
    v += f32(0.5) - (v < 0)
    return v.astype(np.int32)  # the conversion cuts the fraction off


def half_away_x86_overflowed(v: np.ndarray) -> np.ndarray:
    """The same where values are NaN or past int32, which has its largest or smallest for them.

    NaN (also zero times infinity) becomes the smallest.
    """
    wide = np.trunc(v + np.copysign(f32(0.5), v)).astype(np.float64)
    return np.clip(np.nan_to_num(wide, nan=INT32.min), INT32.min, INT32.max).astype(np.int32)


def to_int32_x86(whole: np.ndarray) -> np.ndarray:
    """A single conversion on x86: what int32 cannot hold becomes its smallest value."""
    return np.where(np.abs(whole) < 2.0**31, whole, INT32.min).astype(np.int32)
