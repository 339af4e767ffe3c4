"""Products added one after another: the two loops of which every other order is made.

``rounded`` rounds a product before it adds it, as a processor does with two instructions; ``fused``
rounds once, after the sum (fused multiply-add). Both take the products in the order of the columns.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from drqsim.arithmetic.floats import flush_denormals, fma

f32 = np.float32
f64 = np.float64
# products from here on are whole multiples of 2^-125, and so are their sums: none is denormal
SAFE = 2.0**-79
BLOCK = 2**14  # sums held at a time, so that they stay in the cache


def rounded(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """``rows @ matrix.T``: every product rounded, then added to the sum, which starts from 0.

    Parameters
    ----------
    rows : float32 [n, k]
    matrix : float32 [out, k]

    Returns
    -------
    float32 [n, out]

    Notes
    -----
    ``np.einsum`` does just that while the summed axis is the outermost of its loops, where NumPy is
    built to multiply and add apart. It is some 30 times faster than a loop over k.
    """
    n, out = len(rows), len(matrix)
    if n > out:  # the longer side innermost
        return rounded(matrix, rows).T
    if out == 1:
        return np.add.accumulate(rows * matrix, axis=1, dtype=f32)[:, -1:] + f32(0)
    total = np.zeros((n, out), f32)
    if not _einsum_rounds_twice():
        for x, w in zip(rows.T, matrix.T, strict=True):
            total += x[:, None] * w
        return total
    width = min(out, BLOCK // 4)
    height = max(1, BLOCK // width)
    for start in range(0, out, width):
        at = slice(start, start + width)
        part = np.ascontiguousarray(matrix[at].T)
        for top in range(0, n, height):
            down = slice(top, top + height)
            block = np.ascontiguousarray(rows[down].T)
            if block.shape[1] * part.shape[1] == 1:  # einsum would make the summed axis the inner
                total[down, at] = rounded(block.T, part.T)
            else:
                np.einsum("kn,ko->no", block, part, out=total[down, at])
    return total


@cache
def _einsum_rounds_twice() -> bool:
    """Whether this NumPy's einsum rounds a product before it adds it; on some processors it fuses.

    The products are -(1 + 2^-11) and (1 + 2^-12)^2, which rounds to 1 + 2^-11: rounded twice, they
    add up to 0.
    """
    near_one = f32(1 + 2.0**-12)
    a = np.array([[1] * 64, [near_one] * 64], f32)
    b = np.array([[-(1 + 2.0**-11)] * 2, [near_one] * 2], f32)
    return not np.einsum("kn,ko->no", b, a).any()


def fused(rows: np.ndarray, matrix: np.ndarray, start: np.ndarray, flush=False) -> np.ndarray:
    """``start + rows @ matrix.T``: one fused multiply-add for every product.

    Parameters
    ----------
    rows : float32 [n, k]
    matrix : float32 [out, k]
    start : float32, what [n, out] broadcasts to
        What the sums begin with: the bias, or 0.
    flush : bool
        Whether denormal values become zero, after every step too: XNNPACK's mode.

    Returns
    -------
    float32 [n, out]

    Notes
    -----
    A float32 product is exact in float64, and so, but for its last bits, is the sum. Rounded to
    float32 it is the fused one unless it lies halfway between two float32 values: those few, one
    step in 2^29, are done over by ``fma``.
    """
    n, out = len(rows), len(matrix)
    start = np.broadcast_to(start, (n, out))
    if flush:
        rows, matrix, start = (flush_denormals(v) for v in (rows, matrix, start))
        flush = min(_smallest(rows) * _smallest(matrix), _smallest(start)) < SAFE
    right = np.ascontiguousarray(matrix.T, f64)
    total = np.empty((n, out), f32)
    height = max(1, BLOCK // out)
    for top in range(0, n, height):
        down = slice(top, top + height)
        block = np.ascontiguousarray(rows[down].T, f64)[:, :, None]
        total[down] = _fused(block, right, start[down], flush)
    return total


def _smallest(x: np.ndarray) -> np.float64:
    """The smallest size of a value that is not zero; infinity where all are."""
    return np.abs(x).min(where=x != 0, initial=np.inf).astype(f64)


def _fused(left: np.ndarray, right: np.ndarray, start: np.ndarray, flush: bool) -> np.ndarray:
    """``fused`` of some rows: float64 [k, n, 1] and [k, out]."""
    total = start.astype(f64)  # float32 values, held where they are multiplied
    wide, narrow = np.empty_like(total), np.empty(total.shape, f32)
    bits, low = wide.view(np.int64), np.empty(total.shape, np.int64)
    for x, w in zip(left, right, strict=True):
        np.multiply(x, w, out=wide)
        wide += total
        halfway = np.bitwise_and(bits, 2**29 - 1, out=low) == 2**28
        np.copyto(narrow, wide, casting="same_kind")
        if halfway.any():
            sides = (np.broadcast_to(v, total.shape)[halfway].astype(f32) for v in (x, w))
            narrow[halfway] = fma(*sides, total[halfway].astype(f32))
        np.copyto(total, flush_denormals(narrow) if flush else narrow)
    return total.astype(f32)
