"""The comparison itself: it must see what is there, and must not approve what is wrong."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.arithmetic import rounding
from drqsim.litert import comparison
from drqsim.model_file import write
from drqsim.ops import builtin, conv_2d, xnnpack
from tests.kit.places import MODELS
from tests.kit.strategies import KERNELS

f32 = np.float32
IMAGES = np.load(MODELS / "digits_inputs.npz")["images"]


def compared(comparison):
    return {(row.operator, row.tensor) for row in comparison.rows}


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("file", ["digits_drq", "digits_drq_per_tensor"])
def test_the_quantized_convolutions_of_the_digits_net(file, kernels):
    comparison = litert.compare(MODELS / f"{file}.tflite", IMAGES[:1], kernels)
    hybrid = [row for row in comparison.rows if row.operator in ("conv_2d_1", "conv_2d_2")]
    assert hybrid and all(row.equal == row.elements for row in hybrid)
    outputs = [row.operator for row in comparison.rows if row.tensor == "output"]
    assert "conv_2d_1" in outputs and len(outputs) == len(set(outputs))
    # the per-tensor file's depthwise kernel reads scales out of bounds: anything may follow it
    if file == "digits_drq":
        seen = {row.operator for row in comparison.rows}
        assert seen == {op.name for op in drqsim.load(MODELS / f"{file}.tflite").operators}


def test_every_readable_tensor_is_in_the_table():
    layer = drqsim.load(MODELS / "digits_drq.tflite").extract("conv_2d_1")
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 16)).astype(f32)
    names = {name for _, name in compared(litert.compare(layer, x, "optimized"))}
    assert names == {
        "input_quantized",
        "input_scale",
        "input_zero_point",
        "im2col",
        "filter_row_sums",
        "accumulator_raw",
        "output",
    }
    assert {name for _, name in compared(litert.compare(layer, x, "xnnpack"))} == {"output"}
    assert "only outputs are compared" in repr(litert.compare(layer, x, "xnnpack"))


def scratch_after_two_invokes(layer, resolver):
    """The scratch buffers after one input, and after a second one, in the same interpreter."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    runtime = Interpreter(
        model_content=write.to_bytes(layer),
        experimental_op_resolver_type=getattr(OpResolverType, resolver),
        experimental_preserve_all_tensors=True,
    )
    runtime.allocate_tensors()
    seen = []
    for seed in (0, 1):
        x = np.random.default_rng(seed).normal(size=layer.tensors[0].shape).astype(f32)
        runtime.set_tensor(0, x)
        runtime.invoke()
        count = len(runtime.get_tensor_details())
        seen.append([runtime.get_tensor(i) for i in range(len(layer.tensors), count)])
    return seen


def test_reserved_scratch_is_not_written_by_the_reference_kernel():
    layer = drqsim.load(MODELS / "digits_drq.tflite").extract("conv_2d_1")
    # im2col, input_quantized, scaling_factors, accumulator, input_offsets, row_sums
    for resolver, untouched in (
        ("BUILTIN_REF", {0, 3, 5}),
        ("BUILTIN_WITHOUT_DEFAULT_DELEGATES", {5}),  # row sums do not depend on the input
    ):
        first, second = scratch_after_two_invokes(layer, resolver)
        same = [a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True)]
        assert {at for at, equal in enumerate(same) if equal} == untouched
        for slots in (2, 4):  # one slot for every pixel is reserved, the first is filled
            assert first[slots][1:].tobytes() == second[slots][1:].tobytes()
            assert first[slots][0] != second[slots][0]


def with_wrong(codes=None, **columns):
    """The builtin kernels' row of the table, with some of its columns replaced."""

    def family(processor, real=builtin.family):
        row = real(processor)
        return row._replace(codes=row.codes._replace(**codes or {}), **columns)

    return family


def half_away_from_less(v):
    return np.trunc(v + np.copysign(f32(0.49), v)).astype(np.int32)


BREAKS = {
    "rounding": (rounding, "half_away", np.rint, "reference"),
    "rounding of eight": (
        builtin,
        "family",
        with_wrong(codes={"whole": half_away_from_less}),
        "optimized",
    ),
    "row sums": (
        builtin,
        "family",
        with_wrong(row_sums=lambda w: w[..., 0].sum((1, 2), np.int32)),
        "optimized",
    ),
    "activation": (conv_2d.fused, "apply", lambda x, *a, **k: x, "optimized"),
    "padding": (
        conv_2d,
        "_unfold",
        lambda x, layer, zp, real=conv_2d._unfold: real(x, layer, np.zeros_like(zp)),
        "optimized",
    ),
    "fused multiply-add": (xnnpack, "fma", lambda a, b, c: a * b + c, "xnnpack"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_rule_is_seen(what, monkeypatch):
    module, name, wrong, kernels = BREAKS[what]
    random = np.random.default_rng(3)
    weights = random.normal(size=(16, 3, 3, 5)).astype(f32)
    layer = drqsim.quantize(
        drqsim.conv_relu(weights, random.normal(size=16).astype(f32), input_shape=(1, 7, 9, 5)),
        min_elements=0,
    )
    # a range of 255 makes the scale 1: values at .5 are ties, at 0.5 steps of the codes
    x = (random.integers(0, 254, (1, 7, 9, 5)) + 0.5).astype(f32)
    x.reshape(-1)[:2] = 255, 0
    x.reshape(-1)[-3:] = 50.5, 51.5, 52.5  # the tail, which is rounded one by one
    x -= 100
    assert litert.compare(layer, x, kernels).exact
    monkeypatch.setattr(module, name, wrong)
    assert not litert.compare(layer, x, kernels).exact


def test_an_output_is_that_of_the_whole_file(monkeypatch):
    """Alone, an operator stands in a file that drqsim wrote; what it lost there is not judged."""
    real = comparison.run

    def alone(*arguments):
        made = real(*arguments)
        return replace(made, outputs={name: y + f32(1) for name, y in made.outputs.items()})

    monkeypatch.setattr(comparison, "run", alone)
    layer = drqsim.load(MODELS / "digits_drq.tflite").extract("conv_2d_1")
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 16)).astype(f32)
    assert litert.compare(layer, x, "optimized").exact


def test_a_model_that_the_runtime_refuses_is_named():
    layer = drqsim.load(MODELS / "digits_drq.tflite").extract("conv_2d_1")
    bare = replace(layer, operators=(replace(layer.operators[0], inputs=(0, 1)),))
    with pytest.raises(drqsim.ModelFileError, match="The runtime refuses"):
        litert.run(bare, np.zeros((1, 8, 8, 16), f32))


def test_kernels_and_inputs_are_checked_before_the_runtime_sees_them():
    layer = drqsim.load(MODELS / "digits_drq.tflite").extract("conv_2d_1")
    with pytest.raises(drqsim.InputError, match="kernels is 'gpu'"):
        litert.run(layer, np.zeros((1, 8, 8, 16), f32), "gpu")
    with pytest.raises(drqsim.InputError, match="shape"):
        litert.run(layer, np.zeros((1, 8, 8, 15), f32))


@pytest.mark.parametrize("kernels", KERNELS)
def test_outputs_only_leaves_the_rest_unread(kernels):
    layer = drqsim.load(MODELS / "digits_drq.tflite").extract("conv_2d_1")
    x = np.ones((1, 8, 8, 16), f32)
    run, whole = litert.run(layer, x, kernels, outputs_only=True), litert.run(layer, x, kernels)
    assert run.tensors == () and len(whole.tensors) > 3
    for name, value in whole.outputs.items():
        assert np.array_equal(run.outputs[name], value)


def test_the_comparison_prints_as_a_table():
    layer = drqsim.load(MODELS / "digits_drq.tflite").extract("conv_2d_1")
    comparison = litert.compare(layer, np.ones((1, 8, 8, 16), f32))
    assert "accumulator_raw      2,048  2,048                   0" in repr(comparison)
    assert "<table" in comparison._repr_html_()


def test_differences_of_whole_numbers_are_written_in_full(monkeypatch):
    module, name, wrong, kernels = BREAKS["padding"]
    layer = drqsim.load(MODELS / "digits_drq.tflite").extract("conv_2d_1")
    monkeypatch.setattr(module, name, wrong)
    rows = litert.compare(layer, np.linspace(-1, 2, 1024, dtype=f32).reshape(1, 8, 8, 16)).rows
    apart = {row.tensor: row.largest_difference for row in rows}
    sums = apart["accumulator_raw"]
    assert type(sums) is int and sums >= 1000
    assert type(apart["output"]) is float and apart["output"] > 0
    table = repr(litert.Comparison(rows, [], kernels))
    assert f" {sums:,}\n" in table and f"{apart['output']:.3g}" in table
