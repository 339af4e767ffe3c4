"""The digits network in full-integer, 16x8 and float16 form, whole and operator by operator."""

import numpy as np
import pytest

import drqsim
from drqsim import litert
from tests.kit.places import MODELS
from tests.kit.strategies import KERNELS

f32 = np.float32
INPUTS = np.load(MODELS / "digits_inputs.npz")
TEST_IMAGES = (INPUTS["test_images"][..., np.newaxis] / 16).astype(f32)
ARITHMETIC = {
    "digits_int8": {"int8 (full integer)": 11, "int8 codes passed on": 1},
    "digits_16x8": {"int16 x int8 (full integer)": 9, "int16 (full integer)": 3},
}


def as_codes(graph, images):
    """Images as codes of the model's input."""
    tensor = graph.tensors[graph.inputs[0]]
    limits, (scale,) = np.iinfo(tensor.dtype), tensor.quantization.scale
    (zero_point,) = tensor.quantization.zero_point
    codes = np.rint(images / scale) + zero_point
    return np.clip(codes, limits.min, limits.max).astype(tensor.dtype)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", ARITHMETIC)
def test_every_operator_is_the_runtime_s(name, kernels):
    model = drqsim.load(MODELS / f"{name}.tflite")
    verdicts = [v.arithmetic for v in drqsim.explain(model, kernels)]
    assert {kind: verdicts.count(kind) for kind in verdicts} == ARITHMETIC[name]
    for image in as_codes(model, INPUTS["images"])[:3]:
        comparison = litert.compare(model, image[np.newaxis], kernels)
        assert comparison.exact, comparison
        assert {row.operator for row in comparison.rows} == {op.name for op in model.operators}


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", ARITHMETIC)
def test_the_whole_network_answers_as_the_runtime_does(name, kernels):
    model = drqsim.load(MODELS / f"{name}.tflite")
    labels, right = INPUTS["test_labels"][:30], 0
    for image, label in zip(as_codes(model, TEST_IMAGES), labels, strict=False):
        (ours,) = drqsim.run(model, image[np.newaxis], kernels, record="shapes")[0].values()
        (theirs,) = litert.run(model, image[np.newaxis], kernels).outputs.values()
        assert np.array_equal(ours, theirs)
        right += int(ours.argmax() == label)
    assert right >= 29


@pytest.mark.parametrize("kernels", KERNELS)
def test_float16_weights_become_float32_once(kernels):
    model = drqsim.load(MODELS / "digits_float16.tflite")
    assert sum(op.code == "DEQUANTIZE" for op in model.operators) == 9
    for image, label in zip(INPUTS["images"], INPUTS["labels"], strict=True):
        outputs, trace = drqsim.run(model, image[np.newaxis], kernels)
        (ours,) = outputs.values()
        (theirs,) = litert.run(model, image[np.newaxis], kernels).outputs.values()
        assert np.allclose(ours, theirs, atol=1e-5) and ours.argmax() == label
    source, made = trace["dequantize_0/constant"], trace["dequantize_0/output"]
    assert source.dtype == np.float16 and made.stored != "arena"
    assert np.array_equal(made.value, source.value.astype(f32))
