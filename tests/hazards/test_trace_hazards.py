"""What a trace warns of: each hazard appears where the input asks for it, and only there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.graph import Graph, Operator, Quantization, Tensor
from tests.kit.one_operator import one_operator
from tests.kit.strategies import KERNELS, float_constant, hybrid_dense, int8_weights

f32 = np.float32


def dense(rows, depth, out=3, symmetric=False, lowest=-127, **options):
    filters = int8_weights(np.random.default_rng(0), (out, depth), 0, "per-channel", lowest)
    return one_operator(
        "FULLY_CONNECTED",
        [(rows, depth), filters, float_constant("bias", np.arange(out))],
        [(rows, out)],
        keep_num_dims=False,
        asymmetric_quantize_inputs=not symmetric,
        **({"fused_activation_function": "NONE"} | options),
    )


def convolution(size, kernel=3, channels=16, out=4):
    weights = np.random.default_rng(0).normal(size=(out, kernel, kernel, channels)).astype(f32)
    layer = drqsim.conv_relu(weights, input_shape=(2, size, size, channels))
    return drqsim.quantize(layer, min_elements=0)


def hazards(graph, x, kernels="optimized", **options):
    """The sentences, one after the other."""
    _, trace = drqsim.run(graph, x, kernels, **options)
    assert all(operator == graph.operators[0].name for operator, _ in trace.hazards)
    return " ".join(text for _, text in trace.hazards)


def ordinary(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(f32)


@pytest.mark.parametrize("kernels", KERNELS)
def test_an_ordinary_input_has_none(kernels):
    assert hazards(dense(4, 40), ordinary(4, 40), kernels, allow_nonfinite=True) == ""
    graph = convolution(5)
    assert hazards(graph, ordinary(2, 5, 5, 16), kernels, allow_nonfinite=True) == ""
    sparse = np.maximum(ordinary(2, 5, 5, 16) - 2.5, 0)  # nearly all zero, and rightly so
    assert (sparse != 0).mean() < 0.05
    assert hazards(graph, sparse, kernels) == ""


def test_nan_and_infinity_name_the_group():
    x = ordinary(4, 40)
    x[2, 7] = np.nan
    assert hazards(dense(4, 40), x, allow_nonfinite=True).startswith("row 2 of its input holds NaN")
    x[3, 0] = x[2, 7] = -np.inf
    text = hazards(dense(4, 40), x, allow_nonfinite=True)
    assert text.startswith("each of 2 rows of 4, the first being 2, holds infinity")
    assert "NaN, which" not in text and "spans more" not in text
    image = ordinary(2, 5, 5, 16)
    image[1, 2, 2, 2] = np.nan
    text = hazards(convolution(5), image, "reference", allow_nonfinite=True)
    assert text.startswith("image 1 of its input holds NaN")


def test_the_left_operand_of_a_matmul_is_read_by_rows():
    filters = int8_weights(np.random.default_rng(0), (6, 5), 1, "per-tensor")
    options = dict(adj_x=True, adj_y=False, asymmetric_quantize_inputs=True)
    graph = one_operator("BATCH_MATMUL", [(6, 6), filters], [(6, 5)], **options)
    x = ordinary(6, 6)
    x[0, 4] = np.nan  # column 4 is row 4 of the transposed operand
    assert hazards(graph, x, allow_nonfinite=True).startswith("row 4 of its input holds NaN")


def test_a_range_past_float32():
    x = ordinary(4, 40)
    x[1, :2] = 3e38, -3e38
    text = hazards(dense(4, 40), x, allow_nonfinite=True)
    assert text.startswith("row 1 of its input spans more than float32 can hold")
    assert "infinity" not in text
    symmetric = hazards(dense(4, 40, symmetric=True), x, allow_nonfinite=True)
    assert "spans more" not in symmetric  # max|x| / 127 is finite
    assert "97.5%" not in symmetric and "outliers" in symmetric


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_range_whose_inverse_overflows(symmetric):
    graph = dense(1, 16, symmetric=symmetric)
    x = np.linspace(0, 1, 16, dtype=f32)[None]
    assert "its input spans so little that 1/scale overflows" in hazards(graph, x * f32(1e-37))
    assert hazards(graph, x * f32(1e-36)) == ""
    delegate = hazards(graph, x * f32(1e-37), "xnnpack")
    assert delegate == (
        "its input spans so little that XNNPACK's scale is zero: the output is the bias alone."
    )
    assert litert.run(graph, x * f32(1e-37), "xnnpack").outputs["y"].tolist() == [[0, 1, 2]]
    assert hazards(graph, x * f32(1e-35), "xnnpack") == ""


@pytest.mark.parametrize("kernels", KERNELS)
def test_an_outlier_that_takes_the_whole_range(kernels):
    x = np.abs(ordinary(2, 100)) + f32(0.1)
    assert hazards(dense(2, 100), x, kernels) == ""
    x[1, 3] = 1e6
    text = hazards(dense(2, 100), x, kernels)
    assert text == (
        "row 1 of its input has outliers that take up the whole range: 99.0% of its nonzero values "
        "get the code of zero."
    )


def test_pixels_of_a_1x1_convolution_have_ranges_of_their_own():
    x = np.abs(ordinary(2, 3, 3, 16)) + f32(0.1)
    x[0, 1, 1, 0] = 1e6
    graph = convolution(3, kernel=1)
    assert hazards(graph, x, "xnnpack").startswith("pixel 4 of its input has outliers")
    assert hazards(graph, x, "optimized").startswith("image 0 of its input has outliers")


@pytest.mark.parametrize("kernels", KERNELS)
def test_an_input_of_zeros(kernels):
    graph = convolution(5)
    x = np.zeros((2, 5, 5, 16), f32)
    assert hazards(graph, x, kernels).startswith("its input is all zero")
    x[0] = 1
    assert hazards(graph, x, kernels) == ""
    x[0] = 0
    x[1, 0, 0, :2] = 255, 1  # a scale of 1 without zeros in the way
    assert "all zero" not in hazards(graph, x, kernels)


def test_a_dense_layer_leaves_the_product_out():
    graph = dense(1, 8)
    assert "the output is the bias" in hazards(graph, np.zeros((1, 8), f32))
    x = np.full((1, 8), np.nan, f32)
    assert hazards(graph, x, allow_nonfinite=True).startswith("its input is NaN or zero throughout")
    assert litert.run(graph, x, "optimized", True).outputs["y"].tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("code", ["FULLY_CONNECTED", "BATCH_MATMUL"])
@pytest.mark.parametrize("depth, wraps", [(133_000, False), (133_500, True)])
def test_a_sum_past_int32(code, depth, wraps):
    # 127 * 127 * 133,145 is the first past 2^31
    values = np.full((1, depth), 127, np.int8)
    scale = Quantization(np.full(1, 1e-3, f32), np.zeros(1, np.int64), 0)
    options = {"asymmetric_quantize_inputs": False}
    if code == "FULLY_CONNECTED":
        options |= {"fused_activation_function": "NONE", "keep_num_dims": False}
    else:
        options |= {"adj_x": False, "adj_y": True}
    filters = Tensor("filter", values.shape, values.dtype, values, scale)
    graph = one_operator(code, [(1, depth), filters], [(1, 1)], **options)
    x = np.ones((1, depth), f32)
    assert ("accumulator wraps" in hazards(graph, x)) == wraps
    assert (drqsim.run(graph, x)[0]["y"].item() < 0) == wraps
    assert litert.compare(graph, x).exact


def test_values_that_leave_float32_inside_a_model_are_noted():
    """XNNPACK lets infinity pass; a float operator behind it is proven on finite values only."""
    graph = dense(1, 16)
    added = Tensor("z", (1, 3), np.dtype(f32))
    add = Operator("ADD", "add_0", (3, 3), (4,), {"fused_activation_function": "NONE"})
    both = Graph((*graph.tensors, added), (*graph.operators, add), graph.inputs, (4,))
    x = ordinary(1, 16)
    assert drqsim.run(both, x, "xnnpack")[1].hazards == []
    x[0, 0] = 3e38
    ((operator, text),) = [h for h in drqsim.run(both, x, "xnnpack")[1].hazards if "add" in h[0]]
    assert operator == "add_0" and "ADD is proven on finite values only" in text


def test_a_hybrid_operator_refuses_what_came_out_infinite_unless_it_is_allowed():
    first, second = dense(1, 16), dense(1, 3)
    at = len(first.tensors)
    reads, options = (3, at, at + 1), second.operators[0].options
    op = Operator("FULLY_CONNECTED", "fully_connected_1", reads, (at + 2,), options)
    tensors = (*first.tensors, *second.tensors[1:])
    both = Graph(tensors, (*first.operators, op), first.inputs, (at + 2,))
    x = ordinary(1, 16)
    x[0, 0] = 3e38
    with pytest.raises(drqsim.InputError, match="While running fully_connected_1: the input spans"):
        drqsim.run(both, x)
    _, trace = drqsim.run(both, x, allow_nonfinite=True)
    assert any(name == "fully_connected_1" and "infinity" in text for name, text in trace.hazards)
    comparison = litert.compare(both, x, allow_nonfinite=True)
    assert comparison.exact and not comparison.notes, comparison


def test_they_are_printed_below_the_table_and_escaped():
    graph, x = dense(1, 8), np.zeros((1, 8), f32)
    _, trace = drqsim.run(graph, x)
    assert repr(trace).splitlines()[-1].startswith("fully_connected_0: its input is all zero")
    assert "beware" in trace._repr_html_()
    _, plain = drqsim.run(graph, ordinary(1, 8))
    assert "beware" not in plain._repr_html_()
    evil = drqsim.Trace(list(trace), "optimized", [("<b>", "<script>")])
    assert "<script>" not in evil._repr_html_() and "&lt;script&gt;" in evil._repr_html_()
    keys = {record.key for record in trace}
    assert keys == {r.key for r in drqsim.run(graph, x, record="shapes")[1]}


@pytest.mark.parametrize("kernels", KERNELS)
def test_hazards_do_not_depend_on_what_is_recorded(kernels):
    x = np.zeros((2, 5, 5, 16), f32)
    graph = convolution(5)
    both = [drqsim.run(graph, x, kernels, record=r)[1].hazards for r in ("values", "shapes")]
    assert both[0] == both[1] != []


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_without_the_option_they_are_refused_and_the_option_is_named(bad):
    x = ordinary(1, 16)
    x[0, 5] = bad
    with pytest.raises(drqsim.InputError, match="allow_nonfinite=True"):
        drqsim.run(dense(1, 16), x)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_xnnpack_refuses_them_by_name(bad):
    x = ordinary(1, 16)
    x[0, 5] = bad
    with pytest.raises(drqsim.InputError, match="XNNPACK's codes are undefined there"):
        drqsim.run(dense(1, 16), x, "xnnpack", allow_nonfinite=True)


def test_the_sign_of_nan_is_refused():
    graph = dense(1, 15, symmetric=True, fused_activation_function="SIGN_BIT")
    assert drqsim.run(graph, ordinary(1, 15))[0]["y"].any()
    with pytest.raises(drqsim.InputError, match="SIGN_BIT reads the sign of a NaN"):
        drqsim.run(graph, np.full((1, 15), np.nan, f32), allow_nonfinite=True)


@pytest.mark.parametrize("kernels", KERNELS)
@given(data=st.data())
def test_a_fused_tanh_has_the_bits_of_the_runtime(kernels, data):
    graph, x = data.draw(hybrid_dense(kernels))
    (op,) = graph.operators
    options = dict(op.options) | {"fused_activation_function": "TANH"}
    fused = Operator(op.code, op.name, op.inputs, op.outputs, options)
    graph = Graph(graph.tensors, (fused,), graph.inputs, graph.outputs)
    comparison = litert.compare(graph, x, kernels)
    assert comparison.exact, f"\n{graph}\n{comparison}"


@pytest.mark.parametrize("shape", [(1, 4, 0, 2, 4), (2, 0), (0, 4)])
@pytest.mark.parametrize("code", ["BATCH_MATMUL", "FULLY_CONNECTED"])
def test_weights_without_elements_have_no_row_sums_that_wrap(code, shape):
    own = Quantization(np.float32([0.5]), np.int64([0]), 0)
    weights = Tensor("w", shape, np.dtype(np.int8), np.zeros(shape, np.int8), own)
    options = {"asymmetric_quantize_inputs": True}
    options |= {"adj_x": False, "adj_y": True} if code == "BATCH_MATMUL" else {}
    graph = one_operator(code, [(1, 4), weights], [(1, 2)], **options)
    for kernels in KERNELS:
        assert not any(
            "wraps" in text for text in drqsim.explain(graph, kernels).verdicts[0].hazards
        )
