"""XNNPACK's logistic function, ELU and the powers in softmax: one formula for each processor.

All of them write exp(x) as 2^n * exp(t), n a whole number or a 4th, 16th, 32nd or 64th of one, and
differ in that part, in the polynomial and in the order of the steps. Every ``fma`` is fused there.
Inputs and results pass through ``flush_denormals``, since XNNPACK computes with denormals taken for
zero.

========  =============================  =======================  ================================
          logistic                       ELU                      softmax
========  =============================  =======================  ================================
AVX-512   32nds from a table, degree 2   whole, degree 6          whole, degree 5
AVX2      whole, degree 5                4ths, degree 4           as AVX-512
arm64     64ths, degree 2                16ths, degree 3          64ths, degree 2
========  =============================  =======================  ================================

Sources, XNNPACK at the version of ai-edge-litert 2.3.0:
``src/f32-vsigmoid/avx512f-rr2-lut32-p2-perm2-scalef.c.in``, ``avx2-rr1-p5.c.in``,
``neon-lut64-p2.c.in``; ``src/f32-velu/avx512f-rr1-p6.c.in``, ``avx2-rr1-lut4-p4-perm.c.in``,
``neon-lut16-p3.c.in``; ``src/f32-raddstoreexpminusmax/avx512f-rr2-p5.c.in``, ``avx2-rr2-p5.c.in``,
``neon-lut64-p2.c.in``;
``src/configs/unary-elementwise-config.c`` says which of them run.
"""

from __future__ import annotations

import numpy as np

from drqsim.arithmetic.floats import flush_denormals, fma, horner_fused
from drqsim.arithmetic.functions import roots
from drqsim.arithmetic.tiles import piecewise

f32 = np.float32
u32 = np.uint32
ONE = f32(1)


def _hex(numbers: str) -> tuple[np.float32, ...]:
    return tuple(f32(float.fromhex(number)) for number in numbers.split())


LOG2_E, MINUS_LN_2, LOST = _hex("0x1.715476p0 -0x1.62E430p-1 0x1.05C61p-29")
CUT_LN_2, CUT_LOST = _hex("-0x1.62E400p-1 -0x1.7F7D1Cp-20")  # the same in fewer bits, and the rest
SMALLEST = f32(float.fromhex("-0x1.5D589Ep6"))  # below it exp(x) is denormal
ELU_END = f32(float.fromhex("-0x1.154246p4"))  # from here on ELU is -1
BY_5 = _hex("0x1.0F9F9Cp-7 0x1.573A1Ap-5 0x1.555A80p-3 0x1.FFFDC6p-2 0x1.FFFFF6p-1")
BY_6 = _hex("0x1.6B7338p-10 0x1.12278Ep-7 0x1.555716p-5 0x1.5554B0p-3 0x1.FFFFFEp-2")
BY_4 = _hex("0x1.554F9Ap-5 0x1.557082p-3 0x1.000002p-1")
BY_3 = _hex("0x1.55561Cp-3 0x1.0001ECp-1")
BY_2 = _hex("0x1p-1 0x1.0000F6p0")
HALF = f32(float.fromhex("0x1.FFFF0Ap-2"))  # nearly
WHOLE = f32(float.fromhex("0x1.8000FEp23"))  # added, it leaves the exponent of 2^n in the last bits
FOURTHS, SIXTEENTHS, THIRTY_SECONDS, SIXTY_FOURTHS = _hex("0x1.8p21 0x1.8p19 0x1.8p18 0x1.8p17")
# 2^(i / n), rounded
TABLE_4, TABLE_16, TABLE_32, TABLE_64 = (
    np.exp2(np.arange(n) / n).astype(f32) for n in (4, 16, 32, 64)
)


def _whole(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """n, the multiple of ln 2 next to x, as a whole number, and 2^n."""
    n = fma(x, LOG2_E, WHOLE)
    return n - WHOLE, (n.view(u32) << u32(23)).view(f32)


@piecewise
def logistic_avx512(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), for positive x as 1 minus that of -x."""
    z = -np.abs(x)
    n = fma(z, LOG2_E, THIRTY_SECONDS)
    part = TABLE_32[n.view(u32) & u32(31)]
    n = n - THIRTY_SECONDS
    t = fma(n, LOST, fma(n, MINUS_LN_2, z))
    e = fma(t * part, horner_fused(t, *BY_2), part)
    with np.errstate(invalid="ignore", under="ignore"):
        whole = np.floor(np.maximum(np.nan_to_num(n), -1000)).astype(np.int32)
        e = np.where(np.isneginf(n), f32(0), flush_denormals(np.ldexp(e, whole)))
    return _from_power(x, e / (e + ONE))


@piecewise
def logistic_avx2(x: np.ndarray) -> np.ndarray:
    """The same."""
    z = -np.abs(x)
    n, power = _whole(z)
    t = fma(n, MINUS_LN_2, z)
    e = fma(flush_denormals(t * power), horner_fused(t, *BY_5), power)
    return _from_power(x, np.where(z < SMALLEST, f32(0), e / (e + ONE)))


def _from_power(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.where(np.signbit(x), y, ONE - y)


@piecewise
def elu_avx512(x: np.ndarray) -> np.ndarray:
    """x if x >= 0 else exp(x) - 1"""
    z = np.maximum(ELU_END, np.minimum(x, f32(0)))
    n, power = _whole(z)
    t = fma(n, MINUS_LN_2, z)
    p = horner_fused(t, *BY_6) * t
    t = t * power
    return np.where(x < 0, fma(p, t, t) + (power - ONE), x)


@piecewise
def elu_avx2(x: np.ndarray) -> np.ndarray:
    """The same; it asks for the sign bit, and gives 0 for -0."""
    z = np.maximum(ELU_END, np.minimum(x, f32(0)))
    n = fma(z, LOG2_E, FOURTHS)
    place = n.view(u32) & u32(3)
    power = (TABLE_4[place].view(u32) + ((n.view(u32) - place) << u32(21))).view(f32)
    t = fma(n - FOURTHS, MINUS_LN_2, z)
    p = horner_fused(t, *BY_4) * t
    t = t * power
    return np.where(np.signbit(x), fma(p, t, t) + (power - ONE), x)


@piecewise
def softmax_power_avx(x: np.ndarray) -> np.ndarray:
    """exp(x) for x up to 0; 0 where that would be denormal."""
    n, power = _whole(np.maximum(x, f32(-88)))
    t = fma(n, CUT_LOST, fma(n, CUT_LN_2, x))
    e = fma(flush_denormals(t * power), horner_fused(t, *BY_5), power)
    return np.where(x < SMALLEST, f32(0), flush_denormals(e))


def _sixty_fourths(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """n, the multiple of ln 2 / 64 next to x, in units of ln 2, and 2^n."""
    n = fma(x, LOG2_E, SIXTY_FOURTHS)
    place = n.view(u32) & u32(63)
    power = (TABLE_64[place].view(u32) + ((n.view(u32) - place) << u32(17))).view(f32)
    return n - SIXTY_FOURTHS, power


@piecewise
def logistic_neon(x: np.ndarray) -> np.ndarray:
    """The same, divided by way of an estimate of the reciprocal and two Newton steps."""
    z = -np.abs(x)
    n, power = _sixty_fourths(z)
    t = -fma(n, MINUS_LN_2, z)
    p = fma(-(t * HALF), t, t)
    e = fma(-power, p, power)
    e = np.where(z < SMALLEST, f32(0), e)  # what is 0 in the end
    y = e * roots.reciprocal_neon(e + ONE)
    return np.where(x < 0, y, ONE - y)


@piecewise
def elu_neon(x: np.ndarray) -> np.ndarray:
    """The same."""
    z = np.maximum(ELU_END, np.minimum(x, f32(0)))
    n = fma(z, LOG2_E, SIXTEENTHS)
    place = n.view(u32) & u32(15)
    power = (TABLE_16[place].view(u32) + ((n.view(u32) - place) << u32(19))).view(f32)
    t = fma(n - SIXTEENTHS, MINUS_LN_2, z)
    p = horner_fused(t, *BY_3) * t
    t = t * power
    return np.where(x < 0, fma(p, t, t) + (power - ONE), x)


@piecewise
def softmax_power_neon(x: np.ndarray) -> np.ndarray:
    """The same."""
    n, power = _sixty_fourths(np.maximum(x, f32(-88)))
    t = fma(n, MINUS_LN_2, x)
    e = fma(power, fma(t, t * HALF, t), power)
    return np.where(x < SMALLEST, f32(0), flush_denormals(e))
