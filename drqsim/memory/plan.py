"""The plan: as a table, as numbers, and as blocks to draw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

import numpy as np

from drqsim.errors import InputError
from drqsim.graph import shorten
from drqsim.names import short_form
from drqsim.tables import Printed, Printout, Table
from drqsim.trace import Trace


@dataclass(frozen=True, eq=False)
class Block:
    """One tensor in memory, scratch included.

    Attributes
    ----------
    index : int
        Its index in the runtime's list; scratch comes behind the tensors of the file.
    op, name : str
        The operator that writes it and its name there (``output``, ``im2col``), as in a trace. For
        an input of the graph and for a weight ``op`` is empty and ``name`` is the file's.
    role : str
        ``activation``, ``scratch`` or ``constant``.
    stored : str
        ``arena``, ``persistent`` (the second arena, never reused), ``heap``, ``file`` (read in
        place) or ``delegate`` (inside XNNPACK: not planned).
    dtype, shape, nbytes
        Of the tensor; ``nbytes`` is what is reserved.
    first, last : int
        The first and the last step (positions in ``MemoryPlan.steps``) that need these bytes. What
        lives on behind the last step has ``last == len(steps)``.
    offset : int or None
        Bytes from the beginning of its arena; None where there is none.
    shares : int or None
        The index of the tensor whose bytes this one takes over, if it does; of a constant, of
        another one with the same bytes of the file.
    bits : int or None
        4 where the values are int4, two to a byte.
    """

    index: int
    op: str
    name: str
    role: str
    stored: str
    dtype: np.dtype
    shape: tuple[int, ...]
    nbytes: int
    first: int
    last: int
    offset: int | None = None
    shares: int | None = None
    bits: int | None = None

    @property
    def key(self) -> str:
        """``<operator>/<name>``, or the name alone."""
        return f"{self.op}/{self.name}" if self.op else self.name

    def __str__(self) -> str:
        return short_form(self.dtype, self.shape, self.bits)


class MemoryPlan(Printed):
    """Where the runtime puts every tensor. Prints as a table.

    Attributes
    ----------
    blocks : tuple of Block
        Every tensor that an operator uses, by index; scratch last.
    steps : tuple of str
        What the runtime executes, in its order: operators, and ``delegate_0``, ... for the parts
        that XNNPACK takes.
    partition : tuple of tuples of str
        The operators of each such part.
    arena_bytes, persistent_bytes : int
        Sizes of the two arenas. The arena ends where its last block ends, but for a RESHAPE that
        learns its output's shape at run time: the output leaves the place it had for the heap.
    kernels, threads, preserve_all_tensors
        What was planned for.
    input_shapes : dict
        And for which shapes of the inputs, by name.
    planned_for : str
        The same in words; empty where the file leaves nothing open and nobody gave other shapes.
    """

    def __init__(self, blocks, steps, partition, arena_bytes, persistent_bytes, **planned_for):
        self.blocks: tuple[Block, ...] = tuple(blocks)
        self.steps: tuple[str, ...] = tuple(steps)
        self.partition: tuple[tuple[str, ...], ...] = tuple(partition)
        self.arena_bytes, self.persistent_bytes = arena_bytes, persistent_bytes
        self.kernels: str = planned_for["kernels"]
        self.threads: int = planned_for["threads"]
        self.preserve_all_tensors: bool = planned_for["preserve_all_tensors"]
        self.input_shapes: dict[str, tuple[int, ...]] = planned_for.get("input_shapes", {})
        self.planned_for: str = planned_for.get("note", "")

    def __getitem__(self, key: str) -> Block:
        for block in self.blocks:
            if block.key == key:
                return block
        raise InputError(
            f"The plan has no block {key!r}; it has: {', '.join(b.key for b in self.blocks)}."
        )

    def of(self, stored: str) -> list[Block]:
        """The blocks in one kind of memory."""
        return [block for block in self.blocks if block.stored == stored]

    def of_operator(self, name: str) -> list[Block]:
        """What one operator writes: its outputs and all of its scratch."""
        return [block for block in self.blocks if block.op == name]

    def alive(self, step: int) -> list[Block]:
        """The blocks that need bytes of their own in the arena during a step."""
        return [b for b in self.of("arena") if b.shares is None and b.first <= step <= b.last]

    @cached_property
    def timeline(self) -> list[int]:
        """Bytes needed in the arena during each step."""
        changes = [0] * (max(len(self.steps), 1) + 1)
        for block in self.of("arena"):
            if block.shares is None and block.first <= min(block.last, len(changes) - 2):
                changes[block.first] += block.nbytes
                changes[min(block.last + 1, len(changes) - 1)] -= block.nbytes
        return list(accumulate(changes[:-1]))

    @property
    def lower_bound(self) -> int:
        """The most bytes that are alive at once: no plan can make do with less."""
        return max(self.timeline)

    @property
    def without_reuse(self) -> int:
        """What the arena's tensors would take if each had bytes of its own."""
        return sum(b.nbytes for b in self.of("arena"))

    @property
    def heap_bytes(self) -> int:
        """Tensors outside both arenas; the kernels' own buffers there are not counted."""
        return sum(b.nbytes for b in self.of("heap"))

    @property
    def file_bytes(self) -> int:
        """Values that are read where they lie in the file; what several tensors share, once."""
        return sum(b.nbytes for b in self.of("file") if b.shares is None)

    @property
    def not_planned(self) -> str:
        """One sentence on what a delegate keeps to itself; empty without a delegate."""
        if not self.partition:
            return ""
        hidden, parts = self.of("delegate"), len(self.partition)
        return (
            f"XNNPACK takes {sum(map(len, self.partition))} operators in {parts} "
            f"part{'s' * (parts != 1)}. Memory of its own, which is not planned here, holds "
            f"{len(hidden)} tensor{'s' * (len(hidden) != 1)} inside of the parts "
            f"({sum(b.nbytes for b in hidden):,} bytes, each counted alone), its scratch and a "
            "packed copy of the weights."
        )

    def annotate(self, trace: Trace) -> Trace:
        """The trace of a run with the same kernels, with what the plan knows of each record.

        ``offset`` and ``reserved`` are filled in for every record that has a buffer of its own;
        ``born`` and ``dies`` become the plan's where no delegate changed the order of steps; what
        lies inside of a delegate says so in ``stored``. Buffers that no record lies in, such as the
        transposed operands of a BATCH_MATMUL, are in the plan alone.
        """
        if trace.kernels != self.kernels:
            raise InputError(
                f"The trace was made with kernels {trace.kernels!r}, the plan is for "
                f"{self.kernels!r}; run and plan with the same."
            )
        by_index = {block.index: block for block in self.blocks}
        by_key = {block.key: block for block in self.blocks if block.role == "scratch"}
        records = []
        for record in trace:
            block = by_index.get(record.tensor_index) or by_key.get(record.key)
            if block is not None and record.stored in ("arena", "persistent", "not stored"):
                record = _annotated(record, block, in_order=not self.partition)
            records.append(record)
        return Trace(records, trace.kernels, trace.hazards, trace.states, trace.processor)

    def notes(self) -> list[str]:
        """Sentences on the totals, and on what is not planned."""
        notes = [self.planned_for] * bool(self.planned_for) + [
            f"arena: {self.arena_bytes:,} bytes; {self.lower_bound:,} are alive at once at most, "
            f"{self.without_reuse:,} would be needed without reuse",
            f"persistent arena: {self.persistent_bytes:,} bytes; heap: {self.heap_bytes:,} bytes; "
            f"in the file: {self.file_bytes:,} bytes",
        ]
        return notes + [self.not_planned] * bool(self.partition)

    def rows(self) -> list[tuple[str, ...]]:
        """One row of text, under ``HEADER``, for each block that takes memory at run time."""
        order = ("arena", "persistent", "heap", "delegate")
        shown = [b for stored in order for b in self.of(stored)]
        shown.sort(key=lambda b: (order.index(b.stored), b.first, -b.last, b.index))
        return [
            (
                shorten(b.key),
                str(b),
                b.role,
                b.stored,
                "" if b.offset is None else f"{b.offset:,}",
                f"{b.nbytes:,}",
                self._span(b) + ", in place" * (b.shares is not None),
            )
            for b in shown
        ]

    def _printed(self) -> Printout:
        """Sizes and places first, role and memory only where they differ."""
        rows = self.rows()
        order = [
            HEADER.index(name) for name in ("tensor", "bytes", "offset", "needed from", "type")
        ]
        order += [at for at in (2, 3) if len({row[at] for row in rows}) > 1]
        header, *rows = (tuple(row[at] for at in order) for row in (HEADER, *rows))
        return Printout([Table(header, rows, right=(1, 2))], self.notes())

    def _span(self, block: Block) -> str:
        if block.first == block.last or not self.steps:
            return self.steps[block.first] if self.steps else "always"
        end = "the end" if block.last >= len(self.steps) else self.steps[block.last]
        return f"{self.steps[block.first]} to {end}"


HEADER = ("tensor", "type", "role", "stored in", "offset", "bytes", "needed from")


def _annotated(record, block: Block, in_order: bool):
    if block.stored == "delegate":
        return replace(record, stored="delegate", reserved=0)
    filled = {"reserved": block.nbytes if block.role == "scratch" else record.reserved}
    if record.stored != "not stored":
        filled["offset"] = block.offset
    if in_order and block.stored == "arena":
        filled |= {"born": block.first, "dies": block.last}
    return replace(record, **filled)
