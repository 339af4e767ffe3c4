"""What the runtime executes, one step after the other: operators, or parts handed to a delegate."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from heapq import heappop, heappush

from drqsim.graph import Graph, Operator

# Subgraph::OpMightHaveSideEffect in tflite/core/subgraph.cc; those on resources are there too
WITH_SIDE_EFFECTS = ("CALL_ONCE", "IF", "WHILE")


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

    The runtime walks over the graph, again and again, and puts into one part all operators that can
    run by then and are of one sort, taken or not; the first that is ready decides which sort. So
    operators may change places. ``apart`` makes a part of every operator, which is what preserving
    all tensors does (``tflite/graph_info.cc``, ``PartitionGraphIntoIndependentNodeSubsets``).
    """
    parts = _parts(graph, taken, apart)
    readers: dict[int, set[int]] = {i: {len(parts)} for i in graph.outputs}
    for number, part in enumerate(parts):
        for index in {i for op in part for i in op.inputs}:
            readers.setdefault(index, set()).add(number)
    steps: list[Step] = []
    delegates = 0
    for number, part in enumerate(parts):
        if part[0].name not in taken:
            steps += map(_alone, part)
            continue
        outside = {i for op in part for i in op.outputs if readers.get(i, set()) - {number}}
        steps.append(_delegate(part, f"delegate_{delegates}", outside))
        delegates += 1
    return steps


def _parts(graph: Graph, taken: Collection[str], apart: bool) -> list[list[Operator]]:
    operators = graph.operators
    taken = [op.name in taken for op in operators]
    waits, frees = _dependencies(operators)
    # by sort: the operators that can run, in the file's order
    ready = {
        sort: [i for i, n in enumerate(waits) if not n and taken[i] == sort] for sort in (0, 1)
    }
    parts: list[list[Operator]] = []
    while any(ready.values()):
        sort = min((heap[0], sort) for sort, heap in ready.items() if heap)[1]
        part: list[Operator] = []
        again: list[int] = []  # what this walk over the graph has passed already
        while ready[sort] and not (apart and part):
            at = heappop(ready[sort])
            part.append(operators[at])
            for freed in frees.pop(at, ()):
                waits[freed] -= 1
                if not waits[freed]:
                    missed = taken[freed] == sort and freed < at
                    heappush(again if missed else ready[taken[freed]], freed)
            if not ready[sort]:
                ready[sort], again = again, []
        ready[sort] = sorted(ready[sort] + again)
        parts.append(part)
    return parts


def _dependencies(operators: tuple[Operator, ...]) -> tuple[list[int], dict[int, list[int]]]:
    """For how many things each operator waits, and which operators wait for it.

    Operators that change something besides their outputs keep their order.
    """
    writer: dict[int, int] = {}
    for at, op in enumerate(operators):
        for index in op.outputs:
            writer.setdefault(index, at)
    waits: list[int] = []
    frees: dict[int, list[int]] = {}
    last = None
    for at, op in enumerate(operators):
        awaited = [writer[i] for i in set(op.inputs) if i in writer]
        if op.code in WITH_SIDE_EFFECTS:
            awaited += [] if last is None else [last]
            last = at
        waits.append(len(awaited))
        for earlier in awaited:
            frees.setdefault(earlier, []).append(at)
    return waits, frees


def _delegate(part: list[Operator], name: str, writes: set[int]) -> Step:
    inside = {i for op in part for i in op.outputs}
    reads = {i for op in part for i in op.inputs if i >= 0} - inside
    return Step(name, tuple(part), tuple(sorted(reads)), tuple(sorted(writes)), True)


def _alone(op: Operator) -> Step:
    reads, writes = (tuple(i for i in side if i >= 0) for side in (op.inputs, op.outputs))
    return Step(op.name, (op,), reads, writes)
