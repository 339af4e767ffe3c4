"""AVERAGE_POOL_2D and MAX_POOL_2D: one value for each window and channel.

Padding holds nothing: the average divides by the number of real elements in the window, and the
maximum is one of them. Both are exact, because the order in which each kernel visits the taps of a
window is followed: row by row in the builtin kernels; column by column in XNNPACK, nine taps at a
time, joined as a tree.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/pooling.cc``, ``internal/reference/pooling.h``,
``internal/optimized/optimized_ops.h``; XNNPACK ``src/f32-maxpool/maxpool.c.in``,
``src/f32-avgpool/avgpool.c.in``, ``src/indirection.c``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import product

import numpy as np

from drqsim.arithmetic.floats import flush_denormals
from drqsim.arithmetic.window import Axis, axis, inside, pad, patches
from drqsim.errors import InputError
from drqsim.limits import COPIES, PER_PRODUCT, PER_STEP
from drqsim.ops import fused
from drqsim.ops.call import Call
from drqsim.ops.float32.by_processor import kernels
from drqsim.ops.window import ask_for_padding

f32 = np.float32
LOWEST = np.finfo(f32).min
TAPS_AT_ONCE = 9
STEPS_OF_A_TAP = 2  # in Python: to take it out, and to compare


def average(x: np.ndarray, rows: Axis, cols: Axis) -> np.ndarray:
    """Sum of the window, tap after tap, divided by the number of its real elements"""
    total = np.zeros((len(x), rows.out, cols.out, x.shape[3]), f32)
    for seen, windows in real_taps(x, rows, cols):
        total[windows] += seen
    return total / _count(x, rows, cols)


def maximum(x: np.ndarray, rows: Axis, cols: Axis) -> np.ndarray:
    """The largest element of the window; of 0 and -0, the first"""
    best = np.full((len(x), rows.out, cols.out, x.shape[3]), LOWEST)
    for seen, windows in real_taps(x, rows, cols):
        best[windows] = np.where(seen > best[windows], seen, best[windows])
    return best


def average_xnnpack(
    x: np.ndarray, rows: Axis, cols: Axis, low: np.float32, larger: Callable
) -> np.ndarray:
    """The sum of trees of nine taps, times the reciprocal of the number of real elements"""
    total = np.zeros((len(x), rows.out, cols.out, x.shape[3]), f32)
    nothing = np.zeros_like(total)
    for nine in taps_by_column(x, rows, cols, f32(0), _nines_on_the_image(x, rows, cols)):
        total = _add(total, _tree(_add, nine, nothing))
    return larger(flush_denormals(total * (f32(1) / _count(x, rows, cols))), low)


def maximum_xnnpack(
    x: np.ndarray, rows: Axis, cols: Axis, low: np.float32, larger: Callable
) -> np.ndarray:
    """The maximum of trees of nine taps; of 0 and -0, the later one in the tree, on arm64 0"""
    # padding repeats the border, which is in the window anyway
    border = (0, 0), (rows.before, rows.after), (cols.before, cols.after), (0, 0)
    bare = [a._replace(before=0, after=0) for a in (rows, cols)]
    best = None
    for nine in taps_by_column(np.pad(x, border, "edge"), *bare, 0, _all_nines(rows, cols)):
        largest = _tree(larger, nine, nine[0])
        best = larger(largest, low) if best is None else larger(best, largest)
    return best


BUILTIN = {"AVERAGE_POOL_2D": average, "MAX_POOL_2D": maximum}
DELEGATED = {"AVERAGE_POOL_2D": average_xnnpack, "MAX_POOL_2D": maximum_xnnpack}


def run(call: Call) -> list[np.ndarray]:
    """Run one pooling operator and its fused activation."""
    x, code = call.value(0, "input"), call.operator.code
    call.floats(0, "input")
    rows, cols = windows_of(call, x)
    wanted = call.operator.options["fused_activation_function"]
    activation = fused.check(call, wanted)
    call.record_inputs()
    # XNNPACK leaves it to the builtin kernel when the windows leave gaps
    gaps = rows.stride > rows.kernel or cols.stride > cols.kernel
    if call.kernels == "xnnpack" and not gaps and wanted not in fused.WITHOUT_RANGE:
        ask_for_padding(call, x, rows, cols, COPIES * x.itemsize)
        if code == "MAX_POOL_2D":  # which looks at padding too, the average at the image alone
            taps = rows.kernel * cols.kernel
            call.work(taps * (PER_PRODUCT * rows.out * cols.out + STEPS_OF_A_TAP * PER_STEP))
        output = _xnnpack(call, x, rows, cols, activation)
    else:
        output = fused.clamp(BUILTIN[code](x, rows, cols), activation)
    call.record("output", output)
    return [output]


def _xnnpack(call: Call, x: np.ndarray, rows: Axis, cols: Axis, activation: str) -> np.ndarray:
    single = (rows.kernel, cols.kernel) == (1, 1)
    if single and activation == "NONE":
        return x  # a copy, the only case in which denormals stay
    output = flush_denormals(x)
    if not single:
        low, _ = fused.bounds(activation, unbounded=True)
        larger = kernels(call.processor).larger
        output = DELEGATED[call.operator.code](output, rows, cols, low, larger)
    return fused.clamp(output, activation, unbounded=True, zero=call.processor.neon)


def real_taps(x: np.ndarray, rows: Axis, cols: Axis):
    """For each tap, row by row, that ever lies on the image: what it sees, and in which windows."""
    for _, (high, down) in inside(rows, x.shape[1]):
        for _, (left, right) in inside(cols, x.shape[2]):
            yield x[:, high, left], (slice(None), down, right)


def taps_by_column(x: np.ndarray, rows: Axis, cols: Axis, fill, nines: Iterable[int]):
    """What the taps of each nine see, padding included, for all windows; the last may have fewer.

    The taps count column by column: tap ``i`` is in column ``i // rows.kernel``.
    """
    windows = patches(pad(x, rows, cols, np.full(len(x), fill, x.dtype)), rows, cols)
    taps = rows.kernel * cols.kernel
    for first in (TAPS_AT_ONCE * nine for nine in nines):
        places = (divmod(i, rows.kernel) for i in range(first, min(first + TAPS_AT_ONCE, taps)))
        yield tuple(windows[:, :, :, row, col] for col, row in places)


def _all_nines(rows: Axis, cols: Axis) -> range:
    return range(-(-rows.kernel * cols.kernel // TAPS_AT_ONCE))


def _nines_on_the_image(x: np.ndarray, rows: Axis, cols: Axis) -> list[int]:
    """Those with a tap that ever lies on the image; the others would add nothing but zeros."""
    _, height, width, _ = x.shape
    seen = product(inside(cols, width), inside(rows, height))
    return sorted({(col * rows.kernel + row) // TAPS_AT_ONCE for (col, _), (row, _) in seen})


def _count(x: np.ndarray, rows: Axis, cols: Axis) -> np.ndarray:
    """How many real elements each window holds, [out_h, out_w, 1]."""
    high, wide = (_seen(a, size) for a, size in zip((rows, cols), x.shape[1:3], strict=True))
    return (high[:, None, None] * wide[:, None]).astype(f32)


def _seen(axis: Axis, size: int) -> np.ndarray:
    """How many pixels of one axis each window holds."""
    first = np.arange(axis.out, dtype=np.int64) * axis.stride - axis.before
    return np.minimum(first + axis.kernel, size) - np.maximum(first, 0)


def _tree(join: Callable, taps: tuple[np.ndarray, ...], missing: np.ndarray) -> np.ndarray:
    """Nine taps joined in the order of XNNPACK's kernels."""
    t = (*taps, *[missing] * (TAPS_AT_ONCE - len(taps)))
    last = join(join(join(t[0], t[1]), t[8]), join(t[6], t[7]))
    return join(join(join(t[2], t[3]), join(t[4], t[5])), last)


def _add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return flush_denormals(a + b)


def windows_of(call: Call, x: np.ndarray) -> tuple[Axis, Axis]:
    """Both axes of the window over ``x``, checked."""
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
    outputs = math.prod(call.sized((len(x), rows.out, cols.out, x.shape[3])))
    # padding is passed over, so a tap lies on the image for one window at least
    visited = min(rows.kernel, 2 * x.shape[1]) * min(cols.kernel, 2 * x.shape[2])
    call.work(visited * (PER_PRODUCT * outputs + PER_STEP))
    return rows, cols


FUNCTIONS = dict.fromkeys(BUILTIN, run)
