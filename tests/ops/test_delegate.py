"""Which operators XNNPACK takes, by our own rules, held against the runtime's word."""

import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.ops import delegate
from tests.kit import full_integer, networks, one_operator, strategies
from tests.kit.float_cases import GENERATORS, cases
from tests.kit.memory_graphs import random_graph
from tests.kit.places import GOLDEN, MODELS

HYBRID = ("convolutions", "depthwise", "dense", "batch_matmul", "transpose_conv")
LAYERS = {f"hybrid {name}": getattr(strategies, f"hybrid_{name}")("xnnpack") for name in HYBRID}
LAYERS |= {
    f"int4 {name}": strategies.int4(getattr(strategies, f"hybrid_{name}"), "xnnpack")
    for name in ("convolutions", "dense")
}
LAYERS |= {
    f"int8 {name}": getattr(full_integer, name)() for name in ("convolutions", "dense", "depthwise")
}


def the_runtime_agrees(graph):
    why = delegate.why_builtin(graph)
    assert {name for name in why if not why[name]} == litert.delegated(graph), (graph, why)


@pytest.mark.parametrize("code", GENERATORS)
@settings(max_examples=8)
@given(data=st.data())
def test_float_operators(code, data):
    case = data.draw(cases(code))
    bare, fed = one_operator.graph(case)
    outputs, _ = drqsim.run(bare, fed)
    the_runtime_agrees(one_operator.graph(case, [y.shape for y in outputs.values()])[0])


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=8)
@given(data=st.data())
def test_layers_with_integer_weights(name, data):
    the_runtime_agrees(data.draw(LAYERS[name])[0])


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), length=st.integers(1, 30), run_time=st.booleans())
def test_graphs_of_many_operators(seed, length, run_time):
    the_runtime_agrees(random_graph(seed, length, run_time=run_time))


@pytest.mark.parametrize("name", sorted(file.name for file in MODELS.glob("*.tflite")))
def test_the_models_of_the_book(name):
    the_runtime_agrees(drqsim.load(MODELS / name))


@pytest.mark.parametrize("build", (*networks.FLOAT, *networks.RECURRENT))
def test_networks(build):
    graph = build()
    the_runtime_agrees(graph)
    the_runtime_agrees(drqsim.quantize(graph))


def test_models_of_both_converters():
    with tarfile.open(GOLDEN / "quantized_models.tar.xz") as archive:
        files = [archive.extractfile(entry).read() for entry in archive if entry.isfile()]
    refused = 0
    for content in files:
        try:
            the_runtime_agrees(drqsim.load(content))
        except drqsim.ModelFileError:  # int4 in operators that have no kernel for it
            refused += 1
    assert refused < 5 and len(files) > 50


@pytest.mark.parametrize("scale", [1e-38, 1.2e-38])
def test_a_denormal_scale_of_the_weights(scale):
    """float32 has 1.18e-38 as its smallest normal number."""
    weights = np.ones((2, 1, 1, 2), np.int8)
    scales = np.float32([0.1, scale])
    graph = drqsim.conv_relu(weights, input_shape=(1, 2, 2, 2), filter_scale=scales)
    the_runtime_agrees(graph)
    assert bool(delegate.taken(graph)) == (scale > 1.18e-38)
