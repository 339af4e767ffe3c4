"""Which operators XNNPACK takes, by our own rules, held against the runtime's word."""

import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.graph import Graph, Operator, Tensor
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


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 2.0])
def test_the_beta_of_a_softmax(beta):
    graph = one_operator.one_operator("SOFTMAX", [(1, 4)], [(1, 4)], beta=beta)
    the_runtime_agrees(graph)
    assert bool(delegate.taken(graph)) == (beta == 1)


@pytest.mark.parametrize("dimensions", [6, 7])
def test_no_more_than_six_dimensions(dimensions):
    shape = (1,) * (dimensions - 1) + (4,)
    for code, reads in (("ADD", 2), ("RELU", 1)):
        tensors = [Tensor(f"x{at}", shape, np.dtype(np.float32)) for at in range(reads)]
        graph = one_operator.one_operator(code, tensors, [shape])
        the_runtime_agrees(graph)
        assert bool(delegate.taken(graph)) == (dimensions == 6)


@pytest.mark.parametrize("stride", [1, 2])
def test_the_strides_of_a_slice(stride):
    numbers = (np.int32(n) for n in ([0, 0], [4, 4], [stride, 1]))
    graph = one_operator.one_operator("STRIDED_SLICE", [(4, 4), *numbers], [(4 // stride, 4)])
    the_runtime_agrees(graph)
    assert bool(delegate.taken(graph)) == (stride == 1)


@pytest.mark.parametrize("reader", ["SUB", "POW"])
def test_weights_that_a_builtin_kernel_reads_too_are_unpacked_by_a_builtin_kernel(reader):
    """XNNPACK has no POW; then the DEQUANTIZE is not XNNPACK's either."""
    f = np.dtype(np.float32)
    halves = np.float16([1, 2, 3, 4])
    x, floats, y, z = (Tensor(name, (4,), f) for name in ("x", "floats", "y", "z"))
    tensors = (x, Tensor("halves", (4,), halves.dtype, halves), floats, y, z)
    operators = (
        Operator("DEQUANTIZE", "dequantize_0", (1,), (2,)),
        Operator("ADD", "add_0", (0, 2), (3,)),
        Operator(reader, f"{reader.lower()}_0", (0, 2), (4,)),
    )
    graph = Graph(tensors, operators, (0,), (3, 4))
    the_runtime_agrees(graph)
    assert ("dequantize_0" in delegate.taken(graph)) == (reader == "SUB")
