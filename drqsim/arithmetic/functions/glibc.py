"""The C library's float functions, bit for bit as in glibc.

They are not part of the runtime, which calls those of the system that it runs on. So where the C
library is another one, the runtime's bits are others too: macOS, Windows and Android have their
own, and glibc 2.41 replaced some of these by correctly rounded ones. What stands here is glibc 2.27
to 2.40 on a processor with FMA, the C library of most Linux systems. The float functions of an
operator thus follow the system in this one respect, which no ``processor`` can name.

All but ``expm1f`` and ``tanhf`` compute in float64, with errors around 1e-11 before the one
rounding to float32. glibc fuses some multiply-adds there, which no float32 result has shown yet.

Sources, glibc 2.36: ``sysdeps/ieee754/flt-32/e_expf.c``, ``e_logf.c``, ``e_powf.c``, ``s_sinf.c``,
``s_cosf.c``, ``s_sincosf.h``, ``s_expm1f.c``, ``s_tanhf.c`` and their tables.
"""

from __future__ import annotations

import platform
from functools import cache

import numpy as np

from drqsim.arithmetic.floats import fma, horner, multiply_add
from drqsim.arithmetic.tiles import piecewise

f32 = np.float32
f64 = np.float64


def _hex(numbers: str) -> np.ndarray:
    return np.array([float.fromhex(number) for number in numbers.split()])


LN_2 = float.fromhex("0x1.62e42fefa39efp-1")
# 32 / ln 2 in two parts: the first has 27 bits, so that its product with a float32 is exact
UNITS_HIGH = float.fromhex("0x1.71547650p+5")
UNITS_LOW = float.fromhex("0x1.71547652b82fep+5") - UNITS_HIGH
EXP2 = _hex("0x1.c6af84b912394p-5 0x1.ebfce50fac4f3p-3 0x1.62e42ff0c52d6p-1")  # 2^x - 1
# a sixteenth of an octave each: 1 / c, its natural and its binary logarithm
INVERSES = _hex(
    "0x1.661ec79f8f3bep+0 0x1.571ed4aaf883dp+0 0x1.49539f0f010bp+0 0x1.3c995b0b80385p+0 "
    "0x1.30d190c8864a5p+0 0x1.25e227b0b8eap+0 0x1.1bb4a4a1a343fp+0 0x1.12358f08ae5bap+0 "
    "0x1.0953f419900a7p+0 0x1p+0 0x1.e608cfd9a47acp-1 0x1.ca4b31f026aap-1 "
    "0x1.b2036576afce6p-1 0x1.9c2d163a1aa2dp-1 0x1.886e6037841edp-1 0x1.767dcf5534862p-1"
)
LOGARITHMS = _hex(
    "-0x1.57bf7808caadep-2 -0x1.2bef0a7c06ddbp-2 -0x1.01eae7f513a67p-2 -0x1.b31d8a68224e9p-3 "
    "-0x1.6574f0ac07758p-3 -0x1.1aa2bc79c81p-3 -0x1.a4e76ce8c0e5ep-4 -0x1.1973c5a611cccp-4 "
    "-0x1.252f438e10c1ep-5 0x0p+0 0x1.aa5aa5df25984p-5 0x1.c5e53aa362eb4p-4 "
    "0x1.526e57720db08p-3 0x1.bc2860d224770p-3 0x1.1058bc8a07ee1p-2 0x1.4043057b6ee09p-2"
)
BINARY_LOGARITHMS = _hex(
    "-0x1.efec65b963019p-2 -0x1.b0b6832d4fca4p-2 -0x1.7418b0a1fb77bp-2 -0x1.39de91a6dcf7bp-2 "
    "-0x1.01d9bf3f2b631p-2 -0x1.97c1d1b3b7afp-3 -0x1.2f9e393af3c9fp-3 -0x1.960cbbf788d5cp-4 "
    "-0x1.a6f9db6475fcep-5 0x0p+0 0x1.338ca9f24f53dp-4 0x1.476a9543891bap-3 "
    "0x1.e840b4ac4e4d2p-3 0x1.40645f0c6651cp-2 0x1.88e9c2c1b9ff8p-2 0x1.ce0a44eb17bccp-2"
)
LOG = _hex("-0x1.00ea348b88334p-2 0x1.5575b0be00b6ap-2 -0x1.ffffef20a4123p-2")
LOG2 = _hex(
    "0x1.27616c9496e0bp-2 -0x1.71969a075c67ap-2 0x1.ec70a6ca7baddp-2 -0x1.7154748bef6c8p-1 "
    "0x1.71547652ab82bp0"
)
HALF_PI, TWO_BY_PI = _hex("0x1.921FB54442D18p0 0x1.45F306DC9C883p-1")
COSINE = _hex(
    "-0x1.ffffffd0c621cp-2 0x1.55553e1068f19p-5 -0x1.6c087e89a359dp-10 0x1.99343027bf8c3p-16"
)
SINE = _hex("-0x1.555545995a603p-3 0x1.1107605230bc4p-7 -0x1.994eb3774cf24p-13")
FOUR_BY_PI = 0xA2F9836E4E441529FC2757D1F534DDC0DB6295993C439041  # its first 192 bits
EXPM1F = (-2.0109921195e-07, 4.0082177293e-06, -7.9365076090e-05, 1.5873016091e-03)
EXPM1F += (-3.3333335072e-02, 1)
LN_2_PARTS = f32(6.9313812256e-01), f32(9.0580006145e-06)


@cache
def is_here() -> bool:
    """Whether this system's C library is a glibc that computes as this file does."""
    name, version = platform.libc_ver()
    major, _, minor = version.partition(".")
    return name == "glibc" and major == "2" and minor.isdigit() and 27 <= int(minor) <= 40


@piecewise
def expf(x: np.ndarray) -> np.ndarray:
    """exp(x): 2^(k/32) * 2^r with a cubic polynomial, in float64.

    glibc computes r with a fused multiply-add, here in two parts to the same effect.
    """
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        wide = np.clip(x.astype(f64), -200, 200)
        k = np.rint(np.nan_to_num(wide * (UNITS_HIGH + UNITS_LOW)))
        r = ((wide * UNITS_HIGH - k) + wide * UNITS_LOW) / 32
        return _power_of_two(k, r).astype(f32)


def _power_of_two(k: np.ndarray, r: np.ndarray) -> np.ndarray:
    """2^(k/32 + r) in float64."""
    y = (EXP2[0] * r + EXP2[1]) * (r * r) + (EXP2[2] * r + 1)
    return y * np.exp2(k / 32)


def _sixteenth(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A positive x as (1 + r) * c * 2^octave: where c stands in the tables, the octave, r."""
    bits = x.view(np.uint32)
    scaled = (x * f32(2**23)).view(np.uint32) - np.uint32(23 << 23)
    bits = np.where(x < np.finfo(f32).tiny, scaled, bits)
    offset = bits - np.uint32(0x3F330000)
    place, octave = (offset >> 19) & 15, offset.view(np.int32) >> 23
    z = (bits - (offset & np.uint32(0xFF800000))).view(f32).astype(f64)
    return place, octave, z * INVERSES[place] - 1


@piecewise
def logf(x: np.ndarray) -> np.ndarray:
    """log(x): a sixteenth of an octave from a table, the rest a cubic."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        usual = (x > 0) & (x < np.inf)
        place, octave, r = _sixteenth(np.where(usual, x, f32(1)))
        square = r * r
        y = LOG[0] * square + (LOG[1] * r + LOG[2])
        y = y * square + (LOGARITHMS[place] + octave * LN_2 + r)
        return np.where(usual, y.astype(f32), np.log(x))


@piecewise
def powf(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x to the power of y, of one shape: 2^(y * log2 |x|), with the sign of an odd power."""
    with np.errstate(all="ignore"):
        special = np.power(x, y)  # zeros, ones, infinities, what is undefined
        usual = (x != 0) & np.isfinite(x) & np.isfinite(y) & ~np.isnan(special)
        place, octave, r = _sixteenth(np.where(usual, np.abs(x), f32(1)))
        square = r * r
        low = LOG2[4] * r + (BINARY_LOGARITHMS[place] + octave)
        low = (LOG2[2] * r + LOG2[3]) * square + low
        exponent = y * ((LOG2[0] * r + LOG2[1]) * (square * square) + low)
        exponent = np.where(usual, np.clip(exponent, -200, 200), 0)
        k = np.rint(exponent * 32)
        power = _power_of_two(k, exponent - k / 32).astype(f32)
        return np.where(usual, np.copysign(power, special), special)


@piecewise
def sinf(x: np.ndarray) -> np.ndarray:
    """sin(x)"""
    return np.where(np.abs(x) < f32(2.0**-12), x, _wave(x, 0))


@piecewise
def cosf(x: np.ndarray) -> np.ndarray:
    """cos(x)"""
    return _wave(x, 1)


def _wave(x: np.ndarray, ahead: int) -> np.ndarray:
    """sin(x + ahead * pi / 2): the nearest quarter turn taken off, then one of two polynomials."""
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(x) < 120
        wide = np.where(near, x, 0).astype(f64)
        quarters = np.trunc(wide * (TWO_BY_PI * 2**24)).astype(np.int64) + 2**23 >> 24
        r = wide - quarters * HALF_PI
        far = ~near & np.isfinite(x)
        if far.any():
            quarters[far], r[far] = _far(x[far])
        square = r * r
        cube, fourth = r * square, square * square
        odd = (r + cube * SINE[0]) + (cube * square) * (SINE[1] + square * SINE[2])
        even = (1 + square * COSINE[0]) + fourth * COSINE[1]
        even = even + (fourth * square) * (COSINE[2] + square * COSINE[3])
        quarters = quarters + ahead
        y = np.where(quarters & 1, even, odd)
        y = np.where(quarters & 2, -y, y).astype(f32)
        return np.where(np.isfinite(x), y, f32(np.nan))


def _far(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quarter turns and the rest of a large angle, multiplied with 4 / pi in whole numbers."""
    bits = x.view(np.uint32).astype(np.uint64)
    mantissa = (bits & 0xFFFFFF | 0x800000) << (bits >> 23 & 7) & 0xFFFFFFFF
    place = (bits >> 26 & 15).astype(int)  # the bits of 4 / pi that matter to this exponent
    windows = [FOUR_BY_PI >> 8 * (23 - at) & 0xFFFFFFFF for at in range(24)]
    high, middle, low = (np.array(windows, np.uint64)[place + at] for at in (0, 4, 8))
    product = (mantissa * high << 32 | mantissa * low >> 32) + mantissa * middle
    quarters = product + (1 << 61) >> 62
    r = (product - (quarters << 62)).view(np.int64) * (HALF_PI * 2.0**-62)
    negative = np.signbit(x)
    return np.where(negative, -quarters.view(np.int64), quarters.view(np.int64)), np.where(
        negative, -r, r
    )


@piecewise
def expm1f(x: np.ndarray, fused: bool = False) -> np.ndarray:
    """exp(x) - 1 for x up to 80, in float32; on arm64 every product that is added is fused."""
    one, half, add = f32(1), f32(0.5), fma if fused else multiply_add
    with np.errstate(invalid="ignore", over="ignore"):
        bounded = np.clip(np.nan_to_num(x), f32(-100), f32(80))
        size = np.abs(bounded)
        nearest = np.trunc(bounded * f32(1.4426950216) + np.copysign(half, bounded))
        k = np.where(size < f32(1.5 * np.log(2)), np.sign(bounded), nearest)
        k = np.where(size.view(np.uint32) > 0x3EB17218, k, f32(0))
        high = add(-k, LN_2_PARTS[0], bounded)
        y = add(-k, LN_2_PARTS[1], high)
        lost = add(-k, LN_2_PARTS[1], high - y)
        k = k.astype(np.int32)
        half_square = y * (half * y)
        r = horner(half_square, *EXPM1F, add=add)
        t = add(-r, half * y, f32(3))
        e = half_square * ((r - t) / add(-y, t, f32(6)))
        unscaled = y - add(y, e, -half_square)
        e = add(y, e - lost, -lost) - half_square
        power, inverse = np.ldexp(one, -np.maximum(k, 0)), e - y
        below = np.ldexp(one - inverse, k) - one
        above = np.where(k < 23, (one - power) - inverse, (y - (e + power)) + one)
        doubled = np.where(y < f32(-0.25), f32(-2) * (e - (y + half)), one + f32(2) * (y - e))
        cases = [k == 0, k == -1, k == 1, (k < 0) | (k > 56)]
        choices = [unscaled, half * (y - e) - half, doubled, below]
        result = np.select(cases, choices, np.ldexp(above, k))
        result = np.where(bounded <= f32(-27 * np.log(2)), f32(-1), result)
        return np.where((np.abs(x) < f32(2.0**-25)) | np.isnan(x), x, result).astype(f32)


@piecewise
def tanhf(x: np.ndarray, fused: bool = False) -> np.ndarray:
    """tanh(x), from exp(2 |x|) - 1."""
    size = np.abs(x)
    with np.errstate(invalid="ignore"):
        large = f32(1) - f32(2) / (expm1f(f32(2) * np.clip(size, f32(1), f32(22)), fused) + f32(2))
        t = expm1f(f32(-2) * np.minimum(size, f32(1)), fused)
        y = np.where(size >= 22, f32(1), np.where(size >= 1, large, -t / (t + f32(2))))
        return np.copysign(np.where(size < f32(2.0**-55), size, y), x)
