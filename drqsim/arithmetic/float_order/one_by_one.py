"""Products added one after another: the two loops of which every other order is made.

``rounded`` rounds a product before it adds it, as a processor does with two instructions; ``fused``
rounds once, after the sum (fused multiply-add). Both take the products in the order of the columns.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from drqsim.arithmetic.float_order import blas_in_order
from drqsim.arithmetic.float_order.fused_steps import add_products, are_safe
from drqsim.arithmetic.floats import flush_denormals

f32 = np.float32
f64 = np.float64
BLOCK = 2**14  # sums held at a time, so that they stay in the cache
MANY = 2**16  # products that are worth asking BLAS for


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
    """
    if flush:
        rows, matrix, start = (flush_denormals(v) for v in (rows, matrix, start))
    safe = are_safe(rows, matrix, start)
    if safe and np.ndim(start) < 2 and rows.size * len(matrix) >= MANY:
        made = by_blas(rows, matrix, np.broadcast_to(start, len(matrix)))
        if made is not None:
            return made
    return _step_by_step(rows, matrix, start, safe, flush)


def by_blas(rows: np.ndarray, matrix: np.ndarray, start: np.ndarray) -> np.ndarray | None:
    """``fused`` by BLAS where that has its bits: no sum is -0 or infinite; else None."""
    if (np.signbit(start) & (start == 0)).any():
        return None
    made = blas_in_order.product(rows, matrix, start)
    return made if made is not None and np.isfinite(made).all() else None


def _step_by_step(rows, matrix, start, safe: bool, flush: bool) -> np.ndarray:
    """``fused`` in blocks that stay in the cache, the longer side innermost."""
    n, out = len(rows), len(matrix)
    start = np.broadcast_to(start, (n, out))
    if n > out:
        return _step_by_step(matrix, rows, start.T, safe, flush).T
    total = np.empty((n, out), f32)
    width = max(1, min(out, BLOCK // 8))
    height = max(1, BLOCK // width)
    left = rows.T.astype(f64)[:, :, None]
    for first in range(0, out, width):
        at = slice(first, first + width)
        right = np.ascontiguousarray(matrix[at].T, f64)
        for top in range(0, n, height):
            down = slice(top, top + height)
            pairs = zip(left[:, down], right, strict=True)
            total[down, at] = add_products(pairs, start[down, at], safe, flush)
    return total
