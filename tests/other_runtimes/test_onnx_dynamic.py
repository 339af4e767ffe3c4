"""ONNX Runtime's dynamic quantization: our integers against its own, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnxruntime.quantization import quant_utils

import drqsim
from drqsim import processor
from drqsim.other_runtimes import onnx_dynamic
from tests.kit.one_operator import same_bits
from tests.kit.onnx_models import TYPES, model, quantizer, run
from tests.kit.strategies import inputs

f32 = np.float32
shapes = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)


@given(st.data())
def test_inputs_are_quantized_as_onnx_runtime_does(data):
    x = data.draw(inputs(data.draw(shapes)))
    ours = onnx_dynamic.dynamic_quantize_linear(x)
    theirs = quantizer().run(None, {"x": x})
    for mine, real in zip((ours.codes, ours.scale, ours.zero_point), theirs, strict=True):
        assert same_bits(np.asarray(mine), real), (x, mine, real)


@pytest.mark.parametrize(
    ("x", "scale", "zero_point", "codes"),
    [
        ([0, 0], 1, 0, [0, 0]),
        ([255, 0.5, 1.5, 2.5], 1, 0, [255, 0, 2, 2]),  # half to even
        ([-0.5, 254.5], 1, 0, [0, 254]),  # zp = rint(0.5) = 0; rint(-0.5) = -0
        ([-1.5, 253.5], 1, 2, [0, 255]),  # zp = rint(1.5) = 2; rint(253.5) = 254, cut
        ([-3, -3], 3 / 255, 255, [0, 0]),
    ],
)
def test_ties_and_ranges_that_are_empty(x, scale, zero_point, codes):
    ours = onnx_dynamic.dynamic_quantize_linear(np.array(x, f32))
    assert (ours.scale, ours.zero_point, ours.codes.tolist()) == (f32(scale), zero_point, codes)


def _codes(random, shape, dtype):
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 70), st.integers(1, 33)),
    dtype=st.sampled_from((np.int8, np.uint8)),
    columns=st.booleans(),
)
def test_matrix_products_are_onnx_runtime_s(seed, sizes, dtype, columns):
    random = np.random.default_rng(seed)
    rows, depth, out = sizes
    a = _codes(random, (rows, depth), np.uint8)
    b = _codes(random, (depth, out), dtype)
    a_zero, b_zero = _codes(random, (), np.uint8), _codes(random, (out,) if columns else (), dtype)
    node = helper.make_node("MatMulInteger", ["a", "b", "a_zero", "b_zero"], ["y"])
    constants = [("b", b), ("b_zero", b_zero), ("a_zero", a_zero)]
    graph = model([node], [("a", TensorProto.UINT8)], [("y", TensorProto.INT32)], constants)
    saturate = onnx_dynamic.saturates_here()
    ours = onnx_dynamic.matmul_integer(a, b, a_zero, b_zero, saturate=saturate)
    assert same_bits(ours, run(graph, {"a": a})["y"])


def test_two_products_in_int16(monkeypatch):
    """255 * 127 twice is 64770; without VNNI it is clamped, pair by pair, as the runtime shows."""
    a = np.array([[255, 255, 255, 255, 255, 1]], np.uint8)
    b = np.array([[127], [127], [-128], [-128], [127], [1]], np.int8)
    exact, clamped = 64770 - 65280 + 32386, 32767 - 32768 + 32386
    node = helper.make_node("MatMulInteger", ["a", "b"], ["y"])
    graph = model([node], [("a", TensorProto.UINT8)], [("y", TensorProto.INT32)], [("b", b)])
    here = onnx_dynamic.saturates_here()
    assert run(graph, {"a": a})["y"] == (clamped if here else exact)
    assert onnx_dynamic.matmul_integer(a, b) == exact
    assert onnx_dynamic.matmul_integer(a, b, saturate=True) == clamped
    as_uint8 = onnx_dynamic.matmul_integer(a, np.abs(b).view(np.uint8), saturate=True)
    assert as_uint8 == 64770 + 65280 + 32386
    kinds = ("sse4_1", False), ("avx2", True), ("avx2 avx_vnni", False)
    kinds += ("avx2 avx512f", True), ("avx2 avx512f avx512_vnni", False), ("asimddp", False)
    for names, expected in kinds:
        monkeypatch.setattr(processor, "instructions", lambda names=names: set(names.split()))
        assert onnx_dynamic.saturates_here() == expected


@st.composite
def windows(draw):
    """Shapes of x and w, and the parameters of a ConvInteger."""
    group = draw(st.sampled_from((1, 1, 2, 3)))
    depth, out = draw(st.integers(1, 9)), group * draw(st.integers(1, 5))
    kernel = draw(st.sampled_from(((1, 1), (3, 3), (2, 3), (5, 1))))
    dilations = draw(st.sampled_from(((1, 1), (1, 1), (2, 2), (1, 2))))
    strides = draw(st.sampled_from(((1, 1), (1, 1), (2, 2), (1, 2))))
    pads = draw(st.tuples(*[st.integers(0, 2)] * 4))
    sizes = [(k - 1) * d + draw(st.integers(1, 6)) for k, d in zip(kernel, dilations, strict=True)]
    x_shape = (draw(st.sampled_from((1, 1, 3))), depth * group, *sizes)
    options = dict(strides=strides, dilations=dilations, pads=pads, group=group)
    return x_shape, (out, depth, *kernel), options


@given(seed=st.integers(0, 2**32 - 1), window=windows(), dtype=st.sampled_from((np.int8, np.uint8)))
def test_convolutions_are_onnx_runtime_s(seed, window, dtype):
    random = np.random.default_rng(seed)
    x_shape, w_shape, options = window
    x, w = _codes(random, x_shape, np.uint8), _codes(random, w_shape, dtype)
    x_zero, w_zero = _codes(random, (), np.uint8), _codes(random, (), dtype)
    node = helper.make_node("ConvInteger", ["x", "w", "x_zero", "w_zero"], ["y"], **options)
    constants = [("w", w), ("w_zero", w_zero), ("x_zero", x_zero)]
    graph = model([node], [("x", TensorProto.UINT8)], [("y", TensorProto.INT32)], constants)
    ours = onnx_dynamic.conv_integer(x, w, x_zero, w_zero, **options)
    assert same_bits(ours, run(graph, {"x": x})["y"])


@given(data=st.data(), weight_type=st.sampled_from(sorted(TYPES)), reduce_range=st.booleans())
def test_weights_are_those_of_the_tool(data, weight_type, reduce_range):
    weights = data.draw(inputs(data.draw(shapes)))
    ours = onnx_dynamic.quantize_weights(weights, weight_type, reduce_range=reduce_range)
    kind = TYPES[weight_type].tensor_type
    with np.errstate(all="ignore"):
        zero_point, scale, codes = quant_utils.quantize_data(
            weights.reshape(-1), kind, weight_type == "int8", reduce_range
        )
    assert same_bits(ours.codes.reshape(-1), codes)
    assert same_bits(ours.scale, scale) and ours.zero_point == zero_point


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: onnx_dynamic.dynamic_quantize_linear(x.astype(np.float64)), "float64"),
        (lambda x: onnx_dynamic.dynamic_quantize_linear(x * np.nan), "finite"),
        (lambda x: onnx_dynamic.dynamic_quantize_linear(np.array([-3e38, 3e38], f32)), "spans"),
        (lambda x: onnx_dynamic.quantize_weights(x, "int4"), "weight_type"),
        (lambda x: onnx_dynamic.quantize_weights(x, axis=2), "axis is 2"),
        (lambda x: onnx_dynamic.matmul(x, x), r"expected \[..., k\]"),
        (lambda x: onnx_dynamic.conv(x, x), "group"),
        (
            lambda x: onnx_dynamic.conv(x.reshape(1, 1, 2, 3), np.ones((1, 1, 3, 3), f32)),
            "does not fit",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(drqsim.InputError, match=message):
        call(np.ones((2, 3), f32))


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_divided_by_the_scale_of_the_file(seed):
    """Weights halfway between two codes: float64 would round some of them otherwise."""
    random = np.random.default_rng(seed)
    largest = f32(random.uniform(0.5, 2))
    scale = f32(np.float64(largest) * 2 / 254)
    weights = ((np.arange(-126, 126) + 0.5) * np.float64(scale)).astype(f32)
    weights = np.append(weights, largest)
    _, stored, codes = quant_utils.quantize_data(weights, TensorProto.INT8, True)
    ours = onnx_dynamic.quantize_weights(weights)
    assert same_bits(ours.scale, stored) and same_bits(ours.codes, codes)
    assert (np.rint(weights / (np.float64(largest) * 2 / 254)) != codes).any()
