"""Recurrent operators against the runtime: every readable tensor of every step, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.arithmetic.functions import eigen, glibc
from drqsim.graph import Graph
from drqsim.ops import builtin
from drqsim.ops.recurrent import shared as recurrent
from drqsim.ops.recurrent import unidirectional_sequence_lstm
from tests.kit.recurrent import cut, hybrid_lstm, hybrid_rnn, hybrid_svdf, lstm, svdf
from tests.kit.strategies import KERNELS

f32 = np.float32
LAYERS = {"lstm": hybrid_lstm, "rnn": hybrid_rnn, "svdf": hybrid_svdf}
LSTM = "unidirectional_sequence_lstm_0"


def compared(comparison):
    return {row.tensor for row in comparison.rows}


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=settings().max_examples // 2 + 1)  # each compares every step
@given(data=st.data())
def test_every_readable_tensor_has_the_bits_of_the_runtime(name, kernels, data):
    graph, inputs = data.draw(LAYERS[name]())
    comparison = litert.compare(graph, inputs, kernels)
    # a state that grows without bound leaves float32 behind, and then has no scale
    assume(not any("a range that float32 cannot hold" in note for note in comparison.notes))
    assert comparison.exact, f"\n{graph}\n{graph.operators[0].options}\n{comparison}"


@pytest.mark.parametrize("time_major", [True, False])
@pytest.mark.parametrize("asymmetric", [True, False])
def test_every_step_leaves_the_scratch_of_the_runtime(time_major, asymmetric):
    random = np.random.default_rng(8)
    layer = lstm(random, 6, 3, 19, 21, time_major=time_major, asymmetric=asymmetric, projection=9)
    x = random.normal(size=layer.tensors[0].shape).astype(f32)
    for steps in range(1, 7):
        part = x[:steps] if time_major else x[:, :steps]
        comparison = litert.compare(cut(layer, steps, time_major), part)
        assert comparison.exact, f"after {steps} steps\n{comparison}"


def test_every_buffer_that_the_kernel_writes_is_compared():
    random = np.random.default_rng(1)
    layer = lstm(random, projection=3, peephole=True, n_input=17)
    x = random.normal(size=layer.tensors[0].shape).astype(f32)
    for kernels in KERNELS:  # the delegate takes no LSTM: its scratch can be read there too
        assert compared(litert.compare(layer, x, kernels)) == {
            "gates",
            "input_quantized",
            "output_state_quantized",
            "hidden_quantized",
            "input_scale",
            "output_state_scale",
            "product_scale",
            "peephole",
            "input_zero_point",
            "output_state_zero_point",
            "row_sums",
            "final output_state",
            "final cell_state",
            "output",
        }


DEEP = {
    "row sums that wrap": dict(n_input=2300, lowest=127, spread=1e-4),
    "sums past 2^24": dict(n_input=1800, lowest=100, spread=1e-4, asymmetric=False),
    "weights of -128": dict(n_input=64, lowest=-128, projection=40),
}


@pytest.mark.parametrize("what", DEEP)
def test_deep_layers(what):
    random = np.random.default_rng(7)
    layer = lstm(random, **DEEP[what])
    x = random.uniform(-1 if "-128" in what else 0.5, 1, layer.tensors[0].shape).astype(f32)
    if "wrap" in what:
        x[0, 0, :9] = -1
    assert litert.compare(layer, x).exact
    trace = drqsim.run(layer, x, processor="x86-64")[1]
    if "wrap" in what:
        weights = trace[f"{LSTM}/input_weights"].value
        wrapped = trace[f"{LSTM}/input_row_sums"].value
        assert (wrapped != weights.sum(axis=-1, dtype=np.int32)).all()
    if "2^24" in what:
        assert trace[f"{LSTM}/input_accumulator"].value.max() > 2**24


def one_cell(code_of_weights: int, bias: float) -> Graph:
    """An LSTM of one cell whose weights are all ``code / 127``."""
    layer = lstm(np.random.default_rng(0), 2, 1, 1, 1, asymmetric=False)
    tensors = []
    for t in layer.tensors:
        if t.dtype == np.int8:
            scale = replace(t.quantization, scale=np.array([1 / 127], f32))
            t = replace(t, value=np.full(t.shape, code_of_weights, np.int8), quantization=scale)
        elif t.name.endswith("bias"):
            t = replace(t, value=np.full(t.shape, bias, f32))
        tensors.append(t)
    return replace(layer, tensors=tuple(tensors))


def test_two_steps_by_hand():
    # weights 1, bias 0, x = 1 then 0: sigmoid(1) = 0.731059, tanh(1) = 0.761594
    #   c = 0.731059 * 0.761594 = 0.556770;  h = 0.731059 * tanh(c) = 0.731059 * 0.505576 = 0.369606
    # second step, x = 0, so only h speaks: sigmoid(h) = 0.591364, tanh(h) = 0.353647
    #   c = 0.591364 * (0.556770 + 0.353647) = 0.538388;  h = 0.591364 * 0.491767 = 0.290813
    x = np.array([1, 0], f32).reshape(2, 1, 1)
    outputs, trace = drqsim.run(one_cell(127, 0), x)
    assert np.allclose(outputs["y"].ravel(), [0.369606, 0.290813], atol=1e-6)
    assert np.allclose(trace[f"{LSTM}/cell_state"].value.ravel(), [0.556770, 0.538388], atol=1e-6)
    # a single value is its own range: the codes are 127, and nothing is lost by quantizing it
    assert trace[f"{LSTM}/input_quantized"].value.ravel().tolist() == [127, 0]
    assert trace[f"{LSTM}/output_state_quantized"].value.ravel().tolist() == [0, 127]
    assert (trace[f"{LSTM}/input_accumulator"].value.ravel()[:4] == 127 * 127).all()


def in_float64(layer: Graph, x: np.ndarray) -> np.ndarray:
    """The textbook LSTM with the dequantized weights, nothing else quantized."""
    by_name = {
        t.name: t.value * np.float64(t.quantization.scale[0]) if t.quantization else t.value
        for t in layer.tensors
    }

    def gate(name, step, h):
        y = step @ by_name[f"input_to_{name}"].T + h @ by_name[f"recurrent_to_{name}"].T
        return y + by_name[f"{name}_bias"]

    h = c = np.zeros((x.shape[1], layer.tensors[-1].shape[-1]))
    outputs = []
    for step in x.astype(np.float64):
        i, f, o = (1 / (1 + np.exp(-gate(name, step, h))) for name in ("input", "forget", "output"))
        c = f * c + i * np.tanh(gate("cell", step, h))
        h = o * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs)


def test_the_textbook_formula_is_what_is_approximated():
    random = np.random.default_rng(4)
    layer = lstm(random, time=12, batch=3, n_input=30, n_cell=20)
    x = random.normal(size=layer.tensors[0].shape).astype(f32)
    difference = np.abs(drqsim.run(layer, x)[0]["y"] - in_float64(layer, x))
    assert difference.max() < 0.05  # quantizing input and state moves an output by about 1 %
    assert difference.mean() > 1e-5


def chain(first: Graph, second: Graph) -> Graph:
    """``second`` behind ``first``."""
    shift = len(first.tensors)
    moved = {0: first.outputs[0]} | {i: i + shift - 1 for i in range(1, len(second.tensors))}
    tensors = [replace(t, name=f"{t.name} 2") for t in second.tensors[1:]]
    op = second.operators[0]
    op = replace(
        op,
        name=op.name.replace("_0", "_1"),
        inputs=tuple(moved.get(i, -1) for i in op.inputs),
        outputs=(moved[second.outputs[0]],),
    )
    operators = (*first.operators, op)
    return Graph((*first.tensors, *tensors), operators, first.inputs, op.outputs)


@pytest.mark.parametrize("kernels", KERNELS)
def test_two_layers_one_behind_the_other(kernels):
    random = np.random.default_rng(9)
    model = chain(lstm(random, 5, 3, 7, 11), lstm(random, 5, 3, 11, 13))
    x = random.normal(size=(5, 3, 7)).astype(f32)
    comparison = litert.compare(model, x, kernels)
    assert comparison.exact and "output" in compared(comparison)
    # nothing in between is approximate, so the whole run has the runtime's bits as well
    (ours,) = drqsim.run(model, x, kernels)[0].values()
    assert np.array_equal(ours, litert.run(model, x, kernels).outputs["y 2"])


def test_reserved_bytes_are_those_of_the_runtime():
    random = np.random.default_rng(9)
    layer = lstm(random, 5, 3, 7, 11, projection=4, peephole=True)
    x = random.normal(size=(5, 3, 7)).astype(f32)
    real = [tensor.value.nbytes for tensor in litert.run(layer, x).scratch]
    trace = drqsim.run(layer, x)[1]
    names = """gates input_quantized output_state_quantized hidden_quantized input_scale
        output_state_scale hidden_scale peephole input_accumulator input_zero_point
        output_state_zero_point input_row_sums""".split()
    ours = dict(zip(names, real, strict=True))
    # the product of two scales, the peephole's float32 weights: named in the comparison only
    for name in set(names) - {"hidden_scale", "peephole", "input_row_sums"}:
        assert trace[f"{LSTM}/{name}"].reserved == ours[name], name
    assert trace[f"{LSTM}/hidden_scale"].reserved == 0
    sums = [trace[f"{LSTM}/{name}_row_sums"] for name in ("input", "recurrent", "projection")]
    assert 0 <= ours["input_row_sums"] - sum(record.reserved for record in sums) < 4 * 11


def _with_wrong_codes(family):
    def wrong(v):
        return np.trunc(v + np.copysign(f32(0.49), v)).astype(np.int32)

    return family._replace(codes=family.codes._replace(whole=wrong, overflowed=wrong))


BREAKS = {
    "rounding of codes": (
        builtin,
        "family",
        lambda processor, real=builtin.family: _with_wrong_codes(real(processor)),
    ),
    "packets": (eigen, "in_packets", lambda start, n: np.ones(n, bool)),
    "packets from the start": (
        unidirectional_sequence_lstm.eigen,
        "in_packets",
        lambda start, n, real=eigen.in_packets: real(0, n),
    ),
    "tanh": (eigen, "tanh", lambda x, fused: np.tanh(x)),
    "expf": (glibc, "expf", lambda x: np.nextafter(np.exp(x), f32(2))),
    "layer norm": (
        unidirectional_sequence_lstm,
        "_normalize",
        lambda rules, y: (
            (y - y.mean(1, keepdims=True)) / np.sqrt(y.var(1, keepdims=True) + f32(1e-8))
        ),
    ),
    "order of the sum": (
        recurrent.Arithmetic,
        "add_product",
        lambda self, total, acc, q, w, used: total + acc.astype(f32) * q.scale[:, None] * w.scale,
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_rule_is_seen(what, monkeypatch):
    random = np.random.default_rng(2)
    layer = lstm(random, 4, 3, 33, 41, layer_norm=True, bias=3.0)
    x = random.normal(size=layer.tensors[0].shape).astype(f32)
    assert litert.compare(layer, x).exact
    monkeypatch.setattr(*BREAKS[what])
    assert not litert.compare(layer, x).exact


def test_a_broken_sum_over_time_is_seen(monkeypatch):
    random = np.random.default_rng(2)
    layer = svdf(random, 3, 20, 7, 5, 11)
    fed = {"x": random.normal(size=(3, 20)), "state 4": random.normal(size=(3, 7 * 5 * 11))}
    fed = {name: values.astype(f32) for name, values in fed.items()}
    assert litert.compare(layer, fed).exact
    monkeypatch.setattr(
        recurrent.Arithmetic,
        "sum_of_products",
        lambda rules, a, b, lanes: (a * b).sum(-1, dtype=f32),
    )
    assert not litert.compare(layer, fed).exact
