"""XNNPACK's square root and its reciprocal: the processor's estimate, made better by Newton's step.

AVX-512 has an instruction for the estimate of 1 / sqrt(x), ``vrsqrt14ps``, good to 14 bits. It is a
line in each of 32 parts of an octave; an octave of even exponent has other lines than an odd one.
How a line goes was measured, on an AMD EPYC 9004, for every float32 of two octaves: each of these
lines is the only one with whole coefficients that gives all 1,024 estimates of its part.

AVX has another one, ``vrsqrtps``, good to 12 bits, from a table that Intel and AMD do not share.
What stands in for that is the root, rounded; the runtime's is up to two units in the last place
away.

Past 2^126 the square of the estimate is denormal, which XNNPACK takes for zero: the step then adds
half of the estimate to it, and both functions are 1.5 times too large.

Sources, XNNPACK at the version of ai-edge-litert 2.3.0: ``src/f32-vrsqrt/rsqrt.c.in``,
``src/f32-vsqrt/rsqrt.c.in``, as the ``avx512f`` kernels.
"""

from __future__ import annotations

import numpy as np

from drqsim.arithmetic.floats import flush_denormals, fma
from drqsim.arithmetic.tiles import piecewise

f32 = np.float32
ONE, HALF = f32(1), f32(0.5)
# in an even octave, then in an odd one: where each line starts, in units of 2^-19, and how far it
# falls from one estimate to the next, in units of 2^-26
STARTS = np.array(
    "524265 516257 508613 501298 494286 487559 481101 474897 468922 463169 457623 452276 447106 "
    "442106 437279 432603 428071 423683 419423 415288 411277 407379 403592 399907 396319 392827 "
    "389430 386110 382879 379734 376655 373658 370709 365049 359644 354468 349516 344759 340193 "
    "335801 331581 327515 323589 319805 316149 312618 309201 305899 302695 299587 296575 293657 "
    "290819 288062 285380 282776 280242 277773 275367 273022 270741 268509 266336 264214".split(),
    np.int64,
)
FALLS = np.array(
    "1001 955 915 877 841 807 775 747 719 693 669 647 625 603 585 567 549 533 517 501 487 473 461 "
    "449 437 425 415 403 393 385 375 367 707 675 647 619 595 571 549 527 509 491 473 457 441 427 "
    "413 401 389 377 365 355 345 335 325 317 309 301 293 285 279 271 265 259".split(),
    np.int64,
)


def estimate(x: np.ndarray) -> np.ndarray:
    """``vrsqrt14ps``: nearly 1 / sqrt(x) for x that is not denormal."""
    bits = x.view(np.int32).astype(np.int64)
    exponent = (bits >> 23) - 127
    place = (exponent & 1) << 5 | bits >> 18 & 31
    units = (STARTS[place] << 7) - FALLS[place] * (bits >> 8 & 1023) >> 9  # of 2^-17
    exact = (exponent & 1 == 0) & (bits & 0x7FFFFF == 0)  # a power of four
    with np.errstate(over="ignore"):  # of zero, which comes last
        y = np.ldexp(np.where(exact, 2**17, units).astype(f32), -17 - (exponent >> 1))
    y = np.where(x > 0, y, f32(np.nan))
    y = np.where(np.isposinf(x), f32(0), y)
    return np.where(x == 0, np.copysign(f32(np.inf), x), y).astype(f32)


def _refined(x: np.ndarray) -> np.ndarray:
    y = estimate(x)
    return y - (x * flush_denormals(y * y) - ONE) * (HALF * y)


@piecewise
def rsqrt_avx512(x: np.ndarray) -> np.ndarray:
    """1 / sqrt(x), but NaN for zero: the Newton step multiplies infinity by zero."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isposinf(x), f32(0), _refined(x))


@piecewise
def sqrt_avx512(x: np.ndarray) -> np.ndarray:
    """x / sqrt(x), and a zero or infinity for itself."""
    with np.errstate(invalid="ignore"):
        return np.where((x == 0) | np.isposinf(x), x, x * _refined(x))


@piecewise
def rsqrt_avx2(x: np.ndarray) -> np.ndarray:
    """1 / sqrt(x), rounded, but for zero and for what is too large."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(x == 0, f32(np.nan), ONE / np.sqrt(x)) * _too_large(x)


@piecewise
def sqrt_avx2(x: np.ndarray) -> np.ndarray:
    """The root, rounded, but for what is too large."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(x) * _too_large(x)


def _too_large(x: np.ndarray) -> np.ndarray:
    return np.where((x > f32(2.0**126)) & (x < np.inf), f32(1.5), ONE)


def reciprocal_neon(x: np.ndarray) -> np.ndarray:
    """1 / x for x from 2^-100 to 2^100, from arm64's estimate and two steps of Newton's."""
    bits = np.nan_to_num(x, nan=1).view(np.int32).astype(np.int64)
    exponent, middle = (bits >> 23) - 127, (256 + (bits >> 15 & 255)) * 2 + 1
    y = np.ldexp(((1 << 19) // middle + 1 >> 1).astype(f32), -9 - exponent)  # good to 8 bits
    y = np.where(np.isnan(x), x, y)
    for _ in range(2):
        y = y * fma(-x, y, f32(2))
    return y
