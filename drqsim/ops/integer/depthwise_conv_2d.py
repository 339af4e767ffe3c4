"""DEPTHWISE_CONV_2D with int8 or int16 activations: full-integer, every scale in the file.

The formula is in ``shared.py``; every input channel has filters of its own. Both builtin
paths round twice; in the second rounding the reference kernel takes ties away from zero, the
optimized one upward in whole groups of eight channels. XNNPACK rounds once, in float32.
With int16 activations the bias is int64, and both builtin paths run the reference kernel.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/depthwise_conv.cc`` (``EvalQuantizedPerChannel``,
``EvalQuantizedPerChannel16x8``),
``internal/reference/integer_ops/depthwise_conv.h``,
``internal/optimized/integer_ops/depthwise_conv.h``; XNNPACK ``src/qs8-qc8w-dwconv``.
"""

from __future__ import annotations

import numpy as np

from drqsim.arithmetic import requantize
from drqsim.arithmetic.window import pad, patches
from drqsim.ops import weights
from drqsim.ops.call import Call
from drqsim.ops.integer import shared as integer
from drqsim.ops.window import ask_for_taps, window


def run(call: Call) -> list[np.ndarray]:
    """Run one full-integer depthwise convolution; records every tensor of the kernel path."""
    x, filters = integer.images(call), weights.constant(call, 1, "filter")
    kernel_h, kernel_w, out = weights.depthwise(call, filters, x.shape[3])
    given = integer.scales(call, filters, axis=3)
    if given.bias is None:
        raise call.refuse("it has no bias; give it zeros.")
    rows, cols = window(call, x, kernel_h, kernel_w)
    ask_for_taps(call, x, rows, cols, out // x.shape[3])
    weights.record_given(call, x, filters, given.filter, given.bias)
    on_xnnpack = call.kernels == "xnnpack"
    rescale = integer.in_float32(call, given) if on_xnnpack else _fixed_point(call, given)

    centred = x.astype(np.int32) - given.input_zero_point
    seen = patches(pad(centred, rows, cols, np.zeros(len(x), np.int32)), rows, cols)
    taps = filters.value.reshape(kernel_h, kernel_w, x.shape[3], -1).astype(np.int64)
    total = np.einsum("bijhwc,hwcm->bijcm", seen, taps)
    total = total.reshape(*seen.shape[:3], out)
    return [integer.finish(call, given, total, rescale, on_xnnpack)]


def _fixed_point(call: Call, given: integer.Scales):
    by = integer.by_multiplier(call, np.broadcast_to(given.effective, given.bias.shape))
    if integer.wide(call, given):
        return lambda biased: requantize.fifteen_bits(biased, by)
    if call.kernels == "reference":
        return lambda biased: requantize.double_rounding(biased, by)
    return lambda biased: _by_eights(biased, by)


def _by_eights(biased: np.ndarray, by: requantize.Multiplier) -> np.ndarray:
    """Eight channels at a time with ties upward; the last ``n % 8`` as the reference kernel."""
    steps = requantize.double_rounding_upward(biased, by)
    rest = slice(biased.shape[3] - biased.shape[3] % 8, None)
    last = requantize.Multiplier(by.multiplier[rest], by.shift[rest])
    steps[..., rest] = requantize.double_rounding(biased[..., rest], last)
    return steps
