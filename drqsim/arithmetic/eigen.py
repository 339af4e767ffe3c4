"""tanh and the logistic function as the runtime computes them, bit for bit.

The recurrent kernels leave both to Eigen. Each is a short polynomial or rational function in
float32: without fused multiply-add on x86, with it on arm64 (``fused``), where every product that
is added to something is. tanh is the same everywhere on a processor. The logistic function has
two versions: Eigen handles four values at a time, from the first 16-byte boundary on, with its own
exponential; what lies before and after goes one by one through the C library's ``expf``. So the
last bit of a gate may depend on where in memory it lies (``in_packets``).

Sources: Eigen ``Core/arch/Default/GenericPacketMathFunctions.h`` (``ptanh_float``),
``Core/functors/UnaryFunctors.h`` (``scalar_logistic_op<float>``), ``Core/AssignEvaluator.h`` (the
split into packets); glibc ``sysdeps/ieee754/flt-32/e_expf.c``, 2.27 to 2.40, where ``_expf`` has
its bits for every float32 in [-104, 16.7]. Newer glibc rounds correctly, which changes 2 in 10,000
of its values by one unit in the last place.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from drqsim.arithmetic.floats import fma

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
# 32 / ln 2 in two parts: the first has 27 bits, so that its product with a float32 is exact
UNITS_HIGH = float.fromhex("0x1.71547650p+5")
UNITS_LOW = float.fromhex("0x1.71547652b82fep+5") - UNITS_HIGH
# the polynomial of glibc's expf, whose unit is 1/32 of a power of two
EXPF_3, EXPF_2, EXPF_1 = (
    float.fromhex(c) / 32**power
    for c, power in (
        ("0x1.c6af84b912394p-5", 3),
        ("0x1.ebfce50fac4f3p-3", 2),
        ("0x1.62e42ff0c52d6p-1", 1),
    )
)


def _rounded(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """``a * b + c``, each rounded."""
    return a * b + c


def tanh(x: np.ndarray, fused: bool = False) -> np.ndarray:
    """tanh(x) of float32 ``x``: an odd polynomial of degree 9 over an even one of degree 8."""
    clamp, add = (TANH_CLAMP_FUSED, fma) if fused else (TANH_CLAMP, _rounded)
    x = np.clip(x, -clamp, clamp)
    square = x * x
    odd, even = _horner(TANH_ODD, square, add), _horner(TANH_EVEN, square, add)
    return add(square * x, odd, x) / even


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
    e = _exp_packet(clamped, fma if fused else _rounded)
    if not packed.all():
        e = np.where(packed, e, _expf(clamped))
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


def _exp_packet(x: np.ndarray, add: Callable) -> np.ndarray:
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


def _expf(x: np.ndarray) -> np.ndarray:
    """exp(x) as glibc's expf: 2^(k/32) * exp(r) with a cubic polynomial, in float64.

    glibc computes r with a fused multiply-add, here in two parts to the same effect.
    """
    with np.errstate(invalid="ignore"):
        wide = np.maximum(x.astype(f64), -200)
        k = np.rint(np.nan_to_num(wide * (UNITS_HIGH + UNITS_LOW)))
        r = (wide * UNITS_HIGH - k) + wide * UNITS_LOW
        y = (EXPF_3 * r + EXPF_2) * (r * r) + (EXPF_1 * r + 1)
        return (y * np.exp2(k / 32)).astype(f32)


def _horner(coefficients: list, x: np.ndarray, add: Callable) -> np.ndarray:
    """A polynomial from its highest coefficient down, each step a product and a sum."""
    total = coefficients[0]
    for coefficient in coefficients[1:]:
        total = add(total, x, coefficient)
    return total
