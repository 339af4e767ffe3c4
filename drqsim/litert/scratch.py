"""Which scratch tensor is which.

The builtin kernels keep their quantized input, scales, zero points and accumulators in scratch
tensors, which the interpreter lists behind the model's own tensors, unnamed, in the order in which
the kernel's ``Prepare`` asked for them.
"""

from __future__ import annotations

import numpy as np

from drqsim.graph import Operator
from drqsim.litert import recurrent
from drqsim.runtime import RuntimeRun
from drqsim.trace import Trace, numbered


def readable(
    trace: Trace, operator: Operator, real: RuntimeRun
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Pairs (tensor, ours, the runtime's) for one operator run alone.

    Only what the kernel writes is paired: buffers that the runtime reserves and never fills hold
    whatever was there before.
    """
    ours = {record.name: record.value for record in trace.op(operator.name)}
    if operator.code in recurrent.KERNELS:
        pairs = recurrent.pairs(operator, ours, real)
    elif real.scratch and "input_quantized" in ours:
        scratch = [tensor.value for tensor in real.scratch]
        pairs = _KERNELS[operator.code](ours, real.kernels, scratch)
    else:
        pairs = []
    outputs = zip(numbered("output"), real.outputs.values(), strict=False)
    return [*pairs, *((name, ours[name], value) for name, value in outputs)]


def _conv_2d(ours: dict, kernels: str, scratch: list):
    """``Prepare`` in ``tflite/kernels/conv.cc``."""
    scale, asymmetric = ours["input_scale"], "input_zero_point" in ours
    # [im2col], input_quantized, scaling_factors, accumulator, [input_offsets, row_sums]
    has_im2col = len(scratch) == (6 if asymmetric else 4)
    im2col, (codes, scales, accumulator, *rest) = (
        (scratch[0], scratch[1:]) if has_im2col else (None, scratch)
    )
    yield "input_quantized", ours["input_quantized"], codes
    if asymmetric:
        # one slot for every pixel is reserved, one for every batch item is filled
        yield "input_scale", scale, scales[: scale.size]
        yield "input_zero_point", ours["input_zero_point"], rest[0][: scale.size]
    else:
        # the per-tensor kernel stores the product of both scales, once for every output pixel
        product = scale * ours["filter_scale"][0]
        pixels = ours["output"].size // len(ours["filter"])
        yield _PRODUCT, np.repeat(product, pixels // scale.size), scales[:pixels]
    if "im2col" in ours:
        yield "im2col", ours["im2col"], im2col
    if "filter_row_sums" in ours:
        yield "filter_row_sums", ours["filter_row_sums"], rest[1]
    name = _sums_of_conv_2d(ours, kernels)
    if name:  # declared [channels, pixels], stored pixel by pixel
        yield name, ours[name], accumulator.reshape(ours[name].shape)


def _sums_of_conv_2d(ours: dict, kernels: str) -> str:
    """Which record the kernel leaves in the accumulator's buffer, if any.

    Read from the runtime's source and not from the records, which are what is judged: a record
    that said "not stored" by mistake would not be looked for. Per tensor, the product of matrices
    writes its sums where the channels fill its vectors; per channel, the optimized kernel alone.
    """
    channels, *_, depth = ours["filter"].shape
    if "input_zero_point" not in ours:
        return "accumulator" if channels % 4 == 0 else ""
    grouped = depth != ours["input"].shape[3]
    return "" if kernels == "reference" or grouped else "accumulator_raw"


def _depthwise_conv_2d(ours: dict, kernels: str, scratch: list):
    """``Prepare`` in ``tflite/kernels/depthwise_conv.cc``."""
    for name, theirs in zip(
        ("input_quantized", "input_scale", "input_zero_point"), scratch, strict=True
    ):
        yield name, ours[name], theirs


def _fully_connected(ours: dict, kernels: str, scratch: list):
    """``Prepare`` in ``tflite/kernels/fully_connected.cc``.

    Of all kernels that multiply here, ruy's alone writes to the accumulator, and it has a record.
    """
    if "offset_correction" in ours:
        yield from _fully_connected_int4(ours, *scratch)
        return
    codes, scales, sums, zero_points, row_sums = scratch
    yield from _rows(ours, codes, scales, zero_points, row_sums)
    if "accumulator_raw" in ours:  # declared [channels, rows], stored row by row
        raw = ours["accumulator_raw"]
        yield "accumulator_raw", raw, sums.reshape(raw.shape)


def _fully_connected_int4(ours: dict, codes, scales, accumulator, corrections):
    """``PrepareImpl4Bit``: blocks, [channels or columns, rows, row in block, ... in block]."""
    rows, out = ours["accumulator_raw"].shape
    block = min(4, 1 << (rows.bit_length() - 1))
    blocks = codes.shape[0] // block
    codes = codes.reshape(blocks, -1, block, 32).swapaxes(1, 2).reshape(codes.shape)
    depth = ours["input_quantized"].size // rows
    yield "input_quantized", ours["input_quantized"].reshape(rows, depth), codes[:rows, :depth]
    yield "input_scale", ours["input_scale"], scales[:rows]
    yield "offset_correction", ours["offset_correction"], corrections[:rows]
    accumulator = accumulator.reshape(-1, accumulator.shape[0], 4).swapaxes(0, 1)
    accumulator = accumulator.reshape(accumulator.shape[0], -1)
    yield "accumulator_raw", ours["accumulator_raw"], accumulator[:rows, :out]


def _batch_matmul(ours: dict, kernels: str, scratch: list):
    """``Prepare`` in ``tflite/kernels/batch_matmul.cc``; its accumulator is never written."""
    _, _, codes, scales, _, zero_points, row_sums = scratch
    # declared in the input's shape even where it holds the transposed input
    codes = codes.reshape(ours["input_quantized"].shape)
    yield from _rows(ours, codes, scales, zero_points, row_sums)


def _rows(ours: dict, codes, scales, zero_points, row_sums):
    """The scratch of a kernel that gives every row of its input a scale."""
    yield "input_quantized", ours["input_quantized"], codes
    if ours["filter_scale"].size == 1:
        yield _PRODUCT, ours["input_scale"] * ours["filter_scale"], scales
    else:
        yield "input_scale", ours["input_scale"], scales
    yield "input_zero_point", ours["input_zero_point"], zero_points
    yield "filter_row_sums", ours["filter_row_sums"], row_sums


def _transpose_conv(ours: dict, kernels: str, scratch: list):
    """``Prepare`` in ``tflite/kernels/transpose_conv.cc``: its last three temporaries."""
    codes, scales, zero_points = scratch[-3:]
    batch = ours["input_scale"].size
    yield "input_quantized", ours["input_quantized"], codes
    # one slot for every pixel is reserved, one for every batch item is filled
    yield "input_scale", ours["input_scale"], scales[:batch]
    yield "input_zero_point", ours["input_zero_point"], zero_points[:batch]


_PRODUCT = "input_scale * filter_scale"
_KERNELS = {
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE_CONV": _transpose_conv,
}
