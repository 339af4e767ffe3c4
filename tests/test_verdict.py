"""Verdicts held against the runtime: what XNNPACK took, which kernels have int8 scratch."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert, processor
from drqsim.graph import Graph, Operator, Tensor
from tests.kit.one_operator import one_operator, with_options
from tests.kit.places import MODELS
from tests.kit.strategies import (
    KERNELS,
    float_constant,
    hybrid_batch_matmul,
    hybrid_convolutions,
    hybrid_dense,
    hybrid_depthwise,
    hybrid_transpose_conv,
    int8_weights,
)

f32 = np.float32
LAYERS = (
    hybrid_convolutions,
    hybrid_depthwise,
    hybrid_dense,
    hybrid_batch_matmul,
    hybrid_transpose_conv,
)


@pytest.mark.parametrize("layers", LAYERS, ids=lambda f: f.__name__)
@given(data=st.data())
def test_the_kernel_is_the_one_that_ran(layers, data):
    graph, x = data.draw(layers("xnnpack"))
    verdict = drqsim.explain(graph)[graph.operators[0].name]
    assert (verdict.kernel == "XNNPACK") == bool(litert.delegated(graph))
    assert verdict.arithmetic == "int8"
    if verdict.kernel != "XNNPACK":
        scratch = litert.run(graph, x, "xnnpack").scratch
        assert any(t.dtype == np.int8 and t.shape == x.shape for t in scratch)


@pytest.mark.parametrize(
    "file", ["digits_float", "digits_drq", "digits_weight_only", "digits_int4"]
)
def test_the_digits_net(file):
    path = MODELS / f"{file}.tflite"
    graph = drqsim.load(path)
    taken = litert.delegated(path)
    image = np.load(MODELS / "digits_inputs.npz")["images"][:1]
    whole = litert.run(path, image, "optimized")
    for kernels in KERNELS:
        explanation = drqsim.explain(graph, kernels)
        assert [v.operator for v in explanation] == [op.name for op in graph.operators]
        for op, verdict in zip(graph.operators, explanation, strict=True):
            if verdict.arithmetic != "int8":
                continue
            assert (verdict.kernel == "XNNPACK") == (kernels == "xnnpack" and op.name in taken)
            fed = whole.tensors[op.inputs[0]].value
            alone = litert.run(graph.extract(op.name), fed, "optimized")
            assert any(t.dtype == np.int8 for t in alone.scratch)
    int8 = {v.operator for v in drqsim.explain(graph) if v.arithmetic == "int8"}
    both = {"conv_2d_1", "conv_2d_2", "conv_2d_3", "conv_2d_4", "fully_connected_0"}
    expected = {
        "digits_drq": both | {"depthwise_conv_2d_1"},
        "digits_int4": both | {"conv_2d_0", "fully_connected_1"},
    }
    assert int8 == expected.get(file, set())


def test_the_reasons_are_told():
    drq = drqsim.explain(drqsim.load(MODELS / "digits_drq.tflite"))
    assert "144 elements, fewer than 1,024" in drq["conv_2d_0"].why
    plain = drqsim.explain(drqsim.load(MODELS / "digits_float.tflite"))
    for name in ("conv_2d_0", "conv_2d_1"):  # few weights or many: nobody tried
        assert plain[name].why.startswith("this file is not quantized: its ")
    mixed = drqsim.load(MODELS / "digits_drq.tflite")
    at = mixed.operator("conv_2d_1").inputs[1]
    weights = np.ones(mixed.tensors[at].shape, np.float32)
    kept = replace(mixed.tensors[at], dtype=weights.dtype, value=weights, quantization=None)
    mixed = replace(mixed, tensors=(*mixed.tensors[:at], kept, *mixed.tensors[at + 1 :]))
    assert drqsim.explain(mixed)["conv_2d_1"].why.endswith("in the file: nobody quantized them")
    assert "XNNPACK does not take it" in drq["depthwise_conv_2d_1"].why
    assert "no weights" in drq["softmax_0"].why
    weight_only = drqsim.explain(drqsim.load(MODELS / "digits_weight_only.tflite"))
    assert "pass through DEQUANTIZE" in weight_only["conv_2d_1"].why
    assert "float32, once" in weight_only["dequantize_0"].why
    floats = drqsim.explain(drqsim.load(MODELS / "digits_float.tflite"))
    assert "4,608 weights are float32" in floats["conv_2d_1"].why
    with pytest.raises(drqsim.InputError, match="No verdict"):
        drq["conv_9"]


def convolution(weights, scales, activation="NONE", channels=None):
    weights = np.asarray(weights, np.int8)
    out, height, width, depth = weights.shape
    return drqsim.conv_relu(
        weights,
        input_shape=(1, 5, 5, channels or depth),
        filter_scale=np.asarray(scales, f32),
        activation=activation,
    )


def beware(graph, kernels="optimized"):
    return " ".join(drqsim.explain(graph, kernels)[graph.operators[0].name].hazards)


def test_hazard_equal_scales_switch_to_symmetric():
    weights = np.random.default_rng(0).integers(-9, 9, (4, 3, 3, 2))
    x = np.abs(np.random.default_rng(1).normal(size=(1, 5, 5, 2))).astype(f32)
    equal, different = convolution(weights, [0.1] * 4), convolution(weights, [0.1, 0.1, 0.1, 0.2])
    assert "scales are equal" in beware(equal) and not beware(different)
    # the runtime itself: symmetric codes of a positive input never fall below zero
    for graph, lowest in ((equal, 0), (different, -128)):
        codes = litert.run(graph, x, "optimized").scratch[1].value
        assert codes.min() >= lowest and (codes.min() < 0) == (lowest < 0)


def test_hazard_row_sums_wrap():
    weights = np.full((2, 3, 3, 256), 127)
    graph = convolution(weights, [0.001, 0.002])
    x = np.random.default_rng(0).uniform(0, 1, (1, 5, 5, 256)).astype(f32)
    assert "wraps at int16" in beware(graph)
    assert not beware(graph, "reference")
    wrong, right = (litert.run(graph, x, k).outputs["y"] for k in ("optimized", "reference"))
    far = np.abs(wrong - right).max() > 0.1 * np.abs(right).max()
    assert far == (not processor.of().neon)
    assert litert.compare(graph, x, "optimized").exact  # wrong in the same way


def test_hazard_weight_of_minus_128():
    weights = int8_weights(np.random.default_rng(0), (1, 32), 0, "per-channel")
    weights.value[0, :4] = -128
    graph = dense(weights)
    x = -np.abs(np.random.default_rng(1).normal(size=(1, 32))).astype(f32)
    assert "-128" in beware(graph)
    wrong, right = (litert.run(graph, x, k).outputs["y"] for k in ("optimized", "xnnpack"))
    assert (abs(wrong - right) > 0.5 * abs(right)) == (not processor.of().neon)
    assert litert.compare(graph, x, "optimized").exact


def dense(weights, **options):
    options = {
        "fused_activation_function": "NONE",
        "keep_num_dims": False,
        "asymmetric_quantize_inputs": False,
    } | options
    out, depth = weights.shape
    return one_operator("FULLY_CONNECTED", [(1, depth), weights], [(1, out)], **options)


def depthwise(weights, bias=True, **options):
    options = {
        "padding": "SAME",
        "stride_h": 1,
        "stride_w": 1,
        "dilation_h_factor": 1,
        "dilation_w_factor": 1,
        "depth_multiplier": 1,
        "fused_activation_function": "NONE",
    } | options
    channels = weights.shape[3]
    constants = [weights, float_constant("bias", np.zeros(channels))] if bias else [weights]
    shape = (1, 4, 4, channels)
    return one_operator("DEPTHWISE_CONV_2D", [shape, *constants], [shape], **options)


def test_hazard_one_scale_for_a_depthwise_filter():
    """The runtime reads past its array: only the first channel is defined, and we agree on that."""
    random = np.random.default_rng(0)
    graph = depthwise(int8_weights(random, (1, 3, 3, 8), 3, "per-tensor"))
    x = random.normal(size=(1, 4, 4, 8)).astype(f32)
    for kernels in KERNELS:
        assert "one scale" in beware(graph, kernels)
        ours = drqsim.run(graph, x, kernels)[0]["y"]
        theirs = litert.run(graph, x, kernels).outputs["y"]
        assert np.array_equal(ours[..., 0], theirs[..., 0])
    assert not beware(depthwise(int8_weights(random, (1, 3, 3, 8), 3, "equal")))


def test_hazard_depthwise_without_bias():
    weights = int8_weights(np.random.default_rng(0), (1, 3, 3, 4), 3, "per-channel")
    graph = depthwise(weights, bias=False)
    x = np.ones((1, 4, 4, 4), f32)
    assert "crashes" in beware(graph) and not beware(graph, "reference")
    assert litert.compare(graph, x, "reference").exact
    with pytest.raises(drqsim.UnsupportedOperatorError, match="no bias"):
        drqsim.run(graph, x, "optimized")


@pytest.mark.parametrize("kernels", KERNELS)
def test_hazard_fused_tanh_is_left_out(kernels):
    weights = np.random.default_rng(0).integers(-9, 9, (4, 3, 3, 2))
    x = np.random.default_rng(1).normal(size=(1, 5, 5, 2)).astype(f32)
    plain = convolution(weights, [0.1, 0.1, 0.1, 0.2])
    graph = with_options(plain, fused_activation_function="TANH")
    assert "TANH is left out" in beware(graph, kernels)
    assert np.abs(litert.run(graph, x, kernels).outputs["y"]).max() > 1
    assert litert.compare(graph, x, kernels).exact


def test_hazard_batches_take_the_wrong_scales():
    random = np.random.default_rng(0)
    weights = int8_weights(random, (2, 2, 5, 6), 2, "per-tensor")
    x = (random.normal(size=(2, 2, 3, 6)) * [[[[1]], [[10]]], [[[100]], [[1000]]]]).astype(f32)
    options = {"adj_x": False, "adj_y": True, "asymmetric_quantize_inputs": False}
    graph = one_operator("BATCH_MATMUL", [x.shape, weights], [(2, 2, 3, 5)], **options)
    assert "wrong rows" in beware(graph)
    wrong, right = (litert.run(graph, x, k).outputs["y"] for k in ("optimized", "xnnpack"))
    assert np.abs(wrong - right).max() > 0.5 * np.abs(right).max()
    assert litert.compare(graph, x, "optimized").exact


def test_it_prints_as_a_table():
    explanation = drqsim.explain(drqsim.load(MODELS / "digits_drq_per_tensor.tflite"))
    assert "conv_2d_1" in repr(explanation) and "depthwise_conv_2d_1: its filter has one" in repr(
        explanation
    )
    assert "<table" in explanation._repr_html_() and "past the end" in explanation._repr_html_()


@pytest.mark.parametrize("code", ["CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "BATCH_MATMUL"])
def test_options_that_nobody_gave_have_their_defaults(code):
    weights = int8_weights(np.random.default_rng(0), (4, 3, 3, 4), 3, "per-tensor")
    reads = [(1, 5, 5, 4), weights, float_constant("bias", np.zeros(4))]
    if code == "TRANSPOSE_CONV":  # the activation comes third
        reads.reverse()
    if code == "BATCH_MATMUL":  # it has no bias
        reads.pop()
    # without a stride the runtime takes 0, and refuses
    strides = {"stride_h": 1, "stride_w": 1} if "CONV" in code else {}
    bare = one_operator(code, reads, [(1, 5, 5, 4)], **strides)
    assert drqsim.explain(bare, "optimized")[f"{code.lower()}_0"].arithmetic == "int8"


def test_int8_codes_that_an_operator_passes_on():
    rows, ids = (3, 16), np.dtype(np.int32)
    tensors = (
        Tensor("ids", (3,), ids),
        float_constant("table", np.random.default_rng(0).normal(size=(100, 16))),
        Tensor("rows", rows, np.dtype(f32)),
    )
    gather = Operator("GATHER", "gather_0", (1, 0), (2,), {"axis": 0, "batch_dims": 0})
    drq = drqsim.quantize(Graph(tensors, (gather,), (0,), (2,)))
    moved, back = drqsim.explain(drq)
    assert moved.arithmetic == "int8 codes passed on" and "int8[100,16]" in moved.why
    assert back.arithmetic == "float32" and "int8[3,16] into float32 each time" in back.why
