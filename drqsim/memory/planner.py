"""The planner itself: prepare, plan lifetimes, place; and again for what was unknown at first.

Source, ai-edge-litert 2.3.0: ``tflite/core/subgraph.cc`` (``PrepareOpsAndTensors``) and
``tflite/arena_planner.cc`` (``ExecuteAllocations``, ``CalculateAllocations``).
"""

from __future__ import annotations

from dataclasses import replace

from drqsim.graph import Graph
from drqsim.memory.arena import Arena, placement_order
from drqsim.memory.libstdcxx import set_order
from drqsim.memory.lifetimes import NEVER, Lifetimes, lifetimes
from drqsim.memory.prepare import Runtime
from drqsim.memory.schedule import Step


class Planner:
    """Decides on lifetimes and offsets.

    Attributes
    ----------
    tensors : list of Held
        The runtime's tensors, prepared.
    lives : Lifetimes
    offsets : dict
        Tensor index -> offset in the arena that it is stored in.
    arena, persistent : Arena
    """

    def __init__(self, graph: Graph, steps: list[Step], runtime: Runtime, preserve: bool):
        self._graph, self._steps, self._runtime, self._preserve = graph, steps, runtime, preserve
        self.tensors = runtime.tensors
        self.lives = Lifetimes({}, {}, {})
        self.offsets: dict[int, int] = {}
        self.arena, self.persistent = Arena(), Arena()

    def plan(self) -> None:
        """Plan all steps.

        Where an operator tells the shape of its output only when it runs, planning stops behind
        it and goes on after it ran; tensors that are placed already stay where they are.
        """
        steps, begin = self._steps, 0
        while begin == 0 or begin < len(steps):
            end = begin
            while end < len(steps) and self._runtime.prepare(steps[end]):
                end += 1
            if begin == 0:
                # lifetimes are planned once, with what is known by now
                known = [replace(tensor) for tensor in self.tensors]
                self.lives = lifetimes(self._graph, steps, known, self._preserve)
            self._place(self._candidates(begin, end))
            if end < len(steps):
                shares = any(index in self.lives.root for index in steps[end].writes[:1])
                self._runtime.settle(steps[end], shares)
            begin = end + 1

    def _candidates(self, begin: int, end: int) -> list[int]:
        """The tensors of steps ``begin`` to ``end``, in the order of the runtime's sets."""
        first, last, _ = self.lives
        found: list[int] = []
        if begin == 0:
            found += [i for i, t in enumerate(self._graph.tensors) if t.is_variable]
            found += self._graph.inputs
        order = []
        for at in range(begin, min(end + 1, len(self._steps))):
            step = self._steps[at]
            scratch = self._runtime.scratch.get(step.name, [])
            first |= dict.fromkeys(scratch, at)
            last |= dict.fromkeys(scratch, NEVER if self._preserve else at)
            order += set_order([*found, *step.writes, *scratch])
            found = []
        return order + set_order(found)

    def _place(self, indices: list[int]) -> None:
        first, last, root = self.lives
        tensors = self.tensors
        in_arena = [
            i
            for i in indices
            if (tensors[i].stored == "arena" and tensors[i].nbytes and i not in self.offsets)
            or tensors[i].stored == "persistent"
        ]
        nbytes = {i: tensors[i].nbytes for i in in_arena}
        for index in placement_order(in_arena, first, last, nbytes):
            tensor = tensors[index]
            if index in root:
                source = tensors[root[index]]
                if source.stored == "arena" and source.nbytes == tensor.nbytes:
                    continue
                del root[index]  # planned with other sizes than they turned out to have
            if index in self.offsets:
                continue
            if tensor.stored == "arena":
                place, until = self.arena, last[index]
            else:
                place, until = self.persistent, NEVER
            self.offsets[index] = place.place(tensor.nbytes, first[index], until)
