"""Activation functions as operators: against the runtime, exactly or within a named bound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert, processor
from drqsim.graph import Graph
from drqsim.litert.bounds import APPROXIMATE, APPROXIMATION
from drqsim.ops.float32.activations import FUNCTIONS
from tests.kit.one_operator import one_operator
from tests.kit.strategies import KERNELS, float_constant, inputs

f32 = np.dtype(np.float32)
EXACT = (
    "RELU",
    "RELU6",
    "RELU_N1_TO_1",
    "RELU_0_TO_1",
    "LEAKY_RELU",
    "PRELU",
    "HARD_SWISH",
)


def activation(code: str, shape, **options) -> Graph:
    slopes = [np.linspace(-0.5, 0.5, shape[-1], dtype=f32)] if code == "PRELU" else []
    return one_operator(code, [shape, *slopes], [shape], **options)


def test_every_activation_is_judged():
    assert set(EXACT + APPROXIMATE) == set(FUNCTIONS)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("code", EXACT)
@given(data=st.data())
def test_a_few_float_operations_have_the_bits_of_the_runtime(code, kernels, data):
    shape = (2, 3, data.draw(st.integers(1, 5)), data.draw(st.integers(1, 9)))
    graph = activation(code, shape, alpha=0.2)
    x = data.draw(inputs(shape))
    comparison = litert.compare(graph, x, kernels)
    assert comparison.exact, f"{x}\n{comparison}"


def signs_of_nothing(code, alpha):
    """A graph of LEAKY_RELU or PRELU, and zeros and denormals of either sign as its input."""
    x = np.array([[0, -0.0, 1e-40, -1e-40, -1]], f32)
    slopes = [np.array([alpha], f32)] if code == "PRELU" else []
    return one_operator(code, [x.shape, *slopes], [x.shape], alpha=alpha), x


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("alpha", [0.5, -0.5, 1e-40])
@pytest.mark.parametrize("code", ["LEAKY_RELU", "PRELU"])
def test_zeros_and_denormals_have_the_bits_of_the_runtime(code, alpha, kernels):
    graph, x = signs_of_nothing(code, alpha)
    assert litert.compare(graph, x, kernels).exact


@pytest.mark.parametrize("code", ["LEAKY_RELU", "PRELU"])
def test_what_is_negative_on_either_kind_of_processor(code, monkeypatch):
    """With AVX512 what compares below 0; without it what has the sign, -0 and denormals too."""
    graph, x = signs_of_nothing(code, -0.5)
    for held, expected in (
        ({"avx512f"}, [0, -0.0, 1e-40, -1e-40, 0.5]),
        ({"avx2", "fma"}, [0, 0, 1e-40, 0, 0.5]),
    ):
        monkeypatch.setattr(processor, "instructions", lambda held=held: held)
        y = drqsim.run(graph, x, "xnnpack")[0]["y"]
        assert y.tobytes() == np.array([expected], f32).tobytes()


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("ELU", {}),
        ("TANH", {}),
        ("LOGISTIC", {}),
        ("GELU", {"approximate": False}),
        ("GELU", {"approximate": True}),
        ("SOFTMAX", {"beta": 1.0}),
        ("SOFTMAX", {"beta": 0.5}),
    ],
)
def test_transcendental_functions_stay_within_the_bound(code, options, kernels):
    if (code, kernels) == ("ELU", "reference"):
        with pytest.raises(drqsim.ModelFileError, match="ELU"):  # 2.3.0 has no reference ELU
            litert.run(activation(code, (1, 4)), np.zeros((1, 4), f32), kernels)
        return
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(size=4000) * 4, np.linspace(-20, 20, 4001)]).astype(f32)
    x = np.resize(x, (1, 30, 30, 8))
    graph = activation(code, x.shape, **options)
    ours = drqsim.run(graph, x, kernels)[0]["y"]
    theirs = litert.run(graph, x, kernels).outputs["y"]
    distance = np.abs(ours.astype(np.float64) - theirs) / np.maximum(np.abs(ours), 1)
    assert distance.max() <= APPROXIMATION
    assert theirs.std() > 0.01


def test_a_fused_activation_is_the_operator_applied_to_the_pre_activation():
    random = np.random.default_rng(1)
    weights = random.normal(size=(8, 3, 3, 16)).astype(f32)
    x = random.normal(size=(1, 5, 5, 16)).astype(f32)
    for kernels in KERNELS:
        for name in ("RELU", "RELU6", "RELU_N1_TO_1"):
            fused = drqsim.quantize(drqsim.conv_relu(weights, input_shape=x.shape, activation=name))
            outputs, trace = drqsim.run(fused, x, kernels)
            before = trace["conv_2d_0/pre_activation"].value
            alone = drqsim.run(activation(name, before.shape), before, kernels)[0]["y"]
            assert np.array_equal(outputs["y"], alone)


def test_alpha_that_does_not_broadcast_is_named():
    shape, alpha = (1, 2, 2, 4), float_constant("alpha", np.zeros(3))
    graph = one_operator("PRELU", [shape, alpha], [shape])
    with pytest.raises(drqsim.ModelFileError, match=r"alpha float32\[3\] does not broadcast"):
        drqsim.run(graph, np.zeros((1, 2, 2, 4), f32))
