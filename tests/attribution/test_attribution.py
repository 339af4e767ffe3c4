"""Where an error arises: the parts add up, and each is what its name says."""

import math
from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import InputError, UnsupportedOperatorError
from drqsim.attribution.pairing import pair
from drqsim.attribution.runs import Runs
from tests.kit import converted, networks
from tests.kit.attribution import Net, assert_adds_up, branched, digits
from tests.kit.corpus import random_input
from tests.kit.one_operator import same_bits
from tests.kit.places import MODELS
from tests.kit.strategies import KERNELS

f32, f64 = np.float32, np.float64

FULL_INTEGER = ("digits_int8", "digits_16x8")
FILES = [f for f in sorted(MODELS.glob("digits_*.tflite")) if f.stem not in FULL_INTEGER]


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_models_of_the_book(file, kernels, images):
    """The float model as its own quantized form too: there is no error then."""
    found = assert_adds_up(digits("float"), drqsim.load(file), list(images), kernels)
    if file.stem == "digits_float":
        assert not found.net and found.net_error.snr == math.inf
        assert all(part.largest == 0 for row in found.rows for part in row.parts.values())
    else:
        assert found.net_error.largest > 0


def test_weight_only_models_round_weights_and_no_input(images):
    found = drqsim.attribute_error(digits("float"), digits("weight_only"), images[0])
    with_weights = [row for row in found.rows if row.parts["weight rounding"].largest]
    assert [row.operator for row in with_weights] == [row.operator for row in found.net]
    assert len(with_weights) == 9
    assert all(row.parts["input rounding"].snr == math.inf for row in found.rows)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("seed", range(4))
def test_branches(seed, kernels):
    net, outputs = branched(seed, ("RELU", "NONE", "RELU6", "RELU_N1_TO_1")[seed])
    models = net.graph(*outputs), net.quantized(*outputs)
    inputs = [net.random.normal(size=(1, 5, 4, 3)).astype(f32) for _ in range(3)]
    found = assert_adds_up(*models, inputs, kernels)
    assert [row.operator for row in found.rows if "split" in row.operator] == [
        "split_0",
        "split_0/output_2",
    ]
    of_left = assert_adds_up(*models, inputs, kernels, output=1)
    by_name = drqsim.attribute_error(*models, inputs, kernels, output="split_0")
    assert repr(of_left) == repr(by_name) != repr(found)


@pytest.mark.parametrize("kernels", KERNELS)
def test_the_net_against_models_in_which_so_many_operators_are_quantized(kernels):
    """What an operator adds is what changes once it is quantized, as those before it are."""
    net, (output, _) = branched(5)
    x = net.random.normal(size=(1, 5, 4, 3)).astype(f32)
    found = drqsim.attribute_error(
        net.graph(output), net.quantized(output), x, kernels, keep_values=True
    )
    before, done = net.graph(output), []
    names = [row.operator for row in found.net]
    assert len(names) == 6
    for name in names:
        op = before.operator(name)
        done += [i for i in op.inputs if i in net.weights]
        after = net.quantized(output, only=done)
        change = np.subtract(
            *(next(iter(drqsim.run(g, x, kernels)[0].values())) for g in (after, before)), dtype=f64
        )
        row = next(row for row in found.net if row.operator == name)
        assert row.error.values[0] == pytest.approx(change, abs=1e-15)
        assert np.abs(change).max() > 0
        before = after


def test_several_inputs(images):
    models = digits("float"), digits("drq")
    found = drqsim.attribute_error(*models, list(images), keep_values=True)
    cut = drqsim.attribute_error(*models, images.reshape(-1, 8, 8, 1))
    name = models[0].tensors[models[0].inputs[0]].name
    by_name = drqsim.attribute_error(*models, [{name: image} for image in images])
    assert repr(found) == repr(cut) == repr(by_name) and found.inputs == 2
    single = [drqsim.attribute_error(*models, image) for image in images]
    for at, row in enumerate(found.rows):
        alone = [s.rows[at].error for s in single]
        assert sorted(part.snr for part in alone) == [row.error.lowest, row.error.highest]
        assert row.error.lowest <= row.error.snr <= row.error.highest
        assert row.error.largest == max(part.largest for part in alone)
        worst = alone[row.error.input]
        assert (worst.largest, worst.position) == (row.error.largest, row.error.position)
        value = row.error.values[row.error.input][row.error.position]
        assert abs(value) == row.error.largest
    assert f"({min(s.net_error.snr for s in single):.1f} to" in repr(found)
    assert cut.rows[0].error.values is None


def test_a_batch_that_the_caller_chooses_is_one_input():
    net = Net(4, (1, 8), signature=(-1, 8))
    options = {"keep_num_dims": False, "asymmetric_quantize_inputs": True}
    options |= {"fused_activation_function": "RELU"}
    for _ in range(2):
        reads = (
            len(net.tensors) - 1 if net.operators else 0,
            net.normal(8, 8, axis=0),
            net.normal(8),
        )
        last = net.add("FULLY_CONNECTED", reads, (1, 8), **options)
    x = net.random.normal(size=(5, 8)).astype(f32)
    found = assert_adds_up(net.graph(last), net.quantized(last), [x], "optimized")
    assert found.rows[0].error.values[0].shape == (5, 8)
    assert drqsim.attribute_error(net.graph(last), net.quantized(last), x).inputs == 1


def test_a_table_that_is_looked_up_rounds_its_weights():
    net = Net(6, (3,))
    net.tensors[0] = replace(net.tensors[0], dtype=np.dtype(np.int32))
    table = net.normal(7, 4, axis=0)
    rows = net.add("EMBEDDING_LOOKUP", (0, table), (3, 4))
    last = net.add("TANH", (rows,), (3, 4))
    x = np.array([6, 0, 2], np.int32)
    found = assert_adds_up(net.graph(last), net.quantized(last), [x], "optimized")
    parts = found["embedding_lookup_0"].parts
    assert parts["weight rounding"].share == pytest.approx(1)
    assert parts["float rounding"].largest == parts["input rounding"].largest == 0
    assert [row.operator for row in found.net] == ["embedding_lookup_0"]


@pytest.mark.parametrize("kernels", KERNELS)
def test_what_xnnpack_leaves_is_computed_as_the_builtin_kernel_does(kernels):
    """It takes an end of 0 for the end of the dimension, but no stride of -1."""
    net = Net(7, (1, 8))
    dense = net.add("FULLY_CONNECTED", (0, net.normal(6, 8, axis=0), -1), (1, 6))
    ends = [net.constant(np.array(v, np.int32)) for v in ((0, 4), (1, 0), (1, -1))]
    cut = net.add("STRIDED_SLICE", (dense, *ends), (1, 4))
    x = net.random.normal(size=(1, 8)).astype(f32)
    models = net.graph(cut), net.quantized(cut)
    assert_adds_up(*models, [x], kernels)
    runs = Runs(pair(*models, kernels), {0: x}, kernels, False)
    for at, op in enumerate(models[0].operators):
        (made,) = runs.evaluate(runs.operator(at)[0], runs.in_float)
        assert same_bits(made, runs.in_float[op.outputs[0]])


def test_what_is_made_of_constants_has_no_error(images):
    """A model whose weights pass through an operator; it may even be an output."""
    net = Net(10, (1, 4))
    doubled = net.add("ADD", (net.normal(4, 4), net.normal(4, 4)), (4, 4))
    options = {"keep_num_dims": False, "fused_activation_function": "NONE"}
    y = net.add("FULLY_CONNECTED", (0, doubled, net.normal(4)), (1, 4), **options)
    model = net.graph(y, doubled)
    x = net.random.normal(size=(1, 4)).astype(f32)
    found = drqsim.attribute_error(model, model, x)
    assert [row.operator for row in found.rows] == ["fully_connected_0"]
    for output, message in ((1, "the same for every input"), ("add_0", "expected a position")):
        with pytest.raises(InputError, match=message):
            drqsim.attribute_error(model, model, x, output=output)


# the converter puts a RESHAPE and its GATHER into one
DIFFER = {("gather_reshape", "file")}
FLOAT_RECURRENT = ("lstm", "sequence_rnn", "svdf")


@pytest.mark.parametrize("source", ["file", "ours"])
@pytest.mark.parametrize("case_tool", sorted(set(converted.made_int8()) - converted.NOT_RUN))
def test_what_the_converters_made(case_tool, source, tmp_path):
    """Their float models with their quantized ones, and with ours."""
    (case, tool), kernels = case_tool, "optimized"

    def model(name):
        (tmp_path / "model.tflite").write_bytes(converted.FILES[f"{case}/{name}"])
        return drqsim.load(tmp_path / "model.tflite")

    float_model = model("float")
    drq = model(tool) if source == "file" else converted.quantized(case, tool)
    inputs = [converted.feeds_of(float_model)]
    if (case, source) in DIFFER and tool.startswith("tensorflow"):
        with pytest.raises(InputError, match="not two forms of one model"):
            drqsim.attribute_error(float_model, drq, inputs, kernels)
    elif case.startswith(FLOAT_RECURRENT):
        with pytest.raises(UnsupportedOperatorError, match="with int8 weights only"):
            drqsim.attribute_error(float_model, drq, inputs, kernels)
    else:
        found = assert_adds_up(float_model, drq, inputs, kernels)
        assert found.net


def test_states_of_recurrent_operators():
    """The rest of the net goes on from the state that was passed in."""
    net = networks.Net(12, 2, 24)
    constants = net.codes(32, 40), net.codes(32, 8), net.bias(16), net.state(2, 8 * 32)
    options = {"rank": 2, "fused_activation_function": "RELU", "asymmetric_quantize_inputs": True}
    model = net.graph(net.op("SVDF", net.dense(net.x, 40), *constants, **options))
    drq = drqsim.quantize(model, min_elements=0)
    random = np.random.default_rng(12)
    x = random_input(model, 0) | {
        t.name: random.normal(size=t.shape).astype(f32) for t in model.tensors if t.is_variable
    }
    assert_adds_up(model, drq, [x], "optimized")
    tensors = [
        replace(t, quantization=replace(t.quantization, scale=t.quantization.scale * f32(2)))
        if t.quantization
        else t
        for t in model.tensors
    ]
    with pytest.raises(InputError, match="pass the model without quantization first"):
        drqsim.attribute_error(model, replace(drq, tensors=tuple(tensors)), x)


@pytest.mark.parametrize("name", ["keyword", "lstm", "recurrent", "transformer", "squeeze_excite"])
def test_networks(name):
    """Recurrent operators are int8 in both forms: what reaches them, they hand on."""
    model = getattr(networks, name)()
    drq = drqsim.quantize(model, min_elements=0)
    found = assert_adds_up(model, drq, [random_input(model, seed) for seed in (0, 1)], "optimized")
    assert found.net
    for row in found.rows:
        if row.operator.startswith(("svdf", "unidirectional")):
            assert row.parts["inherited"].largest == row.error.largest


def test_an_output_of_integers_has_no_parts():
    net, (_, left) = branched(8)
    net.constant(np.array(1, np.int32))
    best = net.add("ARG_MAX", (left, len(net.tensors) - 1), (1,), output_type=4)
    net.tensors[best] = replace(net.tensors[best], dtype=np.dtype(np.int64))
    models = net.graph(best), net.quantized(best)
    x = net.random.normal(size=(1, 5, 4, 3)).astype(f32)
    with pytest.raises(InputError, match="no float"):
        drqsim.attribute_error(*models, x)
    found = drqsim.attribute_error(*models, x, output="split_0")
    assert "arg_max_0" not in [row.operator for row in found.rows]
    assert found.net_error.largest > 0
