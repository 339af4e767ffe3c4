"""``compare_processors``: a model on two processors, operator by operator and from end to end.

An operator that rounds in another order gives other last bits; the operators after it read them.
So each is judged twice: on the second processor fed with the values of the first, where only its
own kernel can differ, and through the whole model, where everything before it can. There a last bit
may carry a value over a rounding boundary: it gets the next code, which moves results by far more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from drqsim import processor as processors
from drqsim.across_processors.found import Flip, ProcessorComparison, Row
from drqsim.arithmetic.apart import relative, same_bits
from drqsim.errors import InputError, UnsupportedOperatorError
from drqsim.graph import Graph, Operator, expect_graph
from drqsim.interpreter import run
from drqsim.kernels import checked
from drqsim.limits import shared_by
from drqsim.ops.fed import inputs_by_index
from drqsim.trace import Trace, kind_of
from drqsim.verdict import Verdict, explain

USUAL = ("x86-64", "arm64-dotprod")
MOST_FLIPS = 1000  # of an operator, that are told one by one
_KEPT = ("*/output*", "*_quantized", "*_zero_point")


@shared_by(3)
def compare_processors(
    graph: Graph,
    x: np.ndarray | dict[str, np.ndarray],
    kernels: str = "xnnpack",
    processors: Sequence[str] = USUAL,
    allow_nonfinite: bool = False,
) -> ProcessorComparison:
    """What the same model computes on two processors, and where they part.

    Parameters
    ----------
    graph : Graph
    x : array, or dict of arrays by input name
        As for ``run``.
    kernels : {"xnnpack", "optimized", "reference"}
    processors : pair of str
        Names of ``drqsim.processor``'s table, or ``native``.
    allow_nonfinite : bool
        Whether NaN and infinity may be fed, as for ``run``.

    Returns
    -------
    ProcessorComparison
        A ``Row`` for each operator, the outputs on both processors; prints as a table.

    Raises
    ------
    InputError
        When an argument does not fit.
    UnsupportedOperatorError
        When drqsim cannot run the model as a whole, or an operator reads what is written over.

    Notes
    -----
    Both sides are drqsim's own. ``drqsim.litert.compare_model`` holds this machine's processor
    against the runtime itself.
    """
    expect_graph(graph)
    first, second = _pair(processors)
    checked(kernels)
    _expect_one_writer(graph)
    how = (kernels, _KEPT, allow_nonfinite)
    outputs, here = run(graph, x, *how, processor=first, float_order="exact")
    others, there = run(graph, x, *how, processor=second, float_order="exact")
    given = inputs_by_index(graph, x, allow_nonfinite) | _made(here)
    told = [explain(graph, kernels, name) for name in (first, second)]
    rows, makers = [], set(graph.makers)
    for op in graph.operators:
        parted = there  # what reads constants alone reads the same there; XNNPACK runs it not alone
        if op not in makers:
            alone, fed = _alone(graph, op, given, here)
            parted = run(alone, fed, *how, processor=second, float_order="exact")[1]
        rows.append(_row(op, [each[op.name] for each in told], here, parted, there))
    names = here.processor, there.processor
    return ProcessorComparison(rows, kernels, names, outputs, others)


def _pair(names: Sequence[str]) -> tuple[str, str]:
    if not isinstance(names, (tuple, list)) or len(names) != 2:
        raise InputError(f"processors is {names!r}; expected two names, such as {USUAL}.")
    first, second = names
    for name in (first, second):
        processors.of(name)
    return first, second


def _expect_one_writer(graph: Graph) -> None:
    """What an operator read is there after the run only where nobody writes over it."""
    writers = Counter(index for op in graph.operators for index in op.outputs)
    writers.update(set(graph.inputs))
    for op in graph.operators:
        written = set(op.outputs)
        for index in set(op.inputs) - {-1}:
            if writers[index] > 1 or index in written:
                raise UnsupportedOperatorError(
                    f"{op.name} reads tensor {index}, which is written over in the same run; "
                    "processors are compared where one operator writes each tensor."
                )


def _made(trace: Trace) -> dict[int, np.ndarray]:
    """What the operators wrote, by tensor index."""
    return {r.tensor_index: r.value for r in trace if kind_of(r.name) == "output"}


def _alone(graph: Graph, op: Operator, given: dict, trace: Trace) -> tuple[Graph, dict]:
    """The operator alone, and what it read in the trace's run, by the names of its inputs."""
    alone = graph.extract(op.name)
    place = {id(tensor): index for index, tensor in enumerate(graph.tensors)}
    given = given | dict(trace.states.get(op.name, {}))
    tensors, fed = list(alone.tensors), {}
    for inner, name in alone.fed_names.items():
        outer = place[id(alone.tensors[inner])]
        if outer in given:
            fed[name] = given[outer]
            tensors[inner] = replace(tensors[inner], shape=given[outer].shape, signature=None)
    return replace(alone, tensors=tuple(tensors)), fed


def _row(op: Operator, told: list[Verdict], here: Trace, parted: Trace, there: Trace) -> Row:
    """One operator: here, on the other processor with the same values, and in its whole run."""
    ours, same, whole = (_outputs(trace, op.name) for trace in (here, parted, there))
    codes, fed, through = (centred(trace, op.name) for trace in (here, parted, there))
    return Row(
        op.name,
        told[0].arithmetic,
        (told[0].family, told[1].family),
        (_code_type(here, op.name), _code_type(there, op.name)),
        elements=sum(each.size for each in ours),
        equal=_equal(ours, same),
        apart=_apart(ours, same),
        codes=sum(each.size for each in codes.values()),
        flips=tuple(_flips(codes, fed)),
        flipped=flipped(codes, fed),
        equal_through=_equal(ours, whole),
        apart_through=_apart(ours, whole),
        flipped_through=flipped(codes, through),
    )


def _outputs(trace: Trace, name: str) -> list[np.ndarray]:
    return [record.value for record in trace.op(name) if kind_of(record.name) == "output"]


def centred(trace: Trace, name: str) -> dict[str, np.ndarray]:
    """``code - zero point`` of every input that an operator quantizes: 0 stands for 0.0."""
    values = {record.name: record.value for record in trace.op(name)}
    found = {}
    for record, codes in values.items():
        if record.endswith("_quantized"):
            zero_point = values.get(f"{record.removesuffix('_quantized')}_zero_point")
            zero_point = np.zeros(1, np.int32) if zero_point is None else zero_point
            rows = codes.reshape(zero_point.size, -1).astype(np.int32)
            found[record] = (rows - zero_point.reshape(-1, 1)).reshape(codes.shape)
    return found


def _code_type(trace: Trace, name: str) -> str:
    """The type of its codes; empty where it makes none."""
    types = [str(r.dtype) for r in trace.op(name) if r.name.endswith("_quantized")]
    return types[0] if types else ""


def _equal(ours: list[np.ndarray], theirs: list[np.ndarray]) -> int:
    pairs = zip(ours, theirs, strict=True)
    return sum(int(same_bits(*pair).sum()) for pair in pairs)


def _apart(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    pairs = zip(theirs, ours, strict=True)
    return max((relative(*pair) for pair in pairs), default=0.0)


def flipped(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> int:
    """How many codes stand for other numbers of steps."""
    return sum(int((ours != theirs).sum()) for _, ours, theirs in _in_pairs(ours, theirs))


def _flips(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> list[Flip]:
    """The first codes that differ, each with its place."""
    found = [
        Flip(name, tuple(map(int, at)), int(first[tuple(at)]), int(second[tuple(at)]))
        for name, first, second in _in_pairs(ours, theirs)
        for at in np.argwhere(first != second)[:MOST_FLIPS]
    ]
    return found[:MOST_FLIPS]


def _in_pairs(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]):
    """Each record's codes on both sides; a kernel that makes none has read zeros only."""
    for name in ours | theirs:
        there = (side.get(name) for side in (ours, theirs))
        shape = next(each.shape for each in (ours.get(name), theirs.get(name)) if each is not None)
        yield name, *(np.zeros(shape, np.int32) if each is None else each for each in there)
