"""RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR: an image of another size.

Where an output pixel looks is computed in float32, in three ways: ``align_corners`` lays the
corner pixels onto each other, ``half_pixel_centers`` the areas of the images, neither lays the
top left corners. The kernel paths weigh the four neighbours in different orders, written here one
rounding at a time.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/resize_bilinear.cc``,
``resize_nearest_neighbor.cc``, ``internal/reference/resize_bilinear.h``,
``internal/optimized/resize_bilinear.h``; XNNPACK ``src/indirection.c``, ``src/f32-ibilinear``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from drqsim.arithmetic.floats import flush_denormals, fma, multiply_add
from drqsim.ops.call import Call

f32 = np.float32
f64 = np.float64


class Line(NamedTuple):
    """For every output pixel along one axis: its two neighbours, how far it is past the first"""

    first: np.ndarray
    second: np.ndarray
    past: np.ndarray


def bilinear(call: Call, x: np.ndarray, size: list[int]) -> np.ndarray:
    """The four neighbours of a place, weighed by how near they are"""
    options = call.operator.options
    corners, centers = bool(options["align_corners"]), bool(options["half_pixel_centers"])
    scales = [_scale(have, want, corners) for have, want in zip(x.shape[1:3], size, strict=True)]
    neon = call.processor.neon
    add = fma if neon else multiply_add  # arm64's compiler fuses what is multiplied and added
    # XNNPACK needs to know the size beforehand
    if call.kernels == "xnnpack" and call.tensors[1].value is not None:
        rows, cols = (
            _line_xnnpack(*a, centers and not corners, add)
            for a in zip(x.shape[1:3], size, scales, strict=True)
        )
        between = _between_fused if neon else _between
        return _mix_xnnpack(flush_denormals(x), rows, cols, between)
    rows, cols = (_line(*a, centers, add) for a in zip(x.shape[1:3], size, scales, strict=True))
    if call.kernels == "reference":
        return _mix_reference(x, rows, cols, add)
    doubled = all(want == 2 * have for have, want in zip(x.shape[1:3], size, strict=True))
    if doubled and not corners and not centers:
        return _double(x)
    return _mix_optimized(x, rows, cols, add)


def nearest(call: Call, x: np.ndarray, size: list[int]) -> np.ndarray:
    """The nearest pixel"""
    options = call.operator.options
    corners, centers = bool(options["align_corners"]), bool(options["half_pixel_centers"])
    places = []
    for have, want in zip(x.shape[1:3], size, strict=True):
        at = np.arange(want).astype(f32) + f32(0.5 if centers else 0)
        at = at * _scale(have, want, corners)
        at = np.floor(at.astype(f64) + 0.5 if corners else at)  # a tie goes up
        places.append(np.clip(at.astype(np.int64), 0, have - 1))
    return x[:, places[0]][:, :, places[1]]


def _scale(have: int, want: int, corners: bool) -> np.float32:
    """How many input pixels an output pixel is wide."""
    if corners and want > 1:
        return f32(have - 1) / f32(want - 1)
    return f32(have) / f32(want)


def _line(have: int, want: int, scale: np.float32, centers: bool, add: Callable) -> Line:
    """The builtin kernels': a place before the first pixel has a negative distance to it."""
    at = np.arange(want).astype(f32)
    at = add(at + f32(0.5), scale, f32(-0.5)) if centers else at * scale
    first = np.maximum(np.floor(at).astype(np.int64), 0)
    second = np.minimum(np.ceil(at).astype(np.int64), have - 1)
    return Line(first, second, at - first.astype(f32))


def _line_xnnpack(have: int, want: int, scale: np.float32, centers: bool, add: Callable) -> Line:
    """XNNPACK's: places are clamped to the image, and the offset is added after the scaling."""
    offset = f32(0.5) * scale - f32(0.5) if centers else f32(0)
    at = add(np.arange(want).astype(f32), scale, offset)
    at = np.clip(at, f32(0), f32(have - 1))
    first = np.trunc(at).astype(np.int64)
    return Line(first, np.minimum(first + 1, have - 1), at - first.astype(f32))


def _corners(x: np.ndarray, rows: Line, cols: Line):
    """The four neighbours of every output pixel, and its distances, shaped to multiply them."""
    top, bottom = x[:, rows.first], x[:, rows.second]
    corners = [half[:, :, at] for half in (top, bottom) for at in (cols.first, cols.second)]
    return corners, rows.past.reshape(-1, 1, 1), cols.past.reshape(-1, 1)


def _mix_reference(x: np.ndarray, rows: Line, cols: Line, add: Callable) -> np.ndarray:
    (a, b, c, d), down, right = _corners(x, rows, cols)
    up, left = f32(1) - down, f32(1) - right
    mixed = add(a * up, left, c * down * left)
    mixed = add(d * down, right, add(b * up, right, mixed))
    return mixed + f32(0)  # what the kernel adds for rounding, nothing for floats


def _mix_optimized(x: np.ndarray, rows: Line, cols: Line, add: Callable) -> np.ndarray:
    (a, b, c, d), down, right = _corners(x, rows, cols)
    up, left = f32(1) - down, f32(1) - right
    # each product of weights is rounded first; the sum starts at zero
    mixed = add(a, up * left, f32(0))
    for corner, weight in ((b, up * right), (c, down * left), (d, down * right)):
        mixed = add(corner, weight, mixed)
    return mixed


def _mix_xnnpack(x: np.ndarray, rows: Line, cols: Line, between: Callable) -> np.ndarray:
    (a, b, c, d), down, right = _corners(x, rows, cols)
    return between(between(a, b, right), between(c, d, right), down)


def _between(a: np.ndarray, b: np.ndarray, part: np.ndarray) -> np.ndarray:
    """a + (b - a) * part, in XNNPACK's arithmetic."""
    step = flush_denormals(flush_denormals(b - a) * part)
    return flush_denormals(a + step)


def _between_fused(a: np.ndarray, b: np.ndarray, part: np.ndarray) -> np.ndarray:
    """The same on arm64."""
    return flush_denormals(fma(flush_denormals(b - a), part, a))


def _double(x: np.ndarray) -> np.ndarray:
    """Twice the size: the pixels, and the halves between neighbours."""
    batch, height, width, channels = x.shape
    right = x[:, :, np.minimum(np.arange(width) + 1, width - 1)]
    below = np.minimum(np.arange(height) + 1, height - 1)
    half = f32(0.5)
    lower = (x + x[:, below]) * half
    output = np.empty((batch, 2 * height, 2 * width, channels), f32)
    output[:, ::2, ::2] = x
    output[:, ::2, 1::2] = (x + right) * half
    output[:, 1::2, ::2] = lower
    output[:, 1::2, 1::2] = (lower + (right + right[:, below]) * half) * half
    return output


RESIZERS = {"RESIZE_BILINEAR": bilinear, "RESIZE_NEAREST_NEIGHBOR": nearest}


def run(call: Call) -> list[np.ndarray]:
    """Run one of them."""
    x = (
        call.value(0, "input")
        if call.operator.code != "RESIZE_BILINEAR"
        else call.floats(0, "input")
    )
    size = call.integers(1, "size", length=2, dimensions=1)
    options = call.operator.options
    if x.ndim != 4 or x.size == 0 or min(size) < 1:
        raise call.contradiction(
            f"it resizes {list(x.shape)} to {size}; expected [batch, height, width, channels] and "
            "a size of at least 1."
        )
    both = options["align_corners"] and options["half_pixel_centers"]
    # of the two XNNPACK follows align_corners
    if both and call.operator.code == "RESIZE_BILINEAR" and call.kernels != "xnnpack":
        raise call.contradiction("align_corners and half_pixel_centers exclude each other.")
    call.sized((len(x), *size, x.shape[3]))
    call.record_inputs()
    output = RESIZERS[call.operator.code](call, x, size)
    call.record("output", output)
    return [output]


FUNCTIONS = dict.fromkeys(RESIZERS, run)
