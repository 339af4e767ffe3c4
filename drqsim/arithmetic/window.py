"""Where a sliding window reads: output size, padding, patches. Shapes are NHWC."""

from __future__ import annotations

from collections.abc import Iterator
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


def unfold(x: np.ndarray, rows: Axis, cols: Axis, fill: np.ndarray) -> np.ndarray:
    """The same windows as a copy, without making ``x`` larger first: padding may be most of it.

    Parameters
    ----------
    x : array [batch, height, width, channels]
        What the window slides over, not padded.
    rows, cols : Axis
        The window.
    fill : array [batch]
        What padding holds.
    """
    if (rows.dilation, cols.dilation) == (1, 1):
        return np.ascontiguousarray(patches(pad(x, rows, cols, fill), rows, cols))
    shape = len(x), rows.out, cols.out, rows.kernel, cols.kernel, x.shape[3]
    windows = np.empty(shape, x.dtype)
    windows[:] = fill.astype(x.dtype).reshape(-1, 1, 1, 1, 1, 1)
    for row, (high, low) in inside(rows, x.shape[1]):
        for col, (left, right) in inside(cols, x.shape[2]):
            windows[:, low, right, row, col] = x[:, high, left]
    return windows


def inside(axis: Axis, size: int) -> Iterator[tuple[int, tuple[slice, slice]]]:
    """The taps of a window that ever lie on one of ``size`` pixels: where they read and for whom.

    Yields
    ------
    (int, (slice, slice))
        The tap; the pixels that it reads, and the windows that it does so for.
    """
    nearest = axis.before - (axis.out - 1) * axis.stride  # as the last window sees the first pixel
    first = max(0, -(-nearest // axis.dilation))
    last = min(axis.kernel - 1, (size - 1 + axis.before) // axis.dilation)
    for tap in range(first, last + 1):
        found = overlap(axis.out, size, axis.stride, tap * axis.dilation - axis.before)
        if found:
            yield tap, found[::-1]


def overlap(size: int, out: int, stride: int, offset: int) -> tuple[slice, slice] | None:
    """The i below ``size`` with 0 <= i * stride + offset < out, and these places; None without."""
    first = max(0, -(offset // stride))
    last = min(size - 1, (out - 1 - offset) // stride)
    if first > last:
        return None
    return slice(first, last + 1), slice(
        first * stride + offset, last * stride + offset + 1, stride
    )
