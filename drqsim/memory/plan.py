"""``plan_memory``: the plan as a table, as numbers, and as blocks to draw."""

from __future__ import annotations

import html
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from drqsim.errors import InputError, ModelFileError, UnsupportedOperatorError
from drqsim.graph import Graph, short_form, shorten
from drqsim.interpreter import KERNELS, run
from drqsim.memory import planner, schedule
from drqsim.memory.prepare import Runtime
from drqsim.memory.tensors import Held, resized
from drqsim.trace import Trace, html_table, text_table


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
        ``activation``, ``scratch`` or ``weight``.
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
        The index of the tensor whose bytes this one takes over, if it does.
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

    @property
    def key(self) -> str:
        """``<operator>/<name>``, or the name alone."""
        return f"{self.op}/{self.name}" if self.op else self.name

    def __str__(self) -> str:
        return short_form(self.dtype, self.shape)


class MemoryPlan:
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
    """

    def __init__(self, blocks, steps, partition, arena_bytes, persistent_bytes, **planned_for):
        self.blocks: tuple[Block, ...] = tuple(blocks)
        self.steps: tuple[str, ...] = tuple(steps)
        self.partition: tuple[tuple[str, ...], ...] = tuple(partition)
        self.arena_bytes, self.persistent_bytes = arena_bytes, persistent_bytes
        self.kernels: str = planned_for["kernels"]
        self.threads: int = planned_for["threads"]
        self.preserve_all_tensors: bool = planned_for["preserve_all_tensors"]

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

    def alive(self, step: int) -> list[Block]:
        """The blocks that need bytes of their own in the arena during a step."""
        return [b for b in self.of("arena") if b.shares is None and b.first <= step <= b.last]

    @cached_property
    def timeline(self) -> list[int]:
        """Bytes needed in the arena during each step."""
        return [sum(b.nbytes for b in self.alive(at)) for at in range(max(len(self.steps), 1))]

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
        """Values that are read where they lie in the file."""
        return sum(b.nbytes for b in self.of("file"))

    @property
    def not_planned(self) -> str:
        """One sentence on what a delegate keeps to itself; empty without a delegate."""
        if not self.partition:
            return ""
        hidden = self.of("delegate")
        return (
            f"XNNPACK takes {sum(map(len, self.partition))} operators in {len(self.partition)} "
            f"parts: {len(hidden)} tensors between them ({sum(b.nbytes for b in hidden):,} bytes, "
            "each counted alone), its scratch and a packed copy of its weights lie in memory of "
            "its own, which is not planned here."
        )

    def annotate(self, trace: Trace) -> Trace:
        """The trace of a run with the same kernels, with what the plan knows of each record.

        ``offset`` and ``reserved`` are filled in for every record that has a buffer of its own;
        ``born`` and ``dies`` become the plan's where no delegate changed the order of steps.
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
            block = by_index.get(record.tensor_index) or by_key.get(_buffer(record, trace))
            if block is not None and record.stored in ("arena", "persistent", "register"):
                record = _annotated(record, block, in_order=not self.partition)
            records.append(record)
        return Trace(records, trace.kernels)

    def _notes(self) -> list[str]:
        notes = [
            f"arena: {self.arena_bytes:,} bytes; {self.lower_bound:,} are alive at once at most, "
            f"{self.without_reuse:,} would be needed without reuse",
            f"persistent arena: {self.persistent_bytes:,} bytes; heap: {self.heap_bytes:,} bytes; "
            f"in the file: {self.file_bytes:,} bytes",
        ]
        return notes + [self.not_planned] * bool(self.partition)

    def _rows(self) -> list[tuple[str, ...]]:
        order = ("arena", "persistent", "heap", "delegate")
        shown = [b for stored in order for b in self.of(stored)]
        shown.sort(key=lambda b: (order.index(b.stored), b.first, -b.last, b.index))
        return [
            (
                shorten(b.key),
                str(b),
                b.role,
                b.stored if b.shares is None else f"{b.stored}, in place",
                "" if b.offset is None else f"{b.offset:,}",
                f"{b.nbytes:,}",
                self._span(b),
            )
            for b in shown
        ]

    def _span(self, block: Block) -> str:
        if block.first == block.last or not self.steps:
            return self.steps[block.first] if self.steps else "always"
        end = "the end" if block.last >= len(self.steps) else self.steps[block.last]
        return f"{self.steps[block.first]} to {end}"

    def __repr__(self) -> str:
        return "\n".join([text_table(_HEADER, self._rows(), right=(4, 5)), *self._notes()])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self._notes())
        return html_table(_HEADER, self._rows(), right=(4, 5)) + notes


_HEADER = ("tensor", "type", "role", "stored in", "offset", "bytes", "needed from")


def plan_memory(
    graph: Graph,
    kernels: str = "optimized",
    threads: int = 1,
    preserve_all_tensors: bool = False,
    partition: Collection[str] | None = None,
    input_shapes: dict[str, tuple[int, ...]] | None = None,
) -> MemoryPlan:
    """The memory plan that the runtime makes in ``allocate_tensors``, byte for byte.

    Parameters
    ----------
    graph : Graph
        Float or quantized. The shapes that it declares are believed.
    kernels : {"optimized", "reference", "xnnpack"}
        The kernel path. On ``xnnpack`` what stays outside of XNNPACK is planned.
    threads : int
        The runtime's ``num_threads``. More than one makes float convolutions keep a second copy of
        their weights instead of unfolding their input.
    preserve_all_tensors : bool
        The runtime's ``experimental_preserve_all_tensors``: nothing is reused.
    partition : names of operators, optional
        Those that XNNPACK takes, on ``xnnpack``. Without it the installed runtime is asked.
    input_shapes : dict, optional
        Other shapes for inputs, by name: a larger batch, a larger image. All other shapes follow
        by running the model on zeros. The plan is that of a ``resize_tensor_input`` before the
        first ``allocate_tensors``.

    Returns
    -------
    MemoryPlan
        Every tensor with its place, size and lifetime, and the totals.

    Raises
    ------
    InputError
        When an argument makes no sense, or the model cannot run with the new shapes.
    UnsupportedOperatorError
        When the model has an operator whose memory drqsim does not know.

    Notes
    -----
    Proven against ai-edge-litert 2.3.0 for x86-64 Linux. Kernels also allocate buffers that are no
    tensors (packed weights, for example); those are not part of the plan.
    """
    _check(graph, kernels, threads, partition)
    shapes = {} if input_shapes is None else _infer(graph, input_shapes)
    if kernels == "xnnpack":
        taken = _taken(graph) if partition is None else set(partition)
        steps = schedule.delegated_steps(graph, taken, apart=preserve_all_tensors)
    else:
        steps = schedule.builtin_steps(graph)
    runtime = Runtime(graph, shapes, kernels, threads)
    placed = planner.place(graph, steps, runtime, preserve_all_tensors)
    return MemoryPlan(
        _blocks(graph, steps, placed),
        [step.name for step in steps],
        [tuple(op.name for op in step.operators) for step in steps if step.is_delegated],
        placed.arena.nbytes,
        placed.persistent.nbytes,
        kernels=kernels,
        threads=threads,
        preserve_all_tensors=preserve_all_tensors,
    )


def _check(graph: Graph, kernels: str, threads: int, partition) -> None:
    if kernels not in KERNELS:
        raise InputError(f"kernels is {kernels!r}; expected one of {', '.join(KERNELS)}.")
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise InputError(f"threads is {threads!r}; expected a whole number from 1.")
    if partition is not None:
        if kernels != "xnnpack":
            raise InputError(f"partition is for kernels='xnnpack'; kernels is {kernels!r}.")
        unknown = sorted(set(partition) - {op.name for op in graph.operators})
        if unknown:
            raise InputError(f"partition names {', '.join(unknown)}, not in this model.")
    for op in graph.operators:
        if not op.outputs:
            raise ModelFileError(f"{op.name} has no output in the file.")


def _taken(graph: Graph) -> set[str]:
    try:
        from drqsim import litert

        return litert.delegated(graph)
    except ImportError as error:
        raise InputError(
            "Which operators XNNPACK takes is asked of the runtime, which is not installed "
            f"({error}); pass their names as partition."
        ) from error


def _infer(graph: Graph, input_shapes: dict) -> dict[int, tuple[int, ...]]:
    """All shapes when inputs have other shapes, by tensor index."""
    by_name = {graph.tensors[i].name: i for i in graph.inputs}
    given = {}
    for name, shape in input_shapes.items():
        if name not in by_name:
            raise InputError(f"input_shapes names {name!r}; the inputs are {', '.join(by_name)}.")
        shape = tuple(shape)
        if not all(isinstance(n, (int, np.integer)) and n > 0 for n in shape):
            raise InputError(f"input_shapes gives {name!r} {shape!r}; expected positive numbers.")
        given[by_name[name]] = tuple(int(n) for n in shape)
    other = resized(graph, given)
    zeros = {t.name: np.zeros(t.shape, t.dtype) for t in (other.tensors[i] for i in graph.inputs)}
    _, trace = run(other, zeros, record="shapes")
    found = {r.tensor_index: r.shape for r in trace if r.name.startswith("output")} | given
    for op in graph.operators:
        if not set(op.outputs) <= set(found):
            raise UnsupportedOperatorError(f"{op.name}: drqsim does not record all its outputs.")
    return found


def _blocks(graph: Graph, steps: list[schedule.Step], placed: planner.Placed) -> list[Block]:
    end = len(steps)
    used: dict[int, list[int]] = {i: [0, end] for i in (*graph.inputs, *graph.outputs)}
    for at, step in enumerate(steps):
        for op in step.operators:
            for index in (*op.inputs, *op.outputs):
                if index >= 0:
                    used.setdefault(index, []).append(at)
    (first, last, root), blocks = placed.lives, []
    for tensor in placed.tensors:
        index = tensor.index
        if tensor.shape is None or tensor.stored == "none":
            continue
        if tensor.role != "scratch" and index not in used:
            continue
        shares = root.get(index) if tensor.stored == "arena" else None
        offset = None
        if tensor.stored in ("arena", "persistent"):
            offset = placed.offsets.get(index if shares is None else shares, 0)
        if tensor.stored in ("file", "persistent"):
            alive = (0, end)
        elif index in first and shares is None:
            alive = (first[index], min(last[index], end))
        elif tensor.role == "scratch":
            continue  # of an operator that the delegate took
        else:
            alive = (min(used[index]), max(used[index]))
        blocks.append(_block(tensor, alive, offset, shares))
    return blocks


def _block(tensor: Held, alive: tuple[int, int], offset: int | None, shares) -> Block:
    return Block(
        *(tensor.index, tensor.op, tensor.name, tensor.role, tensor.stored, tensor.dtype),
        *(tensor.shape, tensor.nbytes, *alive, offset, shares),
    )


def _buffer(record, trace: Trace) -> str:
    """The key of the buffer that holds a record."""
    if record.name == "accumulator_raw":
        return f"{record.op}/accumulator"
    if record.name == "accumulator" and f"{record.op}/accumulator_raw" in trace:
        return ""  # the buffer holds the raw one
    return record.key


def _annotated(record, block: Block, in_order: bool):
    filled = {"reserved": block.nbytes if block.role == "scratch" else record.reserved}
    if record.stored != "register":
        filled["offset"] = block.offset
    if in_order and block.stored == "arena":
        filled |= {"born": block.first, "dies": block.last}
    return replace(record, **filled)
