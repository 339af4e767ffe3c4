"""CONV_2D with int8 or int4 weights (hybrid) on the three kernel paths, and with float weights.

The hybrid kernel, for one output pixel and channel ``o``::

    q        = round(x / s_in) + zp                        int8   the input, quantized on the fly
    acc      = sum (q - zp) * w[o]                         int32  exact
             = sum q * w[o] - zp * row_sum[o]
    y        = acc * s_in * s_w[o] + bias[o]               float32
    output   = min(max(y, low), high)                      float32, the fused activation

The integers are the same whichever way the sum is arranged. The paths differ in three things only:
how the input is quantized (``_quantize_input``), in which order the float multiplications are
rounded (``_dequantize``), and what is written to memory on the way (``stored``). An int4 filter is
unpacked to int8 in every run, and is never XNNPACK's.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/conv.cc`` (``EvalHybrid``,
``EvalHybridPerChannel``), ``internal/optimized/optimized_ops.h`` and ``internal/reference/conv.h``
(``HybridConv``, ``HybridConvPerChannel``); XNNPACK ``src/subgraph/convolution-2d.c`` and
``src/qs8-igemm``, ``src/qs8-gemm`` (the QD8 variants).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drqsim import accumulate, qparams
from drqsim.arithmetic.window import Axis, pad, patches
from drqsim.errors import InputError
from drqsim.ops import fused, weights, xnnpack
from drqsim.ops.bands import by_bands
from drqsim.ops.call import Call
from drqsim.ops.integer import conv_2d as conv_2d_integer
from drqsim.ops.integer import shared as integer
from drqsim.ops.window import window

f32 = np.float32


class Layer(NamedTuple):
    """The constants and the geometry of one convolution."""

    filter: np.ndarray  # int8 or float32 [out, kernel_h, kernel_w, in / groups]
    bits: int | None  # 4 where the file has the filter as int4
    filter_scale: np.ndarray | None  # float32 [1] or [out]
    bias: np.ndarray  # float32 [out]
    groups: int
    rows: Axis
    cols: Axis
    activation: str

    @property
    def out_channels(self) -> int:
        return len(self.filter)

    def out_shape(self, x: np.ndarray) -> tuple[int, int, int, int]:
        """[batch, height, width, channels] of the output."""
        return len(x), self.rows.out, self.cols.out, self.out_channels

    @property
    def is_pointwise(self) -> bool:
        """1x1 without stride or dilation: every pixel is its own patch, nothing is unfolded."""
        return self.rows[:3] == (1, 1, 1) and self.cols[:3] == (1, 1, 1)

    @property
    def per_channel(self) -> bool:
        """The builtin kernels' own test: it compares values, so equal scales are per-tensor.

        Grouped convolutions always take the per-channel kernel.
        """
        return self.groups > 1 or bool(np.any(self.filter_scale != self.filter_scale[0]))


def run(call: Call) -> list[np.ndarray]:
    """Run one convolution; records every tensor of the kernel path."""
    x = call.value(0, "input")
    if x.dtype in integer.ACTIVATIONS:
        return conv_2d_integer.run(call)
    layer = _layer(call, x)
    call.record("input", x)
    call.record("filter", layer.filter, weights.place(call, 1), bits=layer.bits)
    if layer.filter_scale is not None:
        call.record("filter_scale", layer.filter_scale)
    call.record("bias", layer.bias)
    if layer.filter_scale is None:
        output = _float(call, layer, x)
    elif call.kernels == "xnnpack" and not xnnpack.why_builtin(
        call.operator, layer.filter.shape, layer.filter_scale, layer.bits
    ):
        output = _xnnpack(call, layer, x)
    else:
        output = _builtin(call, layer, x)
    call.record("output", output)
    return [output]


def _builtin(call: Call, layer: Layer, x: np.ndarray) -> np.ndarray:
    """The kernels of the runtime itself: ``reference`` and ``optimized``."""
    batch, height, width, channels = x.shape
    per_channel = layer.per_channel
    pixels = batch * layer.rows.out * layer.cols.out
    # grouped convolutions run the reference kernel on either path
    reference = call.kernels == "reference" or layer.groups > 1
    unfolds = not layer.is_pointwise and not (per_channel and reference)
    slots = batch * height * width * layer.groups * 4
    accumulator_bytes = layer.out_channels * pixels * 4
    if layer.bits:
        call.record("filter_unpacked", layer.filter)

    quantize = qparams.asymmetric if per_channel else qparams.symmetric
    codes, scale, zero_point = quantize(x.reshape(batch, -1), call.allow_nonfinite)
    codes = codes.reshape(x.shape)
    call.record("input_scale", scale, reserved=slots)
    if per_channel:
        call.record("input_zero_point", zero_point, reserved=slots)
    call.record("input_quantized", codes)

    unfolded = _unfold(codes, layer, zero_point)
    if unfolds:
        call.record("im2col", unfolded)
    # this kernel alone multiplies the codes as they are, and corrects for the zero point afterwards
    corrects = per_channel and not reference
    row_sums = (accumulate.row_sums_x86 if corrects else accumulate.row_sums)(layer.filter)
    if corrects:
        call.record("filter_row_sums", row_sums)
    # with channels that do not fill its vectors, the per-tensor kernel takes the dense layer's dot
    dense = not per_channel and layer.out_channels % 4
    dot = accumulate.dot_x86 if dense else accumulate.exact_matmul
    filters = layer.filter.astype(f32)

    def steps(unfolded, s_in, zero_point):
        raw = _multiply(unfolded, filters, layer.groups, dot)
        # the symmetric per-tensor kernel has no zero point
        accumulator = raw - zero_point * row_sums if per_channel else raw
        acc = accumulator.astype(f32)
        if per_channel and reference:
            dequantized = acc * layer.filter_scale * s_in
        else:
            dequantized = acc * (layer.filter_scale * s_in)
        pre_activation = dequantized + layer.bias
        return ({"accumulator_raw": raw} if corrects else {}) | {
            "accumulator": accumulator,
            "dequantized": dequantized,
            "pre_activation": pre_activation,
            "output": fused.apply(pre_activation, layer.activation),
        }

    s_in, zero_point = scale.reshape(-1, 1, 1, 1), zero_point.reshape(-1, 1, 1, 1)
    made = by_bands(call, layer.out_shape(x), steps, unfolded, s_in, zero_point)
    if corrects:
        call.record("accumulator_raw", made["accumulator_raw"])
    written = not per_channel and not dense
    call.record(
        "accumulator",
        made["accumulator"],
        stored="arena" if written else "register",
        reserved=accumulator_bytes if reference or not per_channel else 0,
    )
    call.record("dequantized", made["dequantized"])
    call.record("pre_activation", made["pre_activation"])
    return made["output"]


def _xnnpack(call: Call, layer: Layer, x: np.ndarray) -> np.ndarray:
    """XNNPACK, the default: always asymmetric; a 1x1 convolution has one scale for every pixel."""
    batch, height, width, channels = x.shape
    # it becomes a dense layer over pixels; dilating a single tap changes nothing
    single_tap = layer.rows[:2] == (1, 1) and layer.cols[:2] == (1, 1)
    per_pixel = single_tap and layer.groups == 1 and channels + layer.out_channels > 2
    group_shape = (batch, height, width, 1) if per_pixel else (batch, 1, 1, 1)
    rows = x.reshape(batch * height * width if per_pixel else batch, -1)
    codes, scale, zero_point = xnnpack.quantize_input(call, rows, x.shape)
    row_sums = accumulate.row_sums(layer.filter)
    call.record("filter_row_sums", row_sums, stored="delegate")
    filters = layer.filter.astype(f32)

    def steps(unfolded, s_in, zero_point):
        raw = _multiply(unfolded, filters, layer.groups, accumulate.exact_matmul)
        accumulator = raw - zero_point * row_sums
        dequantized, pre_activation = xnnpack.rescale(
            accumulator, s_in, layer.filter_scale, layer.bias
        )
        return {
            "accumulator": accumulator,
            "dequantized": dequantized,
            "pre_activation": pre_activation,
            "output": fused.apply(pre_activation, layer.activation, unbounded=True),
        }

    # the padding of a 1x1 convolution is empty, so the zero points of its pixels are not needed
    unfolded = _unfold(codes, layer, zero_point[:batch])
    s_in, zero_point = scale.reshape(group_shape), zero_point.reshape(group_shape)
    made = by_bands(call, layer.out_shape(x), steps, unfolded, s_in, zero_point)
    call.record("accumulator", made["accumulator"], stored="register")
    call.record("dequantized", made["dequantized"])
    call.record("pre_activation", made["pre_activation"])
    return made["output"]


def _float(call: Call, layer: Layer, x: np.ndarray) -> np.ndarray:
    """Float weights: float32 products and sums, in BLAS's order rather than the kernel's."""
    unfolded = _unfold(x, layer, np.zeros(len(x), f32))
    columns = [
        part.reshape(-1, filters[0].size) @ filters.reshape(len(filters), -1).T
        for part, filters in _groups(unfolded, layer.filter, layer.groups)
    ]
    product = np.concatenate(columns, axis=1).reshape(len(x), layer.rows.out, layer.cols.out, -1)
    pre_activation = product + layer.bias
    call.record("pre_activation", pre_activation)
    return fused.apply(pre_activation, layer.activation, unbounded=call.kernels == "xnnpack")


def _unfold(x: np.ndarray, layer: Layer, zero_point: np.ndarray) -> np.ndarray:
    """im2col: [batch, out_h, out_w, kernel_h * kernel_w * in]; the padding holds the zero point."""
    if layer.is_pointwise:
        return x
    windows = patches(pad(x, layer.rows, layer.cols, zero_point), layer.rows, layer.cols)
    return windows.reshape(*windows.shape[:3], -1)


def _multiply(unfolded: np.ndarray, filters: np.ndarray, groups: int, dot) -> np.ndarray:
    """Sum of code * weight over each window, int32 [batch, out_h, out_w, out]."""
    columns = [
        dot(part.reshape(-1, own[0].size), own.reshape(len(own), -1))
        for part, own in _groups(unfolded, filters, groups)
    ]
    total = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
    return total.reshape(*unfolded.shape[:3], -1)


def _groups(unfolded: np.ndarray, filters: np.ndarray, groups: int):
    """The patches and filters of each group: group g sees only its own channels."""
    if groups == 1:
        yield unfolded, filters
        return
    taps = filters.shape[1] * filters.shape[2]
    by_channel = unfolded.reshape(*unfolded.shape[:3], taps, -1)
    inputs = np.split(by_channel, groups, axis=-1)
    yield from zip(inputs, np.split(filters, groups), strict=True)


def _layer(call: Call, x: np.ndarray) -> Layer:
    """Check that the operator's tensors fit together, and gather them."""
    options = call.operator.options
    filters = weights.constant(call, 1, "filter")
    weights.constant(call, 2, "bias")
    if x.ndim != 4 or x.dtype != call.float_type:
        raise InputError(
            f"the input is {x.dtype}{list(x.shape)}; a convolution reads float32 "
            "[batch, height, width, channels]."
        )
    groups = weights.groups(call, filters, x.shape[3])
    out, kernel_h, kernel_w, _ = filters.shape
    bias = weights.bias(call, 2, out)
    rows, cols = window(call, x, kernel_h, kernel_w)
    activation = fused.check(call, options["fused_activation_function"])
    scale = weights.scales(call, filters, axis=0)
    builtin = call.kernels != "xnnpack" or filters.bits
    if scale is not None and scale.size == 1 and groups > 1 and builtin:
        raise call.refuse(
            "a grouped convolution with one scale for the whole filter is refused by the builtin "
            "kernels; quantize it per channel."
        )
    return Layer(filters.value, filters.bits, scale, bias, groups, rows, cols, activation)
