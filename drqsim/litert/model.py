"""A whole model judged twice: every operator fed by the runtime, and from end to end.

Fed with the runtime's own input, an operator that computes with int8 codes gives the runtime's
bits. From end to end that cannot be promised: the float operators in between agree up to their last
bits, and a last bit may move a value across a rounding boundary, so that it gets the next code.
Such a flipped code moves the results by far more than the last bit did. So it is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drqsim import interpreter
from drqsim.errors import InputError
from drqsim.graph import Graph, Operator
from drqsim.litert.comparison import check_kind, difference, fed_alone, same_bits
from drqsim.runtime import RuntimeRun, read_both, run_both
from drqsim.tables import Printed, Printout, Table
from drqsim.trace import Trace, kind_of
from drqsim.verdict import explain, has_codes


@dataclass(frozen=True)
class Judged:
    """One operator of a whole model, judged twice.

    Attributes
    ----------
    operator, arithmetic : str
        Its name, and what it computes in, as in ``drqsim.explain``.
    elements, equal : int
        Of its outputs, fed with the runtime's own input: how many, and how many with the runtime's
        bits. Where that could not be compared, these and all that follow are 0.
    fed : float
        The largest difference there, divided by the range of the runtime's output (zero included).
    codes, flipped : int
        The int8 codes that it makes of what it reads, and how many of them differ between our own
        run and what the runtime's input gives.
    apart : float
        The largest difference of its outputs from end to end, divided by the same range.
    """

    operator: str
    arithmetic: str
    elements: int
    equal: int
    fed: float
    codes: int
    flipped: int
    apart: float

    @property
    def is_hybrid(self) -> bool:
        """True where it computes with codes: then its bits are the runtime's."""
        return has_codes(self.arithmetic)

    @property
    def is_exact(self) -> bool:
        """True where every element has the runtime's bits, fed with the runtime's input."""
        return 0 < self.elements == self.equal


class ModelComparison(Printed):
    """The operators of a model, each judged twice, and the outputs; prints as a table.

    ``ours`` and ``theirs`` are the model's outputs by name, ``notes`` says what could not be
    compared and why; iterating gives the operators.
    """

    def __init__(
        self,
        rows: list[Judged],
        ours: dict[str, np.ndarray],
        theirs: dict[str, np.ndarray],
        notes: list[str],
        kernels: str,
    ):
        self.rows, self.ours, self.theirs = rows, ours, theirs
        self.notes, self.kernels = notes, kernels

    def __iter__(self):
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, operator: str) -> Judged:
        for row in self:
            if row.operator == operator:
                return row
        known = ", ".join(row.operator for row in self)
        raise InputError(f"Nothing was compared of {operator!r}; there is: {known}.")

    @property
    def exact(self) -> bool:
        """True when every hybrid operator gives the runtime's bits, fed with its input."""
        return all(row.is_exact for row in self if row.is_hybrid)

    @property
    def codes(self) -> int:
        """How many int8 codes the hybrid operators make of their inputs."""
        return sum(row.codes for row in self)

    @property
    def flipped(self) -> int:
        """How many of them differ from end to end."""
        return sum(row.flipped for row in self)

    @property
    def difference(self) -> float:
        """The largest difference of an output from end to end."""
        return max(difference(self.ours[name], real) for name, real in self.theirs.items())

    @property
    def relative_difference(self) -> float:
        """The same, divided by the range of the output (zero included)."""
        return max(relative(self.ours[name], real) for name, real in self.theirs.items())

    def cells(self) -> list[tuple[str, ...]]:
        """One row of text, under ``HEADER``, for each operator."""
        return [
            (
                row.operator,
                row.arithmetic,
                f"{row.elements:,}" if row.elements else "-",
                f"{row.equal:,}" if row.elements else "-",
                f"{row.fed:.2g}" if row.elements else "-",
                f"{row.codes:,}" if row.codes else "-",
                f"{row.flipped:,}" if row.codes else "-",
                f"{row.apart:.2g}" if row.elements else "-",
            )
            for row in self
        ]

    def summary(self) -> list[str]:
        """Sentences on the whole, and the notes."""
        hybrid = [row for row in self if row.is_hybrid]
        exact = sum(row.is_exact for row in hybrid)
        of_hybrid = [
            f"Fed with the runtime's own input, {exact} of {len(hybrid)} hybrid operators give its "
            "bits in every element.",
            f"From end to end {self.flipped:,} of {self.codes:,} codes are flipped.",
        ]
        apart, relative = f"{self.difference:.2g}", f"{self.relative_difference:.2g}"
        of_range = f", {relative} of its range" * (relative != apart)  # the range may be 1
        return [
            *(of_hybrid if hybrid else ["No operator has a hybrid kernel: all is float32."]),
            f"The output is {apart} apart from end to end{of_range}.",
            *self.notes,
        ]

    def _printed(self) -> Printout:
        return Printout([Table(HEADER, self.cells(), right=_RIGHT)], self.summary())


HEADER = ("operator", "arithmetic", "elements", "equal", "fed", "codes", "flipped", "end to end")
_RIGHT = tuple(range(2, len(HEADER)))


def compare_model(
    model: Graph | bytes | str | Path,
    x: np.ndarray | dict[str, np.ndarray],
    kernels: str = "optimized",
    allow_nonfinite: bool = False,
) -> ModelComparison:
    """A whole model against the runtime: operator by operator, and from end to end.

    Parameters
    ----------
    model : Graph, bytes or path
    x : array, or dict of arrays by input name
    kernels : {"optimized", "reference", "xnnpack"}
    allow_nonfinite : bool
        Whether NaN and infinity may be fed, as for ``run``.

    Returns
    -------
    ModelComparison
        For each operator: how many elements of its output are equal when it is fed with the
        runtime's own input, how many int8 codes are flipped from end to end, and how far its output
        is apart, in parts of its range. ``compare`` goes deeper into single operators: it reads
        their scratch too.

    Raises
    ------
    UnsupportedOperatorError
        When drqsim cannot run the model as a whole.
    ModelFileError
        When the runtime refuses it.

    Notes
    -----
    The runtime is told to keep every tensor. On ``xnnpack`` the delegate then takes each operator
    as a partition of its own, so that what every operator reads and writes can be read; what it
    does inside cannot. The codes that the runtime makes of an input are taken to be ours of the
    same input: the bits of the output say so.
    """
    graph, content = read_both(model)
    ours, trace = interpreter.run(graph, x, kernels, _KEPT, allow_nonfinite)
    whole = run_both(graph, content, x, kernels, allow_nonfinite)
    verdicts = explain(graph, kernels)
    left_out: dict[str, list[str]] = {}
    rows = []
    for op in graph.operators:
        judged, why = _fed(graph, op, trace, whole, allow_nonfinite)
        if why:
            left_out.setdefault(why, []).append(op.name)
        rows.append(_row(op, verdicts[op.name].arithmetic, trace, judged, whole))
    notes = [f"{', '.join(names)}: not compared, {why}" for why, names in left_out.items()]
    if kernels == "xnnpack":
        notes.append(
            "On the default path XNNPACK's codes cannot be read: of the operators that it takes, "
            "inputs and outputs are compared."
        )
    return ModelComparison(rows, ours, whole.outputs, notes, kernels)


_KEPT = ("*/output*", "*_quantized*")


def _fed(
    graph: Graph, op: Operator, ours: Trace, whole: RuntimeRun, allow_nonfinite: bool
) -> tuple[Trace | None, str]:
    """What the operator alone makes of the runtime's own input; else None, and why not."""
    source = graph.tensor_of(op, 0)
    if whole.kernels == "xnnpack" and op.code == "DEQUANTIZE" and source.value is not None:
        return None, "XNNPACK unpacks constants for itself and leaves their tensor unwritten."
    alone, values = fed_alone(graph, op.name, whole, ours.states.get(op.name, {}))
    theirs = [whole.tensors[i].value for i in op.outputs]
    if any(value is None for value in (*values.values(), *theirs)):
        return None, "the runtime hides what it reads or writes."
    try:
        return interpreter.run(alone, values, whole.kernels, _KEPT, allow_nonfinite)[1], ""
    except InputError as error:
        return None, f"the runtime fed it such values: {error}"


def _row(op: Operator, arithmetic: str, ours: Trace, judged: Trace | None, whole) -> Judged:
    if judged is None:
        return Judged(op.name, arithmetic, 0, 0, 0.0, 0, 0, 0.0)
    codes = _codes(ours, op.name)
    theirs = [whole.tensors[i].value for i in op.outputs]
    fed = list(zip(_outputs(judged, op.name), theirs, strict=True))
    through = list(zip(_outputs(ours, op.name), theirs, strict=True))
    for pair in (*fed, *through):
        check_kind(op.name, *pair)
    return Judged(
        op.name,
        arithmetic,
        elements=sum(real.size for real in theirs),
        equal=sum(int(same_bits(*pair).sum()) for pair in fed),
        fed=max(relative(*pair) for pair in fed),
        codes=codes.size,
        flipped=int(np.sum(codes != _codes(judged, op.name))),
        apart=max(relative(*pair) for pair in through),
    )


def _outputs(trace: Trace, name: str) -> list[np.ndarray]:
    return [record.value for record in trace.op(name) if kind_of(record.name) == "output"]


def _codes(trace: Trace, name: str) -> np.ndarray:
    """All int8 codes that an operator makes at run time, in one row."""
    made = [r.value.ravel() for r in trace.op(name) if r.name.endswith("_quantized")]
    return np.concatenate(made) if made else np.zeros(0, np.int8)


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, divided by the range of ``theirs``, zero included."""
    wide = theirs.astype(np.float64)
    span = wide.max(initial=0) - wide.min(initial=0)
    with np.errstate(invalid="ignore"):  # infinite values on both sides
        return difference(ours, theirs) / (span or 1.0)
