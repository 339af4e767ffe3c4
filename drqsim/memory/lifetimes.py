"""When every tensor is first and last needed, and which ones may use the same bytes.

Source, ai-edge-litert 2.3.0: ``tflite/arena_planner.cc`` (``PlanAllocations``,
``IdentifyInPlaceTensors``, ``InputTensorCanBeShared``).
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from drqsim.graph import Graph
from drqsim.memory.held import Held
from drqsim.memory.schedule import Step

NEVER = 2**31 - 1  # later than every step
SCALAR = 4  # bytes; a tensor no larger is never overwritten in place

# operators whose output is their input under another shape: it may take its place untouched
ALIASES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")
# operators that may write over an input, and which of them
OVERWRITES = {"ADD": 2, "DIV": 2, "MUL": 2, "SOFTMAX": 1, "SUB": 2}


class Lifetimes(NamedTuple):
    """By tensor index: the step that makes it, the last that needs it, whose bytes it uses.

    What lives to the end has the last step ``NEVER``. A root lives as long as every tensor that
    uses its bytes.
    """

    first: dict[int, int]
    last: dict[int, int]
    root: dict[int, int]


def lifetimes(graph: Graph, steps: list[Step], tensors: list[Held], preserve: bool) -> Lifetimes:
    """Plan the lifetimes by counting who still needs a tensor.

    ``tensors`` are as they were when the runtime planned: what an operator of unknown output shape
    hides from it counts with the file's shapes and kinds.
    """
    variables = [i for i, t in enumerate(graph.tensors) if t.is_variable]
    kept = Counter((*graph.inputs, *graph.outputs, *variables))
    readers = kept + Counter(i for step in steps for i in step.reads)
    root = {} if preserve else _roots(graph, steps, tensors, readers)
    waiting = kept + Counter(root.get(i, i) for step in steps for i in step.reads)
    first = dict.fromkeys((*variables, *graph.inputs), 0)
    last: dict[int, int] = {}
    for at, step in enumerate(steps):
        for index in step.writes:
            first.setdefault(index, at)
        for index in step.reads if not preserve else ():
            index = root.get(index, index)
            waiting[index] -= 1
            if waiting[index] == 0 and index in first:
                last[index] = at
    return Lifetimes(first, {i: last.get(i, NEVER) for i in first}, root)


def _roots(graph: Graph, steps, tensors: list[Held], readers: Counter) -> dict[int, int]:
    """The tensor whose bytes an output takes over, for every output that can."""
    root: dict[int, int] = {}
    for step in steps:
        if step.is_delegated or not step.operators[0].outputs:
            continue
        op = step.operators[0]
        output, overwrites = op.outputs[0], op.code in OVERWRITES
        count = OVERWRITES.get(op.code, 1 if op.code in ALIASES else 0)
        for index in op.inputs[:count]:
            if index < 0 or index in graph.inputs or output in graph.outputs:
                continue
            source, target = tensors[index], tensors[output]
            if source.stored not in ("arena", target.stored):
                continue
            if overwrites and (
                source.nbytes != target.nbytes or source.nbytes <= SCALAR or readers[index] > 1
            ):
                continue
            bottom = root.get(index, index)
            if not overwrites or readers[bottom] <= 1:
                root[output] = bottom
            break
    return root
