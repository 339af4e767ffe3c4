"""Where the tensors go: the order in which they are placed, and the gap that each one takes.

Source, ai-edge-litert 2.3.0: ``tflite/arena_planner.cc`` (``CreateTensorAllocationVector``) and
``tflite/simple_memory_arena.cc`` (``Allocate``).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable

from drqsim.memory.libstdcxx import introsort
from drqsim.memory.lifetimes import NEVER

ALIGNMENT = 64


def placement_order(
    indices: Iterable[int], first: dict[int, int], last: dict[int, int], nbytes: dict[int, int]
) -> list[int]:
    """What lives from start to end goes first, by index; the rest by size, the largest first.

    Among equal sizes the one needed earlier goes first; what is equal in that too stays as
    ``std::sort`` leaves it.
    """

    def key(index: int) -> tuple:
        if first[index] == 0 and last[index] == NEVER:
            return (0, index)
        return (1, -nbytes[index], first[index])

    return introsort(indices, key)


class Arena:
    """One block of memory in which tensors that are never alive together may use the same bytes."""

    def __init__(self):
        self.nbytes = 0  # the largest end so far; only offsets are rounded
        self._placed: list[tuple[int, int, int, int]] = []  # offset, end, first, last

    def place(self, nbytes: int, first: int, last: int) -> int:
        """The offset of a tensor: the tightest gap among those alive at the same time, or behind.

        A gap is measured from where the tensor below ends, before rounding, but compared after.
        """
        if nbytes == 0:
            return 0
        best, best_gap, below = None, None, 0
        for offset, end, begins, ends in self._placed:
            if ends < first or begins > last:
                continue
            start = _rounded(below)
            if start + nbytes <= offset and (best_gap is None or offset - start < best_gap):
                best, best_gap = start, offset - below
            below = max(below, end)
            if best_gap == 0:
                break
        best = _rounded(below) if best is None else best
        self.nbytes = max(self.nbytes, best + nbytes)
        insort(self._placed, (best, best + nbytes, first, last), key=lambda placed: placed[0])
        return best


def _rounded(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT
