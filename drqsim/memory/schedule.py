"""What the runtime executes, one step after the other: operators, or parts handed to a delegate."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from drqsim.graph import Graph, Operator


@dataclass(frozen=True, eq=False)
class Step:
    """One operator, or all the operators of one partition of the delegate."""

    name: str
    operators: tuple[Operator, ...]
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    is_delegated: bool = False


def builtin_steps(graph: Graph) -> list[Step]:
    """Without a delegate every operator is a step."""
    return [_alone(op) for op in graph.operators]


def delegated_steps(graph: Graph, taken: Collection[str], apart: bool) -> list[Step]:
    """The steps when the delegate takes the operators named in ``taken``.

    The runtime walks over the graph and puts into one part all operators that can run by then and
    are of one sort, taken or not; the first that is ready decides which sort. So operators may
    change places. ``apart`` makes a part of every operator, which is what preserving all tensors
    does (``tflite/graph_info.cc``, ``PartitionGraphIntoIndependentNodeSubsets``).
    """
    missing = {i for op in graph.operators for i in op.outputs}
    left, parts = list(graph.operators), []
    while left:
        part: list[Operator] = []
        found = True
        while found and not (apart and part):
            found = False
            for op in list(left):
                ready = missing.isdisjoint(op.inputs)
                if ready and (not part or (op.name in taken) == (part[0].name in taken)):
                    part.append(op)
                    left.remove(op)
                    missing -= set(op.outputs)
                    found = True
                    if apart:
                        break
        if not part:
            break  # what is left reads what nobody writes
        parts.append(part)
    steps: list[Step] = []
    for part in parts:
        if part[0].name in taken:
            number = sum(step.is_delegated for step in steps)
            steps.append(_delegate(graph, part, f"delegate_{number}"))
        else:
            steps += map(_alone, part)
    return steps


def _alone(op: Operator) -> Step:
    reads, writes = (tuple(i for i in side if i >= 0) for side in (op.inputs, op.outputs))
    return Step(op.name, (op,), reads, writes)


def _delegate(graph: Graph, part: list[Operator], name: str) -> Step:
    inside = {i for op in part for i in op.outputs}
    reads = {i for op in part for i in op.inputs if i >= 0} - inside
    outside = set(graph.outputs)
    for op in graph.operators:
        if op not in part:
            outside |= set(op.inputs)
    return Step(name, tuple(part), tuple(sorted(reads)), tuple(sorted(inside & outside)), True)
