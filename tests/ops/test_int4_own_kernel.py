"""The int4 kernel of a dense layer: activations, and what it reads wrongly."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert, processor
from tests.kit.one_operator import one_operator
from tests.kit.strategies import (
    ACTIVATIONS,
    DISTRIBUTIONS,
    float_constant,
    int4_tensor,
)

f32 = np.float32


def dense(weights, asymmetric=False):
    out, depth = weights.shape
    reads = [(1, depth), weights]
    return one_operator("FULLY_CONNECTED", reads, [(1, out)], asymmetric_quantize_inputs=asymmetric)


@pytest.mark.parametrize(
    ("lowest", "others"),
    [
        (42, ()),  # the upper half of a byte: only itself
        (40, (58,)),  # columns 8 and 9 of a block spill over 26 and 27
        (37, (55,)),
        (50, (34,)),  # the lower half spills over the upper
        (68, ()),  # not so in a block that is not full
        (82, (66,)),
    ],
)
def test_hazard_weight_of_minus_8(lowest, others):
    """The kernel reads +8, and other weights that share a byte or follow it are +8 too."""
    weights = int4_tensor(np.random.default_rng(0), (4, 86), 0)
    weights = replace(weights, value=np.maximum(weights.value, -7))
    assert not drqsim.explain(dense(weights), "optimized")["fully_connected_0"].hazards
    values = weights.value.copy()
    values[1, lowest] = -8
    graph = dense(replace(weights, value=values))
    (hazard,) = drqsim.explain(graph, "optimized")["fully_connected_0"].hazards
    assert "-8" in hazard
    for kernels in ("xnnpack", "reference"):
        assert not drqsim.explain(graph, kernels)["fully_connected_0"].hazards
    # one input after the other is 1: the output is the weight
    seen = np.array(
        [litert.run(graph, row[None], "optimized").outputs["y"][0] for row in np.eye(86, dtype=f32)]
    )
    read = np.rint(seen.T / weights.quantization.scale[:, None])
    if lowest % 32 < 16 and processor.of().neon:
        others = ()  # arm64 shifts every byte by itself
    meant = weights.value.copy()
    meant[1, [lowest, *others]] = 8
    assert np.array_equal(read, meant)
    x = np.random.default_rng(1).normal(size=(1, 86)).astype(f32)
    assert litert.compare(graph, x, "optimized").exact


@pytest.mark.parametrize("values", ["normal", "huge"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_own_kernel_with_every_activation(activation, values):
    """Huge inputs make infinities of both signs in it, and their sum is NaN."""
    random = np.random.default_rng(0)
    weights = int4_tensor(random, (9, 270), 0)
    bias = float_constant("bias", random.normal(size=9) * 10)
    options = {
        "fused_activation_function": activation,
        "keep_num_dims": False,
        "asymmetric_quantize_inputs": True,
    }
    graph = one_operator("FULLY_CONNECTED", [(7, 270), weights, bias], [(7, 9)], **options)
    x = DISTRIBUTIONS[values](random, (7, 270)).astype(f32)
    assert litert.compare(graph, x, "optimized").exact
    _, trace = drqsim.run(graph, x, "optimized")
    pre_activation = trace["fully_connected_0/pre_activation"].value
    assert np.isnan(pre_activation).any() == (values == "huge")


def test_the_own_kernel_refuses_nan_and_infinity():
    graph = dense(int4_tensor(np.random.default_rng(0), (4, 32), 0))
    for value in (np.nan, np.inf, -np.inf):
        x = np.full((1, 32), value, f32)
        with pytest.raises(drqsim.InputError, match="not simulate in the int4 kernel"):
            drqsim.run(graph, x, "optimized", allow_nonfinite=True)
        assert litert.compare(graph, x, "reference", allow_nonfinite=True).exact


def test_the_own_kernel_ignores_the_flag():
    weights = int4_tensor(np.random.default_rng(0), (4, 32), 0)
    x = np.random.default_rng(1).uniform(1, 2, (1, 32)).astype(f32)
    for kernels, same in (("optimized", True), ("reference", False), ("xnnpack", True)):
        outputs = [
            litert.run(dense(weights, asymmetric=flag), x, kernels).outputs["y"]
            for flag in (False, True)
        ]
        assert np.array_equal(*outputs) == same
        for flag in (False, True):
            assert litert.compare(dense(weights, asymmetric=flag), x, kernels).exact
