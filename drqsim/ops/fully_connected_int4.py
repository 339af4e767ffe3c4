"""FULLY_CONNECTED with int4 weights on the optimized path: a kernel that keeps the weights packed.

It stores every weight as ``w + 7``, 0 to 14, so that its multiplication gets unsigned numbers, and
takes the 7 off afterwards, in float32. For one row of the input and output channel ``o``::

    q          = round(x / s_in)                      int8     symmetric, whatever the flag says
    acc        = sum q * (w[o] + 7)                   int32
    correction = -7 * sum q                           int32    one for every row
    y          = bias[o] + correction * s_in * s_w[o] float32  what the output starts as
    y         += acc * s_in * s_w[o]                  float32

A weight of -8 becomes -1, and its sign bits spill over others: ``_packed``. Tools write -7 to 7.

Source, ai-edge-litert 2.3.0: ``tflite/kernels/fully_connected.cc`` (``EvalHybridDense4Bit``),
``internal/optimized/4bit/sse_fully_connected.cc``.
"""

from __future__ import annotations

import numpy as np

from drqsim import accumulate, qparams
from drqsim.errors import InputError
from drqsim.graph import Tensor
from drqsim.ops.call import Call

f32 = np.float32

# the block of weights, [channels, columns], that the kernel multiplies at once
WIDTH, DEPTH = 4, 32
OFFSET = 7


def fits(matrix: Tensor, kernels: str) -> bool:
    """Whether this kernel takes the weights [out, in], XNNPACK having left them."""
    out, depth = matrix.shape
    large = out >= WIDTH and depth >= DEPTH and depth % 2 == 0
    return matrix.bits == 4 and large and kernels != "reference"


def blocks(rows: int, depth: int, out: int) -> tuple[int, int, int]:
    """The same numbers filled up to whole blocks: what the kernel sets aside."""
    block = 4 if rows >= 4 else 2 if rows >= 2 else 1
    return _filled(rows, block), _filled(depth, DEPTH), _filled(out, WIDTH)


def run(call: Call, rows, matrix: Tensor, filter_scale, bias, shape) -> np.ndarray:
    """Multiply; records every tensor of the kernel."""
    if not np.isfinite(rows).all():
        raise InputError(
            "its input holds NaN or infinity, which drqsim does not simulate in the int4 kernel; "
            'pass finite values, or run it with kernels="reference".'
        )
    rows_held, depth_held, out_held = blocks(*rows.shape, len(matrix.value))
    packed = _packed(matrix.value)
    # its own pages, with room to begin at a multiple of 64
    call.record("filter_packed", packed, reserved=out_held * depth_held // 2 + 63, bits=4)
    codes, scale, _ = qparams.symmetric_int4(rows)
    call.record("input_scale", scale, reserved=rows_held * 4)
    call.record("input_quantized", codes.reshape(shape), reserved=rows_held * depth_held)
    correction = -OFFSET * codes.sum(axis=1, dtype=np.int32)
    call.record("offset_correction", correction, reserved=rows_held * 4)
    s_in = scale[:, None]
    start = correction[:, None].astype(f32) * s_in * filter_scale
    call.record("offset_dequantized", start)
    accumulator = accumulate.exact_matmul(codes, packed.astype(np.int8))
    call.record("accumulator_raw", accumulator, reserved=rows_held * out_held * 4)

    dequantized = accumulator.astype(f32) * s_in * filter_scale
    call.record("dequantized", dequantized)
    return (start if bias is None else start + bias) + dequantized


def _packed(weights: np.ndarray) -> np.ndarray:
    """``w + 7`` as the kernel stores it, uint8 [out, in] with values of four bits.

    Columns c and c + 16 of a block share a byte, c in the upper half. A weight of -8 gives -1, 255
    instead of four bits: it is read as 15, a weight of +8, and so is what shares its byte, if it
    lies in the lower half. In the upper half, columns 0, 1, 4, 5, 8, 9, 12 and 13 of a whole block
    spill over the lower half of the next byte but one, because a shift takes two bytes together.
    """
    out, depth = weights.shape
    codes = np.zeros((out, _filled(depth, DEPTH)), np.uint8)
    codes[:, :depth] = weights + OFFSET
    upper, lower = codes.reshape(out, -1, 2, 16).swapaxes(0, 2)
    shifted = (upper >> 4).reshape(*upper.shape[:2], 4, 2, 2)
    upper |= lower >> 4
    spilled = np.zeros_like(shifted)
    spilled[: depth // DEPTH, :, :, 1] = shifted[: depth // DEPTH, :, :, 0]
    lower |= spilled.reshape(lower.shape)
    return codes[:, :depth] & 15


def _filled(count: int, block: int) -> int:
    return -(-count // block) * block
