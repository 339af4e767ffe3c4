"""Where a sliding window reads: output size, padding, patches. Shapes are NHWC."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drqsim.errors import InputError
from drqsim.ops.call import Call


class Axis(NamedTuple):
    """One spatial axis of a sliding window, in pixels."""

    kernel: int
    stride: int
    dilation: int
    out: int
    before: int
    after: int


def axis(size: int, kernel: int, stride: int, dilation: int, padding: str) -> Axis:
    """Output size and padding of one axis.

    SAME gives ``ceil(size / stride)`` outputs and puts the smaller half of the padding in front;
    VALID pads nothing (``tflite/kernels/padding.h``, ``ComputeOutSize`` and ``ComputePadding``).
    """
    reach = (kernel - 1) * dilation + 1
    if padding == "SAME":
        out = -(-size // stride)
        total = max((out - 1) * stride + reach - size, 0)
    else:
        out = max((size - reach + stride) // stride, 0)
        total = 0
    return Axis(kernel, stride, dilation, out, total // 2, total - total // 2)


def window(call: Call, x: np.ndarray, kernel_h: int, kernel_w: int) -> tuple[Axis, Axis]:
    """Both axes of an operator's window over ``x``, from its stride, dilation and padding."""
    options = call.operator.options
    strides = options["stride_h"], options["stride_w"]
    dilations = options.get("dilation_h_factor", 1), options.get("dilation_w_factor", 1)
    if min(*strides, *dilations) < 1:
        raise call.contradiction(f"stride {strides} and dilation {dilations} must be at least 1.")
    rows = axis(x.shape[1], kernel_h, strides[0], dilations[0], options["padding"])
    cols = axis(x.shape[2], kernel_w, strides[1], dilations[1], options["padding"])
    if rows.out < 1 or cols.out < 1:
        raise InputError(
            f"a {kernel_h}x{kernel_w} window with dilation {dilations} does not fit into the "
            f"{x.shape[1]}x{x.shape[2]} input without padding."
        )
    call.sized(
        (
            len(x),
            *(n + a.before + a.after for n, a in zip(x.shape[1:3], (rows, cols), strict=True)),
            1,
        )
    )
    return rows, cols


def pad(x: np.ndarray, rows: Axis, cols: Axis, fill: np.ndarray) -> np.ndarray:
    """``x`` [batch, height, width, channels] with the window's padding, filled per batch item."""
    if not (rows.before or rows.after or cols.before or cols.after):
        return x
    batch, height, width, channels = x.shape
    height_padded = rows.before + height + rows.after
    width_padded = cols.before + width + cols.after
    padded = np.empty((batch, height_padded, width_padded, channels), x.dtype)
    padded[:] = fill.astype(x.dtype).reshape(-1, 1, 1, 1)
    padded[:, rows.before : rows.before + height, cols.before : cols.before + width] = x
    return padded


def patches(x: np.ndarray, rows: Axis, cols: Axis) -> np.ndarray:
    """Every window of ``x`` as a view [batch, out_h, out_w, kernel_h, kernel_w, channels].

    Parameters
    ----------
    x : array [batch, height, width, channels]
        What the window slides over, padded.
    rows, cols : Axis
        The window.
    """
    b, h, w, c = x.strides
    return np.lib.stride_tricks.as_strided(
        x,
        (len(x), rows.out, cols.out, rows.kernel, cols.kernel, x.shape[3]),
        (b, h * rows.stride, w * cols.stride, h * rows.dilation, w * cols.dilation, c),
        writeable=False,
    )
