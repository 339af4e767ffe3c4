"""FULLY_CONNECTED with int4 weights on the optimized path: a kernel that keeps the weights packed.

It stores every weight as ``w + 7``, 0 to 14, so that its multiplication gets unsigned numbers, and
takes the 7 off afterwards, in float32. For one row of the input and output channel ``o``::

    q          = round(x / s_in)                      int8     symmetric, whatever the flag says
    acc        = sum q * (w[o] + 7)                   int32
    correction = -7 * sum q                           int32    one for every row
    y          = bias[o] + correction * s_in * s_w[o] float32  what the output starts as
    y         += acc * s_in * s_w[o]                  float32

A weight of -8 becomes -1, and its sign bits spill over others: ``packed_x86``. Tools write -7 to 7.
arm64 has a kernel of its own with the same formula; what it rounds otherwise is its row of
``Kernel``.

Source, ai-edge-litert 2.3.0: ``tflite/kernels/fully_connected.cc`` (``EvalHybridDense4Bit``),
``internal/optimized/4bit/sse_fully_connected.cc``, ``neon_fully_connected.cc``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from drqsim import accumulate, qparams
from drqsim.arithmetic.floats import fma
from drqsim.arithmetic.rounding import half_away
from drqsim.arithmetic.vectors import INT16, half_away_neon
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


def codes_x86(quotients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 codes, rounded half away from zero, and their sums; what is not finite becomes 0."""
    exact = half_away(quotients)
    codes = np.where(np.isfinite(exact), exact, 0).astype(np.int8)
    return codes, codes.sum(axis=1, dtype=np.int32)


def codes_neon(quotients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same on arm64, where infinity is cut to 16 bits, summed as it is, and then cut to 8.

    Eight lanes of int16 hold the sums of a block, and may wrap. Of the last ``n % 8`` values only
    the lowest byte is kept.
    """
    rounded = half_away_neon(quotients)
    whole = rounded.shape[1] - rounded.shape[1] % 8
    cut = np.clip(rounded[:, :whole], INT16.min, INT16.max)
    lanes = np.pad(cut, ((0, 0), (0, -whole % DEPTH))).reshape(len(cut), -1, DEPTH // 8, 8)
    sums = lanes.sum(axis=2, dtype=np.int16).sum(axis=(1, 2), dtype=np.int32)
    rest = rounded[:, whole:].astype(np.int8)
    codes = np.concatenate([np.clip(cut, -128, 127).astype(np.int8), rest], axis=1)
    return codes, sums + rest.sum(axis=1, dtype=np.int32)


def packed_x86(weights: np.ndarray) -> np.ndarray:
    """``w + 7`` as the kernel stores it, uint8 [out, in] with values of four bits.

    Columns c and c + 16 of a block share a byte, c in the upper half. A weight of -8 gives -1, 255
    instead of four bits: it is read as 15, a weight of +8, and so is what shares its byte, if it
    lies in the lower half. In the upper half, columns 0, 1, 4, 5, 8, 9, 12 and 13 of a whole block
    spill over the lower half of the next byte but one, because a shift takes two bytes together.
    """
    depth = weights.shape[1]
    codes = _in_bytes(weights)
    upper, lower = codes.reshape(len(codes), -1, 2, 16).swapaxes(0, 2)
    shifted = (upper >> 4).reshape(*upper.shape[:2], 4, 2, 2)
    upper |= lower >> 4
    spilled = np.zeros_like(shifted)
    spilled[: depth // DEPTH, :, :, 1] = shifted[: depth // DEPTH, :, :, 0]
    lower |= spilled.reshape(lower.shape)
    return codes[:, :depth] & 15


def packed_neon(weights: np.ndarray) -> np.ndarray:
    """The same on arm64, whose shift takes every byte by itself: no spill to another byte."""
    codes = _in_bytes(weights)
    upper, lower = codes.reshape(len(codes), -1, 2, 16).swapaxes(0, 2)
    upper |= lower >> 4
    return codes[:, : weights.shape[1]] & 15


def _in_bytes(weights: np.ndarray) -> np.ndarray:
    out, depth = weights.shape
    codes = np.zeros((out, _filled(depth, DEPTH)), np.uint8)
    codes[:, :depth] = weights + OFFSET
    return codes


def rounded(scaled: np.ndarray, s_w: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Every product and every sum rounded by itself."""
    return start + scaled * s_w


def fused(scaled: np.ndarray, s_w: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Rounded once."""
    return fma(scaled, s_w, start)


def fused_at_the_edges(scaled: np.ndarray, s_w: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Fused for a single row, and in the last channels, which do not fill a block."""
    y = fma(scaled, s_w, start)
    if len(y) > 1:
        whole = slice(y.shape[1] - y.shape[1] % WIDTH)
        y[:, whole] = rounded(scaled, s_w, start)[:, whole]
    return y


class Kernel(NamedTuple):
    """What one of the two kernels does in its own way."""

    codes: Callable  # float32 quotients -> int8 codes, int32 sums of each row
    packed: Callable  # int4 weights -> what the kernel reads
    begin: Callable  # (correction * s_in, s_w, bias) -> what the output starts as
    add: Callable  # (acc * s_in, s_w, start) -> the output


SSE = Kernel(codes_x86, packed_x86, rounded, rounded)
NEON = Kernel(codes_neon, packed_neon, fused, fused_at_the_edges)


def run(call: Call, rows, matrix: Tensor, filter_scale, bias, shape) -> np.ndarray:
    """Multiply; records every tensor of the kernel."""
    if not np.isfinite(rows).all():
        raise InputError(
            "its input holds NaN or infinity, which drqsim does not simulate in the int4 kernel; "
            'pass finite values, or run it with kernels="reference".'
        )
    kernel = NEON if call.processor.neon else SSE
    rows_held, depth_held, out_held = blocks(*rows.shape, len(matrix.value))
    packed = kernel.packed(matrix.value)
    # its own pages, with room to begin at a multiple of 64
    call.record("filter_packed", packed, reserved=out_held * depth_held // 2 + 63, bits=4)
    quotients, scale = qparams.symmetric_int4(rows)
    codes, sums = kernel.codes(quotients)
    call.record("input_scale", scale, reserved=rows_held * 4)
    call.record("input_quantized", codes.reshape(shape), reserved=rows_held * depth_held)
    correction = -OFFSET * sums
    call.record("offset_correction", correction, reserved=rows_held * 4)
    s_in = scale[:, None]
    offset = correction[:, None].astype(f32) * s_in
    call.record("offset_dequantized", offset * filter_scale)
    accumulator = accumulate.exact_matmul(codes, packed.astype(np.int8))
    call.record("accumulator_raw", accumulator, reserved=rows_held * out_held * 4)

    scaled = accumulator.astype(f32) * s_in
    call.record("dequantized", scaled * filter_scale)
    start = offset * filter_scale if bias is None else kernel.begin(offset, filter_scale, bias)
    return kernel.add(scaled, filter_scale, start)


def _filled(count: int, block: int) -> int:
    return -(-count // block) * block
