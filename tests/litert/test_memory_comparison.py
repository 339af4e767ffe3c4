"""What the comparison of a memory plan sees: the whole arena, both ways."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.graph import Tensor
from drqsim.litert import memory
from drqsim.memory import scratch
from drqsim.runtime import native
from tests.kit.memory_layers import chain
from tests.kit.one_operator import one_operator
from tests.kit.places import CASES, MODELS
from tests.kit.recurrent import rnn
from tests.kit.strategies import KERNELS

DRQ = MODELS / "digits_drq.tflite"


def test_reduce_min_has_the_scratch_of_an_extreme():
    """Behind the last tensor of the graph, which ends at 4,128."""
    found = litert.compare_memory(CASES / "reduce_min.tflite")
    assert found.exact and found.totals["arena"] == (4232, 4232)
    blocks = {b.name: (str(b), b.offset) for b in found.plan.blocks if b.stored == "arena"}
    assert blocks["index"] == ("int32[4]", 4160) and blocks["axes"] == ("int32[2]", 4224)


def test_what_the_plan_lacks_is_seen(monkeypatch):
    monkeypatch.delitem(scratch.TABLE, "REDUCE_MIN")
    found = litert.compare_memory(CASES / "reduce_min.tflite")
    lacking = [(r.stored, r.real, r.real_nbytes) for r in found.rows if r.planned is None]
    assert lacking == [("arena", 4160, 16), ("arena", 4224, 8)]
    assert not found.exact and found.totals["arena"] == (4128, 4232)
    assert "scratch tensor 5     arena      not planned      4,160" in repr(found)
    assert "16 bytes in heap, and not in the plan" in repr(found)


@pytest.mark.parametrize("kernels", KERNELS)
def test_what_the_runtime_lacks_is_seen(kernels, monkeypatch):
    real = memory.plan_memory

    def with_one_more(*given):
        plan = real(*given)
        last = plan.blocks[-1]
        plan.blocks += (replace(last, index=last.index + 99, stored="arena", offset=0),)
        return plan

    monkeypatch.setattr(memory, "plan_memory", with_one_more)
    found = litert.compare_memory(DRQ, kernels)
    assert not found.exact and [row.real for row in found.rows if not row.equal] == [None]
    assert "nowhere" in repr(found)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", ("scalar_memory", "scalar_only"))
def test_tensors_without_dimensions_have_a_place(name, kernels):
    found = litert.compare_memory(CASES / f"{name}.tflite", kernels)
    assert found.exact, found
    graph = drqsim.load(CASES / f"{name}.tflite")
    alone = {i for i, t in enumerate(graph.tensors) if t.shape == () and t.is_fed}
    seen = {b.index for b in found.plan.of("arena")}
    assert alone and (alone <= seen or kernels == "xnnpack")  # which keeps some to itself


@pytest.mark.parametrize("dtype", ("float32", "int8", "int32", "int64", "bool"))
def test_scalars_of_every_size(dtype):
    x, size = Tensor("x", (), np.dtype(dtype)), Tensor("y", (1,), np.dtype(dtype))
    graph = one_operator("RESHAPE", [x, np.array([1], np.int32)], [size], new_shape=(1,))
    found = litert.compare_memory(graph)
    assert found.exact and [row.nbytes for row in found.rows] == [x.nbytes] * 2


def test_a_misplaced_scalar_is_seen(monkeypatch):
    real = memory.plan_memory

    def moved(*given):
        plan = real(*given)
        plan.blocks = tuple(
            replace(b, offset=b.offset + 64) if b.shape == () else b for b in plan.blocks
        )
        return plan

    monkeypatch.setattr(memory, "plan_memory", moved)
    assert not litert.compare_memory(CASES / "scalar_only.tflite").exact
    assert not litert.compare_memory(CASES / "scalar_memory.tflite").exact


def test_memory_of_another_kind_is_seen(monkeypatch):
    real = memory.plan_memory

    def elsewhere(*given):
        plan = real(*given)
        plan.blocks = tuple(
            replace(b, stored="heap", offset=None) if b.name == "input_quantized" else b
            for b in plan.blocks
        )
        return plan

    monkeypatch.setattr(memory, "plan_memory", elsewhere)
    found = litert.compare_memory(DRQ)
    assert not found.exact
    assert any("input_quantized is in arena; planned in heap" in stray for stray in found.strays)


def test_where_the_runtimes_table_cannot_be_read_python_tells_what_it_can(monkeypatch):
    """In this process, since the other one has its own code."""
    content = DRQ.read_bytes()
    graph = drqsim.load(DRQ)
    given = content, "optimized", 1, False, list(graph.inputs), [], len(graph.tensors)
    whole = native.places(*given)
    monkeypatch.setattr(native, "_own_table", lambda runtime, count: [])
    shown = native.places(*given)
    assert {kind for _, kind, _, _ in whole} == {"file", "arena", "persistent", "heap"}
    assert {kind for _, kind, _, _ in shown} == {""}
    sizes = {index: nbytes for index, _, _, nbytes in whole}
    assert 10 < len(shown) and all(sizes[index] == nbytes for index, _, _, nbytes in shown)


def test_without_the_table_the_plan_says_what_lies_where(monkeypatch):
    real = memory.places

    def shown(graph, *given):
        return [(index, "", at, nbytes) for index, _, at, nbytes in real(graph, *given)]

    monkeypatch.setattr(memory, "places", shown)
    assert litert.compare_memory(DRQ).exact
    assert litert.compare_memory(MODELS / "digits_int4.tflite").exact
    monkeypatch.delitem(scratch.TABLE, "REDUCE_MIN")
    found = litert.compare_memory(CASES / "reduce_min.tflite")
    assert not found.exact and "16 bytes in memory, and not in the plan" in repr(found)
    assert litert.compare_memory(chain(("RELU", 0))).exact


@pytest.mark.parametrize("kernels", KERNELS)
def test_a_model_that_is_fed_with_a_shape(kernels):
    """The runtime has nothing to make of a shape of zeros."""
    target = Tensor("shape", (2,), np.dtype(np.int32))
    graph = one_operator("RESHAPE", [(2, 6), target], [(1, 12)], new_shape=())
    fed = {"x": np.ones((2, 6), np.float32), "shape": np.array([3, 4], np.int32)}
    found = litert.compare_memory(graph, kernels, x=fed)
    assert found.exact and str(found.plan["reshape_0/output"]) == "float32[3,4]", found
    with pytest.raises(drqsim.ModelFileError, match="RESHAPE"):
        litert.compare_memory(graph, kernels)


def test_what_is_fed_decides_in_the_runtime_too():
    x = np.load(CASES / "x20.npy")
    found = litert.compare_memory(CASES / "fully_conv_dynamic_hw_drq.tflite", x=x)
    assert found.exact and found.totals["arena"] == (175_928, 175_928)


def test_a_state_may_be_fed_too():
    graph = rnn(np.random.default_rng(0), None, batch=2, n_input=5, units=4)
    state = next(t for t in graph.tensors if t.is_variable)
    x = {"x": np.ones(graph.tensors[0].shape, np.float32)}
    assert litert.compare_memory(graph, x=x | {state.name: np.ones(state.shape, np.float32)}).exact
