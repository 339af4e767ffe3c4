"""The addresses that the runtime really uses, and how they compare with a plan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drqsim import processor as processors
from drqsim.graph import Graph, shorten
from drqsim.interpreter import run
from drqsim.memory import Block, MemoryPlan, plan_memory
from drqsim.ops.fed import inputs_by_index
from drqsim.runtime import places, read_both
from drqsim.tables import Printed, Printout, Table


@dataclass(frozen=True, eq=False)
class RuntimeMemory:
    """Where the runtime keeps every tensor.

    Attributes
    ----------
    addresses : dict
        Tensor index -> address. Tensors of the file come first, then scratch. What has no memory of
        its own (inside a delegate) or never got any is not in it.
    nbytes : dict
        Tensor index -> bytes, for the same tensors.
    stored : dict
        Tensor index -> ``file``, ``arena``, ``persistent`` or ``heap``, as the runtime says. Empty
        where its own table of tensors cannot be read (elsewhere than on Linux); tensors without
        dimensions are then missing above, too.
    """

    addresses: dict[int, int]
    nbytes: dict[int, int]
    stored: dict[int, str]

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
    x: np.ndarray | dict[str, np.ndarray] | None = None,
) -> RuntimeMemory:
    """Run a model and read where the runtime keeps its tensors.

    Parameters
    ----------
    model : Graph, bytes or path
    kernels, threads, preserve_all_tensors, input_shapes
        As for ``drqsim.plan_memory``; the inputs are resized before the first
        ``allocate_tensors``.
    x : array, or dict of arrays by input name, optional
        What to feed, and so the shapes of the inputs; zeros without it, which are no good where a
        model is fed with a shape.

    Raises
    ------
    ModelFileError
        When the runtime refuses the model.
    """
    graph, content = read_both(model)
    fed, shapes = _fed(graph, x, input_shapes)
    found = places(graph, content, kernels, threads, preserve_all_tensors, shapes, fed)
    sizes = {index: nbytes for index, _, _, nbytes in found}
    stored = {index: kind for index, kind, _, _ in found if kind}
    for index, tensor in enumerate(graph.tensors):
        if tensor.bits and index in sizes and not stored:  # Python shows a byte for every value
            sizes[index] = tensor.nbytes
    return RuntimeMemory({index: address for index, _, address, _ in found}, sizes, stored)


def _fed(graph: Graph, x, input_shapes) -> tuple[dict[int, np.ndarray] | None, dict | None]:
    """What is fed, by tensor index, and the shapes of the inputs, by name."""
    if x is None:
        return None, input_shapes
    fed = inputs_by_index(graph, x)
    return fed, {graph.fed_names[i]: fed[i].shape for i in graph.inputs}


@dataclass(frozen=True)
class PlacedRow:
    """One tensor: where the plan puts it, and where the runtime has it.

    ``planned`` is None for a tensor that the plan lacks, ``real`` for one that the runtime lacks.
    """

    tensor: str
    stored: str
    nbytes: int
    planned: int | None
    real: int | None
    real_nbytes: int

    @property
    def equal(self) -> bool:
        """Whether the runtime has the tensor where the plan puts it, and as large."""
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
                "not planned" if r.planned is None else f"{r.planned:,}",
                "nowhere" if r.real is None else f"{r.real:,}",
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


@processors.using("native")
def compare_memory(
    model: Graph | bytes | str | Path,
    kernels: str = "optimized",
    threads: int = 1,
    preserve_all_tensors: bool = False,
    input_shapes: dict[str, tuple[int, ...]] | None = None,
    x: np.ndarray | dict[str, np.ndarray] | None = None,
) -> MemoryComparison:
    """The memory plan held against the addresses that the runtime really uses.

    Parameters
    ----------
    model : Graph, bytes or path
    kernels, threads, preserve_all_tensors, input_shapes
        As for ``drqsim.plan_memory``.
    x : array, or dict of arrays by input name, optional
        What both are fed with, in place of ``input_shapes``; the runtime gets zeros without it.

    Returns
    -------
    MemoryComparison
        A row for every tensor that the plan or the runtime has in an arena, both totals, and in
        ``strays`` what the plan has in other memory, or not at all.
    """
    graph, content = read_both(model)
    trace = None if x is None else run(graph, x, kernels, record="shapes")[1]
    given = kernels, threads, preserve_all_tensors
    plan = plan_memory(graph, *given, None, _fed(graph, x, input_shapes)[1], trace)
    real = read_memory(content, *given, input_shapes, x)
    blocks = {block.index: block for block in plan.blocks}
    # where the runtime does not say it, the plan is believed
    stored = real.stored or {i: blocks[i].stored for i in real.addresses if i in blocks}
    rows, totals = [], {}
    for kind in ("arena", "persistent"):
        planned = {b.index: b for b in plan.of(kind) if b.nbytes}
        held = {i for i, where in stored.items() if where == kind}
        base, size = real.span(held)
        # the end of the last tensor; the arena may end behind it (see MemoryPlan.arena_bytes)
        totals[kind] = max((b.offset + b.nbytes for b in planned.values()), default=0), size
        for index in sorted(held | set(planned)):
            block = planned.get(index)
            rows.append(
                PlacedRow(
                    _named(graph, blocks, index),
                    kind,
                    0 if block is None else block.nbytes,
                    None if block is None else block.offset,
                    real.addresses[index] - base if index in held else None,
                    real.nbytes[index] if index in held else 0,
                )
            )
    return MemoryComparison(plan, rows, totals, _strays(graph, blocks, real))


def _strays(graph: Graph, blocks: dict[int, Block], real: RuntimeMemory) -> list[str]:
    """What the plan has in other memory than the runtime, or with other bytes, or not at all."""
    strays = []
    for index, nbytes in real.nbytes.items():
        block, stored = blocks.get(index), real.stored.get(index, "memory")
        unused = index < len(graph.tensors) and graph.tensors[index].value is not None
        name = _named(graph, blocks, index)
        if block is None and not unused and stored not in ("arena", "persistent"):
            strays.append(f"{name}: {nbytes:,} bytes in {stored}, and not in the plan")
        elif block is not None and block.stored != real.stored.get(index, block.stored):
            strays.append(f"{name} is in {stored}; planned in {block.stored}")
        elif block is not None and block.nbytes != nbytes:
            strays.append(f"{name} has {nbytes:,} bytes, not {block.nbytes:,}")
    for index, block in blocks.items():
        if block.stored == "heap" and block.nbytes and index not in real.nbytes:
            strays.append(f"{block.key} has no memory; planned on the heap")
    return strays


def _named(graph: Graph, blocks: dict[int, Block], index: int) -> str:
    """What a tensor is called: as in the plan, as in the file, or by its number."""
    if index in blocks:
        return blocks[index].key
    return graph.tensors[index].name if index < len(graph.tensors) else f"scratch tensor {index}"
