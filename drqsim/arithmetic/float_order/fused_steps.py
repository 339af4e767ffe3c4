"""Fused multiply-adds in a row, in float64: for each product one step, all sums at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from drqsim.arithmetic.floats import flush_denormals, fma

f32 = np.float32
f64 = np.float64
# products from here on are whole multiples of 2^-125, and so are their sums: none is denormal
SAFE = 2.0**-79


def add_products(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]], start: np.ndarray, safe: bool, flush: bool
) -> np.ndarray:
    """``start`` plus the product of every pair, rounded once at every step.

    Parameters
    ----------
    pairs : of float32 values, held as float32 or, which is faster, float64 arrays
        Each pair is broadcast to the shape of the sums.
    start : float32 [...]
        What the sums begin with.
    safe : bool
        Whether no step makes a denormal value, as ``are_safe`` says.
    flush : bool
        Whether denormal values become zero, after every step too.

    Returns
    -------
    float32 [...]

    Notes
    -----
    A float32 product is exact in float64, and so, but for its last bits, is the sum. Rounded to
    float32 it is the fused one unless it lies halfway between two float32 values: those few, less
    than one step in a million, are done over by ``fma``; and so is everything where denormal
    values, which have fewer bits, may arise.
    """
    if not safe:
        total = start.astype(f32)
        for x, w in pairs:
            total = fma(x.astype(f32), w.astype(f32), total)
            total = flush_denormals(total) if flush else total
        return total
    total = start.astype(f64, order="C")  # float32 values, held where they are multiplied
    wide, narrow = np.empty_like(total), start.astype(f32, order="C")
    bits, low = wide.view(np.int64), np.empty(total.shape, np.int64)
    halfway = np.empty(total.shape, bool)
    with np.errstate(invalid="ignore", over="ignore"):
        for x, w in pairs:
            np.add(np.multiply(x, w, out=wide, dtype=f64), total, out=wide)
            # float64 has 29 bits more
            np.equal(np.bitwise_and(bits, 2**29 - 1, out=low), 2**28, out=halfway)
            np.copyto(narrow, wide, casting="same_kind")
            if halfway.any():
                sides = (np.broadcast_to(v, low.shape)[halfway].astype(f32) for v in (x, w, total))
                narrow[halfway] = fma(*sides)
            np.copyto(total, narrow)
    return narrow


def are_safe(left: np.ndarray, right: np.ndarray, start: np.ndarray) -> bool:
    """Whether sums of products of the two, from ``start`` on, are never denormal."""
    return bool(min(_smallest(left) * _smallest(right), _smallest(start)) >= SAFE)


def _smallest(x: np.ndarray) -> np.float64:
    """The smallest size of a value that is not zero; infinity where all are."""
    return np.abs(x).min(where=x != 0, initial=np.inf).astype(f64)
