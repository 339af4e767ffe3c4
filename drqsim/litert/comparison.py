"""Our trace held against the runtime's memory, operator by operator, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from drqsim import interpreter, ops
from drqsim.errors import (
    DrqsimError,
    InputError,
    ModelFileError,
    UnsupportedOperatorError,
)
from drqsim.graph import Graph
from drqsim.litert.scratch import readable
from drqsim.runtime import RuntimeRun, read_both, run, run_both, version
from drqsim.tables import Printed, Printout, Table
from drqsim.trace import numbered


@dataclass(frozen=True)
class Row:
    """One tensor held against the runtime's: how many elements, how many with the same bits."""

    operator: str
    tensor: str
    elements: int
    equal: int
    largest_difference: float  # of whole numbers an int


class Comparison(Printed):
    """The rows of a comparison, and in ``notes`` what could not be compared and why."""

    def __init__(self, rows: list[Row], notes: list[str], kernels: str):
        self.rows, self.notes, self.kernels = rows, notes, kernels

    @property
    def exact(self) -> bool:
        """True when every element of every compared tensor has the runtime's bits."""
        return bool(self.rows) and all(row.equal == row.elements for row in self.rows)

    def _printed(self) -> Printout:
        alone = len({row.operator for row in self.rows}) == 1
        cells = [
            (
                r.tensor if alone else f"{r.operator}/{r.tensor}",
                f"{r.elements:,}",
                f"{r.equal:,}",
                _in_full(r.largest_difference),
            )
            for r in self.rows
        ]
        return Printout([Table(_HEADER, cells, right=(1, 2, 3))], self.notes)


def _in_full(apart: float) -> str:
    return f"{apart:,}" if isinstance(apart, int) else f"{apart:.3g}"


_HEADER = ("tensor", "elements", "equal", "largest difference")


def compare(
    model: Graph | bytes | str | Path,
    x: np.ndarray | dict[str, np.ndarray],
    kernels: str = "optimized",
    allow_nonfinite: bool = False,
) -> Comparison:
    """Our trace against the runtime's own memory, tensor by tensor, bit for bit.

    Every operator that drqsim simulates is judged alone, fed with the input that the runtime itself
    gave it, so that a difference in one operator cannot hide in or leak into the next.

    Parameters
    ----------
    model : Graph, bytes or path
        One operator or a whole model.
    x : array, or dict of arrays by input name
    kernels : {"optimized", "reference", "xnnpack"}
        On ``xnnpack`` scratch cannot be read: outputs are compared, and a note says so.
    allow_nonfinite : bool
        Feed both sides NaN and infinity too. A NaN then equals any NaN: its bits say which
        instruction made it, and carry no value.

    Returns
    -------
    Comparison
        Rows (operator, tensor, elements, equal, largest difference) and notes.
    """
    graph, content = read_both(model)
    whole = run_both(graph, content, x, kernels, allow_nonfinite)
    states = _states(graph, x, kernels, allow_nonfinite)
    rows: list[Row] = []
    notes: list[str] = []
    for op in graph.operators:
        if op.code not in ops.TABLE:
            notes.append(f"{op.name}: not compared, drqsim does not simulate {op.code}.")
            continue
        alone, fed = fed_alone(graph, op.name, whole, states.get(op.name, {}))
        if any(value is None for value in fed.values()):
            notes.append(f"{op.name}: not compared, the runtime hides its input.")
            continue
        try:
            _, trace = interpreter.run(alone, fed, kernels, allow_nonfinite=allow_nonfinite)
        except InputError as error:
            notes.append(f"{op.name}: not compared, the runtime fed it such values: {error}")
            continue
        except UnsupportedOperatorError as error:
            notes.append(f"{op.name}: not compared, drqsim does not simulate this form: {error}")
            continue
        try:
            real = run(alone, fed, kernels, allow_nonfinite)
        except ModelFileError as error:  # XNNPACK fails on a DEQUANTIZE of a constant alone
            notes.append(f"{op.name}: not compared alone: {error}")
            continue
        for tensor, ours, theirs in readable(trace, alone.operators[-1], real):
            rows.append(_row(op.name, tensor, ours, theirs))
        if len(graph.operators) > 1:
            for name, index in zip(numbered("output"), op.outputs, strict=False):
                theirs = whole.tensors[index].value
                if theirs is not None:
                    ours = trace[f"{op.name}/{name}"].value
                    rows.append(_row(op.name, f"{name} in the whole model", ours, theirs))
    if kernels == "xnnpack":
        notes.append(
            "On the default path XNNPACK keeps its scratch to itself: of the operators that it "
            "takes, only outputs are compared."
        )
    return Comparison(rows, notes, kernels)


def fed_alone(
    graph: Graph, name: str, whole: RuntimeRun, states: Mapping[int, np.ndarray]
) -> tuple[Graph, dict[str, np.ndarray]]:
    """The operator alone, and what the runtime gave it; a dynamic shape becomes the one it had.

    ``states`` are those of a trace: the runtime keeps only what the last operator left in them.
    """
    alone = graph.extract(name)
    tensors, fed = list(alone.tensors), {}
    place = {id(tensor): i for i, tensor in enumerate(graph.tensors)}
    for inner, name in alone.fed_names.items():
        outer = place[id(tensors[inner])]
        if inner in alone.inputs:
            real = whole.tensors[outer]
            tensors[inner] = replace(tensors[inner], shape=real.shape, signature=None)
            fed[name] = real.value
        elif outer in states:
            fed[name] = states[outer]
    return replace(alone, tensors=tuple(tensors)), fed


def _states(graph: Graph, x, kernels: str, allow_nonfinite: bool) -> Mapping[str, Mapping]:
    """What every operator's states hold when it begins."""
    if not any(tensor.is_variable for tensor in graph.tensors):
        return {}
    _, trace = interpreter.run(graph, x, kernels, "shapes", allow_nonfinite)
    return trace.states


def _row(operator: str, tensor: str, ours: np.ndarray, theirs: np.ndarray) -> Row:
    check_kind(f"{operator}/{tensor}", ours, theirs)
    equal = int(same_bits(ours, theirs).sum())
    apart = difference(ours, theirs)
    return Row(operator, tensor, ours.size, equal, int(apart) if ours.dtype.kind in "iu" else apart)


def check_kind(who: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Refuse to compare tensors of different shape or type."""
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        raise DrqsimError(
            f"{who} is {ours.dtype}{list(ours.shape)} here and "
            f"{theirs.dtype}{list(theirs.shape)} in the runtime {version()}; drqsim is proven "
            "against the version pinned in requirements.txt."
        )


def same_bits(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Which elements have the same bits; any NaN equals any other, as their payloads differ."""
    bits = np.dtype(f"u{ours.dtype.itemsize}")
    equal = np.ascontiguousarray(ours).view(bits) == np.ascontiguousarray(theirs).view(bits)
    return equal | (ours != ours) & (theirs != theirs)  # NaN


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference of two elements; none where their bits are the same."""
    with np.errstate(invalid="ignore"):  # infinity minus infinity, in a model that overflows
        apart = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    return float(np.where(same_bits(ours, theirs), 0, apart).max(initial=0))
