"""The window of an operator: both axes, from its options."""

from __future__ import annotations

import numpy as np

from drqsim.arithmetic.window import Axis, axis
from drqsim.errors import InputError
from drqsim.limits import PER_PRODUCT
from drqsim.ops.call import Call


def window(call: Call, x: np.ndarray, kernel_h: int, kernel_w: int) -> tuple[Axis, Axis]:
    """Both axes of an operator's window over ``x``, from its stride, dilation and padding."""
    if 0 in x.shape:
        raise call.contradiction(f"its input {list(x.shape)} is empty; no kernel takes it.")
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
    return rows, cols


def ask_for_padding(call: Call, x: np.ndarray, rows: Axis, cols: Axis, itemsize: int) -> None:
    """Ask for the memory of ``x`` with the window's padding."""
    height, width = (
        n + a.before + a.after for n, a in zip(x.shape[1:3], (rows, cols), strict=True)
    )
    call.room(len(x) * height * width * x.shape[3] * itemsize)


def ask_for_taps(call: Call, x: np.ndarray, rows: Axis, cols: Axis, multiplier: int) -> None:
    """Ask for what a window over single channels takes: output, padded input, every product."""
    outputs = len(x) * rows.out * cols.out * x.shape[3] * multiplier
    ask_for_padding(call, x, rows, cols, 2 * 4)
    call.sized((outputs,))
    call.work(PER_PRODUCT * outputs * rows.kernel * cols.kernel)
