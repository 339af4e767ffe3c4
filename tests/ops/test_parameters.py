"""Parameters that come as tensors or options, in a form that the runtime refuses: refused too."""

import numpy as np
import pytest

import drqsim
from drqsim import litert
from tests.kit import recurrent
from tests.kit.one_operator import one_operator
from tests.kit.strategies import KERNELS

i32 = np.int32
VECTOR = np.zeros(2, i32)
LSTM = recurrent.lstm(np.random.default_rng(0), 1, 1, 2, 3, cell_clip=-1.0)

REFUSED = {
    "begin": one_operator(
        "STRIDED_SLICE", [(2, 2), np.zeros((1, 2), i32), VECTOR + 2, VECTOR + 1], [(2, 2)]
    ),
    "end": one_operator(
        "STRIDED_SLICE", [(2, 2), VECTOR, np.full((1, 2), 2, i32), VECTOR + 1], [(2, 2)]
    ),
    "paddings": one_operator("PAD", [(2, 2), np.zeros((1, 2, 2), i32)], [(2, 2)]),
    "size": one_operator(
        "RESIZE_BILINEAR", [(1, 2, 2, 1), np.full((1, 2), 2, i32)], [(1, 2, 2, 1)]
    ),
    "cell_clip": LSTM,
}


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", REFUSED)
def test_the_runtime_refuses_them(name, kernels):
    graph = REFUSED[name]
    x = np.ones(graph.tensors[graph.inputs[0]].shape, np.float32)
    with pytest.raises(drqsim.ModelFileError, match=name):
        drqsim.run(graph, x, kernels)
    with pytest.raises(drqsim.ModelFileError, match="refuses"):
        litert.run(graph, x, kernels)


@pytest.mark.parametrize(
    ("code", "reads", "says"),
    [
        ("MEAN", [(2, 2), np.zeros(1_000, i32)], "its axes has 1,000 values"),
        ("RESHAPE", [(2, 2), np.ones(40, i32)], "it reshapes to 40 dimensions"),
    ],
)
def test_long_ones_are_told_in_a_sentence(code, reads, says):
    with pytest.raises(drqsim.ModelFileError, match=says):
        drqsim.run(one_operator(code, reads, [(2,)]), np.ones((2, 2), np.float32))
