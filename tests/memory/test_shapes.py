"""Which shapes a plan is for: what is fed, what somebody gives, or what the file holds."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.graph import Graph, Operator, Quantization, Tensor
from drqsim.memory.shapes import products
from tests.kit import pace
from tests.kit.memory_graphs import random_graph
from tests.kit.memory_layers import chain
from tests.kit.places import CASES, MODELS
from tests.kit.strategies import KERNELS

FREE = CASES / "fully_conv_dynamic_hw_drq.tflite"
NAME = "serving_default_keras_tensor_59:0"
f32 = np.dtype(np.float32)


def with_open_batch(graph: Graph) -> Graph:
    """As a converter leaves it: the first dimension of every activation is the caller's."""

    def opened(tensor: Tensor) -> Tensor:
        if tensor.value is not None or len(tensor.shape) < 2:
            return tensor
        rest = tensor.shape[1:]
        return replace(tensor, shape=(1, *rest), signature=(-1, *rest))

    return replace(graph, tensors=tuple(map(opened, graph.tensors)))


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("shape", ((1, 20, 17, 3), (3, 9, 11, 3)))
def test_height_and_width_that_the_file_leaves_open(kernels, shape):
    found = litert.compare_memory(FREE, kernels, input_shapes={NAME: shape})
    assert found.exact, found
    assert found.plan.input_shapes == {NAME: shape}
    assert found.plan.notes()[0] == f"planned for float32[{','.join(map(str, shape))}]"


def test_a_picture_of_usual_size():
    found = litert.compare_memory(FREE, input_shapes={NAME: (1, 224, 224, 3)})
    assert found.exact and found.plan.arena_bytes == 38_309_072


def test_what_was_fed_decides():
    model, x = drqsim.load(FREE), np.load(CASES / "x20.npy")
    trace = drqsim.run(model, x, record="shapes")[1]
    plan = drqsim.plan_memory(model, trace=trace)
    assert plan.arena_bytes == 175_928 and plan.planned_for == "planned for float32[1,20,17,3]"
    given = drqsim.plan_memory(model, input_shapes={NAME: x.shape})
    assert repr(plan) == repr(given)


def test_a_placeholder_that_cannot_run_is_no_plan():
    with pytest.raises(drqsim.ModelFileError):
        litert.read_memory(FREE)
    with pytest.raises(drqsim.InputError) as error:
        drqsim.plan_memory(drqsim.load(FREE))
    said = str(error.value)
    assert f"leaves '{NAME}' of [?,?,?,3] to the caller" in said
    assert "float32[1,1,1,3]" in said and "3x3 window" in said and "input_shapes={" in said


@pytest.mark.parametrize("kernels", KERNELS)
def test_the_files_shapes_behind_an_open_dimension_are_not_believed(kernels):
    """The file holds a 1 wherever the batch has a share: 16 rows become one there."""
    graph = chain(("RESHAPE", 0, 2), ("RELU", 1), shape=(1, 4, 4, 2))
    x, rows, y = graph.tensors
    y = replace(rows, name="y", shape=(1, 2), signature=(-1, 2))
    rows = replace(y, name="rows")
    x = replace(x, signature=(-1, 4, 4, 2))
    target = Tensor("target", (2,), np.dtype(np.int32), np.array([-1, 2], np.int32))
    reshape, relu = graph.operators
    graph = Graph(
        (x, rows, target, y),
        (replace(reshape, inputs=(0, 2)), replace(relu, inputs=(1,), outputs=(3,))),
        (0,),
        (3,),
    )
    found = litert.compare_memory(graph, kernels)
    assert found.exact, found
    assert str(found.plan["relu_0/output"]) == "float32[16,2]"
    assert found.plan.planned_for == (
        "planned for float32[1,4,4,2]; the file leaves 't0' of [?,4,4,2] open, and the dimension "
        "marked ? is the caller's"
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 12),
    batch=st.integers(1, 4),
    kernels=st.sampled_from(KERNELS),
)
def test_an_open_batch_as_the_runtime_has_it(seed, length, batch, kernels):
    graph = with_open_batch(random_graph(seed, length))
    fed = [graph.tensors[i] for i in graph.inputs]
    shapes = {t.name: (batch, *t.shape[1:]) if t.signature else t.shape for t in fed}
    try:
        plan = drqsim.plan_memory(graph, kernels, input_shapes=shapes)
        found = litert.compare_memory(graph, kernels, input_shapes=shapes)
    except (drqsim.InputError, drqsim.ModelFileError):
        return  # a RESHAPE to fixed numbers has no other batch, for the runtime neither
    assert found.exact, found
    fed = {name: np.zeros(shape, f32) for name, shape in shapes.items()}
    try:
        trace = drqsim.run(graph, fed, kernels, record="shapes")[1]
    except drqsim.ModelFileError as error:
        assert "XNNPACK, which computes that while it loads the model" in str(error)
        return
    again = drqsim.plan_memory(graph, kernels, input_shapes=shapes, trace=trace)
    assert repr(again) == repr(plan)


@pytest.mark.parametrize("shape", ((1, 2000, 2000, 3), (1, 16000, 16000, 1), (800, 100, 100, 3)))
def test_shapes_past_a_bound_are_refused_before_anything_is_computed(shape):
    begun = time.process_time()
    with pytest.raises(drqsim.InputError, match=r"bytes of activations .* give a smaller shape"):
        drqsim.plan_memory(drqsim.load(FREE), input_shapes={NAME: shape})
    assert time.process_time() - begun < pace.seconds(1)


def test_a_file_that_is_too_large_to_follow_is_planned_as_it_is(monkeypatch):
    graph = with_open_batch(chain(("RELU", 0), ("RELU", 1)))
    monkeypatch.setattr("drqsim.limits.FOLLOWED_BYTES", 100)
    plan = drqsim.plan_memory(graph)
    assert plan.arena_bytes == 3 * 256
    assert plan.planned_for.endswith("is the caller's; all other shapes are the file's")


def test_an_operator_that_drqsim_does_not_run_leaves_the_files_shapes():
    scale = Quantization(np.array([0.5], f32), np.zeros(1, np.int64))
    x, y = (Tensor(n, (1, 4), np.dtype(np.int8), None, scale, False, (-1, 4)) for n in "xy")
    graph = Graph((x, y), (Operator("ADD", "add_0", (0, 0), (1,)),), (0,), (1,))
    plan = drqsim.plan_memory(graph)
    assert plan.planned_for.endswith("all other shapes are the file's")
    with pytest.raises(drqsim.UnsupportedOperatorError, match="add_0"):
        drqsim.plan_memory(graph, input_shapes={"x": (3, 4)})


def test_a_file_that_leaves_nothing_open_says_nothing():
    plan = drqsim.plan_memory(drqsim.load(MODELS / "digits_drq.tflite"))
    assert plan.planned_for == "" and plan.notes()[0].startswith("arena:")
    (shape,) = plan.input_shapes.values()
    assert shape == (1, 8, 8, 1)


def test_multiplications_are_counted_with_the_shapes_of_a_run():
    model = drqsim.load(FREE)
    assert products(model) == 32 * 27 + 40 * 288 + 30 * 40
    assert products(model, {7: (1, 18, 15, 32)}) == 18 * 15 * 32 * 27 + 40 * 288 + 30 * 40
