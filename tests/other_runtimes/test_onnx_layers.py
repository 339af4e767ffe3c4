"""Layers that ONNX Runtime's tool quantizes: every tensor, bit for bit."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

import drqsim
from drqsim.other_runtimes import onnx_dynamic
from tests.kit.one_operator import same_bits
from tests.kit.onnx_models import TYPES, model, run

f32 = np.float32


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("onnx")


def quantized(float_model, folder, **options):
    """The model that ``quantize_dynamic`` makes."""
    onnx.save(float_model, folder / "float.onnx")
    quantize_dynamic(folder / "float.onnx", folder / "int8.onnx", **options)
    return onnx.load(folder / "int8.onnx")


def exposed(made):
    """The same with every tensor as an output, so that nothing is fused away."""
    known = {output.name for output in made.graph.output}
    every = onnx.ModelProto()
    every.CopyFrom(made)
    for node in made.graph.node:
        fresh = [name for name in node.output if name not in known]
        every.graph.output.extend(onnx.ValueInfoProto(name=name) for name in fresh)
    return every


# what the nodes write -> our name for it
WRITES = {
    ("DynamicQuantizeLinear", 0): "input_quantized",
    ("DynamicQuantizeLinear", 1): "input_scale",
    ("DynamicQuantizeLinear", 2): "input_zero_point",
    ("MatMulInteger", 0): "accumulator",
    ("ConvInteger", 0): "accumulator",
    ("Add", 0): "output",
}
CASES = [
    (code, weight_type, per_channel, reduce_range)
    for code in ("MatMul", "Gemm", "Conv")
    for weight_type in TYPES
    for per_channel in (False, True)
    for reduce_range in (False, True)
]


def layer(code, random):
    """A float model of one layer with a bias; its input, weights and bias."""
    weights = random.normal(size=(5, 4, 3, 3) if code == "Conv" else (17, 6)).astype(f32)
    weights[..., 0] += 1  # so that uint8 weights are not centered
    bias = random.normal(size=len(weights) if code == "Conv" else 6).astype(f32)
    x = random.normal(size=(2, 4, 8, 7) if code == "Conv" else (3, 17)).astype(f32)
    held = weights.T if code == "Gemm" else weights
    if code == "MatMul":
        nodes = [
            helper.make_node("MatMul", ["x", "w"], ["product"]),
            helper.make_node("Add", ["product", "b"], ["y"]),
        ]
    else:
        options = {"transB": 1} if code == "Gemm" else {"pads": [1, 0, 1, 2], "strides": [2, 1]}
        nodes = [helper.make_node(code, ["x", "w", "b"], ["y"], **options)]
    ends = [("x", TensorProto.FLOAT)], [("y", TensorProto.FLOAT)]
    constants = [("w", np.ascontiguousarray(held)), ("b", bias)]
    return model(nodes, *ends, constants), x, weights, bias


@pytest.mark.parametrize(("code", "weight_type", "per_channel", "reduce_range"), CASES)
def test_every_tensor_of_a_quantized_layer(folder, code, weight_type, per_channel, reduce_range):
    random = np.random.default_rng(len(code))
    float_model, x, weights, bias = layer(code, random)
    options = dict(weight_type=weight_type, reduce_range=reduce_range)
    if code == "Conv":  # per_channel changes nothing
        output, trace = onnx_dynamic.conv(
            x, weights, bias, pads=(1, 0, 1, 2), strides=(2, 1), **options
        )
    else:
        here = dict(per_channel=per_channel, saturate=onnx_dynamic.saturates_here())
        output, trace = onnx_dynamic.matmul(x, weights, bias, **here, **options)
    options["weight_type"] = TYPES[weight_type]
    made = quantized(float_model, folder, per_channel=per_channel, **options)
    ours = {record.name: record.value for record in trace}
    held = {i.name: numpy_helper.to_array(i) for i in made.graph.initializer}
    for ending, name in (
        ("_quantized", "filter"),
        ("_scale", "filter_scale"),
        ("_zero_point", "filter_zero_point"),
    ):
        (real,) = [value for key, value in held.items() if key.endswith(ending)]
        assert same_bits(ours[name], real), name
    real = run(exposed(made), {"x": x})
    compared = set()
    for node in made.graph.node:
        for at, tensor in enumerate(node.output):
            name = WRITES.get((node.op_type, at))
            if name:
                compared.add(name)
                assert same_bits(ours[name], real[tensor]), name
    assert compared == set(WRITES.values())
    fused = run(made, {"x": x}, optimized=True)["y"]
    assert np.allclose(output, fused, rtol=1e-5, atol=1e-5)


def test_reduced_range_and_options_matter():
    """What the options change shows, so that no test above compares a case with itself."""
    weights = np.random.default_rng(0).normal(size=(9, 5)).astype(f32)
    made = [
        onnx_dynamic.quantize_weights(weights, kind, axis, reduce_range=reduced)
        for kind in TYPES
        for axis in (None, 1)
        for reduced in (False, True)
    ]
    assert len({m.codes.tobytes() for m in made}) == len(made)


def test_against_litert_the_same_input_gets_other_codes():
    """uint8 and half to even here, int8 and half away from zero there."""
    x = np.array([[0, 255, 0.5, 2.5]], f32)
    here = onnx_dynamic.dynamic_quantize_linear(x)
    there = drqsim.qparams.asymmetric(x)
    assert here.codes.tolist() == [[0, 255, 0, 2]] and here.zero_point == 0
    assert (there.codes.astype(int) + 128).tolist() == [[0, 255, 1, 3]] and there.zero_point == -128
