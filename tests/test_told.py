"""What drqsim says of a file: of every operator, with its reason, and of all its constants."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.cli import inputs
from drqsim.kernels import KERNELS
from drqsim.model_file.write import to_bytes
from drqsim.report import plain
from drqsim.report.words import about_the_file, weigh
from tests.kit.command import refused

CASES = Path(__file__).parent / "cases"

ON_THE_FLY = ("int8", "float32 input and int8 weights")
# file -> operator -> its arithmetic, and a part of the reason; the other paths behind "reference"
VERDICTS = {
    "custom_flex": {
        "fully_connected_0": ON_THE_FLY,
        "custom_0": ("not known", "FlexErf, a TensorFlow operator"),
    },
    "custom_mine": {
        "fully_connected_0": ON_THE_FLY,
        "custom_0": ("not known", "MyNewOperator, a custom operator"),
    },
    "lstm_hybrid": {"lstm_0": ("int8", "8 int8 weights, 9,216 bytes: hybrid kernel")},
    "fc_hybrid_u8": {"fully_connected_0": ("int8", "hybrid kernel, symmetric input")},
    "reads_int32_and_bool": {
        "add_0": ("int32", "the activations it reads are int32"),
        "greater_0": ("int32", "the activations it reads are int32"),
        "logical_not_0": ("bool", "the activations it reads are bool"),
    },
    "leaky_prelu_hswish_drq": {
        "prelu_0": ("float32", "its slopes are float32"),
        "leaky_relu_0": ("float32", "it has no weights"),
    },
    "float16_dense": {"fully_connected_0": ("float32", "float16 in the file, float32 in memory")},
    "gather_int8": {"gather_0": ("int8 codes passed on", "writes int8 with the same scale")},
}


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", VERDICTS)
def test_an_operator_is_told_as_it_is_computed(name, kernels):
    said = drqsim.explain(drqsim.load(CASES / f"{name}.tflite"), kernels)
    for operator, (arithmetic, why) in VERDICTS[name].items():
        assert said[operator].arithmetic == arithmetic and why in said[operator].why


@pytest.mark.parametrize("name", ["fc_hybrid_u8", "lstm_hybrid"])
def test_xnnpack_leaves_old_kernels_to_the_builtin_ones(name):
    (said,) = drqsim.explain(drqsim.load(CASES / f"{name}.tflite"), "xnnpack")
    assert said.kernel == "optimized"


def test_elu_is_refused_on_the_reference_path_alone():
    graph = drqsim.load(CASES / "leaky_prelu_hswish_drq.tflite")
    arithmetic = {
        kernels: drqsim.explain(graph, kernels)["elu_0"].arithmetic for kernels in KERNELS
    }
    assert arithmetic == dict.fromkeys(KERNELS, "float32") | {"reference": "refused"}


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(
    ("name", "operator", "needs"),
    [
        ("custom_flex", "FlexErf", "Flex delegate"),
        ("custom_mine", "MyNewOperator", "its kernel is registered"),
    ],
)
def test_a_custom_operator_has_its_name_and_the_runtime_refuses_it(name, operator, needs, kernels):
    path = CASES / f"{name}.tflite"
    graph, x = drqsim.load(path), np.zeros((1, 40), np.float32)
    assert needs in drqsim.explain(graph, kernels)["custom_0"].why
    with pytest.raises(drqsim.UnsupportedOperatorError, match=operator):
        drqsim.run(graph, x)
    with pytest.raises(drqsim.UnsupportedOperatorError, match=operator):
        drqsim.plan_memory(graph, kernels)
    with pytest.raises(drqsim.DrqsimError, match=f"{operator}|{needs}"):
        litert.run(path, x, kernels)


@pytest.mark.parametrize("kernels", KERNELS)
def test_the_memory_of_old_weights_is_planned(kernels):
    assert litert.compare_memory(CASES / "fc_hybrid_u8.tflite", kernels).exact


# file -> constants that are int8, their bytes, the same in float32; those in float32, in float16
SIZES = {
    "fc_hybrid_u8": (1, 1_152, 4_608, 96, 0),
    "lstm_hybrid": (8, 9_216, 36_864, 512, 0),
    "shared_drq": (1, 4_096, 16_384, 0, 0),
    "shared_float": (0, 0, 0, 16_384, 0),
    "tied_embedding_drq": (3, 13_824, 29_696, 0, 0),
    "float16_dense": (0, 0, 0, 0, 3_840),
}


@pytest.mark.parametrize("name", SIZES)
def test_the_constants_of_a_file_are_weighed(name):
    found = weigh(drqsim.load(CASES / f"{name}.tflite"))
    assert SIZES[name] == (
        found.quantized,
        found.quantized_bytes,
        found.as_float_bytes,
        found.float_bytes,
        found.half_bytes,
    )


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("fc_hybrid_u8", "1 constant is uint8 by name"),
        ("tied_embedding_drq", "1 constant is kept twice, with one scale and with one for every"),
        ("tied_embedding_drq", "which takes 6,400 bytes more"),
        ("float16_dense", "1 constant is float16 (3,840 bytes)."),
    ],
)
def test_weights_that_are_not_as_usual_are_told(name, part):
    lines = about_the_file(drqsim.load(CASES / f"{name}.tflite"))
    assert any(part in line for line in lines)


def test_a_table_of_other_floats_is_no_second_copy():
    graph = drqsim.load(CASES / "tied_embedding_drq.tflite")
    (table,) = (
        t for t in graph.constants if t.shape == (200, 32) and t.quantization.scale.size > 1
    )
    one = table.value.copy()
    one[199, 31] += 2 if one[199, 31] < 100 else -2  # past both half steps
    others = [replace(t, value=one) if t is table else t for t in graph.tensors]
    found = weigh(replace(graph, tensors=tuple(others)))
    assert found.as_float_bytes == 55_296


def test_weights_that_two_tensors_share_are_quantized_and_written_once():
    graph = drqsim.quantize(drqsim.load(CASES / "shared_float.tflite"))
    content = to_bytes(graph)
    assert len(content) < 6_288 + 16  # what the other quantizer writes
    again = drqsim.load(content)
    assert weigh(again)[:3] == (1, 4_096, 16_384)
    x = np.random.default_rng(0).uniform(-1, 1, (3, 64)).astype(np.float32)
    for kernels in KERNELS:
        theirs = litert.run(content, x, kernels).outputs["y"]
        assert drqsim.run(again, x, kernels)[0]["y"].tobytes() == theirs.tobytes()


def test_float16_weights_are_the_reason_why_nothing_is_quantized(tmp_path):
    file = tmp_path / "q.tflite"
    said = refused(1, "quantize", CASES / "float16_dense.tflite", "-o", file)
    assert "its float16 weights would have to be float32" in said and not file.exists()


def test_data_of_a_custom_operator_has_its_name():
    operators = plain.of_graph(drqsim.load(CASES / "custom_mine.tflite"))["operators"]
    assert [op.get("custom_code") for op in operators] == [None, "MyNewOperator"]


def test_help_tells_how_the_second_input_of_a_name_is_called():
    assert "NAME:1" in inputs.HELP
