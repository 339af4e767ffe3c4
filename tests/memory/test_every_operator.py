"""Every operator that drqsim runs, alone: the plan against what the runtime holds, both ways."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drqsim
from drqsim import litert, ops
from drqsim.graph import Graph, Quantization, Tensor
from drqsim.memory import scratch
from drqsim.ops.float32 import activations
from tests.kit.float_cases import GENERATORS, cases
from tests.kit.float_values import axes, shape, values
from tests.kit.memory_layers import LAYERS
from tests.kit.one_operator import Case, Operand, constants, fed, graph, one_operator
from tests.kit.strategies import KERNELS

f32 = np.float32
FEW = max(1, settings().max_examples // 20)
# operators with weights that the builders of layers make
WITH_WEIGHTS = {
    "BATCH_MATMUL": ("matmul",),
    "CONV_2D": ("convolution", "convolution, int4"),
    "DEPTHWISE_CONV_2D": ("depthwise",),
    "FULLY_CONNECTED": ("dense", "dense, int4"),
    "RNN": ("rnn",),
    "SVDF": ("svdf",),
    "TRANSPOSE_CONV": ("transpose",),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": ("lstm",),
    "UNIDIRECTIONAL_SEQUENCE_RNN": ("rnn",),
}


def activation(draw, code: str) -> Case:
    x = values(draw, shape(draw))
    slopes = constants(np.full(x.shape[-1], 0.1, f32)) if code == "PRELU" else []
    return Case(code, fed(x) + slopes, {"beta": 1.0} if code == "SOFTMAX" else {"alpha": 0.1})


def lookup(draw, code: str) -> Case:
    table = values(draw, shape(draw, lowest=2))
    return Case(code, fed(np.zeros(draw(st.integers(1, 5)), np.int32)) + constants(table))


WITHOUT = GENERATORS | dict.fromkeys(activations.FUNCTIONS, activation)
WITHOUT |= {"EMBEDDING_LOOKUP": lookup}


@st.composite
def floats(draw, code: str) -> Graph:
    """One operator of floats, or of what it moves around; its inputs fed or in the file."""
    case = draw(cases(code)) if code in GENERATORS else WITHOUT[code](draw, code)
    outputs = drqsim.run(*graph(case), allow_nonfinite=True)[0].values()
    operands = [with_a_place(draw, case.code, operand) for operand in case.operands]
    return graph(case._replace(operands=operands), [value.shape for value in outputs])[0]


def with_a_place(draw, code: str, operand: Operand) -> Operand:
    """What is a shape must be in the file: the runtime is run on zeros."""
    if operand.value is None or code == "DEQUANTIZE":  # the runtime cannot set up one of a constant
        return operand
    is_shape = code == "RESHAPE" and operand.value.dtype == np.int32
    return operand._replace(constant=operand.constant or is_shape or draw(st.booleans()))


@st.composite
def layers(draw, code: str, kernels: str) -> Graph:
    """One operator with int8 or int4 weights."""
    name = draw(st.sampled_from(WITH_WEIGHTS[code]))
    of_this_code = LAYERS[name](kernels).filter(lambda made: made[0].operators[0].code == code)
    return draw(of_this_code)[0]


def test_every_operator_is_drawn():
    assert set(WITHOUT) | set(WITH_WEIGHTS) == set(ops.TABLE)
    assert set(scratch.TABLE) < set(ops.TABLE)


def compared(made: Graph, kernels: str, threads: int = 1):
    found = litert.compare_memory(made, kernels, threads)
    assert found.exact, f"{made.operators[0]}\n{found}"
    return found


@pytest.mark.parametrize("code", sorted(WITHOUT))
@settings(max_examples=FEW)
@given(data=st.data())
def test_without_weights(code, data):
    made = data.draw(floats(code))
    for kernels in KERNELS:
        if (code, kernels) != ("ELU", "reference"):  # which the runtime does not have
            compared(made, kernels, data.draw(st.sampled_from((1, 4))))


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("code", sorted(WITH_WEIGHTS))
@settings(max_examples=FEW)
@given(data=st.data())
def test_with_weights(code, kernels, data):
    compared(data.draw(layers(code, kernels)), kernels, data.draw(st.sampled_from((1, 4))))


REDUCED = ("float32", "int8", "uint8", "int16", "int32", "int64", "bool")


@pytest.mark.parametrize("code", ("MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"))
@settings(max_examples=3 * FEW)
@given(data=st.data(), dtype=st.sampled_from(REDUCED), constant=st.booleans(), keep=st.booleans())
def test_reductions_of_every_type(code, data, dtype, constant, keep):
    """Sums have another type than the values; an extreme keeps none."""
    if (code, dtype) == ("MEAN", "bool"):
        dtype = "float32"  # the runtime refuses the other
    sizes = data.draw(st.composite(shape)(highest=5))
    along = data.draw(st.composite(axes)(rank=len(sizes)))
    gone = {axis % len(sizes) for axis in along}
    left = [1 if at in gone else n for at, n in enumerate(sizes) if keep or at not in gone]
    zeros = np.zeros(sizes, dtype)
    codes = dtype in ("int8", "uint8", "int16")
    quantization = Quantization(np.array([0.5], f32), np.zeros(1, np.int64)) if codes else None
    x = Tensor("x", sizes, zeros.dtype, zeros if constant else None, quantization)
    y = replace(x, name="y", shape=tuple(left), value=None)
    made = one_operator(code, [x, np.array(along, np.int32)], [y], keep_dims=keep)
    for kernels in KERNELS:
        if dtype != "bool" or kernels == "reference":  # the optimized kernels have none for it
            compared(made, kernels)


@pytest.mark.parametrize(
    ("dtype", "nbytes"), (("float32", 4), ("int16", 4), ("int32", 8), ("int64", 8), ("bool", 1))
)
def test_the_type_of_sums(dtype, nbytes):
    x, y = Tensor("x", (5, 3), np.dtype(dtype)), Tensor("y", (5,), np.dtype(dtype))
    made = one_operator("SUM", [x, np.array([1], np.int32)], [y])
    assert compared(made, "reference").plan["sum_0/sum"].nbytes == 5 * nbytes


@pytest.mark.parametrize("code", sorted(scratch.TABLE))
@settings(max_examples=FEW)
@given(data=st.data())
def test_a_row_that_is_missing_is_seen(code, data):
    """However far behind the rest of the plan the runtime puts what the plan lacks."""
    made = data.draw(layers(code, "optimized") if code in WITH_WEIGHTS else floats(code))
    plan = compared(made, "optimized").plan
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(scratch.TABLE, code)
        found = litert.compare_memory(made, "optimized")
    lacking = [block for block in plan.blocks if block.role == "scratch" and block.nbytes]
    assert lacking and not found.exact
    in_arenas = {b.index for b in lacking if b.stored in ("arena", "persistent")}
    unplanned = [row for row in found.rows if row.planned is None]
    assert len(unplanned) == len(in_arenas)
    assert all(row.real is not None and row.real_nbytes for row in unplanned)
