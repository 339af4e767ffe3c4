"""EMBEDDING_LOOKUP of an int8 or int4 table (hybrid): weights really are dequantized, row by row.

``output[i] = table[index[i]] * scale``: no input is quantized, nothing is summed, only the rows
that are looked up are turned into float32. In an int4 table a row begins at a whole byte, or so the
kernel thinks: with rows of an odd length, it reads every other one from one value too early.

Source, ai-edge-litert 2.3.0: ``tflite/kernels/embedding_lookup.cc`` (``EvalHybrid``). XNNPACK does
not take this operator.
"""

from __future__ import annotations

import numpy as np

from drqsim.errors import InputError
from drqsim.ops import weights
from drqsim.ops.call import Call

f32 = np.float32


def run(call: Call) -> list[np.ndarray]:
    """Look rows up in a float32 or int8 table."""
    index, table = call.value(0, "index"), weights.constant(call, 1, "table")
    if index.dtype != np.int32 or index.ndim != 1:
        raise InputError(f"the indices are {index.dtype}{list(index.shape)}; expected int32[n].")
    if len(table.shape) < 2:
        raise call.contradiction(f"the table is {table}; expected at least two dimensions.")
    if index.size and not 0 <= index.min() <= index.max() < table.shape[0]:
        raise InputError(
            f"the indices run from {index.min()} to {index.max()}; the table has {table.shape[0]} "
            "rows."
        )
    call.sized((index.size, *table.shape[1:]))
    scale = weights.scales(call, table, axis=0, what="table")
    call.record("filter", table.value, bits=table.bits)
    rows = _int4_rows(table.value, index) if table.bits else table.value[index]
    if scale is None:
        output = rows
    else:
        call.record("filter_scale", scale)
        per_row = np.broadcast_to(scale, table.shape[:1])[index]
        per_row = per_row.reshape(-1, *[1] * (rows.ndim - 1))
        if table.bits:  # the kernel leaves the code in the upper half of a byte
            output = (rows.astype(f32) * f32(16)) * (per_row / f32(16))
        else:
            output = rows.astype(f32) * per_row
    call.record("output", output)
    return [output]


def _int4_rows(table: np.ndarray, index: np.ndarray) -> np.ndarray:
    length = table[0].size
    start = index.astype(np.int64) * length // 2 * 2
    return table.reshape(-1)[start[:, None] + np.arange(length)].reshape(-1, *table.shape[1:])
