"""Where a sliding window reads: output size, padding, patches. Shapes are NHWC."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


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
