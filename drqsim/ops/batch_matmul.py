"""BATCH_MATMUL with a constant int8 right side (hybrid): attention's products with fixed weights.

The hybrid kernel, for row ``m`` of the left matrix and column ``n`` of the right one::

    q      = round(x / s_in) + zp               int8   one scale for every row
    acc    = sum q * w[n]                       int32
    total  = int32(float(acc) - row_sum[n] * float(zp))
    output = (s_in * s_w) * float(total)        float32; no bias, no activation

The correction for the zero point is made in float32 here, alone among the hybrid kernels, so totals
above 2^24 lose their last bits. Both builtin paths run the same code. XNNPACK ignores
``asymmetric_quantize_inputs``: it is always asymmetric, and corrects in integers.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/batch_matmul.cc`` (``EvalHybrid``),
``internal/reference/batch_matmul.h``; XNNPACK ``src/qs8-gemm`` (the QD8 variants).
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from drqsim import accumulate
from drqsim.errors import InputError
from drqsim.limits import PER_STEP
from drqsim.ops import builtin, float_products, weights, xnnpack
from drqsim.ops.call import Call, join_shapes

f32 = np.float32


def run(call: Call) -> list[np.ndarray]:
    """Run one batched matrix product; records every tensor of the kernel path."""
    x, right = call.value(0, "left operand"), weights.constant(call, 1, "filter")
    no_matrix = min(x.ndim, len(right.shape)) < 2 or 0 in (*x.shape, *right.shape)
    if x.dtype != call.float_type or no_matrix:
        raise InputError(
            f"the operands are {x.dtype}{list(x.shape)} and {right}; expected matrices of float32 "
            "and of constants, at least two dimensions each."
        )
    options = call.operator.options
    left = np.ascontiguousarray(x.swapaxes(-1, -2)) if options["adj_x"] else x
    columns = len(right.shape) - (2 if options["adj_y"] else 1)
    scale = weights.scales(call, right, axis=columns)
    # one row for every output column, as the kernel keeps it
    matrix = right.value if options["adj_y"] else np.ascontiguousarray(right.value.swapaxes(-1, -2))
    if left.shape[-1] != matrix.shape[-1]:
        raise InputError(f"the inner dimensions are {left.shape[-1]} and {matrix.shape[-1]}.")
    batches = join_shapes(left.shape[:-2], matrix.shape[:-2])
    if batches is None:
        raise InputError(
            f"the batches {list(left.shape[:-2])} and {list(matrix.shape[:-2])} do not broadcast."
        )
    if matrix.ndim > 4 and call.kernels != "xnnpack" and scale is not None:
        raise call.refuse(
            f"its constant {right} has more than two batch dimensions, for which the kernel leaves "
            "row sums unset; reshape it to at most four dimensions."
        )
    products = call.sized((*batches, left.shape[-2], matrix.shape[-2]))
    call.work(math.prod(products) * left.shape[-1] + PER_STEP * math.prod(batches))
    call.record("input", x)
    call.record("input_2" if call.tensors[1].value is None else "filter", right.value)
    if scale is None:
        float_products.ask(call, math.prod(products) * left.shape[-1])
        output = _products(left, matrix, partial(float_products.batched, call))
    else:
        call.record("filter_scale", scale)
        kernel = _xnnpack if call.kernels == "xnnpack" else _builtin
        output = kernel(call, left, matrix, scale, batches)
    call.record("output", output)
    return [output]


def _builtin(call: Call, left, matrix, filter_scale, batches) -> np.ndarray:
    asymmetric = call.operator.options["asymmetric_quantize_inputs"]
    rows = left.reshape(-1, left.shape[-1])
    codes, scale, zero_point = builtin.quantize(call, rows, asymmetric)
    codes = codes.reshape(left.shape)
    call.record("input_scale", scale)
    call.record("input_zero_point", zero_point)
    call.record("input_quantized", codes)
    row_sums = builtin.family(call.processor).row_sums(matrix.reshape(-1, matrix.shape[-1]))
    call.record("filter_row_sums", row_sums)

    raw = _products(codes, matrix)
    inner_is_rows = matrix.shape[-3:-2] in ((), (1,)) and not call.operator.options["adj_x"]
    groups = _kernel_groups(left.shape, batches, inner_is_rows)
    scale, zero_point = (
        v.reshape(-1, left.shape[-2])[groups][..., None] for v in (scale, zero_point)
    )
    groups = _kernel_groups(matrix.shape, batches, False)
    row_sums = row_sums.reshape(-1, matrix.shape[-2])[groups][..., None, :]
    add = builtin.fused if call.processor.neon else builtin.rounded
    corrected = add(raw.astype(f32), -row_sums.astype(f32), zero_point.astype(f32))
    accumulator = corrected.astype(np.int32)
    call.record("accumulator", accumulator, stored="not stored", reserved=accumulator.nbytes)
    return f32(0) + (scale * filter_scale) * accumulator.astype(f32)


def _xnnpack(call: Call, left, matrix, filter_scale, batches) -> np.ndarray:
    rows = left.reshape(-1, left.shape[-1])
    own = xnnpack.dense(call.processor)
    codes, scale, zero_point = xnnpack.quantize_input(call, own, rows, left.shape)
    row_sums = matrix.sum(axis=-1, dtype=np.int32)
    call.record("filter_row_sums", row_sums, stored="delegate")
    scale, zero_point = (v.reshape(*left.shape[:-1], 1) for v in (scale, zero_point))
    accumulator = _products(codes, matrix) - zero_point * row_sums[..., None, :]
    call.record("accumulator", accumulator, stored="not stored")
    return own.rescale(accumulator, scale, filter_scale, f32(0))[1]


def _products(left: np.ndarray, matrix: np.ndarray, dot=accumulate.exact_matmul) -> np.ndarray:
    """[batches, rows, columns]: ``dot`` of every pair of matrices that the batches broadcast to."""
    batches = np.broadcast_shapes(left.shape[:-2], matrix.shape[:-2])
    left = np.broadcast_to(left, batches + left.shape[-2:])
    matrix = np.broadcast_to(matrix, batches + matrix.shape[-2:])
    made = [dot(left[at], matrix[at]) for at in np.ndindex(batches)]
    return np.reshape(made, batches + (left.shape[-2], matrix.shape[-2]))


def _kernel_groups(shape: tuple[int, ...], batches: tuple[int, ...], inner_is_rows: bool):
    """Which matrix of a side the kernel takes its scales or row sums from, int [batches].

    The kernel steps one matrix ahead for an index of any batch dimension, where an outer index
    should step over a whole inner batch: right with one batch dimension, wrong with two or more.
    An innermost batch that the right side does not have counts as rows, unless rows and columns of
    the left side are exchanged (``adj_x``).
    """
    own = (1,) * (len(batches) - len(shape[:-2])) + shape[:-2]
    steps = [np.arange(n) * (size > 1) for n, size in zip(batches, own, strict=True)]
    if inner_is_rows and steps:
        steps[:-1] = [step * own[-1] for step in steps[:-1]]
    return sum(np.ix_(*steps)) if steps else np.zeros((), int)
