"""Activation functions as operators, against the runtime, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.graph import Graph
from drqsim.ops.float32.activations import FUNCTIONS
from tests.kit.networks import lstm
from tests.kit.one_operator import one_operator
from tests.kit.strategies import KERNELS, float_constant, inputs

f32 = np.float32
# every activation with its options
WITH_OPTIONS = {code: [{}] for code in FUNCTIONS} | {
    "LEAKY_RELU": [{"alpha": 0.2}],
    "GELU": [{"approximate": False}, {"approximate": True}],
    "SOFTMAX": [{"beta": 1.0}, {"beta": 0.5}],
}
# equal, where ``litert.bounds`` names no reason for less: on another C library, on arm64
ALLOWED = {"equal", "within the bound of the function"}


def activation(code: str, shape, **options) -> Graph:
    slopes = [np.linspace(-0.5, 0.5, shape[-1], dtype=f32)] if code == "PRELU" else []
    return one_operator(code, [shape, *slopes], [shape], **options)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("code", WITH_OPTIONS)
@settings(max_examples=settings().max_examples // 2 + 1)
@given(data=st.data())
def test_as_the_runtime(code, kernels, data):
    if (code, kernels) == ("ELU", "reference"):
        return
    shape = (2, 3, data.draw(st.integers(1, 5)), data.draw(st.integers(1, 99)))
    graph = activation(code, shape, **data.draw(st.sampled_from(WITH_OPTIONS[code])))
    x = data.draw(inputs(shape))
    comparison = litert.compare(graph, x, kernels)
    assert {row.verdict for row in comparison.rows} <= ALLOWED, f"{x}\n{comparison}"


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("code", WITH_OPTIONS)
def test_what_is_not_finite_has_the_bits_of_the_runtime(code, kernels):
    """Masks are full of -inf: in one row all of it, in another infinity and NaN."""
    if (code, kernels) == ("ELU", "reference"):
        return
    x = np.random.default_rng(0).normal(size=(7, 19)).astype(f32)
    x[0, 3:9], x[1, 4], x[2, [1, 2]] = -np.inf, np.inf, (np.inf, -np.inf)
    x[3, 18], x[4] = np.nan, -np.inf
    for options in WITH_OPTIONS[code]:
        graph = activation(code, x.shape, **options)
        comparison = litert.compare(graph, x, kernels, allow_nonfinite=True)
        assert {row.verdict for row in comparison.rows} <= ALLOWED, comparison


def test_what_fills_no_register_goes_through_the_c_library():
    random = np.random.default_rng(0)
    graph, apart = activation("GELU", (3,), approximate=False), 0
    for _ in range(120):
        x = random.uniform(-5, -2, 3).astype(f32)
        row = litert.compare(graph, x, "optimized").rows[-1]
        assert row.verdict in ALLOWED, x
        by_four = drqsim.run(activation("GELU", (4,), approximate=False), np.append(x, x[:1]))[0]
        apart += (by_four["y"][:3] != drqsim.run(graph, x)[0]["y"]).sum()
    assert apart  # Eigen's exp is not the library's


@pytest.mark.parametrize("code", ["SOFTMAX", "HARD_SWISH"])
def test_the_last_values_are_those_of_the_tensor(code):
    """However its array lies: the sums of arm64's dense layers have the rows inside."""
    graph, random = lstm(), np.random.default_rng(0)
    last = replace(graph.operators[-1], code=code, options=WITH_OPTIONS[code][0])
    graph = replace(graph, operators=(*graph.operators[:-1], last))
    for _ in range(40):
        x = random.normal(size=graph.tensors[graph.inputs[0]].shape).astype(f32)
        (y,), trace = _run_on_arm64(graph, x)
        (alone,), _ = _run_on_arm64(
            graph.extract(last.name), trace[f"{last.name}/input"].value.copy("C")
        )
        assert np.array_equal(y, alone), x


def _run_on_arm64(graph, x):
    outputs, trace = drqsim.run(graph, x, "optimized", processor="arm64-dotprod")
    return outputs.values(), trace


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


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("code", WITH_OPTIONS)
def test_any_float_has_the_bits_of_the_runtime(code, kernels):
    """Values of every size, what a model holds and any bits that are a number."""
    if (code, kernels) == ("ELU", "reference"):
        with pytest.raises(drqsim.ModelFileError, match="ELU"):  # 2.3.0 has no reference ELU
            litert.run(activation(code, (1, 4)), np.zeros((1, 4), f32), kernels)
        return
    random = np.random.default_rng(0)
    bits = random.integers(0, 2**32, 4000, dtype=np.uint64).astype(np.uint32).view(f32)
    usual = [random.normal(size=4000) * scale for scale in (1e-3, 0.1, 1, 4, 20, 80)]
    x = np.concatenate([bits, *(part.astype(f32) for part in usual)])
    x = np.where(np.abs(x) < 1e37, x, f32(0))  # finite, and so is the difference of two
    x = x[:27_991].reshape(1, 23, -1)  # three are left over by registers of four
    for options in WITH_OPTIONS[code]:
        comparison = litert.compare(activation(code, x.shape, **options), x, kernels)
        assert {row.verdict for row in comparison.rows} <= ALLOWED, comparison


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
