"""What cannot be planned is named."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.graph import Tensor
from drqsim.kernels import KERNELS
from drqsim.memory import scratch
from tests.kit import recurrent
from tests.kit.memory_layers import chain
from tests.kit.memory_net import Net
from tests.kit.one_operator import f32, one_operator


def test_shapes_that_the_model_cannot_take():
    net = Net(0, 0)
    x = net.input(2, 3)
    net.add("RESHAPE", (x, net.numbers((3, 2))), (3, 2), new_shape=(3, 2))
    model = net.graph(shuffled=False)
    with pytest.raises(drqsim.InputError, match="reshape_0"):
        drqsim.plan_memory(model, input_shapes={"tensor 0": (4, 3)})
    for shapes, says in (
        ({"other": (2, 3)}, "inputs are tensor 0"),
        ({"tensor 0": (2, 0)}, "positive"),
        ({"tensor 0": 7}, "positive"),
        ({"tensor 0": (2**20, 2**20)}, "at most"),
    ):
        with pytest.raises(drqsim.InputError, match=says):
            drqsim.plan_memory(model, input_shapes=shapes)
    for wrong in ({"kernels": "fast"}, {"threads": 0}, {"threads": True}, {"partition": ["x"]}):
        with pytest.raises(drqsim.InputError):
            drqsim.plan_memory(model, **wrong)
    with pytest.raises(drqsim.InputError, match="not in this model"):
        drqsim.plan_memory(model, "xnnpack", partition=["conv_2d_7"])


def test_operators_that_nobody_modelled_are_named():
    with pytest.raises(drqsim.UnsupportedOperatorError, match="add_n_0.*ADD_N"):
        drqsim.plan_memory(chain(("ADD_N", 0, 0)))
    net = Net(0, 0)
    x = net.input(2, 3)
    axes = net.tensor((1,), np.dtype(np.int32))
    net.inputs.append(axes)
    net.add("MEAN", (x, axes), (2,))
    with pytest.raises(drqsim.UnsupportedOperatorError, match="mean_0 computes its axes"):
        drqsim.plan_memory(net.graph(shuffled=False))
    graph = chain(("RELU", 0))
    silent = replace(graph, operators=(replace(graph.operators[0], outputs=()),))
    with pytest.raises(drqsim.ModelFileError, match="no output"):
        drqsim.plan_memory(silent)


@pytest.mark.parametrize("code", sorted(scratch.TABLE))
def test_damaged_operators_are_refused_in_words(code):
    """No inputs, and inputs of another rank."""
    graph = chain((code, 0), shape=(3,))
    for reads in ((), (0,), (0,) * 24):
        damaged = replace(graph, operators=(replace(graph.operators[0], inputs=reads),))
        with pytest.raises(drqsim.DrqsimError, match=graph.operators[0].name):
            drqsim.plan_memory(damaged)


def test_an_operator_without_outputs_whose_shapes_are_found_at_run_time():
    axis, x = (Tensor(name, shape, np.dtype(np.int32)) for name, shape in (("a", ()), ("x", (2,))))
    graph = one_operator("SPLIT", [axis, x], [], num_splits=0)
    for kernels in KERNELS:
        assert drqsim.plan_memory(graph, kernels).steps == ("split_0",)


@pytest.mark.parametrize("kernels", KERNELS)
def test_what_nobody_writes_has_no_memory(kernels):
    """A plan gave it the beginning of an arena without bytes."""
    lost = Tensor("lost", (3,), np.dtype(f32))
    graph = one_operator("SHAPE", [lost], [Tensor("y", (1,), np.dtype(np.int32))], out_type=2)
    alone = replace(graph, inputs=())
    drqsim.plan_memory(graph, kernels)
    with pytest.raises(drqsim.ModelFileError, match="shape_0 reads tensor 0 .'lost'."):
        drqsim.plan_memory(alone, kernels)
    with pytest.raises(drqsim.ModelFileError, match="Input tensor 0 lacks data"):
        litert.run(alone, {}, kernels)


def test_a_shape_in_the_file_that_fills_memory_is_not_followed():
    """The file leaves it open, and has 2^31 - 1 rows in that place, of which little is made."""
    many = Tensor("x", (2**31 - 1, 1), np.dtype(f32), signature=(-1, 1))
    graph = one_operator("BATCH_MATMUL", [many, (1, 1)], [(1, 1)], adj_x=False, adj_y=False)
    assert "all other shapes are the file's" in drqsim.plan_memory(graph).planned_for


def test_recurrent_weights_of_another_rank():
    graph = recurrent.lstm(np.random.default_rng(0))
    (op,) = graph.operators
    tensors = list(graph.tensors)
    tensors[op.inputs[8]] = replace(tensors[op.inputs[8]], shape=(), value=np.zeros((), np.int8))
    with pytest.raises(drqsim.ModelFileError, match="as its input 8; its kernel reads 2 dim"):
        drqsim.plan_memory(replace(graph, tensors=tuple(tensors)))
