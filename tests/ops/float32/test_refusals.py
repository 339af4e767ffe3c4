"""What contradicts itself, or is not simulated, is named."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.graph import Graph, Operator, Tensor
from tests.kit.one_operator import Case, Operand, constants, f32, fed, graph, integers, one_operator
from tests.kit.strategies import KERNELS

REFUSED_BY_BOTH = [
    Case("CONCATENATION", fed(f32([1]), f32([1])), {"fused_activation_function": "RELU"}),
    Case("L2_NORMALIZATION", fed(f32([[1, 2]])), {"fused_activation_function": "RELU"}),
    Case("RESHAPE", fed(f32([1, 2, 3])) + integers([2, -1])),
    Case("SQUEEZE", fed(f32([[1, 2]])), {"squeeze_dims": (1,)}),
    Case("GATHER", [Operand(f32([1, 2]), True), *constants(np.int32([2]))]),
    Case("UNPACK", fed(f32([[1, 2]])), {"num": 3, "axis": 1}, (f32,) * 3),
    Case("SPLIT", constants(np.int32(0)) + fed(f32([1, 2, 3])), {"num_splits": 2}, (f32,) * 2),
    Case("ADD", fed(f32([1, 2]), f32([1, 2, 3]))),
    Case("PAD", fed(f32([1, 2])) + integers([[-1, 0]])),
    Case("MIRROR_PAD", fed(f32([1, 2])) + integers([[2, 0]]), {"mode": "REFLECT"}),
    Case("SLICE", fed(f32([1, 2])) + integers([1], [2])),
    Case("STRIDED_SLICE", fed(f32([1, 2])) + integers([0], [1], [0])),
    Case("TOPK_V2", fed(f32([1, 2])) + integers(3), {}, (f32, np.int32)),
    Case("CONCATENATION", fed(f32([[1]]), f32([[1, 2]])), {"axis": 0}),
    Case("DEPTH_TO_SPACE", fed(np.zeros((1, 1, 1, 3), f32)), {"block_size": 2}),
    Case("BATCH_MATMUL", fed(np.ones((2, 3), f32), np.ones((2, 3), f32))),
    Case("EQUAL", fed(f32([1]), np.int32([1])), {}, (np.bool_,)),
    Case("LESS", fed(f32([1, 2]), f32([1, 2, 3])), {}, (np.bool_,)),
    Case("LOGICAL_AND", fed(f32([1]), f32([1])), {}, (np.bool_,)),
    Case("LOGICAL_NOT", fed(f32([1])), {}, (np.bool_,)),
    Case("SELECT", fed(np.array([True]), f32([[1, 2], [3, 4]]), f32([[1, 2], [3, 4]]))),
    Case("SELECT_V2", fed(np.array([True]), f32([1]), np.int32([1]))),
    Case("SELECT_V2", fed(f32([1]), f32([1]), f32([1]))),
]


@pytest.mark.parametrize("case", REFUSED_BY_BOTH, ids=lambda case: case.code)
def test_what_contradicts_itself_is_named_here_and_refused_by_the_runtime(case):
    bare, feeds = graph(case)
    with pytest.raises(drqsim.DrqsimError, match=f"{case.code.lower()}_0"):
        drqsim.run(bare, feeds)
    with pytest.raises(drqsim.ModelFileError, match="The runtime refuses"):
        litert.run(bare, feeds)


# the runtime leaves memory unwritten or input unread
REFUSED_HERE = [
    Case("TRANSPOSE", fed(f32([[1, 2]])) + integers([0, 0])),
]


@pytest.mark.parametrize("case", REFUSED_HERE, ids=lambda case: case.code)
def test_what_contradicts_itself_is_named(case):
    bare, feeds = graph(case)
    with pytest.raises(drqsim.ModelFileError, match=f"{case.code.lower()}_0"):
        drqsim.run(bare, feeds)


def test_what_is_not_simulated_is_named():
    codes, none = np.zeros((2, 4), np.int8), {"fused_activation_function": "NONE"}
    unsupported = [
        (Case("ADD", fed(codes, codes), none, (np.int8,)), "works on int8"),
        (Case("SUM", fed(codes) + integers([0]), {}, (np.int8,)), "reduces int8"),
        (
            Case("CONCATENATION", fed(f32([1]), f32([1])), {"fused_activation_function": "RELU"}),
            "RELU",
        ),
        (
            Case("STRIDED_SLICE", fed(f32([1])) + integers([0], [1], [1]), {"offset": True}),
            "offset",
        ),
    ]
    for case, says in unsupported:
        bare, feeds = graph(case)
        with pytest.raises(drqsim.UnsupportedOperatorError, match=says):
            drqsim.run(bare, feeds)


def test_a_tensor_that_nothing_writes_is_named():
    both = one_operator("ADD", [(1,), Tensor("lost", (1,), np.dtype(f32))], [(1,)])
    with pytest.raises(drqsim.ModelFileError, match="reads tensor 1 .'lost'."):
        drqsim.run(replace(both, inputs=(0,)), np.ones(1, f32))


def test_no_operator_makes_a_tensor_past_all_memory():
    huge = 2**20
    cases_ = [
        Case("PAD", fed(f32([[1]])) + integers([[0, huge], [0, huge]])),
        Case("RESIZE_BILINEAR", fed(np.ones((1, 1, 1, 1), f32)) + integers([huge, huge])),
        Case("ADD", fed(np.ones((huge, 1), f32), np.ones((1, huge), f32))),
    ]
    for case in cases_:
        bare, feeds = graph(case)
        says = f"^{case.code.lower()}_0: making .* bytes .*, and a run may use"
        with pytest.raises(drqsim.UnsupportedOperatorError, match=says):
            drqsim.run(bare, feeds)


@pytest.mark.parametrize("kernels", KERNELS)
def test_softmax_of_nothing(kernels):
    cut = one_operator("SLICE", [(2, 3), np.int32([0, 0]), np.int32([2, 0])], [(2, 0)])
    soft = Operator("SOFTMAX", "softmax_0", (3,), (4,), {"beta": 1.0})
    tensors = (*cut.tensors, Tensor("soft", (2, 0), np.dtype(f32)))
    empty = Graph(tensors, (*cut.operators, soft), cut.inputs, (4,))
    x = np.ones((2, 3), f32)
    if kernels == "reference":
        for made in (drqsim.run(empty, x, kernels)[0], litert.run(empty, x, kernels).outputs):
            assert made["soft"].shape == (2, 0)
        return
    with pytest.raises(drqsim.ModelFileError, match="no last dimension of values"):
        drqsim.run(empty, x, kernels)
    with pytest.raises(drqsim.ModelFileError, match="crashed|refuses"):
        litert.run(empty, x, kernels)
