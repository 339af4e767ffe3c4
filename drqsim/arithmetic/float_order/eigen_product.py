"""Eigen's matrix product, which the optimized kernels take for floats on x86.

The wheel is built for SSE without fused multiply-add: registers of four values, and blocks of eight
channels by four rows. The order depends on the sizes:

* one row and one channel: a dot product, four registers in turn;
* one row or one channel: a matrix times a vector, one register, so four sums;
* small (rows + channels + depth below 20): a dot product for each, two registers in turn;
* else in blocks. Channels in whole eights are summed in order; of those that remain, and with four
  rows at a time, a group of four in two sums, up to three in four sums; else in order. A depth
  whose panels do not fit into the L1 data cache is cut, and the pieces are added.

Sources: ``tflite/kernels/cpu_backend_gemm_x86.h``, ai-edge-litert 2.3.0; Eigen
``Core/products/GeneralBlockPanelKernel.h``, ``GeneralMatrixVector.h``, ``Core/Redux.h``. One thread
is what Python's interpreter takes; with more, convolutions are cut in other places.
"""

from __future__ import annotations

import numpy as np

from drqsim.arithmetic.float_order.one_by_one import rounded
from drqsim.arithmetic.vector_sums import eigen_sum, halves

f32 = np.float32
LANES = 4  # float32 values in an SSE register


def product(rows: np.ndarray, matrix: np.ndarray, l1_data: int) -> np.ndarray:
    """``rows @ matrix.T`` as Eigen adds it up.

    Parameters
    ----------
    rows : float32 [n, k]
    matrix : float32 [out, k]
    l1_data : int
        Bytes of the processor's L1 data cache.

    Returns
    -------
    float32 [n, out]
    """
    (n, depth), out = rows.shape, len(matrix)
    if n == out == 1:
        return f32(0) + _dot(rows * matrix)[:, None]
    if n == 1 or out == 1:
        return f32(0) + _four_sums(rows, matrix)
    if n + out + depth < 20:
        return eigen_sum(rows[:, None] * matrix)
    step = panel(depth, l1_data)
    total = np.zeros((n, out), f32)
    for start in range(0, depth, step):
        at = slice(start, start + step)
        total += _blocks(rows[:, at], matrix[:, at])
    return total


def panel(depth: int, l1_data: int) -> int:
    """How much of a depth is summed before it is added to the result."""
    most = (l1_data - 128) // 48 // 8 * 8  # 12 floats for every step of the depth
    rest = depth % most
    if depth <= most or not rest:
        return min(depth, most)
    return most - 8 * ((most - 1 - rest) // (8 * (depth // most + 1)))


def _blocks(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """One panel: channels by eights, fours and the rest; rows by fours and the rest."""
    out, fours_of_rows = len(matrix), len(rows) // 4 * 4
    eights, fours = out // 8 * 8, out // 4 * 4
    total = np.empty((len(rows), out), f32)
    for first, last, sums, turn in ((0, eights, 1, 1), (eights, fours, 2, 8), (fours, out, 4, 4)):
        for top, bottom, parts in ((0, fours_of_rows, sums), (fours_of_rows, len(rows), 1)):
            if first < last and top < bottom:
                some = rows[top:bottom], matrix[first:last]
                total[top:bottom, first:last] = _interleaved(*some, parts, turn)
    return total


def _interleaved(rows: np.ndarray, matrix: np.ndarray, parts: int, turn: int) -> np.ndarray:
    """Sums of every ``parts``-th product, joined in pairs; up to ``turn - 1`` products remain."""
    whole = rows.shape[1] // turn * turn
    if parts == 1 or not whole:
        return rounded(rows, matrix)
    sums = [rounded(rows[:, i:whole:parts], matrix[:, i:whole:parts]) for i in range(parts)]
    while len(sums) > 1:
        sums = [a + b for a, b in zip(sums[::2], sums[1::2], strict=True)]
    return _and_the_rest(sums[0], rows, matrix, whole)


def _four_sums(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Of every fourth product; the halves of the register are added."""
    whole = rows.shape[1] // LANES * LANES
    if not whole:
        return rounded(rows, matrix)
    a, b, c, d = (rounded(rows[:, i:whole:LANES], matrix[:, i:whole:LANES]) for i in range(LANES))
    return _and_the_rest((a + c) + (b + d), rows, matrix, whole)


def _and_the_rest(total, rows: np.ndarray, matrix: np.ndarray, start: int) -> np.ndarray:
    """The products from ``start`` on, added one by one."""
    for k in range(start, rows.shape[1]):
        total = total + rows[:, k, None] * matrix[:, k]
    return total


def _dot(terms: np.ndarray) -> np.ndarray:
    """Of one row and one channel: four registers in turn, joined from the last to the first."""
    registers, rest = np.split(terms[0], [terms.size // LANES * LANES])
    registers = registers.reshape(-1, LANES)
    if not len(registers):
        return np.add.accumulate(rest, dtype=f32)[-1:]
    sums = [
        np.add.accumulate(registers[i::4], axis=0, dtype=f32)[-1]
        for i in range(4)[: len(registers)]
    ]
    while len(sums) > 1:
        last = sums.pop()
        sums[-1] = sums[-1] + last
    total = halves(sums[0])
    for term in rest:
        total = total + term
    return np.array([total], f32)
