"""int4 weights: how the file packs them, and every operator that takes them, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.graph import Graph, Operator, Quantization, Tensor
from tests.kit.one_operator import one_operator
from tests.kit.places import MODELS
from tests.kit.strategies import (
    KERNELS,
    hybrid_batch_matmul,
    hybrid_convolutions,
    hybrid_dense,
    hybrid_depthwise,
    hybrid_transpose_conv,
    inputs,
    int4,
    int4_tensor,
)

f32 = np.float32
BOTH = pytest.mark.parametrize("layers", [hybrid_convolutions, hybrid_dense])


@pytest.mark.parametrize("kernels", KERNELS)
@BOTH
@given(data=st.data())
def test_every_readable_tensor_has_the_bits_of_the_runtime(layers, kernels, data):
    graph, x = data.draw(int4(layers, kernels))
    comparison = litert.compare(graph, x, kernels)
    assert comparison.exact, f"\n{graph}\n{comparison}"


@BOTH
@given(data=st.data())
def test_the_kernel_is_the_one_that_ran(layers, data):
    graph, x = data.draw(int4(layers, "xnnpack"))
    verdict = drqsim.explain(graph)[graph.operators[0].name]
    assert verdict.arithmetic == "int8" and "int4 weights" in verdict.why
    assert (verdict.kernel == "XNNPACK") == bool(litert.delegated(graph))
    optimized = drqsim.explain(graph, "optimized")[graph.operators[0].name]
    # the kernel of its own has no buffer for row sums
    own = layers is hybrid_dense and len(litert.run(graph, x, "optimized").scratch) == 4
    assert ("a kernel of its own" in optimized.why) == own


@st.composite
def weight_only(draw):
    """int4 constants behind DEQUANTIZE, then an operator that is exact."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    weights = int4_tensor(random, shape, draw(st.sampled_from((0, None))))
    if draw(st.booleans()):
        scale = weights.quantization.scale
        shifted = random.integers(-8, 8) * np.ones(scale.shape, np.int64)
        weights = replace(weights, quantization=Quantization(scale, shifted, 0))
    f = np.dtype(f32)
    tensors = (Tensor("x", shape, f), weights, Tensor("float", shape, f), Tensor("y", shape, f))
    operators = (
        Operator("DEQUANTIZE", "dequantize_0", (1,), (2,)),
        Operator("ADD", "add_0", (0, 2), (3,)),
    )
    return Graph(tensors, operators, (0,), (3,)), draw(inputs(shape))


@pytest.mark.parametrize("kernels", KERNELS)
@given(case=weight_only())
def test_weight_only(kernels, case):
    graph, x = case
    assert litert.compare(graph, x, kernels).exact
    _, trace = drqsim.run(graph, x, kernels)
    assert str(trace["dequantize_0/constant"]).startswith("int4")
    assert trace["dequantize_0/output"].stored == "persistent"
    assert "dequantize_0" not in litert.delegated(graph)


def rows_by(index):
    return Tensor("index", index.shape, index.dtype)


@pytest.mark.parametrize("kernels", KERNELS)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.lists(st.integers(1, 7), min_size=2, max_size=4),
    axis=st.sampled_from((0, None)),
)
def test_embedding_tables(kernels, seed, shape, axis):
    """With rows of an odd length too, which the kernel reads from the wrong place."""
    random = np.random.default_rng(seed)
    table = int4_tensor(random, tuple(shape), axis)
    index = random.integers(0, shape[0], 5).astype(np.int32)
    graph = one_operator("EMBEDDING_LOOKUP", [rows_by(index), table], [(5, *shape[1:])])
    assert litert.compare(graph, index, kernels).exact
    verdict = drqsim.explain(graph, kernels)["embedding_lookup_0"]
    assert verdict.arithmetic == "int4 rows to float32"
    odd = np.prod(shape[1:]) % 2
    assert bool(verdict.hazards) == bool(odd)
    if not odd:
        scale = np.broadcast_to(table.quantization.scale, shape[:1])
        scale = scale.reshape(-1, *[1] * (len(shape) - 1))
        meant = (table.value * scale)[index]
        assert np.array_equal(drqsim.run(graph, index, kernels)[0]["y"], meant)


@pytest.mark.parametrize("kernels", KERNELS)
@given(seed=st.integers(0, 2**32 - 1), shape=st.tuples(*[st.integers(1, 5)] * 3))
def test_gathered_rows(kernels, seed, shape):
    random = np.random.default_rng(seed)
    shape = (*shape[:2], 2 * shape[2])
    axis = int(random.integers(2))
    table = int4_tensor(random, shape, None)
    index = random.integers(0, shape[axis], 3).astype(np.int32)
    made = (*shape[:axis], 3, *shape[axis + 1 :])
    y = Tensor("y", made, np.dtype(np.int8), quantization=table.quantization, bits=4)
    graph = one_operator("GATHER", [table, rows_by(index)], [y], axis=axis, batch_dims=0)
    # the codes leave as int4, and a DEQUANTIZE follows
    z = Tensor("z", made, np.dtype(f32))
    follows = Operator("DEQUANTIZE", "dequantize_0", (2,), (3,))
    whole = Graph((*graph.tensors, z), (*graph.operators, follows), graph.inputs, (3,))
    comparison = litert.compare(whole, index, kernels)
    assert comparison.exact and len(comparison.rows) == 2
    _, trace = drqsim.run(whole, index, kernels)
    assert str(trace["gather_0/output"]) == str(trace["dequantize_0/input"]) == str(y)


def test_gathering_an_odd_number_of_values_is_refused():
    """The runtime copies half as many bytes, rounded down."""
    table = int4_tensor(np.random.default_rng(0), (5, 7), None)
    index = np.array([1, 3, 2], np.int32)
    y = Tensor("y", (3, 7), np.dtype(np.int8), quantization=table.quantization, bits=4)
    graph = one_operator("GATHER", [table, rows_by(index)], [y], axis=0, batch_dims=0)
    with pytest.raises(drqsim.UnsupportedOperatorError, match="an odd number of values"):
        drqsim.run(graph, index)
    real = litert.run(graph, index).outputs["y"]
    assert not np.array_equal(real, table.value[index])


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("layers", [hybrid_depthwise, hybrid_batch_matmul, hybrid_transpose_conv])
@given(data=st.data())
def test_operators_without_a_kernel_for_int4(layers, kernels, data):
    graph, x = data.draw(int4(layers, kernels))
    with pytest.raises(drqsim.ModelFileError, match="The runtime refuses"):
        litert.run(graph, x, kernels)
    name = graph.operators[0].name
    with pytest.raises(drqsim.UnsupportedOperatorError, match=rf"{name} has the tensor .* int4\["):
        drqsim.run(graph, x, kernels)
    assert drqsim.explain(graph, kernels)[name].arithmetic == "refused"


def test_the_trace_tells_int4_from_int8():
    model = drqsim.load(MODELS / "digits_int4.tflite")
    image = np.load(MODELS / "digits_inputs.npz")["images"][:1]
    _, trace = drqsim.run(model, image, "optimized")
    filters = trace["conv_2d_1/filter"]
    assert (str(filters), filters.nbytes) == ("int4[32,3,3,16]", 32 * 3 * 3 * 16 // 2)
    unpacked_filter = trace["conv_2d_1/filter_unpacked"]
    assert (str(unpacked_filter), unpacked_filter.nbytes) == ("int8[32,3,3,16]", 4608)
    assert np.array_equal(filters.value, unpacked_filter.value)
    packed = trace["fully_connected_0/filter_packed"]
    assert (str(packed), packed.nbytes, packed.reserved) == ("uint4[32,64]", 1024, 1024 + 63)
    assert np.array_equal(packed.value, trace["fully_connected_0/filter"].value + 7)
    assert "int4[32,3,3,16]" in repr(trace) and "int4[32,3,3,16]" in repr(model)
    _, shapes = drqsim.run(model, image, "optimized", record="shapes")
    assert str(shapes["conv_2d_1/filter"]) == "int4[32,3,3,16]"


def test_an_input_that_int4_cannot_hold_is_refused():
    weights = int4_tensor(np.random.default_rng(0), (4,), None)
    graph = one_operator("DEQUANTIZE", [replace(weights, value=None)], [(4,)])
    assert litert.compare(graph, np.array([-8, 7, 0, 1], np.int8)).exact
    with pytest.raises(drqsim.InputError, match="from -8 to 7, not -9 to 8"):
        drqsim.run(graph, np.array([-9, 8, 0, 1], np.int8))


def test_a_grouped_convolution_with_one_scale_is_refused_on_every_path():
    """XNNPACK would take it with int8 weights; the builtin kernels do not."""
    values = np.random.default_rng(0).integers(-7, 8, (4, 1, 1, 2), dtype=np.int8)
    graph = drqsim.conv_relu(values, input_shape=(1, 2, 2, 4), filter_scale=np.array([0.1], f32))
    tensors = (replace(t, bits=4) if t.quantization else t for t in graph.tensors)
    graph, x = replace(graph, tensors=tuple(tensors)), np.ones((1, 2, 2, 4), f32)
    for kernels in KERNELS:
        with pytest.raises(drqsim.UnsupportedOperatorError, match="grouped convolution"):
            drqsim.run(graph, x, kernels)
        with pytest.raises(drqsim.ModelFileError, match="The runtime refuses"):
            litert.run(graph, x, kernels)
