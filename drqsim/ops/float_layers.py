"""DEPTHWISE_CONV_2D, FULLY_CONNECTED, TRANSPOSE_CONV and BATCH_MATMUL with float32 weights.

Their arithmetic is in ``float_kernels.py``; here it is checked that the tensors fit together.
"""

from __future__ import annotations

import numpy as np

from drqsim.errors import InputError
from drqsim.ops import fused
from drqsim.ops.call import Call
from drqsim.ops.float_kernels import (
    float_batch_matmul,
    float_dense,
    float_depthwise,
    float_transpose_conv,
)
from drqsim.ops.geometry import Axis, axis

f32 = np.float32


def depthwise(call: Call) -> list[np.ndarray]:
    """DEPTHWISE_CONV_2D"""
    x, filters = call.floats(0, "input"), _weights(call, 1)
    options = call.operator.options
    if x.ndim != 4 or filters.ndim != 4 or 0 in (*x.shape, *filters.shape) or len(filters) != 1:
        raise call.contradiction(
            f"its input is {list(x.shape)} and its filter {list(filters.shape)}; expected "
            "[batch, height, width, channels] and [1, height, width, channels]."
        )
    multiplier, rest = divmod(filters.shape[3], x.shape[3])
    if rest:
        raise call.contradiction(
            f"{filters.shape[3]} filters do not divide among {x.shape[3]} input channels."
        )
    bias = _bias(call, 2, filters.shape[3])
    if bias is None:
        bias = np.zeros(filters.shape[3], f32)
    dilations = options["dilation_h_factor"], options["dilation_w_factor"]
    rows, cols = _axes(call, x.shape[1:3], filters.shape[1:3], dilations)
    if rows.out < 1 or cols.out < 1:
        raise InputError(
            f"a {rows.kernel}x{cols.kernel} filter with dilation {dilations} does not fit into the "
            f"{x.shape[1]}x{x.shape[2]} input without padding."
        )
    call.sized((len(x), rows.out, cols.out, filters.shape[3]))
    _record(call, x, filters, bias, 1)
    return _finish(call, float_depthwise(call, x, filters, bias, rows, cols, multiplier))


def dense(call: Call) -> list[np.ndarray]:
    """FULLY_CONNECTED"""
    x, weights = call.floats(0, "input"), _weights(call, 1)
    if weights.ndim != 2 or 0 in weights.shape or x.size % weights.shape[1] or x.size == 0:
        raise call.contradiction(
            f"its input {list(x.shape)} does not fall into rows for weights {list(weights.shape)}."
        )
    out, width = weights.shape
    bias = _bias(call, 2, out)
    shape = (x.size // width, out)
    if call.operator.options["keep_num_dims"]:
        if x.ndim == 0 or x.shape[-1] != width:
            raise call.contradiction(
                f"keep_num_dims needs rows of {width} values; its input is {list(x.shape)}."
            )
        shape = (*x.shape[:-1], out)
    call.sized(shape)
    _record(call, x, weights, bias, 1)
    return _finish(call, float_dense(call, x.reshape(-1, width), weights, bias).reshape(shape))


def transpose_conv(call: Call) -> list[np.ndarray]:
    """TRANSPOSE_CONV"""
    shape = call.integers(0, "output shape", length=4)
    filters, x = _weights(call, 1), call.floats(2, "input")
    if x.ndim != 4 or filters.ndim != 4 or 0 in (*x.shape, *filters.shape):
        raise call.contradiction(
            f"its input is {list(x.shape)} and its filter {list(filters.shape)}; expected "
            "[batch, height, width, in] and [out, height, width, in]."
        )
    call.sized(shape)
    rows, cols = _axes(call, shape[1:3], filters.shape[1:3], (1, 1))
    fits = (len(x), rows.out, cols.out, filters.shape[3], len(filters))
    if fits != (shape[0], *x.shape[1:], shape[3]):
        raise call.contradiction(
            f"a filter {list(filters.shape)} does not paint {list(x.shape)} into {shape}."
        )
    bias = _bias(call, 3, len(filters))
    _record(call, x, filters, bias, 1)
    output = float_transpose_conv(call, x, filters, bias, rows, cols, (shape[1], shape[2]))
    return _finish(call, output)


def batch_matmul(call: Call) -> list[np.ndarray]:
    """BATCH_MATMUL"""
    x, y = call.floats(0, "left operand"), _weights(call, 1)
    options = call.operator.options
    inner = (-2 if options["adj_x"] else -1), (-1 if options["adj_y"] else -2)
    if min(x.ndim, y.ndim) < 2 or 0 in (*x.shape, *y.shape):
        raise call.contradiction(f"it multiplies {list(x.shape)} by {list(y.shape)}.")
    if x.shape[inner[0]] != y.shape[inner[1]]:
        raise call.contradiction(
            f"{list(x.shape)} and {list(y.shape)} do not fit with adj_x = {options['adj_x']} and "
            f"adj_y = {options['adj_y']}."
        )
    left, right = x.shape[-1 if options["adj_x"] else -2], y.shape[-2 if options["adj_y"] else -1]
    outer = call.broadcast(np.empty(x.shape[:-2]), np.empty(y.shape[:-2]))
    call.sized((*outer, left, right))
    call.record_inputs()
    output = float_batch_matmul(call, x, y)
    call.record("output", output)
    return [output]


def _weights(call: Call, position: int) -> np.ndarray:
    tensor, value = call.tensor(position, "weights"), call.value(position, "weights")
    if value.dtype != f32:
        raise call.refuse(f"its weights are {tensor}; drqsim runs float32 here.")
    return value


def _bias(call: Call, position: int, channels: int) -> np.ndarray | None:
    if position >= len(call.values) or call.values[position] is None:
        return None
    bias = call.floats(position, "bias")
    if bias.size != channels:
        raise call.contradiction(f"its bias has {bias.size} values for {channels} channels.")
    return bias.reshape(-1)


def _axes(call: Call, sizes, kernels, dilations) -> list[Axis]:
    options = call.operator.options
    strides = options["stride_h"], options["stride_w"]
    if min(*strides, *dilations) < 1:
        raise call.contradiction(f"stride {strides} and dilation {dilations} must be at least 1.")
    return [
        axis(*of, options["padding"]) for of in zip(sizes, kernels, strides, dilations, strict=True)
    ]


def _record(call: Call, x, weights, bias, position: int) -> None:
    call.record("input", x)
    # weights that a DEQUANTIZE made lie in memory, not in the file
    constant = call.tensors[position].value is not None
    call.record("filter", weights, None if constant else "persistent")
    if bias is not None:
        call.record("bias", bias)


def _finish(call: Call, pre_activation: np.ndarray) -> list[np.ndarray]:
    activation = fused.check(call, call.operator.options["fused_activation_function"])
    output = fused.apply(pre_activation, activation, unbounded=call.kernels == "xnnpack")
    call.record("output", output)
    return [output]


FUNCTIONS = {
    "DEPTHWISE_CONV_2D": depthwise,
    "FULLY_CONNECTED": dense,
    "TRANSPOSE_CONV": transpose_conv,
    "BATCH_MATMUL": batch_matmul,
}
