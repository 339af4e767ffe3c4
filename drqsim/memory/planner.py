"""The planner itself: prepare, plan lifetimes, place; and again for what was unknown at first.

Source, ai-edge-litert 2.3.0: ``tflite/core/subgraph.cc`` (``PrepareOpsAndTensors``) and
``tflite/arena_planner.cc`` (``ExecuteAllocations``, ``CalculateAllocations``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from drqsim.graph import Graph
from drqsim.memory.arena import Arena, placement_order
from drqsim.memory.libstdcxx import set_order
from drqsim.memory.lifetimes import NEVER, Lifetimes, lifetimes
from drqsim.memory.prepare import Runtime
from drqsim.memory.schedule import Step
from drqsim.memory.tensors import Held


class Placed(NamedTuple):
    """What the planner decided; offsets are in the arena that a tensor is stored in."""

    tensors: list[Held]
    lives: Lifetimes
    offsets: dict[int, int]
    arena: Arena
    persistent: Arena


def place(graph: Graph, steps: list[Step], runtime: Runtime, preserve: bool) -> Placed:
    """Run the planner over all steps.

    Where an operator tells the shape of its output only when it runs, planning stops behind it and
    goes on after it ran; tensors that are placed already stay where they are.
    """
    tensors, offsets = runtime.tensors, {}
    arena, persistent = Arena(), Arena()
    lives = None
    begin = 0
    while lives is None or begin < len(steps):
        end = begin
        while end < len(steps) and runtime.prepare(steps[end]):
            end += 1
        stopped = end < len(steps)
        if lives is None:
            lives = lifetimes(graph, steps, [replace(t) for t in tensors], preserve)
        now = range(begin, min(end + 1, len(steps)) or 1)
        _place_some(graph, steps, runtime, lives, preserve, now, offsets, arena, persistent)
        if stopped:
            runtime.settle(steps[end], shares=steps[end].writes[0] in lives.root)
        begin = end + 1
    return Placed(tensors, lives, offsets, arena, persistent)


def _place_some(graph, steps, runtime, lives, preserve, now, offsets, arena, persistent) -> None:
    tensors, (first, last, root) = runtime.tensors, lives
    wanted = []
    for at in now:
        of_step = []
        if at == 0:
            of_step += [i for i, t in enumerate(graph.tensors) if t.is_variable]
            of_step += graph.inputs
        if at < len(steps):
            of_step += steps[at].writes
            for index in runtime.scratch.get(steps[at].name, ()):
                first[index], last[index] = at, NEVER if preserve else at
                of_step.append(index)
        wanted += set_order(of_step)
    wanted = [
        i
        for i in wanted
        if (tensors[i].stored == "arena" and tensors[i].nbytes and i not in offsets)
        or tensors[i].stored == "persistent"
    ]
    nbytes = {i: tensors[i].nbytes for i in wanted}
    for index in placement_order(wanted, first, last, nbytes):
        tensor = tensors[index]
        if index in root:
            source = tensors[root[index]]
            if source.stored == "arena" and source.nbytes == tensor.nbytes:
                continue
            del root[index]  # planned with other sizes than they turned out to have
        if tensor.stored == "arena":
            offsets[index] = arena.place(tensor.nbytes, first[index], last[index])
        elif index not in offsets:
            offsets[index] = persistent.place(tensor.nbytes, first[index], NEVER)
