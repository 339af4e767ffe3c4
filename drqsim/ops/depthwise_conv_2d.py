"""DEPTHWISE_CONV_2D with int8 weights (hybrid): every input channel has filters of its own.

The hybrid kernel, for one output pixel and channel ``c``::

    q    = round(x / s_in) + zp            int8   always asymmetric, one scale per batch item
    acc  = sum over taps (q - zp) * w[c]   int32  on the kernel's stack, never in a tensor
    y    = acc * s_in * s_w[c] + bias[c]   float32

XNNPACK does not take this operator: on the default path it runs the optimized builtin kernel. The
two builtin paths differ in the order of the multiplications only.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/depthwise_conv.cc`` (``EvalHybridPerChannel``),
``internal/reference/integer_ops/depthwise_conv.h``,
``internal/optimized/integer_ops/depthwise_conv_hybrid.h``.
"""

from __future__ import annotations

import numpy as np

from drqsim import qparams
from drqsim.arithmetic.window import pad, patches
from drqsim.errors import InputError
from drqsim.ops import fused, weights
from drqsim.ops.bands import by_bands
from drqsim.ops.call import Call
from drqsim.ops.window import window

f32 = np.float32


def run(call: Call) -> list[np.ndarray]:
    """Run one depthwise convolution; records every tensor of the kernel path."""
    x = call.value(0, "input")
    filters = weights.constant(call, 1, "filter")
    if x.ndim != 4 or x.dtype != call.float_type:
        raise InputError(
            f"the input is {x.dtype}{list(x.shape)}; a depthwise convolution reads float32 "
            "[batch, height, width, channels]."
        )
    kernel_h, kernel_w, out = weights.depthwise(call, filters, x.shape[3])
    rows, cols = window(call, x, kernel_h, kernel_w)
    bias = weights.bias(call, 2, out)
    if bias is None and call.kernels != "reference":
        raise call.refuse(
            "it has no bias, and the optimized kernel crashes without one; give it a bias of zeros."
        )
    filter_scale = weights.scales(call, filters, axis=3)
    call.record("input", x)
    call.record("filter", filters.value, weights.place(call, 1))
    if filter_scale is not None:
        call.record("filter_scale", filter_scale)
    if bias is not None:
        call.record("bias", bias)
    activation = fused.check(call, call.operator.options["fused_activation_function"])
    shape = len(x), rows.out, cols.out, out
    if filter_scale is None:

        def steps(windows):
            pre_activation = _with_bias(_multiply(windows, filters.value), bias)
            output = fused.apply(pre_activation, activation, unbounded=call.kernels == "xnnpack")
            return {"pre_activation": pre_activation, "output": output}

        windows = patches(pad(x, rows, cols, np.zeros(len(x))), rows, cols)
        made = by_bands(call, shape, steps, windows)
    else:
        made = _hybrid(call, x, filters.value, filter_scale, bias, activation, rows, cols)
        call.record("accumulator", made["accumulator"], stored="register")
        call.record("dequantized", made["dequantized"])
        if call.kernels != "reference" and call.allow_nonfinite:
            groups_of_four = made["output"][..., : out - out % 4]
            fused.lower_nan(groups_of_four, activation)
    call.record("pre_activation", made["pre_activation"])
    call.record("output", made["output"])
    return [made["output"]]


def _hybrid(call, x, filters, filter_scale, bias, activation, rows, cols) -> dict[str, np.ndarray]:
    codes, scale, zero_point = qparams.asymmetric(x.reshape(len(x), -1), call.allow_nonfinite)
    codes = codes.reshape(x.shape)
    call.record("input_scale", scale)
    call.record("input_zero_point", zero_point)
    call.record("input_quantized", codes)
    s_in, zero_point = scale.reshape(-1, 1, 1, 1), zero_point.reshape(-1, 1, 1, 1)
    weights = filters.astype(np.int32)

    def steps(windows, s_in):
        accumulator = _multiply(windows, weights)
        dequantized = _dequantize(call, accumulator.astype(f32), s_in, filter_scale)
        pre_activation = _with_bias(dequantized, bias)
        return {
            "accumulator": accumulator,
            "dequantized": dequantized,
            "pre_activation": pre_activation,
            "output": fused.apply(pre_activation, activation),
        }

    # taps outside the image are skipped, which is what a tap that holds the zero point comes to
    centred = pad(codes, rows, cols, zero_point).astype(np.int32) - zero_point
    shape = len(x), rows.out, cols.out, filters.shape[3]
    return by_bands(call, shape, steps, patches(centred, rows, cols), s_in)


def _dequantize(call: Call, acc: np.ndarray, s_in: np.ndarray, s_w: np.ndarray) -> np.ndarray:
    """The reference kernel multiplies the scales first; the optimized one goes channel by channel.

    Full groups of four channels take the filter's scale first, the up to three last ones the
    input's.
    """
    if call.kernels == "reference":
        return acc * (s_w * s_in)
    dequantized = acc * s_w
    dequantized *= s_in
    rest = slice(acc.shape[3] - acc.shape[3] % 4, None)
    if acc.shape[3] % 4:
        dequantized[..., rest] = acc[..., rest] * s_in * np.broadcast_to(s_w, acc.shape[3:])[rest]
    return dequantized


def _multiply(windows: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Sum over the taps of input * filter: [batch, out_h, out_w, channels * multiplier]."""
    batch, out_h, out_w, kernel_h, kernel_w, channels = windows.shape
    taps = filters.reshape(kernel_h, kernel_w, channels, -1)
    if filters.dtype == np.int32:
        total = np.einsum("bhwrsc,rscm->bhwcm", windows, taps)
        return total.reshape(batch, out_h, out_w, -1)
    # float sums depend on the order: tap after tap, as the reference kernel adds them up
    total = np.zeros((batch, out_h, out_w, channels, taps.shape[3]), windows.dtype)
    product = np.empty_like(total)
    for row in range(kernel_h):
        for col in range(kernel_w):
            total += np.multiply(windows[:, :, :, row, col, :, None], taps[row, col], out=product)
    return total.reshape(batch, out_h, out_w, -1)


def _with_bias(x: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    return x if bias is None else x + bias
