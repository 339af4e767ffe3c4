"""The memory plan against the addresses that the runtime really uses."""

import ctypes
import platform
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.graph import Graph, Operator, Tensor
from drqsim.memory import arena, lifetimes, make, planner, prepare, schedule, scratch
from drqsim.model_file import write
from drqsim.runtime import native
from tests.kit.memory_graphs import random_graph
from tests.kit.memory_layers import LAYERS
from tests.kit.places import MODELS
from tests.kit.strategies import KERNELS

f32 = np.float32

SETTINGS = {
    "kernels": st.sampled_from(KERNELS),
    "threads": st.sampled_from((1, 4)),
    "preserve": st.sampled_from((False, False, False, True)),
}


@pytest.mark.parametrize("preserve", (False, True))
@pytest.mark.parametrize("threads", (1, 4))
@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", sorted(file.name for file in MODELS.glob("*.tflite")))
def test_the_plan_of_a_file_is_the_runtimes(name, kernels, threads, preserve):
    compared = litert.compare_memory(MODELS / name, kernels, threads, preserve)
    assert compared.exact, compared
    assert len(compared.rows) >= 2
    assert sum(planned for planned, _ in compared.totals.values()) == sum(
        (compared.plan.arena_bytes, compared.plan.persistent_bytes)
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 30),
    int8=st.sampled_from((0, 0.5, 1)),
    run_time=st.sampled_from((False, False, True)),
    **SETTINGS,
)
def test_the_plan_of_a_random_graph_is_the_runtimes(
    seed, length, int8, run_time, kernels, threads, preserve
):
    graph = random_graph(seed, length, int8, run_time)
    compared = litert.compare_memory(graph, kernels, threads, preserve)
    assert compared.exact, compared
    plan = compared.plan
    assert plan.lower_bound <= plan.arena_bytes
    if not run_time:
        assert plan.arena_bytes <= plan.without_reuse + arena.ALIGNMENT * len(plan.blocks)


@given(layer=st.sampled_from(sorted(LAYERS)), floats=st.booleans(), data=st.data(), **SETTINGS)
def test_the_plan_of_one_layer_is_the_runtimes(layer, floats, data, kernels, threads, preserve):
    """Layers with int8 weights, and the same with float32 weights."""
    drawn = data.draw(LAYERS[layer](kernels))
    graph = drawn[0] if isinstance(drawn, tuple) else drawn
    full_integer = graph.tensors[graph.inputs[0]].dtype != f32
    if floats and not full_integer and not overflows(graph.operators[0], graph):
        graph = with_float_weights(graph)
    compared = litert.compare_memory(graph, kernels, threads, preserve)
    assert compared.exact, compared


def overflows(op: Operator, graph: Graph) -> bool:
    """The runtime's float LSTM writes the projection's bias into a buffer for its cells.

    With more outputs than cells that is past the end: 2.3.0 damages its own heap and aborts.
    """
    projection = graph.tensor_of(op, 16) if op.code.endswith("LSTM") else None
    return projection is not None and projection.shape[0] > projection.shape[1]


def with_float_weights(graph: Graph) -> Graph:
    def in_floats(tensor: Tensor) -> Tensor:
        if tensor.dtype != np.int8:
            return tensor
        return replace(
            tensor,
            dtype=np.dtype(f32),
            value=tensor.value.astype(f32),
            quantization=None,
            bits=None,
        )

    return replace(graph, tensors=tuple(map(in_floats, graph.tensors)))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc for the size of a block")
@pytest.mark.parametrize("seed", range(12))
def test_the_totals_are_the_sizes_of_the_runtimes_two_blocks(seed):
    """Not from the tensors: what malloc says of the blocks in which they lie."""
    graph = random_graph(seed, 25, run_time=seed % 2 == 0)
    plan = drqsim.plan_memory(graph)
    usable = ctypes.CDLL(None).malloc_usable_size
    usable.restype, usable.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
    sizes = {}

    def look(places):
        address = {index: at for index, _, at, _ in places}
        for stored in ("arena", "persistent"):
            seen = [address[b.index] for b in plan.of(stored) if b.index in address and b.nbytes]
            sizes[stored] = usable(min(seen)) if seen else 0

    # malloc answers in the process whose block it is, so the runtime runs in this one
    tensors, content = len(graph.tensors), write.to_bytes(graph)
    native.places(content, "optimized", 1, False, list(graph.inputs), [], tensors, look)
    for stored, planned in (("arena", plan.arena_bytes), ("persistent", plan.persistent_bytes)):
        # the allocator rounds up to the alignment, and a large block to whole pages
        assert planned <= sizes[stored] <= planned + 4096 + 256, stored


@pytest.mark.parametrize("kernels", ("reference", "optimized"))
@pytest.mark.parametrize("shape", ((2, 8, 8, 1), (8, 8, 8, 1), (1, 30, 17, 1)))
def test_other_input_shapes(kernels, shape):
    name = "serving_default_image:0"
    compared = litert.compare_memory(
        MODELS / "digits_drq.tflite", kernels, input_shapes={name: shape}
    )
    assert compared.exact, compared
    assert compared.plan[name].shape == shape
    as_in_file = drqsim.plan_memory(drqsim.load(MODELS / "digits_drq.tflite"), kernels)
    pixels = np.prod(shape) // 64
    peak = [sum(b.nbytes for b in p.of("arena")) for p in (compared.plan, as_in_file)]
    assert 0.9 < peak[0] / peak[1] / pixels <= 1.3


@given(
    seed=st.integers(0, 2**32 - 1), length=st.integers(1, 12), batch=st.integers(1, 5), **SETTINGS
)
def test_a_batch_that_the_file_does_not_have(seed, length, batch, kernels, threads, preserve):
    """Where the model can run with it at all: a RESHAPE to fixed numbers cannot."""
    graph = random_graph(seed, length)
    shapes = {t.name: (batch, *t.shape[1:]) for t in (graph.tensors[i] for i in graph.inputs)}
    try:
        drqsim.plan_memory(graph, "optimized", input_shapes=shapes)
    except drqsim.DrqsimError as error:
        assert str(error)
        return
    try:
        compared = litert.compare_memory(graph, kernels, threads, preserve, shapes)
    except drqsim.ModelFileError:
        return  # what the runtime refuses has no plan to compare with
    assert compared.exact, compared


def in_index_order(values):
    return sorted(set(values))


BREAKS = {
    "order of a set": (planner, "set_order", in_index_order),
    "order of equal sizes": (arena, "introsort", lambda items, key: sorted(items, key=key)),
    "alignment": (arena, "ALIGNMENT", 32),
    "rounding of gaps": (arena, "_rounded", lambda offset: offset),
    "aliases": (lifetimes, "ALIASES", ()),
    "writing over an input": (lifetimes, "OVERWRITES", {}),
    "smallest tensor to write over": (lifetimes, "SCALAR", 0),
    "writing over the second input": (
        *(lifetimes, "OVERWRITES"),
        dict.fromkeys(lifetimes.OVERWRITES, 1),
    ),
    "outputs known early": (prepare, "EARLY", ()),
    "scratch": (scratch, "TABLE", {k: v for k, v in scratch.TABLE.items() if k != "CONV_2D"}),
    "outputs of a delegate": (schedule, "_delegate", None),
    "what the delegate takes": (make, "taken", lambda graph: set()),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_rule_is_seen(what, monkeypatch):
    module, name, broken = BREAKS[what]
    if what == "outputs of a delegate":
        real = schedule._delegate

        def broken(part, name, writes):
            step = real(part, name, writes)
            return replace(step, writes=tuple(i for op in part for i in op.outputs))

    monkeypatch.setattr(module, name, broken)
    kernels = "xnnpack" if "delegate" in what else "optimized"
    graphs = (random_graph(seed, 25, run_time=True) for seed in range(40))
    assert not all(litert.compare_memory(graph, kernels).exact for graph in graphs)
