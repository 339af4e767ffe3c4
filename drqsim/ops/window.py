"""The window of an operator: both axes, from its options."""

from __future__ import annotations

import numpy as np

from drqsim.arithmetic.window import Axis, axis
from drqsim.errors import InputError
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
    call.sized(
        (
            len(x),
            *(n + a.before + a.after for n, a in zip(x.shape[1:3], (rows, cols), strict=True)),
            1,
        )
    )
    return rows, cols
