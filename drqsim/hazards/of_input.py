"""What of an input an operator's arithmetic cannot hold: NaN, ranges too wide or too narrow, wraps.

Told from what the operator recorded, after it ran; ``of_weights.py`` tells what the weights bring.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from drqsim.graph import Operator
from drqsim.ops.float32 import arrange, cut_and_pad
from drqsim.trace import TensorRecord

READ = ("input", "filter")  # names that begin like this are read here


class Fed(NamedTuple):
    """An operator with int8 weights, and what it made of its input: a row for each scale."""

    op: Operator
    x: np.ndarray  # float32 [groups, n]
    codes: np.ndarray  # int8 or uint8 [groups, n]
    scale: np.ndarray  # float32 [groups]
    zero_point: np.ndarray  # int32 [groups], 0 where symmetric
    weights: np.ndarray  # int8
    group: str  # what shares a scale: an image, a row or a pixel
    in_delegate: bool


def hazards_of_input(
    op: Operator, records: Iterable[TensorRecord], allow_nonfinite: bool
) -> list[str]:
    """One sentence for everything in an operator's input that its arithmetic cannot hold.

    Parameters
    ----------
    op : Operator
    records : list of TensorRecord
        What it recorded; those whose names begin with one of ``READ`` have their values.
    allow_nonfinite : bool
        Whether the input may hold NaN and infinity, so that it is searched for them.

    Returns
    -------
    list of str
    """
    by_name = {record.name: record for record in records}
    values = {name: r.value for name, r in by_name.items() if name.startswith(READ)}
    if "input" in values and values["input"].dtype != np.float32:
        return []  # full integer: it takes codes, whatever they are
    if op.code not in _GROUP or "filter_scale" not in values:
        return _unproven(op, values)
    if "input_scale" not in values:  # a dense layer that took its short cut
        return [_SHORT_CUT_NAN if values["input"].any() else _SHORT_CUT]
    if "input_quantized" not in values:
        return []
    x, scale = values["input"], values["input_scale"]
    if op.options.get("adj_x"):
        x = x.swapaxes(-1, -2)
    group = "pixel" if _GROUP[op.code] == "image" and scale.size != len(x) else _GROUP[op.code]
    fed = Fed(
        op,
        x.reshape(scale.size, -1),
        values["input_quantized"].reshape(scale.size, -1),
        scale,
        values.get("input_zero_point", np.zeros(scale.size, np.int32)),
        values["filter"],
        group,
        by_name["input_quantized"].stored == "delegate",
    )
    checks = (*(_NONFINITE if allow_nonfinite else ()), *_OF_INPUT)
    return [text for check in checks if (text := check(fed))]


def _who(fed: Fed, hit: np.ndarray) -> str:
    """The groups that are ``hit``, as the subject of a sentence."""
    first = int(np.argmax(hit))
    if hit.size == 1:
        return "its input"
    if hit.sum() == 1:
        return f"{fed.group} {first} of its input"
    return f"each of {hit.sum()} {fed.group}s of {hit.size}, the first being {first},"


def _tell(fed: Fed, hit: np.ndarray, what: str) -> str:
    """A sentence about the groups that are ``hit``; nothing where there is none."""
    return f"{_who(fed, hit)} {what}" if hit.any() else ""


def _nan(fed: Fed) -> str:
    return _tell(
        fed,
        np.isnan(fed.x).any(axis=1),
        "holds NaN, which has no code: it gets some other value's, and by its position the range "
        "forgets what came before it, is empty, or is NaN itself. The x86 kernels and those of ARM "
        "differ here.",
    )


def _infinity(fed: Fed) -> str:
    return _tell(
        fed,
        np.isinf(fed.x).any(axis=1) & ~np.isfinite(fed.scale),
        "holds infinity, so the scale is infinite: every finite value gets the same code, and the "
        "outputs are NaN or at the ends of float32.",
    )


def _endless_range(fed: Fed) -> str:
    hit = np.isinf(fed.scale)
    hit[hit] = np.isfinite(fed.x[hit]).all(axis=1)
    return _tell(
        fed,
        hit,
        "spans more than float32 can hold, so the scale is infinite, every value gets the same "
        "code, and the outputs are NaN.",
    )


def _no_scale(fed: Fed) -> str:
    if fed.scale.min() >= np.finfo(np.float32).tiny:
        return ""
    with np.errstate(divide="ignore", over="ignore"):
        inverse = (1.0 / fed.scale.astype(np.float64)).astype(np.float32)
    if fed.in_delegate:
        hit, then = fed.scale == 0, "XNNPACK's scale is zero: the output is the bias alone."
    else:
        hit = np.isinf(inverse)
        then = "1/scale overflows float32: its codes, those of zeros too, say nothing of it."
    return _tell(fed, hit, f"spans so little that {then}")


def _lost_to_outliers(fed: Fed) -> str:
    n = fed.codes.shape[1]
    at_zero = _count(fed.codes == fed.zero_point.astype(fed.codes.dtype)[:, None])
    hit = (at_zero > _LOST * n) & np.isfinite(fed.scale)
    share = np.zeros(hit.size)
    for row in np.flatnonzero(hit):  # an input may also be sparse
        nonzero = np.count_nonzero(fed.x[row])
        share[row] = (at_zero[row] - (n - nonzero)) / max(nonzero, 1)
    hit = share > _LOST
    if not hit.any():
        return ""
    return (
        f"{_who(fed, hit)} has outliers that take up the whole range: "
        f"{share.max():.1%} of its nonzero values get the code of zero."
    )


def _count(where: np.ndarray) -> np.ndarray:
    """How many are true in each row."""
    if len(where) == 1:  # NumPy counts without an axis several times faster
        return np.array([np.count_nonzero(where)])
    return where.view(np.int8).sum(axis=1, dtype=np.int32)


def _all_zero(fed: Fed) -> str:
    if (fed.scale == 1).all() and not fed.x.any():
        return "its input is all zero: there is no range to divide, so its scale is 1."
    return ""


def _wrapping_sums(fed: Fed) -> str:
    if fed.op.code == "FULLY_CONNECTED":
        right = fed.weights.T
    elif fed.op.code == "BATCH_MATMUL":
        right = fed.weights.swapaxes(-1, -2) if fed.op.options.get("adj_y") else fed.weights
    else:
        return ""  # would take a window of more than 65,792 values
    depth = right.shape[-2]
    if depth * 255 * 128 < 2**31:
        return ""
    centred = fed.codes.astype(np.float64) - fed.zero_point[:, None]
    sums = centred.reshape(-1, depth) @ right.astype(np.float64)
    if np.abs(sums).max() < 2**31:
        return ""
    return f"a sum of {depth:,} products is past int32, so its accumulator wraps."


def _unproven(op: Operator, values: dict[str, np.ndarray]) -> list[str]:
    """Operators that compute in float32 (not those that move values) are judged on finite ones."""
    read = [v for name, v in values.items() if name.startswith("input") and v.dtype.kind == "f"]
    if op.code in _MOVES or all(_is_finite(v) for v in read):
        return []
    return [
        f"it reads NaN or infinity, and drqsim's {op.code} is proven on finite values only: "
        "compare it with the runtime (drqsim.litert.compare)."
    ]


def _is_finite(x: np.ndarray) -> bool:
    """Whether no value is NaN or infinite; a sum of squares tells in most cases, and is quick."""
    return bool(np.isfinite(np.vdot(x, x)) or np.isfinite(x).all())


_LOST = 0.9
_SHORT_CUT = "its input is all zero: the kernel leaves the product out, the output is the bias."
_SHORT_CUT_NAN = (
    "its input is NaN or zero throughout, and the kernel takes that for all zero: the output is "
    "the bias."
)
# what shares a scale; in XNNPACK's 1x1 convolutions it is a pixel
_GROUP = {
    "BATCH_MATMUL": "row",
    "CONV_2D": "image",
    "DEPTHWISE_CONV_2D": "image",
    "FULLY_CONNECTED": "row",
    "TRANSPOSE_CONV": "image",
}
_MOVES = set(arrange.FUNCTIONS) | set(cut_and_pad.FUNCTIONS)
_NONFINITE = (_nan, _infinity)
_OF_INPUT = (_endless_range, _no_scale, _lost_to_outliers, _all_zero, _wrapping_sums)
