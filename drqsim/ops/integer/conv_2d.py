"""CONV_2D with int8 or int16 activations: full-integer, every scale in the file.

The formula is in ``shared.py``; padding holds the input's zero point, so it adds nothing. The
kernel paths have the same accumulators and requantize them differently::

    reference    round(round(biased * multiplier / 2^31) / 2^-shift)   twice, in int32
    optimized    the same, ties upward                                 twice; on arm64 once
    XNNPACK      rint(float32(biased) * float32(m))                    once, in float32
    int64 bias   round(biased * (multiplier >> 16) / 2^(15 - shift))   once, a 15-bit multiplier

A grouped convolution runs the reference kernel on both builtin paths.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/conv.cc`` (``EvalQuantizedPerChannel``,
``EvalQuantizedPerChannel16x8``), ``internal/reference/integer_ops/conv.h``,
``internal/optimized/integer_ops/conv.h``; XNNPACK ``src/operators/convolution-nhwc.c``.
"""

from __future__ import annotations

import math

import numpy as np

from drqsim import accumulate
from drqsim.arithmetic import requantize
from drqsim.arithmetic.window import pad, patches
from drqsim.ops import weights
from drqsim.ops.call import Call
from drqsim.ops.integer import shared as integer
from drqsim.ops.window import ask_for_padding, window


def run(call: Call) -> list[np.ndarray]:
    """Run one full-integer convolution; records every tensor of the kernel path."""
    x, filters = integer.images(call), weights.constant(call, 1, "filter")
    groups = weights.groups(call, filters, x.shape[3])
    given = integer.scales(call, filters)
    if given.bias is None:
        raise call.contradiction("it has no bias, and the runtime refuses a convolution without.")
    _, kernel_h, kernel_w, _ = filters.shape
    rows, cols = window(call, x, kernel_h, kernel_w)
    ask_for_padding(call, x, rows, cols, 4)
    # the windows and the products are in float64
    call.sized((len(x), rows.out, cols.out, kernel_h * kernel_w * x.shape[3]), np.float64, 2)
    outputs = call.sized((len(x), rows.out, cols.out, len(filters.value)), np.float64)
    call.work(2 * math.prod(outputs) * filters.value[0].size)
    weights.record_given(call, x, filters, given.filter, given.bias)
    on_xnnpack = call.kernels == "xnnpack"
    rescale = integer.in_float32(call, given) if on_xnnpack else _fixed_point(call, given, groups)

    centred = x.astype(np.int32) - given.input_zero_point
    seen = patches(pad(centred, rows, cols, np.zeros(len(x), np.int32)), rows, cols)
    total = accumulate.grouped(seen, filters.value, groups, accumulate.wide_matmul)
    return [integer.finish(call, given, total, rescale, on_xnnpack)]


def _fixed_point(call: Call, given: integer.Scales, groups: int):
    by = integer.by_multiplier(call, np.broadcast_to(given.effective, given.bias.shape))
    if integer.wide(call, given):
        return lambda biased: requantize.fifteen_bits(biased, by)
    if call.kernels == "reference" or groups > 1:
        return lambda biased: requantize.double_rounding(biased, by)
    return lambda biased: integer.upward(call, biased, by)
