"""The addresses that the runtime really uses, and how they compare with a plan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drqsim.graph import Graph, shorten
from drqsim.memory import MemoryPlan, plan_memory
from drqsim.runtime import places, read_both
from drqsim.tables import Printed, Printout, Table


@dataclass(frozen=True, eq=False)
class RuntimeMemory:
    """Where the runtime keeps every tensor that it lets us look at.

    Attributes
    ----------
    addresses : dict
        Tensor index -> address. Tensors of the file come first, then scratch. What the runtime
        hides (inside a delegate) or never allocated is not in it.
    nbytes : dict
        Tensor index -> bytes, for the same tensors.
    """

    addresses: dict[int, int]
    nbytes: dict[int, int]

    def span(self, indices) -> tuple[int, int]:
        """Lowest address and bytes up to the highest end of some tensors."""
        ends = [(self.addresses[i], self.addresses[i] + self.nbytes[i]) for i in indices]
        lowest = min((begin for begin, _ in ends), default=0)
        return lowest, max((end for _, end in ends), default=0) - lowest


def read_memory(
    model: Graph | bytes | str | Path,
    kernels: str = "optimized",
    threads: int = 1,
    preserve_all_tensors: bool = False,
    input_shapes: dict[str, tuple[int, ...]] | None = None,
) -> RuntimeMemory:
    """Run a model on zeros and read where the runtime keeps its tensors.

    Parameters
    ----------
    model : Graph, bytes or path
    kernels, threads, preserve_all_tensors, input_shapes
        As for ``drqsim.plan_memory``; the inputs are resized before the first
        ``allocate_tensors``.

    Raises
    ------
    ModelFileError
        When the runtime refuses the model.
    """
    graph, content = read_both(model)
    given = kernels, threads, preserve_all_tensors, input_shapes
    found = places(graph, content, *given)
    sizes = {index: nbytes for index, _, nbytes in found}
    for index, tensor in enumerate(graph.tensors):
        if tensor.bits and index in sizes:  # Python shows a byte for every value
            sizes[index] = tensor.nbytes
    return RuntimeMemory({index: address for index, address, _ in found}, sizes)


@dataclass(frozen=True)
class PlacedRow:
    """One tensor: where the plan puts it, and where the runtime has it."""

    tensor: str
    stored: str
    nbytes: int
    planned: int
    real: int | None
    real_nbytes: int

    @property
    def equal(self) -> bool:
        return self.real == self.planned and self.nbytes == self.real_nbytes


class MemoryComparison(Printed):
    """The rows of a comparison, and both arenas' sizes (planned, real)."""

    def __init__(self, plan: MemoryPlan, rows: list[PlacedRow], totals: dict, strays: list[str]):
        self.plan, self.rows, self.totals, self.strays = plan, rows, totals, strays

    @property
    def exact(self) -> bool:
        """True when every offset, every size and both totals are the runtime's."""
        same = all(planned == real for planned, real in self.totals.values())
        return same and not self.strays and all(row.equal for row in self.rows)

    def _printed(self) -> Printout:
        cells = [
            (
                shorten(r.tensor),
                r.stored,
                f"{r.planned:,}",
                "hidden" if r.real is None else f"{r.real:,}",
                f"{r.nbytes:,}",
                f"{r.real_nbytes:,}",
            )
            for r in self.rows
        ]
        totals = [
            f"{name}: planned {planned:,} bytes, really {real:,}"
            for name, (planned, real) in self.totals.items()
        ]
        return Printout([Table(_HEADER, cells, right=(2, 3, 4, 5))], totals + self.strays)


_HEADER = ("tensor", "stored in", "offset", "really at", "bytes", "really")


def compare_memory(
    model: Graph | bytes | str | Path,
    kernels: str = "optimized",
    threads: int = 1,
    preserve_all_tensors: bool = False,
    input_shapes: dict[str, tuple[int, ...]] | None = None,
) -> MemoryComparison:
    """The memory plan held against the addresses that the runtime really uses.

    Parameters
    ----------
    model : Graph, bytes or path
    kernels, threads, preserve_all_tensors, input_shapes
        As for ``drqsim.plan_memory``.

    Returns
    -------
    MemoryComparison
        A row for every tensor in an arena, both totals, and in ``strays`` what lies in an arena
        against the plan.
    """
    graph, content = read_both(model)
    plan = plan_memory(graph, kernels, threads, preserve_all_tensors, None, input_shapes)
    real = read_memory(content, kernels, threads, preserve_all_tensors, input_shapes)
    rows, totals, taken = [], {}, []
    for stored in ("arena", "persistent"):
        blocks = [b for b in plan.of(stored) if b.nbytes]
        seen = [b.index for b in blocks if b.index in real.addresses]
        base, size = real.span(seen)
        # the end of the last tensor; the arena may end behind it (see MemoryPlan.arena_bytes)
        totals[stored] = max((b.offset + b.nbytes for b in blocks), default=0), size
        taken.append((base, base + size))
        for b in blocks:
            address = real.addresses.get(b.index)
            offset = None if address is None else address - base
            nbytes = real.nbytes.get(b.index, 0)
            rows.append(PlacedRow(b.key, stored, b.nbytes, b.offset, offset, nbytes))
    return MemoryComparison(plan, rows, totals, _strays(plan, real, taken))


def _strays(plan: MemoryPlan, real: RuntimeMemory, taken: list[tuple[int, int]]) -> list[str]:
    """What lies in an arena although the plan says otherwise, or is not in the plan at all."""
    known = {block.index: block for block in plan.blocks}
    strays = []
    for index, address in real.addresses.items():
        block = known.get(index)
        inside = any(begin <= address < end for begin, end in taken)
        if block is None and real.nbytes[index] and inside:
            strays.append(f"tensor {index} lies in an arena and is not in the plan")
        elif block is not None and block.stored not in ("arena", "persistent") and inside:
            strays.append(f"{block.key} lies in an arena; planned in {block.stored}")
        elif block is not None and block.nbytes != real.nbytes[index]:
            strays.append(f"{block.key} has {real.nbytes[index]:,} bytes, not {block.nbytes:,}")
    return strays
