"""exp and 1 / (1 + x) in int32 fixed point, as gemmlowp has them: no float anywhere.

A number is ``raw * 2^(k - 31)`` with ``k`` integer bits. Every product is rounded by
``high_multiply``; the constants are those of the source, Taylor's series and Newton's method.

Source: gemmlowp ``fixedpoint/fixedpoint.h``.
"""

from __future__ import annotations

import numpy as np

INT32 = np.iinfo(np.int32)
QUARTER = 1 << 24  # 1/4 with five integer bits
ONE = INT32.max  # with no integer bits
# exp(-1/4), exp(-1/2), exp(-1), ..., exp(-16)
POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def high_multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a * b / 2^31``, ties upward for positive products and towards zero for negative ones."""
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    nudged = product + np.where(product >= 0, 2**30, 1 - 2**30)
    return np.sign(nudged) * (np.abs(nudged) >> 31)


def divide_by_power(x: np.ndarray, power: int | np.ndarray) -> np.ndarray:
    """``x / 2^power``, ties away from zero."""
    x, power = np.asarray(x, np.int64), np.asarray(power, np.int64)
    mask = (np.int64(1) << power) - 1
    return (x >> power) + ((x & mask) > (mask >> 1) + (x < 0))


def _saturated(x: np.ndarray) -> np.ndarray:
    return np.clip(x, INT32.min, INT32.max)


def exp_of_negative(x: np.ndarray) -> np.ndarray:
    """``exp(x)`` without integer bits, of ``x <= 0`` with five.

    ``x`` is cut into a part of [-1/4, 0), for which a series is evaluated about -1/8, and quarters,
    halves, ones, twos, ..., for each of which one constant is multiplied.
    """
    x = np.asarray(x, np.int64)
    part = (x & (QUARTER - 1)) - QUARTER
    a = (part << 5) + (1 << 28)
    a2 = high_multiply(a, a)
    a3, a4 = high_multiply(a2, a), high_multiply(a2, a2)
    third = high_multiply(divide_by_power(a4, 2) + a3, 715827883)
    series = a + divide_by_power(third + a2, 1)
    result = 1895147668 + high_multiply(1895147668, series)
    rest = part - x
    for at, constant in enumerate(POWERS):
        has = rest & (QUARTER << at) != 0
        result = np.where(has, high_multiply(result, constant), result)
    return np.where(x == 0, ONE, result)


def reciprocal_of_one_plus(x: np.ndarray) -> np.ndarray:
    """``1 / (1 + x)``, both without integer bits, of ``x`` in [0, 1): three Newton steps."""
    half = (np.asarray(x, np.int64) + ONE + 1) >> 1
    guess = 1515870810 + high_multiply(half, -1010580540)  # 48/17 - 32/17 d, two integer bits
    for _ in range(3):
        left = (1 << 29) - high_multiply(half, guess)
        guess = guess + _saturated(high_multiply(guess, left) << 2)
    return _saturated(guess << 1)
