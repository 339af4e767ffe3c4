"""Eigen's functions, which the optimized and the recurrent kernels take, bit for bit.

Each is a short polynomial or a quotient of two in float32: without fused multiply-add on x86, with
it on arm64 (``fused``), where every product that is added to something is. tanh is the
same everywhere on a processor. exp, erfc and the logistic function have two versions: Eigen handles
four values at a time, from the first 16-byte boundary on; what lies before and after goes one by
one through the C library's ``expf``. So the last bit of a gate may depend on where in memory it
lies (``in_packets``).

Sources: Eigen ``Core/arch/Default/GenericPacketMathFunctions.h`` (``ptanh_float``,
``pexp_float``), ``Core/functors/UnaryFunctors.h`` (``scalar_logistic_op<float>``),
``Core/AssignEvaluator.h`` (the split into packets), unsupported ``SpecialFunctionsImpl.h``
(``generic_fast_erfc``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from drqsim.arithmetic.floats import fma, horner, multiply_add
from drqsim.arithmetic.functions import glibc, roots
from drqsim.arithmetic.tiles import piecewise

f32 = np.float32
f64 = np.float64

PACKET = 4  # float32 values in an SSE register
TANH_CLAMP = f32(7.90738964)  # from here on the quotient is exactly 1
TANH_CLAMP_FUSED = f32(8.01773357)
TANH_ODD = [f32(c) for c in (1.394553628e-8, 2.102733560e-5, 3.520756727e-3, 1.340216100e-1)]
TANH_EVEN = [f32(c) for c in (8.015776984e-7, 3.326951409e-4, 2.597254514e-2, 4.673548340e-1, 1.0)]
LOGISTIC_CLAMP = f32(16.6355324)  # from here on the quotient is exactly 1
LOG2_E = f32(1.44269504)
LN_2_HIGH, LN_2_LOW = f32(0.693359375), f32(-2.12194440e-4)  # their sum is ln 2
EXP_2, EXP_3, EXP_4, EXP_5 = (
    f32(c) for c in (0.499991417, 0.166668773, 4.18986678e-2, 8.33471306e-3)
)
EXP_EVEN = (1.37449637986719608e-3, 4.166965186595917e-2, 0.4999998807907104)
EXP_ODD = (8.36894474923610687e-3, 0.16666518151760101)
# erfc(x): near 0 one polynomial, else exp(-x^2) / x times a quotient of two in 1 / x^2
ERFC_NEAR = (5.61802298761904240e-4, -4.91381669417023659e-3, 2.67075151205062866e-2)
ERFC_NEAR += (-1.12800106406211853e-1, 3.76122951507568359e-1, -1.12837910652160645)
ERFC_ABOVE = (0.10208116471767425, 0.4292066693305969, 0.3237907886505127, 5.3971976e-2)
ERFC_BELOW = (1.7251677811145782e-2, 0.39137163758277893, 1, 0.6217324137687683, 9.566286e-2)


@piecewise
def tanh(x: np.ndarray, fused: bool = False) -> np.ndarray:
    """tanh(x) of float32 ``x``: an odd polynomial of degree 9 over an even one of degree 8."""
    clamp, add = (TANH_CLAMP_FUSED, fma) if fused else (TANH_CLAMP, multiply_add)
    x = np.clip(x, -clamp, clamp)
    square = x * x
    odd, even = horner(square, *TANH_ODD, add=add), horner(square, *TANH_EVEN, add=add)
    return add(square * x, odd, x) / even


@piecewise
def logistic(x: np.ndarray, packed: np.ndarray, fused: bool = False) -> np.ndarray:
    """1 / (1 + exp(-x)) of float32 ``x``, computed as e / (1 + e) with e = exp(x).

    Parameters
    ----------
    x : float32 array
    packed : bool array, same shape
        Which values Eigen handles four at a time.
    fused : bool
        Whether it has fused multiply-add there.
    """
    clamped = np.minimum(x, LOGISTIC_CLAMP)
    e = _exp_for_logistic(clamped, fma if fused else multiply_add)
    if not packed.all():
        e = np.where(packed, e, glibc.expf(clamped))
    y = e / (f32(1) + e)
    return np.where(packed & (x < -104), f32(0), y)


def in_packets(start: int, n: int) -> np.ndarray:
    """Which of ``n`` values Eigen handles four at a time.

    Parameters
    ----------
    start : int
        How many float32 values lie between the last 16-byte boundary and the first of them.
    n : int
        How many there are.

    Returns
    -------
    bool [n]
        True from the first boundary on, for as long as four are left.
    """
    first = min(-start % PACKET, n)
    last = n - (n - first) % PACKET
    at = np.arange(n)
    return (first <= at) & (at < last)


def _exp_for_logistic(x: np.ndarray, add: Callable) -> np.ndarray:
    """exp(x) as Eigen's logistic function has it: the square of exp(x / 2) = 2^m * exp(r)."""
    half = x * f32(0.5)
    with np.errstate(invalid="ignore"):
        m = np.floor(add(half, LOG2_E, f32(0.5)))
        r = add(m, -LN_2_HIGH, half)
        r = add(m, -LN_2_LOW, r)
        square = r * r
        even, odd = add(square, EXP_4, EXP_2), add(square, EXP_5, EXP_3)
        p = add(square, add(r, odd, even), r + f32(1))
        e = p * np.ldexp(f32(1), np.clip(np.nan_to_num(m), -127, 128).astype(np.int32))
    return e * e


@piecewise
def exp(x: np.ndarray, fused: bool = False) -> np.ndarray:
    """exp(x), four values at a time: 2^m * exp(r)."""
    add = fma if fused else multiply_add
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        x = np.minimum(np.maximum(x, f32(-104)), f32(88.723))
        m = np.rint(x * LOG2_E)
        r = add(m, -LN_2_LOW, add(m, -LN_2_HIGH, x))
        square = r * r
        even, odd = horner(square, *EXP_EVEN, add=add), horner(square, *EXP_ODD, add=add)
        y = add(square, add(r, odd, even), r + f32(1))
        m = np.nan_to_num(m).astype(np.int32)
        return np.ldexp(np.ldexp(y, m >> 1), m - (m >> 1))


@piecewise
def erfc(x: np.ndarray, packed: np.ndarray, fused: bool = False) -> np.ndarray:
    """erfc(x), whose exp has two versions."""
    add = fma if fused else multiply_add
    with np.errstate(divide="ignore", over="ignore", invalid="ignore", under="ignore"):
        x = np.minimum(np.maximum(x, f32(-11)), f32(11))
        square = x * x
        near = add(x, horner(square, *ERFC_NEAR, add=add), f32(1))
        lost = (x.astype(f64) * x - square).astype(f32)  # by rounding the square
        power = np.where(packed, exp(-square, fused), glibc.expf(-square))
        power = add(-power, lost, power)
        inverse = f32(1) / square
        if fused:  # a register of four is divided by an estimate and two steps of Newton
            inverse = np.where(packed, roots.reciprocal_neon(np.maximum(square, f32(1))), inverse)
        above, below = (horner(inverse, *c, add=add) for c in (ERFC_ABOVE, ERFC_BELOW))
        far = add(power, above / (x * below), np.where(x < 0, f32(2), f32(0)))
        return np.where(square > 1, far, near)
