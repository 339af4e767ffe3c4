"""DEPTHWISE_CONV_2D with int8 weights (hybrid): every input channel has filters of its own.

The hybrid kernel, for one output pixel and channel ``c``::

    q    = round(x / s_in) + zp            int8   always asymmetric, one scale per batch item
    acc  = sum over taps (q - zp) * w[c]   int32  on the kernel's stack, never in a tensor
    y    = acc * s_in * s_w[c] + bias[c]   float32

XNNPACK does not take this operator: on the default path it runs the optimized builtin kernel. The
two builtin paths differ in the order of the multiplications only (``scales_together`` and
``by_fours``), and in what a NaN becomes. On arm64 common 3x3 filters have a kernel of their own.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/depthwise_conv.cc`` (``EvalHybridPerChannel``),
``internal/reference/integer_ops/depthwise_conv.h``,
``internal/optimized/integer_ops/depthwise_conv_hybrid.h``.
"""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import numpy as np

from drqsim.arithmetic.float_order import by_taps
from drqsim.arithmetic.float_order.fused_steps import are_safe
from drqsim.arithmetic.floats import flush_denormals, fma
from drqsim.arithmetic.window import Axis, pad, patches
from drqsim.errors import InputError
from drqsim.ops import builtin, float_products, fused, weights
from drqsim.ops.bands import by_bands
from drqsim.ops.call import Call
from drqsim.ops.window import ask_for_taps, window
from drqsim.processor import Processor

f32 = np.float32


class Layer(NamedTuple):
    """The constants and the geometry of one depthwise convolution."""

    filter: np.ndarray  # int8 or float32 [1, kernel_h, kernel_w, channels * multiplier]
    filter_scale: np.ndarray | None  # float32 [1] or [channels * multiplier]
    bias: np.ndarray | None  # float32 [channels * multiplier]
    rows: Axis
    cols: Axis
    activation: str

    def out_shape(self, x: np.ndarray) -> tuple[int, int, int, int]:
        """[batch, height, width, channels] of the output."""
        return len(x), self.rows.out, self.cols.out, self.filter.shape[3]


def run(call: Call) -> list[np.ndarray]:
    """Run one depthwise convolution; records every tensor of the kernel path."""
    x = call.value(0, "input")
    layer = _layer(call, x)
    made = (_float if layer.filter_scale is None else _hybrid)(call, layer, x)
    call.record("pre_activation", made["pre_activation"])
    call.record("output", made["output"])
    return [made["output"]]


def _hybrid(call: Call, layer: Layer, x: np.ndarray) -> dict[str, np.ndarray]:
    codes, scale, zero_point = builtin.quantize(call, x.reshape(len(x), -1))
    codes = codes.reshape(x.shape)
    call.record("input_scale", scale)
    call.record("input_zero_point", zero_point)
    call.record("input_quantized", codes)
    s_in, zero_point = scale.reshape(-1, 1, 1, 1), zero_point.reshape(-1, 1, 1, 1)
    together = call.kernels == "reference" or _is_assembly(call, layer, x.shape)
    rescale = scales_together if together else by_fours
    filters = layer.filter.astype(np.int32)

    def steps(windows, s_in):
        accumulator = _multiply(windows, filters)
        dequantized = rescale(accumulator.astype(f32), s_in, layer.filter_scale)
        pre_activation = _with_bias(dequantized, layer.bias)
        return {
            "accumulator": accumulator,
            "dequantized": dequantized,
            "pre_activation": pre_activation,
            "output": clamp(pre_activation, layer.activation),
        }

    # the reference kernel clamps by comparison on arm64, where a negative zero passes
    by_comparison = call.kernels == "reference" and call.processor.neon
    clamp = fused.clamp if by_comparison else fused.apply
    # taps outside the image are skipped, which is what a tap that holds the zero point comes to
    centred = pad(codes, layer.rows, layer.cols, zero_point).astype(np.int32) - zero_point
    windows = patches(centred, layer.rows, layer.cols)
    made = by_bands(call, layer.out_shape(x), steps, windows, s_in)
    call.record("accumulator", made["accumulator"], stored="not stored")
    call.record("dequantized", made["dequantized"])
    if call.kernels != "reference" and call.allow_nonfinite and not call.processor.neon:
        fused.lower_nan(made["output"][..., _fours(layer.filter.shape[3])], layer.activation)
    return made


class FloatOrder(NamedTuple):
    """How a kernel adds up the taps of float32 weights."""

    from_bias: bool  # the sums start with the bias; else it comes last
    fuses: bool  # a product is not rounded before it is added
    by_columns: bool  # one filter column after the other; else row by row
    sums: int  # taps go to so many sums in turn
    skips: bool  # leaves out the taps outside the image
    flushes: bool  # denormal values become zero at every step


def float_order_of(call: Call, taps: int, multiplier: int) -> FloatOrder:
    """The order of a path on a processor, for so many taps of a filter and channels of an input."""
    neon = call.processor.neon
    if call.kernels != "xnnpack":
        from_bias = call.kernels == "optimized"
        return FloatOrder(
            from_bias, fuses=neon, by_columns=False, sums=1, skips=True, flushes=False
        )
    own = multiplier == 1 and float_products.takes_depthwise(taps)  # else it runs as a convolution
    sums = float_products.depthwise_sums(call, taps) if own else 1
    return FloatOrder(True, fuses=True, by_columns=own, sums=sums, skips=False, flushes=True)


def _float(call: Call, layer: Layer, x: np.ndarray) -> dict[str, np.ndarray]:
    kernel_h, kernel_w, channels = layer.rows.kernel, layer.cols.kernel, x.shape[3]
    multiplier = layer.filter.shape[3] // channels
    order = float_order_of(call, kernel_h * kernel_w, multiplier)
    delegated = call.kernels == "xnnpack"
    by_blas = float_products.by_blas(call, x)
    if order.flushes and not by_blas:
        x, filters, bias = (flush_denormals(v) for v in (x, layer.filter, layer.bias))
        layer = layer._replace(filter=filters, bias=bias)
    safe = are_safe(x, layer.filter, layer.bias if order.from_bias else np.zeros(0, f32))

    def steps(windows, inside):
        if by_blas:
            pre_activation = _with_bias(_multiply(windows, layer.filter), layer.bias)
        else:
            pre_activation = _in_order(windows, inside, layer, order, safe)
        output = fused.clamp(pre_activation, layer.activation, unbounded=delegated)
        return {"pre_activation": pre_activation, "output": output}

    windows, inside = (
        patches(pad(image, layer.rows, layer.cols, np.zeros(len(image))), layer.rows, layer.cols)
        for image in (x, np.ones((1, *x.shape[1:3], 1), bool))
    )
    return by_bands(call, layer.out_shape(x), steps, windows, inside)


def _in_order(windows, inside, layer: Layer, order: FloatOrder, safe: bool) -> np.ndarray:
    """Sum over the taps, each added to all pixels at once; ``safe`` as in ``by_taps.fused``."""
    _, _, _, kernel_h, kernel_w, channels = windows.shape
    filters = layer.filter.reshape(kernel_h, kernel_w, channels, -1)
    taps = [(row, col) for row in range(kernel_h) for col in range(kernel_w)]
    if order.by_columns:
        taps.sort(key=lambda tap: tap[::-1])
    zeros = np.zeros(filters.shape[2:], f32)
    start = layer.bias.reshape(zeros.shape) if order.from_bias else zeros
    # a tap outside the image, which is skipped, would only turn a sum of -0 into 0
    skips = order.skips and bool((np.signbit(start) & (start == 0)).any())
    if order.fuses and not skips:
        pixels = [windows[..., row, col, :] for row, col in taps]
        weights = [filters[tap] for tap in taps]
        turns = (slice(i, None, order.sums) for i in range(order.sums))
        sums = (
            by_taps.fused(pixels[i], weights[i], zeros if i.start else start, safe, order.flushes)
            for i in turns
        )
        total = reduce(np.add, sums)
    else:
        total = np.broadcast_to(start, (*windows.shape[:3], *start.shape)).copy()
        for row, col in taps:
            pixel, weight = windows[:, :, :, row, col, :, None], filters[row, col]
            made = fma(pixel, weight, total) if order.fuses else total + pixel * weight
            np.copyto(total, made, where=inside[:, :, :, row, col, :, None] if skips else True)
    total = total.reshape(*windows.shape[:3], -1)
    return total if order.from_bias else _with_bias(total, layer.bias)


def _is_assembly(call: Call, layer: Layer, shape: tuple[int, ...]) -> bool:
    return is_assembly(call.processor, layer.filter.shape, layer.rows, layer.cols, shape)


def is_assembly(
    processor: Processor,
    filter_shape: tuple[int, ...],
    rows: Axis,
    cols: Axis,
    shape: tuple[int, ...],
) -> bool:
    """Whether the optimized kernel for 3x3 filters runs, which is in assembly, for arm64 alone.

    It takes whole vectors of channels, no dilation, and a padding that no window exceeds
    (``Fast3x3FilterKernelSupported`` in ``depthwise_conv_3x3_filter_common.h``).
    """
    _, height, width, channels = shape
    fits = filter_shape[1:] == (3, 3, channels) and channels % 8 == 0
    fits = fits and rows.dilation == cols.dilation == 1
    fits = fits and rows.stride == cols.stride <= 2 and rows.before == cols.before <= 1
    if not (processor.neon and fits) or max(rows.after, cols.after) > rows.before:
        return False
    return not (rows.before and min(height, width) == 1 and height != width)


def scales_together(acc: np.ndarray, s_in: np.ndarray, s_w: np.ndarray) -> np.ndarray:
    """The reference kernel: ``acc * (s_w * s_in)``."""
    return acc * (s_w * s_in)


def by_fours(acc: np.ndarray, s_in: np.ndarray, s_w: np.ndarray) -> np.ndarray:
    """The optimized one: ``(acc * s_w) * s_in``; the up to three last channels ``s_in`` first."""
    dequantized = acc * s_w
    dequantized *= s_in
    rest = slice(_fours(acc.shape[3]).stop, None)
    if acc.shape[3] % 4:
        dequantized[..., rest] = acc[..., rest] * s_in * np.broadcast_to(s_w, acc.shape[3:])[rest]
    return dequantized


def _fours(channels: int) -> slice:
    """The channels that the optimized kernel handles four at a time."""
    return slice(channels - channels % 4)


def _with_bias(x: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    return x if bias is None else x + bias


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


def _layer(call: Call, x: np.ndarray) -> Layer:
    """Check that the operator's tensors fit together, and gather and record them."""
    filters = weights.constant(call, 1, "filter")
    if x.ndim != 4 or x.dtype != call.float_type:
        raise InputError(
            f"the input is {x.dtype}{list(x.shape)}; a depthwise convolution reads float32 "
            "[batch, height, width, channels]."
        )
    kernel_h, kernel_w, out = weights.depthwise(call, filters, x.shape[3])
    rows, cols = window(call, x, kernel_h, kernel_w)
    ask_for_taps(call, x, rows, cols, out // x.shape[3])
    bias = weights.bias(call, 2, out)
    if bias is None and call.kernels != "reference":
        raise call.refuse(
            "it has no bias, and the optimized kernel crashes without one; give it a bias of zeros."
        )
    scale = weights.scales(call, filters, axis=3)
    weights.record_given(call, x, filters, scale, bias)
    activation = fused.check(call, call.operator.options["fused_activation_function"])
    return Layer(filters.value, scale, bias, rows, cols, activation)
