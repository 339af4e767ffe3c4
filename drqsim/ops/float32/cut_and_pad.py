"""Operators that cut a piece out of a tensor, or put a border around it. Nothing is computed.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/slice.cc``, ``strided_slice.cc``, ``pad.cc``,
``mirror_pad.cc``, ``internal/strided_slice_logic.h``.
"""

from __future__ import annotations

import numpy as np

from drqsim.ops.call import Call
from drqsim.ops.float32.arrange import recorded
from drqsim.ops.operand_checks import whole

WHOLE = "whole"


def cut(call: Call) -> list[np.ndarray]:
    """SLICE: a beginning and a size for each dimension; size -1 reaches to the end."""
    x = call.value(0, "input")
    if call.tensor(1, "begin").dtype != call.tensor(2, "size").dtype:
        raise call.contradiction(
            f"its begin is {call.tensors[1]} and its size {call.tensors[2]}; the runtime reads "
            "both as if they had one type."
        )
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
    begins = call.integers(1, "begin", dimensions=1)
    ends, steps = (
        call.integers(at, what, len(begins), dimensions=1)
        for at, what in ((2, "end"), (3, "strides"))
    )
    if options["offset"]:
        raise call.refuse("its option offset is not simulated.")
    for mask in ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask"):
        if options[mask] >> len(begins):
            raise call.refuse(f"its {mask} {options[mask]} has bits beyond its entries.")
    # XNNPACK takes an end of 0 for the end of the dimension, where the builtin kernel gives nothing
    to_the_end = call.kernels == "xnnpack"
    index: list = []
    sizes = iter(x.shape)
    for entry in _entries(call, x.ndim, len(begins)):
        if entry is np.newaxis:
            index.append(entry)
            continue
        size = next(sizes, None)
        if size is None:
            raise call.contradiction(f"it slices more dimensions than {list(x.shape)} has.")
        if entry is WHOLE:
            index.append(slice(None))
        elif steps[entry] == 0:
            raise call.contradiction(f"its stride {entry} is 0.")
        else:
            begin = None if options["begin_mask"] >> entry & 1 else begins[entry]
            end = None if options["end_mask"] >> entry & 1 else ends[entry]
            end = None if end == 0 and to_the_end else end
            index.append(slice(begin, end, steps[entry]))
            if options["shrink_axis_mask"] >> entry & 1:
                index[-1] = _place(call, begin, steps[entry], size)
    return [x[tuple(index)]]


def _entries(call: Call, rank: int, count: int) -> list:
    """What each dimension is taken by: an entry of begin, end and strides, whole, or inserted.

    The kernel lets an ellipsis take one dimension at least, where NumPy's may take none; then the
    last entries are passed over.
    """
    options = call.operator.options
    ellipsis, new = options["ellipsis_mask"], options["new_axis_mask"] & ~options["ellipsis_mask"]
    if ellipsis & (ellipsis - 1):
        raise call.refuse("its ellipsis_mask has more than one bit.")
    inserted = sum(new >> entry & 1 for entry in range(count))
    entries: list = []
    for entry in range(count):
        if ellipsis >> entry & 1:
            entries += [WHOLE] * max(1, rank + inserted - (count - 1))
        else:
            entries.append(np.newaxis if new >> entry & 1 else entry)
    entries += [WHOLE] * (rank + inserted - len(entries))
    return entries[: rank + inserted]


def _place(call: Call, begin: int | None, step: int, size: int) -> int:
    """The one index that a shrunk dimension is taken at, from 0."""
    place = (0 if step > 0 else -1) if begin is None else begin
    place += size if place < 0 else 0
    if step < 0:
        raise call.refuse(f"it drops a dimension with the stride {step}, which is not simulated.")
    if not 0 <= place < size:
        raise call.contradiction(f"it takes index {begin}, stride {step}, of {size}.")
    return place


def pad(call: Call) -> list[np.ndarray]:
    """PAD and PADV2: a border of the value that is the third input.

    Without one, of zeros, or of the output's zero point where it holds codes: the two are one
    kernel.
    """
    if len(call.tensors) < 3 or call.tensors[2] is None:
        coded = call.results[0].type_name in ("uint8", "int8", "int16")
        return [_bordered(call, whole(call.results[0])[1] if coded else 0)]
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
    if mode not in ("reflect", "symmetric"):
        raise call.contradiction(
            "its options say neither REFLECT nor SYMMETRIC, and the runtime refuses the model."
        )
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
    flat = call.integers(1, "paddings", length=2 * x.ndim, dimensions=2)
    borders = list(zip(flat[::2], flat[1::2], strict=True))
    if min(flat, default=0) < 0:
        raise call.contradiction(f"its paddings {borders} hold a negative number.")
    call.sized(n + sum(border) for n, border in zip(x.shape, borders, strict=True))
    return borders


MOVES = {
    "SLICE": cut,
    "STRIDED_SLICE": strided_slice,
    "PAD": pad,
    "PADV2": pad,
    "MIRROR_PAD": mirror_pad,
}
FUNCTIONS = {code: recorded(function) for code, function in MOVES.items()}
