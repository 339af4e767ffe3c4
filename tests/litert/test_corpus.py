"""Whole models of many kinds against the runtime, on three paths: a table, and what it must say."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

import drqsim
from drqsim import litert, ops, processor
from drqsim.arithmetic.apart import relative
from drqsim.arithmetic.functions import glibc
from drqsim.graph import Graph
from drqsim.litert import ModelComparison
from drqsim.litert.equality import DIFFERENT, EQUAL
from drqsim.model_file import write
from drqsim.model_file.operands import OPERANDS
from drqsim.runtime import native
from tests.kit import networks
from tests.kit.corpus import KERNELS, gathered, judge, random_input, table
from tests.kit.places import MODELS

f32 = np.float32
# From end to end the differences of single operators add up, and a layer may enlarge what it reads.
# Measured: 0.6 times their sum; layers of random weights enlarge by 2 or 3 at most.
ENLARGED = 8
# cores of arm64 beside the table may add up floats in another order
KNOWN = processor.native().name in processor.PROCESSORS


def digits(name: str) -> Graph:
    return drqsim.load(MODELS / f"{name}.tflite")


def legacy() -> Graph:
    """What the other converter's legacy recipe writes: dense layers that quantize symmetrically."""
    model = digits("digits_drq")
    symmetric = {"asymmetric_quantize_inputs": False}
    operators = [
        replace(op, options=op.options | symmetric) if op.code == "FULLY_CONNECTED" else op
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


def files() -> dict[str, Callable[[], Graph]]:
    """Every model of the book, and networks of many kinds, float and int8."""
    made = {path.stem: partial(drqsim.load, path) for path in sorted(MODELS.glob("*.tflite"))}
    made["digits, dense symmetric"] = legacy
    made["digits, no minimum"] = lambda: drqsim.quantize(digits("digits_float"), min_elements=0)
    made["transformer, the other rules"] = lambda: drqsim.quantize(
        networks.transformer(), rules="litert-quantizer"
    )
    for build in (*networks.FLOAT, *networks.RECURRENT):
        name = build.__name__
        made[name] = build
        made[f"{name}, int8"] = lambda build=build: drqsim.quantize(build(), min_elements=64)
        if build not in networks.SMALL:
            made[f"{name}, from 1024"] = lambda build=build: drqsim.quantize(build())
        if build in networks.WITHOUT_DEPTHWISE:
            made[f"{name}, per-tensor"] = lambda build=build: drqsim.quantize(build(), False, 64)
    return made


FILES = files()


@cache
def content(name: str) -> bytes:
    return write.to_bytes(sound(FILES[name]()))


def test_every_operator_with_weights_is_in_some_file():
    codes = {op.code for name in FILES for op in drqsim.load(content(name)).operators}
    assert len(FILES) >= 40 and len(codes) >= 30
    assert set(OPERANDS) - codes == {"CONV_3D"}


@pytest.fixture(scope="module")
def inputs(pytestconfig):
    """Inputs for each file: two, or one for each 60 draws."""
    return max(2, pytestconfig.getoption("--draws") // 60)


@pytest.fixture(scope="module")
def rows():
    """The rows of all files, printed as a table at the end (pytest -s shows it)."""
    collected = []
    yield collected
    print(f"\n{table(collected)}")


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", FILES)
def test_as_the_runtime(name, kernels, inputs, rows):
    model = drqsim.load(content(name))
    of_all = []
    for seed in range(inputs):
        x = random_input(model, seed)
        row, compared = judge(name, content(name), x, kernels)
        assert row.exact == row.hybrid, compared
        if not (KNOWN and glibc.is_here()):  # another C library has other functions
            check_float_operators(compared)
            check_end_to_end(model, x, compared)
        else:
            assert all(r.verdict == EQUAL for r in compared if r.elements), compared
            assert compared.flipped == 0 and compared.relative_difference == 0, compared
        of_all.append(row)
    rows.append(gathered(of_all))


def check_float_operators(compared: ModelComparison) -> None:
    """Fed with the runtime's input: the bits, but for sums and approximations."""
    for row in compared:
        if row.elements and not row.is_hybrid:
            assert row.verdict != DIFFERENT, f"{row}\n{compared}"


def check_end_to_end(model: Graph, x: dict, compared: ModelComparison) -> None:
    """No code flips before the first difference; what comes out is near what goes in."""
    differs = False
    for row in compared:
        if not differs:
            assert row.flipped == 0 and row.apart == row.fed, compared
        differs = differs or row.fed > 0
    allowed = ENLARGED * sum(row.fed for row in compared)
    if compared.flipped:
        # Our run and the runtime's then round the same values to other codes. How far roundings
        # move the output, the network without them tells: neither run is further from it than a
        # rounding error of the whole, and two such errors may add up.
        exact, _ = drqsim.run(dequantized(model), x, compared.kernels)
        allowed += 2 * max(relative(exact[name], real) for name, real in compared.theirs.items())
    assert compared.relative_difference <= allowed, compared


def dequantized(graph: Graph) -> Graph:
    """The same network in float32: its int8 weights times their scales, its inputs not rounded."""
    tensors = list(graph.tensors)
    for at, tensor in enumerate(tensors):
        if tensor.value is not None and tensor.dtype == np.int8:
            scale = tensor.quantization.scale
            if scale.size > 1:
                along = (np.arange(tensor.value.ndim) == tensor.quantization.axis) * -2 + 1
                scale = scale.reshape(along)
            value = tensor.value * scale
            tensors[at] = replace(tensor, dtype=value.dtype, value=value, quantization=None)
    return replace(graph, tensors=tuple(tensors))


def test_what_comes_out_too_far_or_flips_too_early_is_seen():
    model = drqsim.load(content("digits_drq"))
    x = random_input(model, 0)
    _, compared = judge("", content("digits_drq"), x, "optimized")
    ((name, output),) = compared.ours.items()
    compared.rows[1] = replace(compared.rows[1], fed=1e-7, apart=1e-7)
    compared.ours[name] = output + f32(2e-5)
    with pytest.raises(AssertionError):
        check_end_to_end(model, x, compared)
    # a code that flips allows for as much as rounding does, and no more
    compared.rows[-1] = replace(compared.rows[-1], flipped=1)
    check_end_to_end(model, x, compared)
    compared.ours[name] = output[:, ::-1]
    with pytest.raises(AssertionError):
        check_end_to_end(model, x, compared)
    compared.ours[name] = output
    check_end_to_end(model, x, compared)
    compared.rows[0] = replace(compared.rows[0], flipped=1)
    with pytest.raises(AssertionError):
        check_end_to_end(model, x, compared)


@pytest.mark.parametrize("kernels", KERNELS)
def test_keeping_every_tensor_changes_no_bit(kernels):
    """The judge lets the runtime keep every tensor, which cuts XNNPACK's partitions to pieces."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = getattr(OpResolverType, native.RESOLVERS[kernels])
    for name in FILES:
        model = drqsim.load(content(name))
        x = random_input(model, 0)
        plain = Interpreter(model_content=content(name), experimental_op_resolver_type=resolver)
        plain.allocate_tensors()
        for index in model.inputs:
            plain.set_tensor(index, x[model.tensors[index].name])
        plain.invoke()
        kept = litert.run(content(name), x, kernels).outputs
        for index in model.outputs:
            real = plain.get_tensor(index)
            assert real.tobytes() == kept[model.tensors[index].name].tobytes(), name


@pytest.mark.parametrize("layer", ["fully_connected_0", "depthwise_conv_2d_1"])
def test_the_corpus_sees_a_broken_rule(layer, monkeypatch):
    """An operator whose output is one unit off in one place is not exact."""
    code = layer.rsplit("_", 1)[0].upper()
    real = ops.TABLE[code]

    def broken(call):
        (output,) = real(call)
        if call.operator.name != layer:
            return [output]
        output = output.copy()
        output.flat[0] = np.nextafter(output.flat[0], f32(np.inf))
        call.record("output", output)
        return [output]

    x = random_input(digits("digits_drq"), 0)
    assert judge("", content("digits_drq"), x, "optimized")[0].exact == 6
    monkeypatch.setitem(ops.TABLE, code, broken)
    assert judge("", content("digits_drq"), x, "optimized")[0].exact == 5
