"""AVERAGE_POOL_2D and MAX_POOL_2D: one value for each window and channel.

Padding holds nothing: the average divides by the number of real elements in the window, and the
maximum is one of them. The maximum is exact; the sum of an average is added up in another order by
each kernel, so it may differ in its last bits.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/pooling.cc``, ``internal/reference/pooling.h``,
``internal/optimized/optimized_ops.h``; XNNPACK ``src/f32-maxpool``, ``src/f32-avgpool``.
"""

from __future__ import annotations

import numpy as np

from drqsim.errors import InputError
from drqsim.ops import fused
from drqsim.ops.call import Call
from drqsim.ops.geometry import Axis, axis, patches
from drqsim.qparams import flush_denormals

f32 = np.float32


def average(windows: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Sum of the window, tap after tap, divided by the number of its real elements"""
    taps = [(row, col) for row in range(windows.shape[3]) for col in range(windows.shape[4])]
    total = np.zeros(windows[:, :, :, 0, 0].shape, f32)
    for row, col in taps:
        total += windows[:, :, :, row, col]
    return total / present.sum(axis=(3, 4), dtype=f32)


def maximum(windows: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The largest real element of the window"""
    return windows.max(axis=(3, 4), where=present, initial=np.finfo(f32).min)


POOLS = {"AVERAGE_POOL_2D": average, "MAX_POOL_2D": maximum}


def run(call: Call) -> list[np.ndarray]:
    """Run one pooling operator and its fused activation."""
    x = call.floats(0, "input")
    rows, cols = _windows(call, x)
    activation = fused.check(call, call.operator.options["fused_activation_function"])
    call.record_inputs()
    delegated = call.kernels == "xnnpack"
    if delegated:
        x = flush_denormals(x)
    windows = patches(x, rows, cols, np.zeros(len(x), f32))
    present = patches(np.ones((1, *x.shape[1:3], 1), np.bool_), rows, cols, np.zeros(1, np.bool_))
    output = POOLS[call.operator.code](windows, present)
    if delegated:
        output = flush_denormals(output)
    call.record("pre_activation", output)
    output = fused.apply(output, activation, unbounded=delegated)
    call.record("output", output)
    return [output]


def _windows(call: Call, x: np.ndarray) -> tuple[Axis, Axis]:
    if x.ndim != 4 or 0 in x.shape:
        raise call.contradiction(
            f"its input is {list(x.shape)}; expected [batch, height, width, channels]."
        )
    options = call.operator.options
    filters = options["filter_height"], options["filter_width"]
    strides = options["stride_h"], options["stride_w"]
    if min(*filters, *strides) < 1:
        raise call.contradiction(f"filter {filters} and stride {strides} must be at least 1.")
    rows, cols = (
        axis(size, kernel, stride, 1, options["padding"])
        for size, kernel, stride in zip(x.shape[1:3], filters, strides, strict=True)
    )
    if rows.out < 1 or cols.out < 1:
        raise InputError(
            f"a {filters[0]}x{filters[1]} window does not fit into the {x.shape[1]}x{x.shape[2]} "
            "input without padding."
        )
    call.sized((len(x), rows.out, cols.out, *filters, x.shape[3]))
    return rows, cols


FUNCTIONS = dict.fromkeys(POOLS, run)
