"""EMBEDDING_LOOKUP and GATHER of int8 tables against the runtime, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.graph import Graph, Operator, Quantization, Tensor
from tests.kit.one_operator import Case, Operand, run_both, same_bits
from tests.kit.strategies import KERNELS

f32 = np.float32
# also where a product is denormal or overflows
MAGNITUDES = (1e-3, 1.0, 1e-20, 2e-38, 1e37)
DENORMAL = (1e-40,)


@st.composite
def tables(draw, lowest_rank, per_row, magnitudes):
    """An int8 table with one scale or one for each row, and a generator for what reads it."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.lists(st.integers(1, 9), min_size=lowest_rank, max_size=4))
    values = random.integers(-128, 128, shape, dtype=np.int8)
    scale = random.uniform(1, 9, shape[0] if per_row else 1) * draw(st.sampled_from(magnitudes))
    zeros = np.zeros(scale.size, np.int64)
    return values, Quantization(scale.astype(f32), zeros, 0), random


@pytest.mark.parametrize("kernels", KERNELS)
@given(data=st.data())
def test_embedding_lookup(kernels, data):
    values, quantization, random = data.draw(
        tables(2, data.draw(st.booleans()), MAGNITUDES + DENORMAL)
    )
    index = random.integers(0, len(values), data.draw(st.integers(1, 12))).astype(np.int32)
    table = Operand(values, True, quantization)
    ((ours, theirs),) = run_both(Case("EMBEDDING_LOOKUP", [Operand(index), table]), kernels)
    assert same_bits(ours, theirs)
    assert ours.shape == (len(index), *values.shape[1:])


@pytest.mark.parametrize("kernels", KERNELS)
@given(data=st.data())
def test_gather_and_dequantize(kernels, data):
    """The rows stay int8 with the table's scale, and become float32 behind it."""
    # XNNPACK refuses a whole model for the denormal scale of an int8 tensor
    magnitudes = MAGNITUDES + (() if kernels == "xnnpack" else DENORMAL)
    values, quantization, random = data.draw(tables(1, False, magnitudes))
    axis = data.draw(st.integers(0, values.ndim - 1))
    wanted = data.draw(st.lists(st.integers(1, 4), max_size=2))
    kind = np.dtype(data.draw(st.sampled_from(("i4", "i8"))))
    index = np.asarray(random.integers(0, values.shape[axis], wanted), kind)
    rows = (*values.shape[:axis], *wanted, *values.shape[axis + 1 :])
    graph = Graph(
        (
            Tensor("table", values.shape, values.dtype, values, quantization),
            Tensor("index", tuple(wanted), kind),
            Tensor("rows", rows, values.dtype, None, quantization),
            Tensor("y", rows, np.dtype(f32)),
        ),
        (
            Operator("GATHER", "gather_0", (0, 1), (2,), {"axis": axis, "batch_dims": 0}),
            Operator("DEQUANTIZE", "dequantize_0", (2,), (3,), {}),
        ),
        (1,),
        (3,),
    )
    outputs, trace = drqsim.run(graph, index, kernels)
    assert same_bits(outputs["y"], litert.run(graph, index, kernels).outputs["y"])
    assert trace["gather_0/output"].dtype == np.int8
    comparison = litert.compare(graph, index, kernels)
    assert comparison.exact, f"\n{graph}\n{comparison}"
