"""What a process takes to run a model."""

import platform
import sys

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.runtime import child, native, peek
from tests.kit.places import CASES, MODELS

f32 = np.float32
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, which only Linux has")


def dense(depth: int, out: int) -> drqsim.Graph:
    random = np.random.default_rng(0)
    filter = random.normal(size=(out, 1, 1, depth)).astype(f32)
    return drqsim.conv_relu(filter, input_shape=(1, 8, 8, depth), activation="NONE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc counts what is allocated")
@pytest.mark.parametrize("kernels", ["xnnpack", "reference"])  # optimized ones pack some, too
def test_the_heap_holds_the_arenas_and_on_the_default_path_the_weights_once_more(kernels):
    for graph in (dense(1024, 1024), drqsim.quantize(dense(1024, 1024))):
        weights = graph.tensors[1].value.nbytes
        plan = drqsim.plan_memory(graph, kernels)
        measured = litert.process_memory(graph, kernels)
        # the rest is the graph, tables of the operators, and what kernels keep outside of arenas
        rest = measured.heap - plan.arena_bytes - plan.persistent_bytes
        assert measured.kernels == kernels and measured.file > weights
        assert (0.95 < rest / weights < 1.6) == (kernels == "xnnpack")
        assert measured.peak > measured.heap
        assert repr(measured).split()[4:6] == ["heap", f"{measured.heap:,}"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc counts what is allocated")
def test_what_grows_with_the_input_is_told_by_two_sizes():
    graph = drqsim.load(MODELS / "digits_float.tflite")
    (name,) = graph.input_names
    one, four, sixteen = (
        litert.process_memory(graph, "reference", {name: (1, side, side, 1)}).heap
        for side in (8, 16, 32)
    )
    plans = [
        drqsim.plan_memory(graph, "reference", input_shapes={name: (1, side, side, 1)})
        for side in (8, 16, 32)
    ]
    one_arena, four_arena, sixteen_arena = (plan.arena_bytes for plan in plans)
    assert four - one == pytest.approx(four_arena - one_arena, abs=16384)  # blocks are rounded up
    assert sixteen - four == pytest.approx(sixteen_arena - four_arena, abs=16384)
    fed = litert.process_memory(graph, "reference", x=np.zeros((1, 8, 8, 1), f32)).heap
    assert fed == pytest.approx(one, abs=16384)


def test_what_is_no_model_or_no_input_is_refused():
    graph = drqsim.load(MODELS / "digits_float.tflite")
    with pytest.raises(drqsim.InputError, match="There is no input 'y' to give a shape to"):
        litert.process_memory(graph, input_shapes={"y": (1,)})
    with pytest.raises(drqsim.InputError, match="expected positive numbers"):
        litert.process_memory(graph, input_shapes={graph.input_names[0]: (1, -8, 8, 1)})
    with pytest.raises(drqsim.InputError, match="this model reads"):
        litert.process_memory(graph, x=np.zeros((2, 2), f32))
    with pytest.raises(drqsim.InputError, match="kernels is 'fast'"):
        litert.process_memory(graph, "fast")
    with pytest.raises(drqsim.ModelFileError, match="^The runtime (crashed on|refuses) this model"):
        litert.process_memory(CASES / "segv_1031.tflite")


def test_where_it_cannot_be_measured(monkeypatch):
    graph = drqsim.load(MODELS / "digits_drq.tflite")
    with child.alone("xnnpack") as (pid, ask):
        before = peek.resident(pid)
        assert 0 < before[0] <= before[1] and (ask("heap") or 1) > 0
    monkeypatch.setattr(native.ctypes, "CDLL", lambda name: object())
    assert native.heap("xnnpack") is None  # another C library
    assert "not told" in repr(litert.ProcessMemory(1, None, 2, "xnnpack"))
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(drqsim.DrqsimError, match="^process_memory reads /proc, .*this is darwin.$"):
        litert.process_memory(graph)
