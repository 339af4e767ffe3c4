"""Operators that reduce dimensions: MEAN, SUM, REDUCE_MAX, REDUCE_MIN, ARG_MAX, TOPK_V2.

A sum depends on its order, which differs between the kernels (and from NumPy's). The builtin ones
add one value after another, except that the optimized MEAN of the last dimensions is Eigen's sum.
XNNPACK adds up the last dimension in vectors, whose width depends on the processor.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/reduce.cc``, ``arg_min_max.cc``, ``topk_v2.cc``;
XNNPACK ``src/f32-rdsum``, ``src/f32-rsum``, ``src/operators/reduce-nd.c``.
"""

from __future__ import annotations

import math

import numpy as np

from drqsim.arithmetic.floats import flush_denormals, running_sum
from drqsim.arithmetic.vector_sums import eigen_sum_of_rows, flushed_sum
from drqsim.model_file.schema import DTYPES
from drqsim.ops.call import Call
from drqsim.ops.float32.by_processor import kernels, scale_and_add

f32 = np.float32


def mean(rows: np.ndarray, reference: bool, whole: bool) -> np.ndarray:
    """The sum, divided by the number of values"""
    return total(rows, reference, whole=False) / f32(len(rows))


def total(rows: np.ndarray, reference: bool, whole: bool) -> np.ndarray:
    """The sum, one value after another.

    The reference kernel starts from zero, so that no sum is a negative zero, unless the ``whole``
    tensor is summed to one value.
    """
    added = running_sum(rows)
    return added + rows.dtype.type(0) if reference and not whole else added


def largest(rows: np.ndarray, reference: bool, whole: bool) -> np.ndarray:
    """The largest value"""
    return _signed(rows, rows.max(axis=0), reference)


def smallest(rows: np.ndarray, reference: bool, whole: bool) -> np.ndarray:
    """The smallest value"""
    return _signed(rows, rows.min(axis=0), reference)


def _signed(rows: np.ndarray, best: np.ndarray, reference: bool) -> np.ndarray:
    """Of 0 and -0, which are equal, the first in the reference kernel, else the last."""
    if rows.dtype == f32 and (best == 0).any():
        order = rows if reference else rows[::-1]
        first = (order == best).argmax(axis=0)
        best = np.take_along_axis(order, first[np.newaxis], axis=0)[0]
    return best


def _runs(shape: tuple[int, ...], axes: list[int], ones: bool) -> list[tuple[int, bool]]:
    """Sizes, and whether they are summed: neighbors joined where both are, or both are not.

    With ``ones`` a dimension of 1 counts; without, it goes with its neighbor.
    """
    runs: list[tuple[int, bool]] = []
    for axis, size in enumerate(shape):
        if size == 1 and not ones:
            continue
        if runs and runs[-1][1] == (axis in axes):
            runs[-1] = runs[-1][0] * size, runs[-1][1]
        else:
            runs.append((size, axis in axes))
    return runs


def _is_left_to_eigen(x: np.ndarray, axes: list[int]) -> bool:
    """Whether the optimized MEAN sums the innermost dimensions, and these alone."""
    runs = _runs(x.shape, axes, ones=False)
    return len(runs) == 2 and runs[-1][1]


def _sum_xnnpack(call: Call, x: np.ndarray, axes: list[int], scale: np.float32) -> np.ndarray:
    """The innermost stretch that is summed, times the scale; then one such sum after another.

    Along the last dimension a stretch is summed in vectors, else one value after another.
    """
    runs = _runs(x.shape, axes, ones=True)
    x = x.reshape([size for size, _ in runs])
    summed = [at for at, (_, is_summed) in enumerate(runs) if is_summed]
    if not summed:
        return x * scale
    last = summed.pop()
    inner, by = last == len(runs) - 1, kernels(call.processor)
    if inner:
        sums = by.sum(x)
    else:
        sums = flushed_sum(np.moveaxis(x, last, 0))
    sums = np.moveaxis(sums, summed, range(len(summed)))
    total = np.zeros(sums.shape[len(summed) :], f32)
    for stretch in sums.reshape(-1, *total.shape):
        total = flush_denormals((by.scale if inner else scale_and_add)(stretch, scale, total))
    return total


def _zero_neon(rows: np.ndarray, best: np.ndarray, largest: bool) -> np.ndarray:
    """On arm64 0 is larger than -0."""
    wanted = (rows == 0) & (np.signbit(rows) != largest)  # 0 where it is the largest, else -0
    zero = np.where(wanted.any(axis=0) == largest, f32(0), f32(-0.0))
    return np.where(best == 0, zero, best)


REDUCERS = {"MEAN": mean, "SUM": total, "REDUCE_MAX": largest, "REDUCE_MIN": smallest}


def reduce(call: Call) -> list[np.ndarray]:
    """Run MEAN, SUM, REDUCE_MAX or REDUCE_MIN."""
    code = call.operator.code
    x = call.value(0, "input")
    whole_numbers = code != "MEAN" and x.dtype in (np.int32, np.int64)
    if x.dtype != f32 and not whole_numbers:
        raise call.refuse(f"it reduces {x.dtype}; drqsim runs it in float32.")
    axes = sorted({call.axis(a, x.ndim) for a in call.integers(1, "axes")})
    if x.size == 0:
        raise call.contradiction(f"its input {list(x.shape)} is empty.")
    call.record_inputs()
    # XNNPACK needs to know the axes beforehand
    delegated = call.kernels == "xnnpack" and x.dtype == f32 and call.tensors[1].value is not None
    rows = np.moveaxis(flush_denormals(x) if delegated else x, axes, range(len(axes)))
    rows = rows.reshape(math.prod(x.shape[a] for a in axes), -1)
    kept = [1 if a in axes else size for a, size in enumerate(x.shape)]
    if not call.operator.options["keep_dims"]:
        kept = [size for a, size in enumerate(x.shape) if a not in axes]
    whole = len(axes) == x.ndim
    if delegated and code in ("MEAN", "SUM"):
        scale = f32(1) / f32(len(rows)) if code == "MEAN" else f32(1)
        output = _sum_xnnpack(call, flush_denormals(x), axes, scale).reshape(kept)
    elif code == "MEAN" and call.kernels != "reference" and _is_left_to_eigen(x, axes):
        output = (eigen_sum_of_rows(rows.T.copy(), call.processor.neon) / f32(len(rows))).reshape(
            kept
        )
    else:
        output = REDUCERS[code](rows, call.kernels == "reference", whole).reshape(kept)
    if delegated and call.processor.neon and code.startswith("REDUCE"):
        output = _zero_neon(rows, output.reshape(-1), code == "REDUCE_MAX").reshape(kept)
    if delegated:
        output = flush_denormals(output)
    call.record("output", output)
    return [output]


def arg_max(call: Call) -> list[np.ndarray]:
    """The index of the largest value along an axis; of equal ones, the first."""
    x = call.value(0, "input")
    (axis,) = call.integers(1, "axis", length=1)
    axis = call.axis(axis, x.ndim)
    if x.size == 0:
        raise call.contradiction(f"its input {list(x.shape)} is empty.")
    dtype = DTYPES.get(call.operator.options["output_type"])
    if dtype not in (np.int32, np.int64):
        raise call.contradiction(f"its output is {dtype}; expected int32 or int64.")
    call.record_inputs()
    output = np.asarray(np.argmax(x, axis=axis)).astype(dtype)
    call.record("output", output)
    return [output]


def top_k(call: Call) -> list[np.ndarray]:
    """The k largest values of each row, largest first, and where they stood.

    Of equal values the one that stood first comes first.
    """
    x = call.value(0, "input")
    (k,) = call.integers(1, "k", length=1, types=(np.int16, np.int32))
    if x.ndim == 0 or not 0 <= k <= x.shape[-1] or len(call.results) != 2:
        raise call.contradiction(
            f"it takes the {k} largest of rows of {list(x.shape)} into {len(call.results)} outputs."
        )
    call.record_inputs()
    # sorting the reversed row upwards, stably, puts the first of equal values last
    order = np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1][..., :k]
    places = x.shape[-1] - 1 - order
    indices = call.results[1].dtype
    if indices not in (np.int16, np.int32):
        raise call.contradiction(f"its indices are {indices}; expected int16 or int32.")
    outputs = [np.take_along_axis(x, places, axis=-1), places.astype(indices)]
    call.record_outputs(outputs)
    return outputs


FUNCTIONS = dict.fromkeys(REDUCERS, reduce) | {"ARG_MAX": arg_max, "TOPK_V2": top_k}
