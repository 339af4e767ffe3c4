"""Fused sums in order by BLAS: of blocks in which it makes just these, as it shows when tried.

A BLAS holds a block of sums in registers and adds one product after the other to them, each with a
fused multiply-add: so does XNNPACK. But it starts from 0, so here the bias comes as one more
product, the first, with 1; and it cuts deep sums into pieces, unless the whole product is small,
so here it gets small ones. Of what is left to a library and a processor nothing is promised.
Therefore every shape of a block is tried before its first use, in each of its elements.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from drqsim.arithmetic.float_order.fused_steps import add_products

f32 = np.float32
PRODUCTS = 10**6  # of a block: OpenBLAS has kernels for up to so many that do not cut the depth
LANES = 16  # rows and columns come in whole vectors, so that the library has no remainders
TURNS = 4  # each element is tried with so many pairs of rows and columns


def product(rows: np.ndarray, matrix: np.ndarray, start: np.ndarray) -> np.ndarray | None:
    """``start + rows @ matrix.T``, fused and in order, or None where BLAS has another order.

    Parameters
    ----------
    rows : float32 [n, k]
    matrix : float32 [out, k]
    start : float32 [out]
        With a negative zero the sign of a sum that is zero is lost.

    Returns
    -------
    float32 [n, out], or None
        No denormal value may arise on the way: libraries differ in what becomes of it.
    """
    (n, depth), out = rows.shape, len(matrix)
    height, width = block(n, out, depth + 1)
    if not (height and adds_in_order(height, width, depth + 1)):
        return None
    columns = range(0, out, width)
    parts = [np.zeros((depth + 1, width), f32) for _ in columns]
    for first, part in zip(columns, parts, strict=True):
        some = matrix[first : first + width]
        part[0, : len(some)], part[1:, : len(some)] = start[first : first + width], some.T
    total, left = np.empty((n, out), f32), np.ones((height, depth + 1), f32)
    with np.errstate(all="ignore"):  # of rows and columns that only fill the block, too
        for top in range(0, n, height):
            left[: n - top, 1:] = rows[top : top + height]
            for first, part in zip(columns, parts, strict=True):
                made = (left @ part)[: n - top, : out - first]
                total[top : top + height, first : first + width] = made
    return total


def block(n: int, out: int, depth: int) -> tuple[int, int]:
    """Rows and columns of the blocks that [n, out] sums are cut into, all alike; 0 if too deep."""
    width = _even(out, PRODUCTS // (LANES * depth))
    return width and _even(n, PRODUCTS // (width * depth)), width


def _even(size: int, most: int) -> int:
    """The size of equal pieces, in whole vectors, each of at most so many; 0 if there are none."""
    most -= most % LANES
    pieces = most and -(-size // most)
    return pieces and -(-size // (pieces * LANES)) * LANES


@cache
def adds_in_order(height: int, width: int, depth: int) -> bool:
    """Whether BLAS makes the fused sums of a block of this shape in order, in every element."""
    rows, columns, sums = _sums_to_meet(depth)
    for turn in range(TURNS):
        i, j = (np.arange(height) + turn) % LANES, (np.arange(width) + 5 * turn) % LANES
        if not np.array_equal(rows[i] @ columns[:, j].copy(), sums[np.ix_(i, j)]):
            return False
    return True


@cache
def _sums_to_meet(depth: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random rows [16, depth] and columns [depth, 16], and the fused sums of their products."""
    random = np.random.default_rng(depth)
    rows, columns = f32(random.normal(size=(2, LANES, depth)))
    start = np.zeros((LANES, LANES), f32)
    pairs = zip(rows.T[:, :, None], columns.T, strict=True)
    return rows, columns.T.copy(), add_products(pairs, start, safe=True, flush=False)
