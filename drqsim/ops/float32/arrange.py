"""Operators that give the same values another shape, order or company. Nothing is computed.

They take values of every type, and every kernel path moves them alike.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/reshape.cc``, ``squeeze.cc``, ``expand_dims.cc``,
``transpose.cc``, ``concatenation.cc``, ``split.cc``, ``pack.cc``, ``unpack.cc``, ``gather.cc``,
``shape.cc``, ``depth_to_space.cc``, ``space_to_depth.cc``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from drqsim.limits import PER_STEP
from drqsim.model_file.schema import DTYPES
from drqsim.model_file.tensors import MOST_DIMENSIONS
from drqsim.ops.call import Call


def recorded(function: Callable[[Call], list[np.ndarray]]) -> Callable[[Call], list[np.ndarray]]:
    """The function of an operator that only moves values, with its inputs and outputs recorded."""

    def run(call: Call) -> list[np.ndarray]:
        outputs = [np.asarray(output, order="C") for output in function(call)]
        call.record_inputs()
        call.record_outputs(outputs)
        return outputs

    return run


def reshape(call: Call) -> list[np.ndarray]:
    """The same values in a new shape; -1 stands for whatever fits."""
    x = call.value(0, "input")
    given = call.tensors[1] if len(call.tensors) > 1 else None
    # a shape that is no vector of int32 is passed over in favour of the option
    if given is not None and len(given.shape) == 1 and given.dtype == np.int32:
        shape = call.integers(1, "shape")
    else:
        shape = list(call.operator.options["new_shape"])
        shape = [] if shape == [0] else shape  # older files write a scalar's shape like this
    if len(shape) > MOST_DIMENSIONS:
        raise call.contradiction(
            f"it reshapes to {len(shape):,} dimensions; there are at most {MOST_DIMENSIONS}."
        )
    wanted, known = list(shape), math.prod(n for n in shape if n != -1)
    if wanted.count(-1) == 1 and known > 0 and x.size % known == 0:
        wanted[wanted.index(-1)] = x.size // known
    if min(wanted, default=0) < 0 or math.prod(wanted) != x.size:
        raise call.contradiction(f"it reshapes {list(x.shape)} to {shape}, which does not fit.")
    return [x.reshape(wanted)]


def squeeze(call: Call) -> list[np.ndarray]:
    """Dimensions of size 1 taken away: those that are named, or all."""
    x = call.value(0, "input")
    axes = {call.axis(a, x.ndim) for a in call.operator.options["squeeze_dims"]}
    axes = axes or {a for a, size in enumerate(x.shape) if size == 1}
    if any(x.shape[a] != 1 for a in axes):
        raise call.contradiction(f"it squeezes dimensions {sorted(axes)} of {list(x.shape)}.")
    return [x.reshape([size for a, size in enumerate(x.shape) if a not in axes])]


def expand_dims(call: Call) -> list[np.ndarray]:
    """One more dimension, of size 1."""
    x = call.value(0, "input")
    (axis,) = call.integers(1, "axis", length=1)
    axis = call.axis(axis, x.ndim + 1)
    return [x.reshape(*x.shape[:axis], 1, *x.shape[axis:])]


def transpose(call: Call) -> list[np.ndarray]:
    """The dimensions in another order."""
    x = call.value(0, "input")
    order = call.integers(1, "permutation", length=x.ndim, types=(np.int32,))
    order = [call.axis(a, x.ndim) for a in order]
    if len(set(order)) != x.ndim:
        raise call.contradiction(f"its permutation {order} names a dimension twice.")
    return [x.transpose(order)]


def concatenation(call: Call) -> list[np.ndarray]:
    """The inputs one after the other along an axis."""
    parts = [call.value(at, "input") for at in range(len(call.tensors))]
    _check_alike(call, parts)
    activation = call.operator.options["fused_activation_function"]
    # the builtin kernel refuses a fused activation, XNNPACK leaves it out without a word
    delegated = call.kernels == "xnnpack" and 2 <= len(parts) <= 5 and parts[0].dtype == np.float32
    if activation != "NONE" and not delegated:
        raise call.refuse(f"the fused activation {activation} is refused by the runtime too.")
    axis = call.axis(call.operator.options["axis"], parts[0].ndim)
    others = {(p.ndim, *p.shape[:axis], *p.shape[axis + 1 :]) for p in parts}
    if len(others) != 1:
        shapes = ", ".join(str(list(p.shape)) for p in parts)
        raise call.contradiction(f"{shapes} do not fit together along dimension {axis}.")
    return [np.concatenate(parts, axis=axis)]


def pack(call: Call) -> list[np.ndarray]:
    """The inputs stacked along a new dimension."""
    parts = [call.value(at, "input") for at in range(len(call.tensors))]
    _check_alike(call, parts)
    if len({p.shape for p in parts}) != 1:
        shapes = ", ".join(str(list(p.shape)) for p in parts)
        raise call.contradiction(f"it stacks {shapes}; all must be equal.")
    axis = call.axis(call.operator.options["axis"], parts[0].ndim + 1)
    return [np.stack(parts, axis=axis)]


def unpack(call: Call) -> list[np.ndarray]:
    """A dimension taken apart into one output for each index."""
    x = call.value(0, "input")
    axis, count = call.axis(call.operator.options["axis"], x.ndim), call.operator.options["num"]
    if not count == x.shape[axis] == len(call.results):
        raise call.contradiction(
            f"it unpacks dimension {axis} of {list(x.shape)} into num = {count} and "
            f"{len(call.results)} outputs."
        )
    return [np.take(x, at, axis=axis) for at in range(count)]


def split(call: Call) -> list[np.ndarray]:
    """Equal parts along an axis; the axis is the first input, the values are the second."""
    (axis,) = call.integers(0, "axis", length=1)
    x = call.value(1, "input")
    axis, count = call.axis(axis, x.ndim), call.operator.options["num_splits"]
    if x.dtype == np.bool_:
        raise call.contradiction("it splits bool, for which the runtime has no kernel.")
    if count != len(call.results) or count < 1 or x.shape[axis] % count:
        raise call.contradiction(
            f"it splits dimension {axis} of {list(x.shape)} into {count} parts and has "
            f"{len(call.results)} outputs."
        )
    return np.split(x, count, axis=axis)


def gather(call: Call) -> list[np.ndarray]:
    """The slices that the indices name, along one axis; batch dimensions are walked in step."""
    x, places = call.value(0, "input"), call.value(1, "indices")
    if places.dtype not in (np.int16, np.int32, np.int64):
        raise call.contradiction(f"its indices are {places.dtype}; expected integers.")
    axis = call.axis(call.operator.options["axis"], x.ndim)
    batch = call.operator.options["batch_dims"]
    batch += places.ndim if batch < 0 else 0
    if not 0 <= batch <= min(axis, places.ndim) or x.shape[:batch] != places.shape[:batch]:
        raise call.contradiction(
            f"batch_dims = {batch} does not fit {list(x.shape)} gathered along {axis} by "
            f"{list(places.shape)}."
        )
    if places.size and not 0 <= places.min() <= places.max() < x.shape[axis]:
        raise call.contradiction(
            f"an index outside 0 to {x.shape[axis] - 1}: they run from {places.min()} to "
            f"{places.max()}."
        )
    if call.tensors[0].bits and math.prod(x.shape[axis + 1 :]) % 2:
        raise call.refuse(
            f"it gathers from {call.tensors[0]} along {axis}, an odd number of values at a time: "
            "the runtime copies whole bytes and loses every last one; make that number even."
        )
    shape = (*x.shape[:axis], *places.shape[batch:], *x.shape[axis + 1 :])
    call.sized(shape)
    items = math.prod(x.shape[:batch])
    call.work(PER_STEP * items)
    flat = x.reshape(items, *x.shape[batch:])
    # int64 is no index where addresses have 32 bits
    by_item = places.astype(np.intp).reshape(items, *places.shape[batch:])
    picked = [np.take(flat[i], by_item[i], axis=axis - batch) for i in range(items)]
    return [np.stack(picked).reshape(shape) if picked else np.empty(shape, x.dtype)]


def shape(call: Call) -> list[np.ndarray]:
    """The input's shape, as integers."""
    dtype = DTYPES.get(call.operator.options["out_type"])
    if dtype not in (np.int32, np.int64):
        raise call.contradiction(f"its out_type is {dtype}; expected int32 or int64.")
    return [np.array(call.value(0, "input").shape, dtype)]


def depth_to_space(call: Call) -> list[np.ndarray]:
    """Blocks of channels become blocks of pixels."""
    x, block = _blocks(call)
    batch, height, width, depth = x.shape
    if depth % block**2:
        raise call.contradiction(f"{depth} channels do not fill blocks of {block}x{block} pixels.")
    parts = x.reshape(batch, height, width, block, block, depth // block**2)
    return [parts.swapaxes(2, 3).reshape(batch, height * block, width * block, -1)]


def space_to_depth(call: Call) -> list[np.ndarray]:
    """Blocks of pixels become blocks of channels."""
    x, block = _blocks(call)
    batch, height, width, depth = x.shape
    if height % block or width % block:
        raise call.contradiction(f"{height}x{width} pixels do not fall into blocks of {block}.")
    parts = x.reshape(batch, height // block, block, width // block, block, depth)
    return [parts.swapaxes(2, 3).reshape(batch, height // block, width // block, -1)]


def _blocks(call: Call) -> tuple[np.ndarray, int]:
    x, block = call.value(0, "input"), call.operator.options["block_size"]
    if x.ndim != 4 or x.size == 0 or block < 1:
        raise call.contradiction(f"blocks of {block} in {list(x.shape)}; expected 4 dimensions.")
    return x, block


def _check_alike(call: Call, parts: list[np.ndarray]) -> None:
    if len({p.dtype for p in parts}) != 1:
        types = ", ".join(str(p.dtype) for p in parts)
        raise call.contradiction(f"it joins {types}; all inputs must have one type.")
    quantized = [t.quantization for t in (*call.tensors, *call.results) if t is not None]
    scales = {None if q is None else (q.scale.tobytes(), q.zero_point.tobytes()) for q in quantized}
    if len(scales) > 1:
        raise call.refuse("it joins tensors of different scales, which needs requantization.")


MOVES = {
    "RESHAPE": reshape,
    "SQUEEZE": squeeze,
    "EXPAND_DIMS": expand_dims,
    "TRANSPOSE": transpose,
    "CONCATENATION": concatenation,
    "PACK": pack,
    "UNPACK": unpack,
    "SPLIT": split,
    "GATHER": gather,
    "SHAPE": shape,
    "DEPTH_TO_SPACE": depth_to_space,
    "SPACE_TO_DEPTH": space_to_depth,
}
FUNCTIONS = {code: recorded(function) for code, function in MOVES.items()}
