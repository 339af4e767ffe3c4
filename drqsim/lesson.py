"""The layer of the forum question, from NumPy arrays: one convolution and its activation."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from drqsim.arithmetic.window import axis
from drqsim.errors import InputError
from drqsim.graph import (
    FUSED_ACTIVATIONS,
    PADDINGS,
    Graph,
    Operator,
    Quantization,
    Tensor,
    freeze,
)

f32 = np.dtype(np.float32)


def conv_relu(
    filter: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    input_shape: tuple[int, int, int, int],
    stride: int | tuple[int, int] = 1,
    dilation: int | tuple[int, int] = 1,
    padding: str = "SAME",
    activation: str = "RELU",
    filter_scale: np.ndarray | None = None,
) -> Graph:
    """A graph of one CONV_2D with a fused activation.

    Parameters
    ----------
    filter : float32 or int8 array [out, height, width, in / groups]
        The weights. Float weights make a float model, to be passed to ``drqsim.quantize``; int8
        weights need ``filter_scale``.
    bias : float32 array [out], optional
        Zeros by default; the runtime wants a bias in every convolution.
    input_shape : (batch, height, width, in)
        What the layer reads. More channels than the filter has makes a grouped convolution.
    stride, dilation : int or (height, width)
        Steps of the window, and of the taps in it.
    padding : {"SAME", "VALID"}
    activation : {"NONE", "RELU", "RELU6", "RELU_N1_TO_1"}
        The fused activation.
    filter_scale : float32 array [1] or [out], optional
        Scales of an int8 filter, per-tensor or per-channel.

    Returns
    -------
    Graph
        Input ``x``, constants ``filter`` and ``bias``, output ``y``.

    Raises
    ------
    InputError
        When the arrays do not fit together.
    """
    filter, shape = _checked(np.asarray(filter), input_shape)
    out, kernel_h, kernel_w, _ = filter.shape
    bias = np.zeros(out, f32) if bias is None else np.asarray(bias)
    if bias.shape != (out,) or bias.dtype != f32:
        raise InputError(
            f"bias is {bias.dtype}{list(bias.shape)}; expected float32[{out}], one for each output "
            "channel."
        )
    for name, array in (("filter", filter), ("bias", bias)):
        if not np.isfinite(array).all():
            raise InputError(f"{name} holds NaN or infinity; weights must be finite.")
    if padding not in PADDINGS or activation not in FUSED_ACTIVATIONS:
        raise InputError(
            f"padding is {padding!r} and activation {activation!r}; expected one of "
            f"{', '.join(PADDINGS)} and one of {', '.join(FUSED_ACTIVATIONS)}."
        )
    strides, dilations = pair(stride, "stride"), pair(dilation, "dilation")
    out_h, out_w = (
        axis(shape[1 + i], filter.shape[1 + i], strides[i], dilations[i], padding).out
        for i in (0, 1)
    )
    if out_h < 1 or out_w < 1:
        raise InputError(
            f"A {kernel_h}x{kernel_w} filter with dilation {dilations} does not fit into a "
            f"{shape[1]}x{shape[2]} input without padding; use padding='SAME' or a larger input."
        )
    options = {
        "padding": padding,
        "stride_h": strides[0],
        "stride_w": strides[1],
        "dilation_h_factor": dilations[0],
        "dilation_w_factor": dilations[1],
        "fused_activation_function": activation,
    }
    tensors = (
        Tensor("x", shape, f32),
        Tensor("filter", filter.shape, filter.dtype, freeze(filter), _scales(filter, filter_scale)),
        Tensor("bias", bias.shape, f32, freeze(bias)),
        Tensor("y", (shape[0], out_h, out_w, out), f32),
    )
    conv = Operator("CONV_2D", "conv_2d_0", (0, 1, 2), (3,), MappingProxyType(options))
    return Graph(tensors, (conv,), (0,), (3,))


def _checked(filter: np.ndarray, input_shape) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """The filter and the input's shape, which fit each other."""
    if filter.ndim != 4 or 0 in filter.shape or filter.dtype not in (np.float32, np.int8):
        raise InputError(
            f"filter is {filter.dtype}{list(filter.shape)}; expected float32 or int8 "
            "[out, height, width, in], no dimension zero."
        )
    shape = tuple(int(n) for n in input_shape)
    if len(shape) != 4 or min(shape) < 1:
        raise InputError(
            f"input_shape is {input_shape!r}; expected four positive numbers (batch, height, "
            "width, channels)."
        )
    out, *_, depth = filter.shape
    if shape[3] % depth or out % (shape[3] // depth):
        raise InputError(
            f"input_shape has {shape[3]} channels and the filter reads {depth} of them for each of "
            f"{out} outputs: they do not divide into groups. The filter's last dimension must "
            "divide the input channels, and the number of groups the outputs."
        )
    return filter, shape


def _scales(filter: np.ndarray, filter_scale: np.ndarray | None) -> Quantization | None:
    if (filter.dtype == np.int8) != (filter_scale is not None):
        raise InputError(
            f"filter is {filter.dtype} and filter_scale is "
            f"{'missing' if filter_scale is None else 'given'}; an int8 filter needs scales, a "
            "float32 one has none."
        )
    if filter_scale is None:
        return None
    scale = np.asarray(filter_scale, np.float32)
    if scale.shape not in ((1,), (len(filter),)) or not (np.isfinite(scale) & (scale > 0)).all():
        raise InputError(
            f"filter_scale is {scale!r}; expected one positive number, or one for each of the "
            f"{len(filter)} output channels."
        )
    return Quantization(freeze(scale), freeze(np.zeros(scale.shape, np.int64)), 0)


def pair(value: int | tuple[int, int], what: str) -> tuple[int, int]:
    """``2`` -> ``(2, 2)``; a pair (height, width) stays; anything else is refused."""
    both = (value, value) if isinstance(value, (int, np.integer)) else tuple(value)
    if len(both) != 2 or not all(isinstance(v, (int, np.integer)) and v > 0 for v in both):
        raise InputError(f"{what} is {value!r}; pass a positive integer or (height, width).")
    return int(both[0]), int(both[1])
