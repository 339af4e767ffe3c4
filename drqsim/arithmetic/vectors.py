"""What the vector instructions of x86 and of arm64 make of quotients that become codes.

One source serves both, written in arm64's instructions (NEON): on x86 each of them is replaced by
SSE instructions that do nearly the same. What is left of the difference is a row of ``Vectors``,
and of XNNPACK's kernels, which are written for each processor, a function at the end.

======================  ==============================  =====================
of a float32 quotient   SSE                             NEON
======================  ==============================  =====================
half away from zero     0.49999997 becomes 1, too *     exact
past int32              the end that is nearer *        the end that is nearer
NaN                     the smallest int32              0
======================  ==============================  =====================

(*) eight values at a time; the last few are rounded exactly, and what int32 cannot hold becomes its
smallest value.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/internal/optimized/neon_tensor_utils.cc``
(``NeonSymmetricQuantizeFloats``, ``NeonAsymmetricQuantizeFloats``, ``NeonMinMax``), its
translation to SSE ``NEON_2_SSE.h``; XNNPACK ``src/f32-qs8-vcvt``, KleidiAI
``kai_lhs_quant_pack_qai8dxp_f32``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from drqsim.arithmetic import nan_range
from drqsim.arithmetic.rounding import (
    INT32,
    half_away,
    half_away_x86,
    half_away_x86_overflowed,
    to_int32_x86,
)

f32 = np.float32
INT16 = np.iinfo(np.int16)


class Vectors(NamedTuple):
    """How the builtin kernels of a family of processors make codes; all take float32, give int32.

    Attributes
    ----------
    whole : callable
        Quotients, rounded half away from zero, eight at a time; may use its argument up.
    overflowed : callable
        The same where some are NaN or past int32.
    single : callable
        The last ``n % 8`` of a row.
    range_with_nan : callable
        The smallest and largest value, with 0, of a row that holds NaN.
    """

    whole: Callable
    overflowed: Callable
    single: Callable
    range_with_nan: Callable


def half_away_neon(v: np.ndarray) -> np.ndarray:
    """int32 of float32 ``v``, half away from zero, exact; past int32 the nearest end, of NaN 0."""
    return to_int32_neon(half_away(v))


def half_away_single_x86(v: np.ndarray) -> np.ndarray:
    """The same on x86, one by one: what int32 cannot hold becomes its smallest value."""
    return to_int32_x86(half_away(v))


def to_int32_neon(whole: np.ndarray) -> np.ndarray:
    """A conversion on arm64: what int32 cannot hold becomes its nearest end, and NaN 0."""
    wide = np.nan_to_num(whole.astype(np.float64), nan=0)
    return np.clip(wide, INT32.min, INT32.max).astype(np.int32)


SSE = Vectors(
    half_away_x86, half_away_x86_overflowed, half_away_single_x86, nan_range.with_zero_x86
)
NEON = Vectors(half_away_neon, half_away_neon, half_away_neon, nan_range.with_zero_neon)


def half_even_x86(v: np.ndarray) -> np.ndarray:
    """XNNPACK's quotients on x86: to even, cut to 16 bits; NaN becomes the largest of them."""
    v = np.fmax(np.fmin(v, f32(INT16.max)), f32(INT16.min))
    return np.rint(v).astype(np.int32)


def half_even_neon(v: np.ndarray) -> np.ndarray:
    """The same on arm64, where NaN becomes 0."""
    return np.clip(to_int32_neon(np.rint(v)), INT16.min, INT16.max)
