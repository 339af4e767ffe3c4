"""What cannot be planned is named."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim.memory import scratch
from tests.kit.memory_layers import chain
from tests.kit.memory_net import Net


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
