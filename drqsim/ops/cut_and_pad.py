"""Operators that cut a piece out of a tensor, or put a border around it. Nothing is computed.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/slice.cc``, ``strided_slice.cc``, ``pad.cc``,
``mirror_pad.cc``, ``internal/strided_slice_logic.h``.
"""

from __future__ import annotations

import numpy as np

from drqsim.ops.arrange import recorded
from drqsim.ops.call import Call


def cut(call: Call) -> list[np.ndarray]:
    """SLICE: a beginning and a size for each dimension; size -1 reaches to the end."""
    x = call.value(0, "input")
    begins, sizes = (call.integers(at, what, x.ndim) for at, what in ((1, "begin"), (2, "size")))
    index = []
    for at, (begin, size, limit) in enumerate(zip(begins, sizes, x.shape, strict=True)):
        size = limit - begin if size == -1 else size
        if begin < 0 or size < 0 or begin + size > limit:
            raise call.contradiction(
                f"it cuts {size} from {begin} on out of dimension {at}, which has {limit}."
            )
        index.append(slice(begin, begin + size))
    return [x[tuple(index)]]


def strided_slice(call: Call) -> list[np.ndarray]:
    """Beginning, end and step for each dimension, as in Python's ``x[begin:end:step]``.

    Bit ``i`` of a mask speaks of entry ``i``: ``begin_mask`` and ``end_mask`` ignore that bound,
    ``ellipsis_mask`` takes as many whole dimensions as the other entries leave, ``new_axis_mask``
    inserts a dimension of size 1, ``shrink_axis_mask`` takes one index and drops the dimension.
    """
    x, options = call.value(0, "input"), call.operator.options
    begins = call.integers(1, "begin")
    ends, steps = (
        call.integers(at, what, len(begins)) for at, what in ((2, "end"), (3, "strides"))
    )
    if options["offset"]:
        raise call.refuse("its option offset is not simulated.")
    if options["ellipsis_mask"] & (options["ellipsis_mask"] - 1):
        raise call.contradiction("its ellipsis_mask has more than one bit.")

    def masked(name: str, entry: int) -> bool:
        return bool(options[name] >> entry & 1)

    index: list = []
    for entry, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        if masked("ellipsis_mask", entry):
            index.append(Ellipsis)
        elif masked("new_axis_mask", entry):
            index.append(np.newaxis)
        elif step == 0:
            raise call.contradiction(f"its stride {entry} is 0.")
        else:
            begin = None if masked("begin_mask", entry) else begin
            end = None if masked("end_mask", entry) else end
            shrinks = masked("shrink_axis_mask", entry)
            index.append((begin, step) if shrinks else slice(begin, end, step))
    wanted = sum(entry is not Ellipsis and entry is not np.newaxis for entry in index)
    if wanted > x.ndim:
        raise call.contradiction(f"it slices {wanted} dimensions of {list(x.shape)}.")
    return [x[_resolved(call, index, x.shape, x.ndim - wanted)]]


def _resolved(call: Call, index: list, shape: tuple[int, ...], left: int) -> tuple:
    """The index with every shrunk dimension as one index from 0."""
    at, resolved = 0, []
    for entry in index:
        if entry is Ellipsis:
            at += left
        elif isinstance(entry, tuple):
            begin, step = entry
            place = (0 if step > 0 else -1) if begin is None else begin
            place += shape[at] if place < 0 else 0
            if step < 0 or not 0 <= place < shape[at]:
                raise call.contradiction(
                    f"it takes index {begin} with stride {step} of dimension {at}, which has "
                    f"{shape[at]}."
                )
            entry, at = place, at + 1
        elif entry is not np.newaxis:
            at += 1
        resolved.append(entry)
    return tuple(resolved)


def pad(call: Call) -> list[np.ndarray]:
    """PAD: a border of zeros (of the zero point, where the tensor is quantized)."""
    quantization = call.tensors[0].quantization if call.tensors else None
    return [_bordered(call, 0 if quantization is None else quantization.zero_point[0])]


def pad_v2(call: Call) -> list[np.ndarray]:
    """PADV2: a border of a given value."""
    fill = call.value(2, "padding value")
    if fill.size != 1 or fill.dtype != call.value(0, "input").dtype:
        raise call.contradiction(
            f"its padding value is {fill.dtype}{list(fill.shape)}; expected one value of the "
            "input's type."
        )
    return [_bordered(call, fill.reshape(()))]


def mirror_pad(call: Call) -> list[np.ndarray]:
    """MIRROR_PAD: a border that repeats the values, with the edge (SYMMETRIC) or without."""
    x = call.value(0, "input")
    mode = call.operator.options["mode"].lower()
    borders = _borders(call, x)
    for (before, after), size in zip(borders, x.shape, strict=True):
        if max(before, after) > size - (mode == "reflect"):
            raise call.contradiction(f"it mirrors {borders} around {list(x.shape)}: too far.")
    return [np.pad(x, borders, mode=mode)]


def _bordered(call: Call, fill) -> np.ndarray:
    x = call.value(0, "input")
    return np.pad(x, _borders(call, x), constant_values=fill)


def _borders(call: Call, x: np.ndarray) -> list[tuple[int, int]]:
    """How much is put before and after each dimension."""
    flat = call.integers(1, "paddings", length=2 * x.ndim)
    borders = list(zip(flat[::2], flat[1::2], strict=True))
    if min(flat, default=0) < 0:
        raise call.contradiction(f"its paddings {borders} hold a negative number.")
    call.sized(n + sum(border) for n, border in zip(x.shape, borders, strict=True))
    return borders


MOVES = {
    "SLICE": cut,
    "STRIDED_SLICE": strided_slice,
    "PAD": pad,
    "PADV2": pad_v2,
    "MIRROR_PAD": mirror_pad,
}
FUNCTIONS = {code: recorded(function) for code, function in MOVES.items()}
