"""A whole model judged twice: every operator fed by the runtime, and from end to end.

Fed with the runtime's own input, an operator that computes with int8 codes gives the runtime's
bits, and so do the others, but for those that ``litert.bounds`` names. From end to end that holds
as long as none of these is on the way: a last bit may move a value across a rounding boundary, so
that it gets the next code. Such a flipped code moves the results by far more than the last bit did.
So it is counted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from drqsim import interpreter
from drqsim import processor as processors
from drqsim.across_processors.differences import centred, flipped
from drqsim.arithmetic.apart import relative, same_bits
from drqsim.errors import InputError
from drqsim.graph import Graph, Operator
from drqsim.litert.bounds import Fed, bound_of
from drqsim.litert.comparison import fed_alone, values_of
from drqsim.litert.equality import check_kind, part_of_bound
from drqsim.litert.judged import Judged, ModelComparison
from drqsim.ops.fed import inputs_by_index
from drqsim.runtime import RuntimeRun, read_both, run_both
from drqsim.trace import Trace, kind_of
from drqsim.verdict import explain


@processors.using("native")
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
    keeps inside is in no tensor (``find_in_memory`` looks for it). The codes that the runtime makes
    of an input are taken to be ours of the same input: the bits of the output say so.
    """
    graph, content = read_both(model)
    ours, trace = interpreter.run(graph, x, kernels, _KEPT, allow_nonfinite, float_order="exact")
    whole = run_both(graph, content, x, kernels, allow_nonfinite)
    verdicts = explain(graph, kernels)
    known = values_of(graph, x, trace)
    left_out: dict[str, list[str]] = {}
    rows = []
    for op in graph.operators:
        judged = _fed(graph, op, trace, known, whole, allow_nonfinite)
        if isinstance(judged, str):
            left_out.setdefault(judged, []).append(op.name)
        rows.append(_row(op, verdicts[op.name].arithmetic, trace, judged, whole))
    notes = [f"{', '.join(names)}: not compared, {why}" for why, names in left_out.items()]
    if kernels == "xnnpack":
        notes.append(
            "On the default path no tensor holds XNNPACK's codes: of the operators that it takes, "
            "inputs and outputs are compared."
        )
    after = _after(graph, {row.operator for row in rows if not row.is_exact})
    for name, real in whole.outputs.items():
        check_kind(name, ours[name], real)
    return ModelComparison(rows, ours, whole.outputs, notes, kernels, after)


def _after(graph: Graph, inexact: set[str]) -> dict[str, tuple[str, ...]]:
    """For each output the operators on the way to it that are in ``inexact``, in order."""
    before: dict[int, set[str]] = {}
    for op in graph.operators:
        found = set().union(*(before.get(index, set()) for index in op.inputs))
        states = (i for i in op.inputs if i >= 0 and graph.tensors[i].is_variable)
        before |= dict.fromkeys((*op.outputs, *states), found | ({op.name} & inexact))
    order = [op.name for op in graph.operators]
    return {
        name: tuple(sorted(before.get(index, ()), key=order.index))
        for name, index in zip(graph.output_names, graph.outputs, strict=True)
    }


_KEPT = ("*/output*", "*_quantized", "*_zero_point")


def _fed(
    graph: Graph,
    op: Operator,
    ours: Trace,
    known: dict[int, np.ndarray],
    whole: RuntimeRun,
    allow_nonfinite: bool,
) -> tuple[Graph, dict, Trace] | str:
    """The operator alone, the runtime's own input, what it makes of it; or why there is none.

    Where our own run, whose values by tensor index are ``known``, read the same bits, that is what
    it made then.
    """
    source = graph.tensor_of(op, 0)
    if whole.kernels == "xnnpack" and op.code == "DEQUANTIZE" and source.value is not None:
        return "XNNPACK unpacks constants for itself and leaves their tensor unwritten."
    alone, values = fed_alone(graph, op.name, whole, ours.states.get(op.name, {}))
    theirs = [whole.tensors[i].value for i in op.outputs]
    if any(value is None for value in (*values.values(), *theirs)):
        return "the runtime hides what it reads or writes."
    if len(alone.operators) == 1 and _read_the_same(graph, op, known, whole):
        return alone, inputs_by_index(alone, values, allow_nonfinite=True), ours
    try:
        trace = interpreter.run(
            alone, values, whole.kernels, _KEPT, allow_nonfinite, float_order="exact"
        )[1]
    except InputError as error:
        return f"the runtime fed it such values: {error}"
    return alone, values_of(alone, values, trace), trace


def _read_the_same(graph: Graph, op: Operator, known: dict, whole: RuntimeRun) -> bool:
    """Whether both runs gave the operator the same bits; its states are ours anyway."""
    read = (i for i in op.inputs if i >= 0 and graph.tensors[i].is_fed)
    return all(i in known and _are_one(known[i], whole.tensors[i].value) for i in read)


def _are_one(a: np.ndarray, b: np.ndarray) -> bool:
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def _row(op: Operator, arithmetic: str, ours: Trace, judged, whole: RuntimeRun) -> Judged:
    if isinstance(judged, str):
        return Judged(op.name, arithmetic, 0, 0, 0.0, 0, 0, 0.0)
    alone, read, trace = judged
    codes = centred(ours, op.name)
    theirs = [whole.tensors[i].value for i in op.outputs]
    fed = list(zip(_outputs(trace, op.name), theirs, strict=True))
    through = list(zip(_outputs(ours, op.name), theirs, strict=True))
    for pair in (*fed, *through):
        check_kind(op.name, *pair)
    single = alone.operators[-1]
    bound = bound_of(alone, single, whole.kernels)
    return Judged(
        op.name,
        arithmetic,
        elements=sum(real.size for real in theirs),
        equal=sum(int(same_bits(*pair).sum()) for pair in fed),
        fed=max(relative(*pair) for pair in fed),
        codes=sum(each.size for each in codes.values()),
        flipped=flipped(codes, centred(trace, op.name)),
        apart=max(relative(*pair) for pair in through),
        bound=bound.of if bound else "",
        of_bound=max(
            part_of_bound(bound, Fed(alone, single, read, mine), real) for mine, real in fed
        ),
    )


def _outputs(trace: Trace, name: str) -> list[np.ndarray]:
    return [record.value for record in trace.op(name) if kind_of(record.name) == "output"]
