"""TRANSPOSE_CONV with int8 weights (hybrid): every input pixel paints a window of the output.

The hybrid builtin kernel is the odd one out: it has no int32 accumulator. Every single product is
scaled to float32, and the sums are float32::

    q       = round(x / s_in) + zp                           int8, always asymmetric
    output += float((q - zp) * w[o]) * s_w[o] * s_in         for every input value and tap
    output  = min(max(output + bias[o], low), high)

so the order of the sum matters: input rows, then columns, then channels, as the loops below go.
Both builtin paths run the same code. XNNPACK sums in int32, as for a convolution.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/transpose_conv.cc`` (``EvalHybrid``),
``internal/reference/transpose_conv.h`` (``HybridTransposeConv``); XNNPACK ``src/qs8-igemm``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from drqsim.arithmetic.float_order.one_by_one import fused as fused_product
from drqsim.arithmetic.window import axis, overlap
from drqsim.errors import InputError
from drqsim.graph import Tensor
from drqsim.limits import PER_PRODUCT, PER_STEP
from drqsim.ops import builtin, float_products, fused, weights, xnnpack
from drqsim.ops.call import Call

f32 = np.float32


class Layer(NamedTuple):
    """The constants and the geometry of one transposed convolution."""

    filters: Tensor  # int8 or float32 [out, kernel_h, kernel_w, in]
    filter_scale: np.ndarray | None
    bias: np.ndarray | None
    out_shape: tuple[int, ...]
    stride: tuple[int, int]
    before: tuple[int, int]  # padding above and left of the output

    @property
    def filter(self) -> np.ndarray:
        """The weights; int8, or float32."""
        return self.filters.value


def rows_in_xnnpack(
    filter_shape: tuple[int, ...], strides: tuple[int, int], out_shape: tuple[int, ...]
) -> int:
    """How many rows XNNPACK thinks that the product of matrices has: the pixels of an image.

    Where it is split by the stride, it counts images instead (``reshape_subconv2d_path`` in XNNPACK
    ``src/operators/deconvolution-nhwc.c``).
    """
    taps = filter_shape[1:3]
    split = max(strides) > 1 and all(k >= s for k, s in zip(taps, strides, strict=True))
    batch, height, width, _ = out_shape
    return batch if split else height * width


def run(call: Call) -> list[np.ndarray]:
    """Run one transposed convolution; records every tensor of the kernel path."""
    x = call.value(2, "input")
    layer = _layer(call, x)
    activation = fused.check(call, call.operator.options["fused_activation_function"])
    weights.record_given(call, x, layer.filters, layer.filter_scale, layer.bias)
    on_xnnpack = call.kernels == "xnnpack"
    if layer.filter_scale is None:
        float_products.ask(call, layer.filter[..., 0].size * x.size)
        pre_activation = _float(call, layer, x)
    elif on_xnnpack:
        pre_activation = _xnnpack(call, layer, x)
    else:
        pre_activation = _builtin(call, layer, x)
    call.record("pre_activation", pre_activation)
    # the float kernels clamp by comparison, where a negative zero passes; on arm64 so does the
    # hybrid builtin one without a bias
    builtin_neon = call.processor.neon and not on_xnnpack and layer.bias is None
    clamp = fused.clamp if layer.filter_scale is None or builtin_neon else fused.apply
    output = clamp(pre_activation, activation, unbounded=on_xnnpack)
    call.record("output", output)
    return [output]


def _builtin(call: Call, layer: Layer, x: np.ndarray) -> np.ndarray:
    codes, scale, zero_point = builtin.quantize(call, x.reshape(len(x), -1))
    codes = codes.reshape(x.shape)
    call.record("input_scale", scale)
    call.record("input_zero_point", zero_point)
    call.record("input_quantized", codes)
    centred = (codes.astype(np.int32) - zero_point.reshape(-1, 1, 1, 1)).astype(f32)
    s_in = scale.reshape(-1, 1, 1, 1)
    add = builtin.fused if call.processor.neon else builtin.rounded
    total = np.zeros(layer.out_shape, f32)
    for source, target, tap in _taps(layer, x.shape):
        for channel in range(x.shape[3]):
            # a product of two int8 numbers is exact in float32
            product = centred[source][..., channel, None] * tap[:, channel].astype(f32)
            total[target] = add(total[target], product * layer.filter_scale, s_in)
    call.record("dequantized", total)
    return total if layer.bias is None else total + layer.bias


def _xnnpack(call: Call, layer: Layer, x: np.ndarray) -> np.ndarray:
    rows = x.reshape(len(x), -1)
    product_rows = rows_in_xnnpack(layer.filter.shape, layer.stride, layer.out_shape)
    own = xnnpack.convolution(call.processor, product_rows)
    codes, scale, zero_point = xnnpack.quantize_input(call, own, rows, x.shape)
    centred = codes.astype(np.int32) - zero_point.reshape(-1, 1, 1, 1)
    accumulator = np.zeros(layer.out_shape, np.int32)
    for source, target, tap in _taps(layer, x.shape):
        accumulator[target] += centred[source] @ tap.astype(np.int32).T
    call.record("accumulator", accumulator, stored="not stored")
    bias = f32(0) if layer.bias is None else layer.bias
    s_in = scale.reshape(-1, 1, 1, 1)
    dequantized, with_bias = own.rescale(accumulator, s_in, layer.filter_scale, bias)
    call.record("dequantized", dequantized)
    return with_bias


def _float(call: Call, layer: Layer, x: np.ndarray) -> np.ndarray:
    """Float weights, in the order of the path's kernel; the builtin ones add the bias last."""
    if float_products.by_blas(call, x):
        total = np.zeros(layer.out_shape, x.dtype)
        for source, target, tap in _taps(layer, x.shape):
            total[target] += x[source] @ tap.T
    elif call.kernels == "xnnpack":
        return _from_the_first_tap(call, layer, x)
    else:
        total = (_one_by_one if call.kernels == "reference" else _channels_first)(call, layer, x)
    return total if layer.bias is None else total + layer.bias


def _one_by_one(call: Call, layer: Layer, x: np.ndarray) -> np.ndarray:
    """The reference kernel: product after product."""
    step = builtin.fused if call.processor.neon else builtin.rounded
    total = np.zeros(layer.out_shape, f32)
    for source, target, tap in _taps(layer, x.shape):
        for channel in range(x.shape[3]):
            total[target] = step(total[target], x[source][..., channel, None], tap[:, channel])
    return total


def _channels_first(call: Call, layer: Layer, x: np.ndarray) -> np.ndarray:
    """The optimized kernel: one matrix product for every image, whose sums are then added up."""
    out, kernel_h, kernel_w, depth = layer.filter.shape
    filters = layer.filter.transpose(1, 2, 0, 3).reshape(-1, depth)
    painted = [
        float_products.builtin(call, image.reshape(-1, depth), filters, depth) for image in x
    ]
    painted = np.reshape(painted, (*x.shape[:3], kernel_h, kernel_w, out))
    total = np.zeros(layer.out_shape, f32)
    for source, target, (row, col) in _places(layer, x.shape):
        total[target] += painted[source][..., row, col, :]
    return total


def _from_the_first_tap(call: Call, layer: Layer, x: np.ndarray) -> np.ndarray:
    """XNNPACK: fused multiply-adds from the bias on, in the order of the taps.

    Its kernels for few channels on arm64 have a second sum, for the odd channels.
    """
    rows = rows_in_xnnpack(layer.filter.shape, layer.stride, layer.out_shape)
    turns = 2 if float_products.in_pairs(call, len(layer.filter), rows) else 1
    totals = np.zeros((turns, *layer.out_shape), f32)
    totals[0] += f32(0) if layer.bias is None else layer.bias
    for source, target, tap in reversed(list(_taps(layer, x.shape))):
        pixels = x[source].reshape(-1, x.shape[3])
        for turn, total in enumerate(totals):
            start = total[target].reshape(-1, len(tap))
            own = pixels[:, turn::turns], tap[:, turn::turns]
            total[target] = fused_product(*own, start, flush=True).reshape(total[target].shape)
    return totals[0] if turns == 1 else totals[0] + totals[1]


def _taps(layer: Layer, x_shape) -> Iterator[tuple[tuple, tuple, np.ndarray]]:
    """Slices of the input and the output that a filter tap [out, in] joins."""
    for source, target, (row, col) in _places(layer, x_shape):
        yield source, target, layer.filter[:, row, col]


def _places(layer: Layer, x_shape) -> Iterator[tuple[tuple, tuple, tuple[int, int]]]:
    """The same with the tap's row and column.

    From the last tap to the first, so that an output pixel sees the input pixels in order.
    """
    _, kernel_h, kernel_w, _ = layer.filter.shape
    every = slice(None)
    for row in reversed(range(kernel_h)):
        rows = overlap(x_shape[1], layer.out_shape[1], layer.stride[0], row - layer.before[0])
        for col in reversed(range(kernel_w)):
            cols = overlap(x_shape[2], layer.out_shape[2], layer.stride[1], col - layer.before[1])
            if rows and cols:
                source, target = (every, rows[0], cols[0]), (every, rows[1], cols[1])
                yield source, target, (row, col)


def _layer(call: Call, x: np.ndarray) -> Layer:
    """Check that the operator's tensors fit together, and gather them."""
    options = call.operator.options
    shape = weights.constant(call, 0, "output shape")
    filters = weights.constant(call, 1, "filter")
    if x.ndim != 4 or x.dtype != call.float_type:
        raise InputError(
            f"the input is {x.dtype}{list(x.shape)}; a transposed convolution reads float32 "
            "[batch, height, width, channels]."
        )
    if len(filters.shape) != 4 or 0 in filters.shape or filters.shape[3] != x.shape[3]:
        raise call.contradiction(
            f"the filter is {filters}; expected [out, height, width, {x.shape[3]}] without a zero."
        )
    stride = options["stride_h"], options["stride_w"]
    if min(stride) < 1:
        raise call.contradiction(f"stride {stride} must be at least 1.")
    out, kernel_h, kernel_w, _ = filters.shape
    if shape.dtype != np.int32 or shape.value.size != 4:
        raise call.contradiction(f"its output shape is {shape}; expected int32[4].")
    out_shape = tuple(int(n) for n in shape.value.reshape(-1))
    if min(out_shape) < 1 or out_shape[3] != out:
        raise call.contradiction(f"its output shape {list(out_shape)} does not end in {out}.")
    back = [
        axis(size, k, s, 1, options["padding"])
        for size, k, s in zip(out_shape[1:3], (kernel_h, kernel_w), stride, strict=True)
    ]
    if out_shape[0] != len(x) or [a.out for a in back] != list(x.shape[1:3]):
        raise call.contradiction(
            f"its output shape {list(out_shape)} does not come back to the input {list(x.shape)} "
            f"with stride {stride} and {options['padding']} padding."
        )
    call.sized(out_shape)
    # of every tap a product for every input pixel and channel, one channel after the other
    call.work(kernel_h * kernel_w * (PER_PRODUCT * x.size * out + PER_STEP * x.shape[3]))
    return Layer(
        filters,
        weights.scales(call, filters, axis=0),
        weights.bias(call, 3, out),
        out_shape,
        stride,
        (back[0].before, back[1].before),
    )
