"""``plan_memory``: from a graph to its memory plan."""

from __future__ import annotations

from collections.abc import Collection

from drqsim import processor as processors
from drqsim.errors import InputError, ModelFileError, UnsupportedOperatorError
from drqsim.graph import Graph, expect_graph, shorten
from drqsim.kernels import checked
from drqsim.memory import schedule
from drqsim.memory.held import Held, resized
from drqsim.memory.plan import Block, MemoryPlan
from drqsim.memory.planner import Planner
from drqsim.memory.prepare import Runtime
from drqsim.memory.shapes import shapes_of
from drqsim.ops.delegate import taken
from drqsim.ops.refusals import check_counts
from drqsim.ops.unread import why_unread
from drqsim.trace import Trace

MOST_AT_ONCE = 10_000  # tensors that one operator writes; a damaged file may claim any number


def plan_memory(
    graph: Graph,
    kernels: str = "optimized",
    threads: int = 1,
    preserve_all_tensors: bool = False,
    partition: Collection[str] | None = None,
    input_shapes: dict[str, tuple[int, ...]] | None = None,
    trace: Trace | None = None,
    processor: str | None = None,
) -> MemoryPlan:
    """The memory plan that the runtime makes in ``allocate_tensors``, byte for byte.

    Parameters
    ----------
    graph : Graph
        Float or quantized. The shapes that it declares are believed, but where it leaves some
        dimension of an input to the caller: then they follow from what it holds in that place.
    kernels : {"optimized", "reference", "xnnpack"}
        The kernel path. On ``xnnpack`` what stays outside of XNNPACK is planned.
    threads : int
        The runtime's ``num_threads``. More than one makes float convolutions keep a second copy of
        their weights instead of unfolding their input, but on arm64.
    preserve_all_tensors : bool
        The runtime's ``experimental_preserve_all_tensors``: nothing is reused.
    partition : names of operators, optional
        Those that XNNPACK takes, on ``xnnpack``; without it those that the runtime's own rules
        name (``drqsim.ops.delegate``).
    input_shapes : dict, optional
        Other shapes for inputs, by name: a larger batch, a larger image. All other shapes follow
        by running the model on zeros, in a second or two or not at all. The plan is that of a
        ``resize_tensor_input`` before the first ``allocate_tensors``.
    trace : Trace, optional
        A run of the model on what it is to be planned for: it has all shapes, but those of inputs
        that no operator reads.
    processor : str, optional
        Whose kernels to plan for, as for ``drqsim.run``; ``x86-64`` without it.

    Returns
    -------
    MemoryPlan
        Every tensor with its place, size and lifetime, and the totals.

    Raises
    ------
    InputError
        When an argument makes no sense, or the model cannot run with the new shapes, or with those
        that the file holds where it leaves them to the caller.
    UnsupportedOperatorError
        When the model has an operator whose memory drqsim does not know.

    Notes
    -----
    Proven against ai-edge-litert 2.3.0 for Linux, on x86-64 and on arm64. Kernels also allocate
    buffers that are no tensors (packed weights, for example); those are not part of the plan.
    """
    expect_graph(graph)
    _check(graph, kernels, threads, partition)
    shapes, note = shapes_of(graph, input_shapes, trace)
    with processors.using(processor):
        runtime = Runtime(graph, shapes, kernels, threads)
    if kernels == "xnnpack":
        # XNNPACK is asked with the inputs' new shapes; behind them it sees those of the file
        fed = resized(graph, {i: shapes[i] for i in graph.inputs if i in shapes})
        chosen = taken(fed) if partition is None else set(partition)
        steps = schedule.delegated_steps(graph, chosen, apart=preserve_all_tensors)
    else:
        steps = schedule.builtin_steps(graph)
    planner = Planner(graph, steps, runtime, preserve_all_tensors)
    planner.plan()
    return MemoryPlan(
        _blocks(graph, steps, planner),
        [step.name for step in steps],
        [tuple(op.name for op in step.operators) for step in steps if step.is_delegated],
        planner.arena.nbytes,
        planner.persistent.nbytes,
        kernels=kernels,
        threads=threads,
        preserve_all_tensors=preserve_all_tensors,
        input_shapes={
            graph.fed_names[i]: shapes.get(i, graph.tensors[i].shape) for i in graph.inputs
        },
        note=note,
    )


def _check(graph: Graph, kernels: str, threads: int, partition) -> None:
    checked(kernels)
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise InputError(f"threads is {threads!r}; expected a whole number from 1.")
    if partition is not None:
        if kernels != "xnnpack":
            raise InputError(f"partition is for kernels='xnnpack'; kernels is {kernels!r}.")
        unknown = sorted(set(partition) - {op.name for op in graph.operators})
        if unknown:
            raise InputError(f"partition names {', '.join(unknown)}, not in this model.")
    for index in (*graph.inputs, *graph.outputs):
        if graph.tensors[index].unread:
            raise UnsupportedOperatorError(
                f"The tensor {shorten(graph.tensors[index].name)!r} is {graph.tensors[index]}, a "
                "type that drqsim does not know, so no memory is planned."
            )
    known = {i for op in graph.operators for i in op.outputs} | {-1, *graph.inputs}
    on_xnnpack = taken(graph) if kernels == "xnnpack" and partition is None else partition or ()
    for op in graph.operators:
        left = kernels == "xnnpack" and op.name not in on_xnnpack
        check_counts(graph, op, "optimized" if left else kernels)
        lost = [i for i in op.inputs if i not in known and graph.tensors[i].is_fed]
        if lost:
            raise ModelFileError(
                f"{op.name} reads tensor {lost[0]} ({shorten(graph.tensors[lost[0]].name)!r}), "
                "which is no input of the model, holds no data, and no operator writes: the "
                "runtime gives it no memory, and refuses to run."
            )
        why = why_unread(graph, op)
        if why:
            raise UnsupportedOperatorError(f"{op.name} cannot be planned: {why}.")
        if len(op.outputs) > MOST_AT_ONCE:
            raise UnsupportedOperatorError(
                f"{op.name} has {len(op.outputs):,} outputs; drqsim plans at most {MOST_AT_ONCE:,}."
            )


def _blocks(graph: Graph, steps: list[schedule.Step], planner: Planner) -> list[Block]:
    end = len(steps)
    used: dict[int, list[int]] = {i: [0] for i in graph.inputs}
    for at, step in enumerate(steps):
        for op in step.operators:
            for index in (*op.inputs, *op.outputs):
                if index >= 0:
                    used.setdefault(index, []).append(at)
    for index in (*graph.inputs, *graph.outputs):
        used.setdefault(index, [0]).append(end)
    (first, last, root), blocks = planner.lives, []
    holders: dict[tuple[int, int], int] = {}  # bytes of the file -> the first tensor that has them
    for tensor in planner.tensors:
        index = tensor.index
        if tensor.shape is None or tensor.stored == "none":
            continue
        if tensor.role != "scratch" and index not in used:
            continue
        shares = root.get(index) if tensor.stored == "arena" else None
        if tensor.stored == "file" and tensor.role != "scratch":
            value = graph.tensors[index].value
            bytes_of = (value.__array_interface__["data"][0], value.nbytes)
            holder = holders.setdefault(bytes_of, index)
            shares = None if holder == index or not value.nbytes else holder
        offset = None
        if tensor.stored in ("arena", "persistent"):
            offset = planner.offsets.get(index if shares is None else shares, 0)
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
        index=tensor.index,
        op=tensor.op,
        name=tensor.name,
        role=tensor.role,
        stored=tensor.stored,
        dtype=tensor.dtype,
        bits=tensor.bits,
        shape=tensor.shape,
        nbytes=tensor.nbytes,
        first=alive[0],
        last=alive[1],
        offset=offset,
        shares=shares,
    )
