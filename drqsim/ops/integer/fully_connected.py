"""FULLY_CONNECTED with int8 or int16 activations: full-integer, every scale in the file.

The formula is in ``shared.py``. The paths have the same accumulators and requantize them
differently::

    reference              round(float64(biased) * m)                 m in float64
    optimized              round(round(biased * multiplier / 2^31) / 2^-shift)   on arm64 once
    XNNPACK                rint(float32(biased) * m)                  m in float32
    int16 with int64 sums  as reference, on both builtin paths

The reference kernel of the dense layer, unlike the convolution's, multiplies in float64, "to avoid
loss of precision". With one scale for all channels the optimized multiplier comes from the product
of input's and filter's scale rounded to float32.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/fully_connected.cc`` (``FullyConnectedInt8``,
``FullyConnectedPerChannelInt8``, ``FullyConnectedInt16``),
``internal/reference/integer_ops/fully_connected.h``, ``tflite/kernels/kernel_util.cc``
(``GetQuantizedConvolutionMultipler``); XNNPACK ``src/operators/fully-connected-nc.c``.
"""

from __future__ import annotations

import numpy as np

from drqsim import accumulate
from drqsim.arithmetic import requantize
from drqsim.arithmetic.rounding import to_int32_x86
from drqsim.arithmetic.vectors import to_int32_neon
from drqsim.errors import InputError
from drqsim.ops import weights
from drqsim.ops.call import Call
from drqsim.ops.integer import shared as integer

f32 = np.float32
f64 = np.float64
LARGEST_BIAS_ERROR = 0.02  # in steps of the output, for each step of the bias


def run(call: Call) -> list[np.ndarray]:
    """Run one full-integer dense layer; records every tensor of the kernel path."""
    x = call.value(0, "input")
    matrix = weights.dense(call)
    out, depth = matrix.shape
    keep = call.operator.options["keep_num_dims"]
    if x.size == 0 or x.size % depth or (keep and x.shape[-1] != depth):
        raise InputError(
            f"the input is {x.dtype}{list(x.shape)}; this dense layer reads a multiple of {depth} "
            "elements" + (", its last dimension that long." if keep else ".")
        )
    given = integer.scales(call, matrix)
    if given.filter.size == 1:
        _check_bias_scale(call, given)
    weights.record_given(call, x, matrix, given.filter, given.bias)
    on_xnnpack = call.kernels == "xnnpack"
    rescale = integer.in_float32(call, given) if on_xnnpack else _builtin(call, given)

    rows = x.reshape(-1, depth).astype(np.int32) - given.input_zero_point
    total = accumulate.wide_matmul(rows, matrix.value)
    total = total.reshape(*x.shape[:-1], out) if keep else total
    return [integer.finish(call, given, total, rescale, on_xnnpack)]


def _builtin(call: Call, given: integer.Scales):
    if call.kernels == "reference" or integer.wide(call, given):
        real = given.effective
        call.record("effective_scale", real, stored="not stored")
        to_int32 = to_int32_neon if call.processor.neon else to_int32_x86
        return lambda biased: requantize.in_float64(biased, real, to_int32)
    real = given.effective
    if given.filter.size == 1:
        real = (given.input * given.filter).astype(f64) / f64(given.output)
    by = integer.by_multiplier(call, real)
    return lambda biased: integer.upward(call, biased, by)


def _check_bias_scale(call: Call, given: integer.Scales) -> None:
    """The builtin kernels' own test of a bias, where the filter has one scale."""
    if given.bias is None or call.kernels == "xnnpack":
        return
    # of several scales the runtime takes none
    has_one = given.bias_scale is not None and given.bias_scale.size == 1
    scale = f64(given.bias_scale[0]) if has_one else f64(0)
    apart = abs(f64(given.input) * f64(given.filter[0]) - scale) / f64(given.output)
    if apart > LARGEST_BIAS_ERROR:
        raise call.contradiction(
            f"its bias has the scale {scale:g}; the runtime wants that of input times filter, "
            f"{f64(given.input) * f64(given.filter[0]):g}."
        )
