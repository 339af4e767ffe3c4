"""Constant weights of an operator, checked before any kernel indexes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from drqsim.graph import Tensor
from drqsim.model_file.operands import as_codes, old_codes
from drqsim.ops.call import Call

f32 = np.float32


def constant(call: Call, position: int, what: str) -> Tensor:
    """The tensor at an input, with its values: a constant of the file, in most models.

    Float32 weights (which a DEQUANTIZE made) and shapes may be made at run time; int8 weights not,
    because the kernels keep what they computed of them in the first run.
    """
    tensor = call.tensor(position, what)
    if tensor.value is not None:
        return tensor
    # the bytes of a variable that nobody writes stay what they were when the model was loaded
    if tensor.dtype == np.int8 and not tensor.is_variable:
        raise call.refuse(f"its {what} {tensor} is made at run time; drqsim needs a constant.")
    value = call.values[position]
    return replace(tensor, shape=value.shape, dtype=value.dtype, value=value)


def groups(call: Call, filters: Tensor, channels: int) -> int:
    """Into how many groups a convolution's filter divides so many input channels."""
    if len(filters.shape) != 4 or 0 in filters.shape:
        raise call.contradiction(
            f"the filter is {filters}; expected [out, height, width, in] without a zero."
        )
    found, rest = divmod(channels, filters.shape[3])
    if rest or not found or filters.shape[0] % found:
        raise call.contradiction(
            f"{channels} input channels and a filter {filters} do not divide into groups; the "
            "filter's last dimension must divide the input channels, and the groups the outputs."
        )
    return found


def depthwise(call: Call, filters: Tensor, channels: int) -> tuple[int, int, int]:
    """Height, width and output channels of a depthwise filter for so many input channels."""
    if len(filters.shape) != 4 or 0 in filters.shape or filters.shape[0] != 1:
        raise call.contradiction(
            f"the filter is {filters}; expected [1, height, width, channels] without a zero."
        )
    _, kernel_h, kernel_w, out = filters.shape
    if channels < 1:
        raise call.contradiction(
            "its input has no channels: depthwise_conv.cc:133 SizeOfDimension(input, 3) > 0 was "
            "not true; the runtime refuses the model."
        )
    if out % channels:
        raise call.contradiction(
            f"the filter {filters} has {out} channels for {channels} input channels; expected a "
            "multiple of them."
        )
    return kernel_h, kernel_w, out


def dense(call: Call) -> Tensor:
    """The weights [out, in] of a dense layer."""
    matrix = constant(call, 1, "filter")
    if call.tensors[0].dtype == f32 and old_codes(matrix):
        matrix = as_codes(matrix)
    if len(matrix.shape) != 2 or 0 in matrix.shape:
        raise call.contradiction(f"the filter is {matrix}; expected [out, in] without a zero.")
    return matrix


def place(call: Call, position: int) -> str | None:
    """Where weights lie that were made at run time; None for those of the file."""
    return None if call.tensors[position].value is not None else "persistent"


def bias(call: Call, position: int, channels: int) -> np.ndarray | None:
    """The float32 bias [channels], or None where the operator has none.

    The kernels count its elements and not its dimensions; DEPTHWISE_CONV_2D wants one dimension.
    """
    if position >= len(call.tensors) or call.tensors[position] is None:
        return None
    tensor = constant(call, position, "bias")
    is_vector = len(tensor.shape) == 1 or call.operator.code != "DEPTHWISE_CONV_2D"
    if tensor.dtype != f32 or tensor.value.size != channels or not is_vector:
        raise call.contradiction(f"the bias is {tensor}; expected float32[{channels}].")
    return tensor.value.reshape(channels)


def scales(call: Call, tensor: Tensor, axis: int, what: str = "filter") -> np.ndarray | None:
    """The scales of int8 weights, [1] or one for each index along ``axis``; None for floats."""
    if tensor.dtype == call.float_type:
        return None
    if tensor.dtype != np.int8 or tensor.quantization is None:
        raise call.refuse(f"its {what} is {tensor}; drqsim runs float32, or int8 with scales.")
    scale = tensor.quantization.scale
    if tensor.quantization.zero_point.any():
        raise call.refuse(f"its {what} has a zero point other than 0; no DRQ converter writes one.")
    sound = np.isfinite(scale) & (scale > 0)
    if not sound.all():
        at = int(np.argmin(sound))
        raise call.contradiction(
            f"{what} scale {at} is {scale[at]:g}; every scale must be positive and finite."
        )
    if scale.size > 1 and tensor.quantization.axis != axis:
        raise call.contradiction(
            f"its per-channel scales run along dimension {tensor.quantization.axis}; expected "
            f"{axis}, the output channels."
        )
    return scale


def record_given(
    call: Call, x: np.ndarray, filters: Tensor, scale: np.ndarray | None, bias: np.ndarray | None
) -> None:
    """Record what flows in, and the constants of the file; the weights are the second input."""
    call.record("input", x)
    call.record("filter", filters.value, place(call, 1), bits=filters.bits)
    if scale is not None:
        call.record("filter_scale", scale)
    if bias is not None:
        call.record("bias", bias)
