"""The offline half against TensorFlow's own converter, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from tests.kit.places import GOLDEN, MODELS

WEIGHTS = np.load(GOLDEN / "converter_weights.npz")
CASES = sorted({key.split("/")[0] for key in WEIGHTS.files})
f32 = np.float32


@pytest.mark.parametrize("suffix", ["", "_per_tensor"])
@pytest.mark.parametrize("case", CASES)
def test_weights_are_those_of_the_converter(case, suffix):
    model = drqsim.load(WEIGHTS[f"{case}/float_tflite"].tobytes())
    quantized = drqsim.quantize(model, per_channel=not suffix)
    (op,) = [op for op in quantized.operators if op.code == str(WEIGHTS[f"{case}/operator"])]
    weights = quantized.tensor_of(op, 1)
    assert (weights.dtype == f32) == bool(WEIGHTS[f"{case}/stayed_float{suffix}"])
    assert quantized.tensor_of(op, 2) is None or quantized.tensor_of(op, 2).dtype == f32
    if weights.dtype == f32:
        assert np.array_equal(weights.value, WEIGHTS[f"{case}/float"])
        return
    assert np.array_equal(weights.value, WEIGHTS[f"{case}/int8{suffix}"])
    expected = WEIGHTS[f"{case}/scale{suffix}"]
    assert np.array_equal(weights.quantization.scale.view(np.uint32), expected.view(np.uint32))
    assert weights.quantization.axis == WEIGHTS[f"{case}/quantized_dimension{suffix}"]
    assert not weights.quantization.zero_point.any()


def test_golden_values_hold_every_kind_of_layer():
    kinds = {str(WEIGHTS[f"{case}/operator"]) for case in CASES}
    assert kinds == {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
    assert len(CASES) >= 40
    assert sum(bool(WEIGHTS[f"{case}/stayed_float"]) for case in CASES) >= 3


@pytest.mark.parametrize(
    ("file", "per_channel"), [("digits_drq", True), ("digits_drq_per_tensor", False)]
)
def test_the_whole_digits_net_is_quantized_like_the_converter_does(file, per_channel):
    ours = drqsim.quantize(drqsim.load(MODELS / "digits_float.tflite"), per_channel=per_channel)
    theirs = drqsim.load(MODELS / f"{file}.tflite")
    assert [op.name for op in ours.operators] == [op.name for op in theirs.operators]
    quantized = 0
    for mine, converted in zip(ours.operators, theirs.operators, strict=True):
        assert dict(mine.options) == dict(converted.options)
        for position in range(len(mine.inputs)):
            a, b = ours.tensor_of(mine, position), theirs.tensor_of(converted, position)
            assert str(a) == str(b)
            if a.value is None:
                continue
            assert np.array_equal(a.value, b.value)
            if a.dtype == np.int8:
                quantized += 1
                assert np.array_equal(a.quantization.scale, b.quantization.scale)
                assert a.quantization.axis == b.quantization.axis
    assert quantized == 6


@pytest.mark.parametrize(("elements", "dtype"), [(1023, "float32"), (1024, "int8")])
def test_the_minimum_counts_elements(elements, dtype):
    filter = np.ones((1, 1, elements, 1), f32)
    model = drqsim.conv_relu(filter, input_shape=(1, 2, elements, 1))
    assert drqsim.quantize(model).tensors[1].dtype == dtype
    assert drqsim.quantize(model, min_elements=0).tensors[1].dtype == "int8"
    assert drqsim.quantize(model, min_elements=elements + 1).tensors[1].dtype == "float32"


def test_quantizing_twice_changes_nothing():
    model = drqsim.load(MODELS / "digits_float.tflite")
    once = drqsim.quantize(model)
    twice = drqsim.quantize(once)
    for a, b in zip(once.tensors, twice.tensors, strict=True):
        assert a is b


def test_the_model_passed_in_stays_as_it_was():
    model = drqsim.load(MODELS / "digits_float.tflite")
    before = [str(tensor) for tensor in model.tensors]
    drqsim.quantize(model)
    assert [str(tensor) for tensor in model.tensors] == before
    with pytest.raises(ValueError, match="read-only"):
        model.constants[0].value[...] = 0


@pytest.mark.parametrize("bad", [-1, 1.5, True, "1024"])
def test_a_minimum_that_is_no_count_is_refused(bad):
    model = drqsim.load(MODELS / "digits_float.tflite")
    with pytest.raises(drqsim.InputError, match="min_elements"):
        drqsim.quantize(model, min_elements=bad)


def test_unknown_rules_are_refused():
    model = drqsim.load(MODELS / "digits_float.tflite")
    with pytest.raises(drqsim.InputError, match="'tensorflow 2'; expected one of tensorflow, lite"):
        drqsim.quantize(model, rules="tensorflow 2")


def test_weights_without_a_channel_dimension_are_refused():
    model = drqsim.conv_relu(np.ones((1, 1, 1024, 1), f32), input_shape=(1, 2, 1024, 1))
    flat = replace(model.tensors[1], shape=(1024,), value=model.tensors[1].value.reshape(-1))
    op = replace(model.operators[0], code="DEPTHWISE_CONV_2D", name="depthwise_conv_2d_0")
    tensors = tuple(flat if i == 1 else tensor for i, tensor in enumerate(model.tensors))
    with pytest.raises(drqsim.InputError, match="float32.1024., too few dimensions"):
        drqsim.quantize(replace(model, tensors=tensors, operators=(op,)))


def test_int8_weights_keep_their_operator_as_it_is():
    """A file of litert-quantizer: its dense layers quantize their inputs symmetrically."""
    model = drqsim.load(MODELS / "digits_float.tflite")
    symmetric = drqsim.quantize(model, rules="litert-quantizer")
    again = drqsim.quantize(symmetric)
    dense = [op for op in again.operators if op.code == "FULLY_CONNECTED"]
    assert len(dense) == 2 and not any(op.options["asymmetric_quantize_inputs"] for op in dense)
