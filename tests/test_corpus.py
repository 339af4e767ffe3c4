"""Whole models of many kinds against the runtime, on three paths: a table, and what it must say."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.graph import Graph
from drqsim.litert.whole import relative
from tests import networks
from tests.corpus import KERNELS, gathered, judge, random_input, table
from tests.test_activations import EXACT
from tests.test_float_operators import BOUNDS, GENERATORS

f32 = np.float32
MODELS = Path(__file__).parent.parent / "book" / "models"
INPUTS = 3
# One float operator fed with the runtime's input, in parts of its range: the sums of up to a
# thousand terms, whose sizes add up to some times the range, rounded in two orders (measured 9e-7).
FED = 2.0**-18
# From end to end the differences of single operators add up, and a layer may enlarge what it reads.
# Measured: 0.6 times their sum; layers of random weights enlarge by 2 or 3 at most.
ENLARGED = 8


def digits(name: str) -> Graph:
    return drqsim.load(MODELS / f"{name}.tflite")


def legacy() -> Graph:
    """What the other converter's legacy recipe writes: dense layers that quantize symmetrically."""
    model = digits("digits_drq")
    symmetric = {"asymmetric_quantize_inputs": False}
    operators = [
        replace(op, options=MappingProxyType(dict(op.options) | symmetric))
        if op.code == "FULLY_CONNECTED"
        else op
        for op in model.operators
    ]
    return replace(model, operators=tuple(operators))


def sound(graph: Graph) -> Graph:
    """The model up to the operator that reads memory that is not its own, if there is one."""
    for at, op in enumerate(graph.operators):
        hazards = drqsim.explain(graph, "optimized")[op.name].hazards
        if any("past the end" in text for text in hazards):
            return replace(graph, operators=graph.operators[:at], outputs=op.inputs[:1])
    return graph


FILES = {path.stem: lambda path=path: drqsim.load(path) for path in sorted(MODELS.glob("*.tflite"))}
FILES |= {
    "digits, dense symmetric": legacy,
    "digits, no minimum": lambda: drqsim.quantize(digits("digits_float"), min_elements=0),
}
for make in (*networks.FLOAT, *networks.RECURRENT):
    FILES[make.__name__] = make
    FILES[f"{make.__name__}, int8"] = lambda make=make: networks.drq(make())
    if make in networks.FLOAT[:8]:
        FILES[f"{make.__name__}, from 1024"] = lambda make=make: networks.drq(make(), True, 1024)
for make in (networks.residual, networks.inception, networks.dense_blocks):  # no depthwise layer
    FILES[f"{make.__name__}, per-tensor"] = lambda make=make: networks.drq(make(), False)


def test_there_are_enough_files_of_each_kind():
    assert len(FILES) >= 40
    codes = {op.code for make in FILES.values() for op in make().operators}
    assert len(codes) >= 40 and set(litert.whole.explain.__globals__["WEIGHTS"]) - codes == set()


def dequantized(graph: Graph) -> Graph:
    """The same network in float32: its int8 weights times their scales."""
    tensors = []
    for tensor in graph.tensors:
        if tensor.value is not None and tensor.dtype == np.int8:
            scale, axis = tensor.quantization.scale, tensor.quantization.axis
            along = [-1 if at == axis else 1 for at in range(tensor.value.ndim)]
            scale = scale.reshape(along) if scale.size > 1 else scale
            value = tensor.value.astype(f32) * scale
            tensor = replace(tensor, dtype=value.dtype, value=value, quantization=None)
        tensors.append(tensor)
    return replace(graph, tensors=tuple(tensors))


@pytest.fixture(scope="module")
def rows():
    """The rows of all files, printed as a table at the end (pytest -s shows it)."""
    collected = []
    yield collected
    print(f"\n{table(collected)}")


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", FILES)
def test_as_the_runtime(name, kernels, rows, tmp_path):
    file = tmp_path / "model.tflite"
    drqsim.save(sound(FILES[name]()), file)
    model = drqsim.load(file)
    of_all = []
    for seed in range(INPUTS):
        x = random_input(model, seed)
        row, compared = judge(name, file, x, kernels)
        of_all.append(row)
        assert row.exact == row.hybrid, compared
        check_float_operators(model, compared)
        check_end_to_end(model, x, compared)
    rows.append(gathered(of_all))
