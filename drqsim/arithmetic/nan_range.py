"""The range that the builtin kernels find in a row of values that holds NaN.

A comparison with NaN is false, so what NaN does to a minimum depends on which operand it is, and
that on where in the row it stands. ``qparams`` asks here for such rows only; without NaN these
functions are a plain minimum and maximum.

Exact for ai-edge-litert 2.3.0. Source: ``NeonMinMax`` and ``NeonSymmetricQuantizeFloats`` in
``tflite/kernels/internal/optimized/neon_tensor_utils.cc``.
"""

from __future__ import annotations

import numpy as np

f32 = np.float32


def with_zero_x86(row: np.ndarray) -> tuple[np.float32, np.float32]:
    """The range that the x86 kernel finds in a row with NaN; it always contains 0.

    Four lanes take every fourth value. A comparison with NaN is false, and the SSE instructions
    then keep the second operand, the newer value: a lane forgets all that came before its last NaN.

    ``NeonMinMax``, whose NEON instructions stand for ``_mm_min_ps`` and ``_mm_max_ps`` on x86.
    """
    whole = len(row) - len(row) % 4
    low = high = f32(0)
    if whole:
        lanes = [_after_last_nan(lane) for lane in row[:whole].reshape(-1, 4).T]
        low = _smaller(low, _across(np.less, [lane.min() for lane in lanes]))
        high = _larger(high, _across(np.greater, [lane.max() for lane in lanes]))
    return _with_rest(low, high, row[whole:])


def with_zero_neon(row: np.ndarray) -> tuple[np.float32, np.float32]:
    """The same on arm64, whose instructions let a NaN win: the whole vectors then count as 0."""
    whole = len(row) - len(row) % 4
    low = high = f32(0)
    if whole:
        low, high = _smaller(low, row[:whole].min()), _larger(high, row[:whole].max())
    return _with_rest(low, high, row[whole:])


def _with_rest(low: np.float32, high: np.float32, rest: np.ndarray):
    """The range of the whole vectors, and of the up to three values that are left over."""
    if rest.size:
        smallest, largest = _minmax_element(rest)
        low, high = _smaller(low, smallest), _larger(high, largest)
    return low, high


def largest(row: np.ndarray) -> np.float32:
    """max|x| as the kernel finds it in a row with NaN; it may be NaN."""
    low, high = _minmax_element(row)
    return _larger(np.abs(low), np.abs(high))


def _minmax_element(row: np.ndarray) -> tuple[np.float32, np.float32]:
    """C++'s ``std::minmax_element``: takes values in pairs, and NaN is neither less nor more."""
    row = row.tolist()
    low = high = row[0]
    if len(row) > 1:
        low, high = (row[1], row[0]) if row[1] < row[0] else (row[0], row[1])
    for at in range(2, len(row) - 1, 2):
        one, other = row[at : at + 2]
        small, large = (other, one) if other < one else (one, other)
        low, high = _smaller(low, small), (high if large < high else large)
    if len(row) > 2 and len(row) % 2:
        last = row[-1]
        if last < low:
            low = last
        elif not last < high:
            high = last
    return f32(low), f32(high)


def _after_last_nan(lane: np.ndarray) -> np.ndarray:
    """What an SSE lane still knows at its end: NaN itself where that came last."""
    last = np.flatnonzero(np.isnan(lane)).max(initial=-1)
    return lane[min(last + 1, len(lane) - 1) :]


def _across(better, lanes: list[np.float32]) -> np.float32:
    """The four lanes' ends reduced to one, where a NaN again yields to the second operand."""
    first, second, third, fourth = lanes
    left = first if better(first, third) else third
    right = second if better(second, fourth) else fourth
    return right if better(right, left) else left


def _smaller(kept: np.float32, new: np.float32) -> np.float32:
    """``std::min``: the first operand unless the second is less."""
    return new if new < kept else kept


def _larger(kept: np.float32, new: np.float32) -> np.float32:
    """``std::max``: the first operand unless it is less."""
    return new if kept < new else kept
