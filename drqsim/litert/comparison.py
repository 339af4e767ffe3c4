"""Our trace held against the runtime's memory, operator by operator, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from drqsim import interpreter, ops
from drqsim import processor as processors
from drqsim.arithmetic.apart import difference, same_bits
from drqsim.errors import InputError, ModelFileError, UnsupportedOperatorError
from drqsim.graph import Graph, Operator
from drqsim.litert.bounds import Bound, Fed, bound_of
from drqsim.litert.equality import (
    EQUAL,
    check_kind,
    part_of_bound,
    verdict_of,
)
from drqsim.litert.scratch import readable
from drqsim.ops.fed import inputs_by_index
from drqsim.runtime import RuntimeRun, read_both, run, run_both
from drqsim.tables import Printed, Printout, Table
from drqsim.trace import Trace, kind_of, numbered


@dataclass(frozen=True)
class Row:
    """One tensor held against the runtime's.

    Attributes
    ----------
    operator, tensor : str
    elements, equal : int
        How many elements, and how many with the same bits.
    largest_difference : float
        Of whole numbers an int.
    bound : str
        ``"sum"`` or ``"function"``: what allows a float operator to differ; empty where nothing
        does. ``drqsim.litert.bounds`` says how far.
    of_bound : float
        The largest difference, in parts of what the bound allows at its element.
    """

    operator: str
    tensor: str
    elements: int
    equal: int
    largest_difference: float
    bound: str = ""
    of_bound: float = 0.0

    @property
    def verdict(self) -> str:
        """``"equal"``, ``"within the bound of the sum"`` or ``"of the function"``, or else
        ``"different"``.
        """
        return verdict_of(self)


class Comparison(Printed):
    """The rows of a comparison, and in ``notes`` what could not be compared and why.

    ``left_out`` holds the operators of which nothing was compared, each with the reason.
    """

    def __init__(
        self,
        rows: list[Row],
        notes: list[str],
        kernels: str,
        left_out: dict[str, str] | None = None,
    ):
        self.rows, self.notes, self.kernels = rows, notes, kernels
        self.left_out = left_out or {}

    @property
    def exact(self) -> bool:
        """True when every element of every compared tensor has the runtime's bits."""
        return bool(self.rows) and all(row.verdict == EQUAL for row in self.rows)

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


@processors.using("native")
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
        On ``xnnpack`` scratch is in no tensor: outputs are compared, and a note says so.
        ``find_in_memory`` looks for it in the memory of the process.
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
    left_out: dict[str, str] = {}
    for op in graph.operators:
        try:
            rows += _compare_one(graph, op, whole, states.get(op.name, {}), allow_nonfinite)
        except _LeftOut as error:
            left_out[op.name] = str(error)
    notes = [f"{name}: not compared, {why}" for name, why in left_out.items()]
    if kernels == "xnnpack":
        notes.append(
            "On the default path no tensor holds XNNPACK's scratch: of the operators that it "
            "takes, only outputs are compared."
        )
    return Comparison(rows, notes, kernels, left_out)


class _LeftOut(Exception):
    """Why an operator cannot be compared."""


def _compare_one(
    graph: Graph, op: Operator, whole: RuntimeRun, states: Mapping, allow_nonfinite: bool
) -> list[Row]:
    """The rows of one operator: its scratch when it runs alone, its outputs in the whole model."""
    if op.code not in ops.TABLE:
        raise _LeftOut(f"drqsim does not simulate {op.code}.")
    alone, fed = fed_alone(graph, op.name, whole, states)
    if any(value is None for value in fed.values()):
        raise _LeftOut("the runtime hides its input.")
    try:
        _, trace = interpreter.run(
            alone, fed, whole.kernels, allow_nonfinite=allow_nonfinite, float_order="exact"
        )
        real = run(alone, fed, whole.kernels, allow_nonfinite)
    except InputError as error:
        raise _LeftOut(f"the runtime fed it such values: {error}") from None
    except UnsupportedOperatorError as error:
        raise _LeftOut(f"drqsim does not simulate this form: {error}") from None
    except ModelFileError as error:  # XNNPACK fails on a DEQUANTIZE of a constant alone
        raise _LeftOut(f"alone it cannot run: {error}") from None
    single = alone.operators[-1]
    bound, read = bound_of(alone, single, whole.kernels), values_of(alone, fed, trace)
    # an output is compared once: with the model's own, where that can be read
    of_model = {
        name: whole.tensors[index].value
        for name, index in zip(numbered("output"), op.outputs, strict=False)
        if whole.tensors[index].value is not None
    }
    rows = []
    for tensor, ours, theirs in readable(trace, single, real):
        allows = bound if kind_of(tensor) == "output" else None
        made = Fed(alone, single, read, ours)
        rows.append(_row(op.name, tensor, made, of_model.get(tensor, theirs), allows))
    return rows


def values_of(alone: Graph, fed: dict[str, np.ndarray], trace: Trace) -> dict[int, np.ndarray]:
    """What an operator run alone reads at run time, by tensor index."""
    made = {r.tensor_index: r.value for r in trace if kind_of(r.name) == "output"}
    return made | inputs_by_index(alone, fed, allow_nonfinite=True)


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
    try:
        _, trace = interpreter.run(
            graph, x, kernels, "shapes", allow_nonfinite, float_order="exact"
        )
    # then nobody knows, and what can run begins at zero
    except (InputError, UnsupportedOperatorError):
        return {}
    return trace.states


def _row(operator: str, tensor: str, fed: Fed, theirs: np.ndarray, bound: Bound | None) -> Row:
    ours = fed.ours
    check_kind(f"{operator}/{tensor}", ours, theirs)
    apart = difference(ours, theirs)
    return Row(
        operator,
        tensor,
        elements=ours.size,
        equal=int(same_bits(ours, theirs).sum()),
        largest_difference=int(apart) if ours.dtype.kind in "iu" else apart,
        bound=bound.of if bound else "",
        of_bound=part_of_bound(bound, fed, theirs),
    )
