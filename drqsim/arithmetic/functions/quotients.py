"""XNNPACK's functions that are a quotient of two polynomials, bit for bit.

Every step is one fused multiply-add, in vectors of any width, so the bits are the same on every
processor that has one: AVX2 with FMA, AVX-512 and arm64. Inputs and results pass through
``flush_denormals``, since XNNPACK computes with denormals taken for zero.

Sources, XNNPACK at the version of ai-edge-litert 2.3.0: ``src/f32-vlog``, ``src/f32-vsin``,
``src/f32-vtanh``, ``src/f32-vgelu``, ``src/f32-vapproxgelu``, all as ``rational-*.c.in``. The
coefficients of ``exp`` are those in the binary, whose sources are newer than the template at hand:
``xnn_f32_vexp_ukernel__avx512f_rational_3_2_div_u16``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drqsim.arithmetic.floats import fma, horner_fused
from drqsim.arithmetic.tiles import piecewise

f32 = np.float32
ONE = f32(1)


class Quotient(NamedTuple):
    """x * above(x^2) / below(x^2), up to an argument from which on it is 1."""

    end: np.float32
    above: tuple[float, ...]
    below: tuple[float, ...]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        x = np.clip(x, -self.end, self.end)
        square = x * x
        return x * horner_fused(square, *self.above) / horner_fused(square, *self.below)


TANH = Quotient(
    f32(7.9807181358),
    (1.4248920266e-08, 2.1235626264e-05, 3.5330520477e-03, 1.3412411511e-01, 1),
    (8.1365948290e-07, 3.3472978976e-04, 2.6018999517e-02, 4.6745735407e-01, 1),
)
tanh = piecewise(TANH)
# erf(x / sqrt(2)), and what stands in for it in the approximate GELU
ERF = Quotient(
    f32(5.1638283730),
    (4.5835321316e-08, 1.2609783880e-05, 3.2973114867e-04, 9.3065137044e-03, 6.6972173750e-02)
    + (7.9788452387e-01,),
    (1.1988805682e-06, 7.2267655923e-05, 1.8622842617e-03, 2.8431978077e-02, 2.5060352683e-01, 1),
)
NEARLY_ERF = Quotient(
    f32(4.84974098),
    (4.9544411240e-08, 1.4302649106e-05, 2.6887017884e-04, 7.2898347862e-03, 6.0803253204e-02)
    + (7.9788458347e-01,),
    (1.3433452750e-06, 7.6477612311e-05, 1.3060354395e-03, 2.4381054565e-02, 2.4369759858e-01, 1),
)


@piecewise
def gelu(x: np.ndarray, approximate: bool) -> np.ndarray:
    """x / 2 * (1 + erf(x / sqrt(2)))"""
    return x * f32(0.5) * ((NEARLY_ERF if approximate else ERF)(x) + ONE)


LOG2_E = f32(1.44269504)
EXP_ABOVE = (float.fromhex("0x1.6ae8e6p-8"), float.fromhex("0x1.89daf6p-5"), 0.6931471824645996)
EXP_BELOW = (float.fromhex("0x1.89034ep-6"), float.fromhex("-0x1.1bdd2ap-2"), 1)
TO_WHOLE = f32(1.5 * 2**23)  # what is added and taken away again leaves a whole number


@piecewise
def exp(x: np.ndarray, keeps_nan: bool = False) -> np.ndarray:
    """exp(x) = 2^z * (1 + r * above(r) / below(r)), z whole, r the rest of x * log2(e).

    2^-127 is 0 and 2^128 infinity. NaN is 0 on x86, where the larger of NaN and -127 is -127.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        nan, x = keeps_nan & np.isnan(x), x * LOG2_E
        x = np.where(x > -127, x, f32(-127))
        x = np.where(x < 128, x, f32(128))
        z = (x + TO_WHOLE) - TO_WHOLE
        r = x - z
        below = horner_fused(r, *EXP_BELOW)
        part = r * horner_fused(r, *EXP_ABOVE) / below + ONE
        power = ((z.astype(np.int32) + 127) << 23).view(f32)
        return np.where(nan, f32(np.nan), part * power)


SQRT_2, SQRT_HALF = f32(1.414213419), f32(0.70710688829)  # the kernel's: their product is 1


@piecewise
def log(x: np.ndarray, avx512: bool) -> np.ndarray:
    """log(m * 2^e) = e * log(2) + log(m), m of [sqrt(1/2), sqrt(2))

    Where x * sqrt(2) is infinite or NaN, it depends on the processor. AVX-512 has an instruction
    for the exponent, to which that of infinity is infinity. The other kernels cut it from the bits
    of the float: 128, so no number has a logarithm above 88.37627, and NaN without a sign has one.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = x * SQRT_2
        bits = scaled.view(np.uint32)
        e = ((bits >> 23).astype(np.int32) - 127).astype(f32)
        e = np.where(np.signbit(scaled), f32(np.nan), e)
        e = np.where(scaled == 0, f32(-np.inf), e)
        if avx512:
            e = np.where(np.isposinf(scaled) | np.isnan(scaled), scaled, e)
        m = ((bits & np.uint32(0x007FFFFF)) | np.uint32(0x3F800000)).view(f32) * SQRT_HALF - ONE
        above = m * horner_fused(m, 0.182499691844, 1, 1)
        below = horner_fused(m, 0.049584995955, 0.599170029163, 1.5, 1)
        return fma(e, f32(0.6931471805599453), above / below)


PI, TURNS = f32(3.1415927), f32(0.15915494)
TURN_HIGH, TURN_LOW = f32(6.28125), f32(1.9353072e-3)
HALF_PI_HIGH, HALF_PI_LOW = f32(1.5707963705), f32(-4.3711388e-08)


@piecewise
def sin(x: np.ndarray) -> np.ndarray:
    """sin(x). A turn is known to 33 bits: at a million it is 2e-6 off, at 1e20 NaN."""
    with np.errstate(invalid="ignore", over="ignore"):
        return _of_a_turn(_within_a_turn(x))


@piecewise
def cos(x: np.ndarray) -> np.ndarray:
    """cos(x) = sin(pi / 2 - x)"""
    with np.errstate(invalid="ignore", over="ignore"):
        return _of_a_turn((HALF_PI_HIGH - _within_a_turn(x)) + HALF_PI_LOW)


def _within_a_turn(x: np.ndarray) -> np.ndarray:
    turns = np.rint(x * TURNS)
    return fma(-turns, TURN_LOW, fma(-turns, TURN_HIGH, x))


def _of_a_turn(x: np.ndarray) -> np.ndarray:
    """Folded into a quarter turn, of which the sine is a quotient."""
    x = np.minimum(x, PI - x)
    x = np.maximum(x, -PI - x)
    x = np.minimum(x, PI - x)
    square = x * x
    above = x * horner_fused(square, 3.2340581529e-03, -1.3314664364e-01, 1)
    return above / horner_fused(square, 4.8770775902e-04, 3.3519912511e-02, 1)
