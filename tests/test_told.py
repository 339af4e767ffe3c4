"""What drqsim says of a file: of every operator, with its reason, and of all its constants."""

from pathlib import Path

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.kernels import KERNELS

CASES = Path(__file__).parent / "cases"

# file -> operator -> its arithmetic, and a part of the reason; the other paths behind "reference"
VERDICTS = {
    "custom_flex": {
        "fully_connected_0": ("int8", "float32 input and int8 weights"),
        "custom_0": ("not known", "FlexErf, a TensorFlow operator"),
    },
    "custom_mine": {
        "fully_connected_0": ("int8", "float32 input and int8 weights"),
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
