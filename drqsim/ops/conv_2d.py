"""CONV_2D with int8 or int4 weights (hybrid) on the three kernel paths, and with float weights.

The hybrid kernel, for one output pixel and channel ``o``::

    q        = round(x / s_in) + zp                        int8   the input, quantized on the fly
    acc      = sum (q - zp) * w[o]                         int32  exact
             = sum q * w[o] - zp * row_sum[o]
    y        = acc * s_in * s_w[o] + bias[o]               float32
    output   = min(max(y, low), high)                      float32, the fused activation

The integers are the same whichever way the sum is arranged. The kernels differ in what ``Kernel``
has a column for: how the input is quantized, in which order the float multiplications are rounded,
and what is written to memory on the way. An int4 filter is unpacked to int8 in every run, and is
never XNNPACK's.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/conv.cc`` (``EvalHybrid``,
``EvalHybridPerChannel``), ``internal/optimized/optimized_ops.h`` and ``internal/reference/conv.h``
(``HybridConv``, ``HybridConvPerChannel``); XNNPACK ``src/subgraph/convolution-2d.c`` and
``src/qs8-igemm``, ``src/qs8-gemm`` (the QD8 variants).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from drqsim import accumulate
from drqsim.arithmetic.window import Axis, unfold
from drqsim.errors import InputError
from drqsim.graph import Tensor
from drqsim.limits import PER_PRODUCT
from drqsim.ops import builtin, float_products, fused, weights, xnnpack
from drqsim.ops.bands import by_bands
from drqsim.ops.call import Call
from drqsim.ops.window import window
from drqsim.processor import Processor

f32 = np.float32


class Kernel(NamedTuple):
    """What one hybrid kernel of the runtime does in its own way."""

    asymmetric: bool  # quantizes the input with a zero point
    unfolds: bool  # copies every window into a row, im2col
    corrects: bool  # sums the codes as they are, and takes zero point * row sum off afterwards
    rescale: Callable  # (int32 sums, s_in, s_w, bias) -> scaled, with the bias; in its order
    stored: str  # where the finished sums are
    endless: bool  # NONE and RELU let infinity pass


def scales_together(acc, s_in, s_w, bias) -> tuple[np.ndarray, np.ndarray]:
    """``acc * (s_w * s_in)``, and with the bias."""
    dequantized = acc.astype(f32) * (s_w * s_in)
    return dequantized, dequantized + bias


def filter_scale_first(acc, s_in, s_w, bias) -> tuple[np.ndarray, np.ndarray]:
    """``(acc * s_w) * s_in``, and with the bias."""
    dequantized = acc.astype(f32) * s_w * s_in
    return dequantized, dequantized + bias


# fmt: off
#                              asymmetric unfolds corrects rescale             stored        endless
PER_TENSOR            = Kernel(False,     True,   False,   scales_together,    "arena",      False)
PER_CHANNEL           = Kernel(True,      True,   True,    scales_together,    "not stored", False)
PER_CHANNEL_REFERENCE = Kernel(True,      False,  False,   filter_scale_first, "not stored", False)
XNNPACK               = Kernel(True,      False,  True,    xnnpack.fused,      "not stored", True)
# fmt: on
# what of it the processor decides, the order of the rescaling for one, is in ``xnnpack.Kernel``


def is_per_channel(filter_scale: np.ndarray, groups: int) -> bool:
    """The builtin kernels' own test: it compares values, so equal scales are per-tensor.

    Grouped convolutions always take the per-channel kernel.
    """
    return groups > 1 or bool(np.any(filter_scale != filter_scale[0]))


def kernel_of(filter_scale: np.ndarray, groups: int, kernels: str) -> Kernel:
    """The builtin kernel that runs a convolution which XNNPACK does not take.

    Parameters
    ----------
    filter_scale : float32 array [1] or [out]
    groups : int
        Into how many groups the filter divides the input's channels.
    kernels : {"reference", "optimized", "xnnpack"}
    """
    if not is_per_channel(filter_scale, groups):
        return PER_TENSOR
    # grouped convolutions run the reference kernel on either path
    return PER_CHANNEL_REFERENCE if kernels == "reference" or groups > 1 else PER_CHANNEL


def groups_of(filter_shape: tuple[int, ...], channels: int) -> int:
    """Into how many groups a filter of this shape divides so many input channels."""
    return channels // max(filter_shape[3], 1)


def is_dense(kernel: Kernel, out_channels: int) -> bool:
    """Whether a kernel takes the dense layer's dot product.

    The per-tensor one does with channels that do not fill its vectors; sums then never reach
    memory.
    """
    return kernel is PER_TENSOR and out_channels % 4 != 0


def becomes_dense(filter_shape: tuple[int, ...], strides: tuple[int, int], channels: int) -> bool:
    """Whether XNNPACK makes a dense layer over pixels of it; dilation of one tap changes nothing.

    ``xnn_define_convolution_2d`` in ``src/subgraph/convolution-2d.c``.
    """
    out, *taps, depth = filter_shape
    single_tap = (*taps, *strides) == (1, 1, 1, 1)
    return single_tap and depth == channels and channels + out > 2


def kernel_in_xnnpack(
    processor: Processor,
    filter_shape: tuple[int, ...],
    strides: tuple[int, int],
    channels: int,
    out_shape: tuple[int, ...],
) -> xnnpack.Kernel:
    """Which of XNNPACK's kernels multiplies.

    The rows of its product of matrices are the pixels of one image; of a 1x1 convolution that does
    not become dense those of all images.
    """
    if becomes_dense(filter_shape, strides, channels):
        return xnnpack.dense(processor)
    batch, height, width, _ = out_shape
    single_tap = (*filter_shape[1:3], *strides) == (1, 1, 1, 1)
    return xnnpack.convolution(processor, (batch if single_tap else 1) * height * width)


class Layer(NamedTuple):
    """The constants and the geometry of one convolution."""

    filters: Tensor  # int8 or float32 [out, kernel_h, kernel_w, in / groups]
    filter_scale: np.ndarray | None  # float32 [1] or [out]
    bias: np.ndarray  # float32 [out]
    groups: int
    rows: Axis
    cols: Axis
    activation: str

    @property
    def filter(self) -> np.ndarray:
        """The weights; int8, or float32."""
        return self.filters.value

    @property
    def strides(self) -> tuple[int, int]:
        """Of the rows and the columns."""
        return self.rows.stride, self.cols.stride

    def out_shape(self, x: np.ndarray) -> tuple[int, int, int, int]:
        """[batch, height, width, channels] of the output."""
        return len(x), self.rows.out, self.cols.out, len(self.filter)

    @property
    def is_pointwise(self) -> bool:
        """1x1 without stride or dilation: every pixel is its own patch, nothing is unfolded."""
        return self.rows[:3] == (1, 1, 1) and self.cols[:3] == (1, 1, 1)

    def is_dense_in_xnnpack(self, x: np.ndarray) -> bool:
        """Whether XNNPACK makes a dense layer over the pixels of ``x`` of it."""
        return becomes_dense(self.filter.shape, self.strides, x.shape[3])


def run(call: Call) -> list[np.ndarray]:
    """Run one convolution; records every tensor of the kernel path."""
    x = call.value(0, "input")
    layer = _layer(call, x)
    weights.record_given(call, x, layer.filters, layer.filter_scale, layer.bias)
    if layer.filter_scale is None:
        output = _float(call, layer, x)
    elif call.kernels == "xnnpack":
        sizes = layer.filter.shape, layer.strides, x.shape[3], layer.out_shape(x)
        own = kernel_in_xnnpack(call.processor, *sizes)
        kernel = XNNPACK._replace(rescale=own.rescale)
        output = _hybrid(call, layer, kernel, *_quantize_xnnpack(call, layer, own, x))
    else:
        kernel = kernel_of(layer.filter_scale, layer.groups, call.kernels)
        output = _hybrid(call, layer, kernel, *_quantize_builtin(call, layer, kernel, x))
    call.record("output", output)
    return [output]


def _quantize_builtin(call: Call, layer: Layer, kernel: Kernel, x: np.ndarray):
    """Codes in the shape of ``x``; scale and zero point of every image, to be broadcast."""
    if layer.filters.bits:
        call.record("filter_unpacked", layer.filter)
    codes, scale, zero_point = builtin.quantize(call, x.reshape(len(x), -1), kernel.asymmetric)
    codes = codes.reshape(x.shape)
    slots = x[..., 0].size * layer.groups * 4  # one for every pixel is set aside, one is written
    call.record("input_scale", scale, reserved=slots)
    if kernel.asymmetric:
        call.record("input_zero_point", zero_point, reserved=slots)
    call.record("input_quantized", codes)
    return codes, scale.reshape(-1, 1, 1, 1), zero_point.reshape(-1, 1, 1, 1)


def _quantize_xnnpack(call: Call, layer: Layer, own: xnnpack.Kernel, x: np.ndarray):
    """The same in XNNPACK, where a 1x1 convolution has a scale for every pixel."""
    batch, height, width, _ = x.shape
    per_pixel = layer.is_dense_in_xnnpack(x)
    group_shape = (batch, height, width, 1) if per_pixel else (batch, 1, 1, 1)
    rows = x.reshape(batch * height * width if per_pixel else batch, -1)
    codes, scale, zero_point = xnnpack.quantize_input(call, own, rows, x.shape)
    return codes, scale.reshape(group_shape), zero_point.reshape(group_shape)


def _hybrid(call: Call, layer: Layer, kernel: Kernel, codes, s_in, zero_point) -> np.ndarray:
    """From the codes to the output; records every step."""
    # the padding of a 1x1 convolution is empty, so the zero points of its pixels are not needed
    unfolded = _unfold(codes, layer, zero_point[:, :1, :1])
    if kernel.unfolds and not layer.is_pointwise:
        call.record("im2col", unfolded)
    delegated = call.kernels == "xnnpack"
    optimized = kernel is PER_CHANNEL  # it writes the raw sums, and its row sums may wrap
    may_wrap = builtin.family(call.processor).row_sums
    row_sums = (may_wrap if optimized else accumulate.row_sums)(layer.filter)
    if kernel.corrects:
        call.record("filter_row_sums", row_sums, stored="delegate" if delegated else None)
    dense = is_dense(kernel, len(layer.filter))
    dot = _dense_dot(call, layer, unfolded) if dense else accumulate.exact_matmul
    filters = layer.filter.astype(f32)

    def steps(unfolded, s_in, zero_point):
        raw = accumulate.grouped(unfolded, filters, layer.groups, dot)
        # the symmetric kernel has no zero point; the reference kernel takes it off every code,
        # which makes the same integers
        accumulator = raw - zero_point * row_sums if kernel.asymmetric else raw
        dequantized, pre_activation = kernel.rescale(
            accumulator, s_in, layer.filter_scale, layer.bias
        )
        return ({"accumulator_raw": raw} if optimized else {}) | {
            "accumulator": accumulator,
            "dequantized": dequantized,
            "pre_activation": pre_activation,
            "output": fused.apply(pre_activation, layer.activation, kernel.endless),
        }

    made = by_bands(call, layer.out_shape(codes), steps, unfolded, s_in, zero_point)
    if optimized:
        call.record("accumulator_raw", made["accumulator_raw"])
    # the raw sums, where they are kept, have the runtime's buffer
    reserved = None if delegated or optimized else made["accumulator"].nbytes
    call.record(
        "accumulator", made["accumulator"], "not stored" if dense else kernel.stored, reserved
    )
    call.record("dequantized", made["dequantized"])
    call.record("pre_activation", made["pre_activation"])
    return made["output"]


def _dense_dot(call: Call, layer: Layer, unfolded: np.ndarray) -> Callable:
    """The dense layers' own sums of products, over all pixels."""
    pixels = math.prod(layer.out_shape(unfolded)[:3])
    return builtin.product(call.processor, pixels, unfolded.shape[-1], len(layer.filter)).dot


def _float(call: Call, layer: Layer, x: np.ndarray) -> np.ndarray:
    """Float weights: float32 products, added up in the order of the path's kernel."""
    unfolded = _unfold(x, layer, np.zeros(len(x), f32))
    _, height, width, channels = x.shape
    strides = layer.rows.stride, layer.cols.stride
    is_dense = call.kernels == "xnnpack" and becomes_dense(layer.filter.shape, strides, channels)
    biases = iter(np.split(layer.bias, layer.groups))
    pixels = layer.rows.out * layer.cols.out

    def dot(windows, filters):
        if is_dense:
            return float_products.dense(call, windows, filters, next(biases))
        own = (layer.rows.kernel, layer.cols.kernel), pixels, layer.groups
        return float_products.convolution(call, windows, filters, next(biases), *own)

    pre_activation = accumulate.grouped(unfolded, layer.filter, layer.groups, dot)
    call.record("pre_activation", pre_activation)
    return fused.clamp(pre_activation, layer.activation, unbounded=call.kernels == "xnnpack")


def _unfold(x: np.ndarray, layer: Layer, zero_point: np.ndarray) -> np.ndarray:
    """im2col: [batch, out_h, out_w, kernel_h * kernel_w * in]; the padding holds the zero point."""
    if layer.is_pointwise:
        return x
    windows = unfold(x, layer.rows, layer.cols, zero_point)
    return windows.reshape(*windows.shape[:3], -1)


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
    layer = Layer(filters, scale, bias, groups, rows, cols, activation)
    _ask(call, layer, x)
    return layer


def _ask(call: Call, layer: Layer, x: np.ndarray) -> None:
    """Ask for the output, the unfolded windows and the products."""
    pixels, channels = math.prod(layer.out_shape(x)[:3]), len(layer.filter)
    depth = layer.rows.kernel * layer.cols.kernel * x.shape[3]
    itemsize = 1 if layer.filter_scale is not None else x.itemsize
    if not layer.is_pointwise:
        call.room(2 * pixels * depth * itemsize)
    call.sized(layer.out_shape(x))
    products = pixels * depth * (channels // layer.groups)
    call.work(pixels * depth * PER_PRODUCT)
    if layer.filter_scale is None:
        float_products.ask(call, products)
    else:
        call.work(products)
