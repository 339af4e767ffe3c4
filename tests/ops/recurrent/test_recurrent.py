"""Recurrent operators: state from one run to the next, files, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.graph import Graph
from drqsim.model_file import read, write
from drqsim.ops.fused import RANGES, WITHOUT_RANGE
from tests.kit.one_operator import one_operator
from tests.kit.recurrent import cut, lstm, rnn, svdf

f32 = np.float32


@pytest.mark.parametrize("make", [lstm, rnn, svdf])
def test_a_sequence_may_go_on_from_a_state(make):
    """Two runs, the second from the state that the first left, in the runtime and here."""
    random = np.random.default_rng(6)
    sizes = dict(n_input=9, batch=2)
    options = {lstm: dict(n_cell=5, time=4), rnn: dict(units=5, time=4), svdf: {}}[make]
    layer = make(random, **sizes, **options or dict(units=3, rank=2, memory=5))
    states = {
        t.name: random.normal(size=t.shape).astype(f32) for t in layer.tensors if t.is_variable
    }
    x = random.normal(size=layer.tensors[0].shape).astype(f32)
    assert litert.compare(layer, {"x": x} | states).exact
    fresh, _ = drqsim.run(layer, x)
    continued, _ = drqsim.run(layer, {"x": x} | states)
    assert not np.array_equal(fresh["y"], continued["y"])
    if make is rnn:
        whole, _ = drqsim.run(layer, x)
        first, _ = drqsim.run(cut(layer, 2, True), x[:2])
        rest = {"x": x[2:], "state 4": first["y"][-1]}
        second, _ = drqsim.run(cut(layer, 2, True), rest)
        assert np.array_equal(whole["y"], np.concatenate([first["y"], second["y"]]))


def test_a_variable_tensor_stays_one_in_a_file():
    layer = lstm(np.random.default_rng(0))
    again = read.load(write.to_bytes(layer))
    assert [t.is_variable for t in again.tensors] == [t.is_variable for t in layer.tensors]
    assert sum(t.is_variable for t in again.tensors) == 2
    assert again.operators[0].options == layer.operators[0].options


def without(layer: Graph, position: int) -> Graph:
    op = layer.operators[0]
    inputs = [-1 if at == position else index for at, index in enumerate(op.inputs)]
    return replace(layer, operators=(replace(op, inputs=tuple(inputs)),))


def changed(layer: Graph, name: str, **what) -> Graph:
    tensors = [replace(t, **what) if t.name == name else t for t in layer.tensors]
    return replace(layer, tensors=tuple(tensors))


def test_what_is_left_out_is_named():
    layer = lstm(np.random.default_rng(0))
    x = np.ones(layer.tensors[0].shape, f32)
    unsupported, damaged = drqsim.UnsupportedOperatorError, drqsim.ModelFileError
    peephole = lstm(np.random.default_rng(0), peephole=True)
    floats = dict(dtype=np.dtype(f32), value=np.zeros((4, 5), f32), quantization=None)
    diagonal = dict(shape=(4,), value=np.ones(4, np.int8))
    scales = layer.tensors[1].quantization
    two = dict(
        quantization=replace(scales, scale=np.ones(4, f32), zero_point=np.zeros(4, np.int64))
    )
    constant = dict(is_variable=False, value=np.zeros((2, 4), f32))
    for error, message, bad in (
        (unsupported, "with int8 weights only", changed(layer, "input_to_output", **floats)),
        (unsupported, "a diagonal", changed(layer, "recurrent_to_cell", **diagonal)),
        (damaged, "has 4 scales", changed(layer, "input_to_cell", **two)),
        (damaged, "must be a float32 variable", changed(layer, "state 19", **constant)),
        (damaged, "expected 8 elements", changed(layer, "state 19", shape=(2, 5))),
        (damaged, "its input 19 is left out", without(layer, 19)),
        (damaged, "its input 13 is left out", without(layer, 13)),
        (damaged, "some of its gates have peephole", without(peephole, 10)),
        (
            damaged,
            r"expected float32\[4\]",
            changed(layer, "cell_bias", shape=(5,), value=np.zeros(5, f32)),
        ),
    ):
        with pytest.raises(error, match=message):
            drqsim.run(bad, x)


@pytest.mark.parametrize(
    "code", ["BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "LSTM"]
)
def test_other_recurrent_operators_are_refused_by_name(code):
    with pytest.raises(drqsim.UnsupportedOperatorError, match=code):
        drqsim.run(one_operator(code, [(1, 2)], [(1, 2)]), np.zeros((1, 2), f32))


@pytest.mark.parametrize("make", [lstm, rnn])
@pytest.mark.parametrize("activation", [*RANGES, *WITHOUT_RANGE])
def test_every_activation(make, activation):
    random = np.random.default_rng(2)
    sizes = dict(n_cell=4) if make is lstm else dict(units=4)
    layer = make(random, time=3, batch=2, n_input=5, activation=activation, **sizes)
    x = random.normal(size=layer.tensors[0].shape).astype(f32) * 20
    comparison = litert.compare(layer, x)
    assert comparison.exact, comparison


@pytest.mark.parametrize("time_major", [True, False])
def test_a_row_of_zeros_is_skipped_only_batch_by_batch(time_major):
    """Adding its product would make a bias of -0 positive; time-major, all rows are one vector."""
    layer = rnn(np.random.default_rng(3), 1, 2, 5, 3, time_major, activation="NONE")
    layer = changed(layer, "bias", value=np.full(3, -0.0, f32))
    x = np.zeros(layer.tensors[0].shape, f32)
    (x[0, 1] if time_major else x[1, 0])[:] = [1, -2, 3, -4, 5]
    assert litert.compare(layer, x).exact
    real = litert.run(layer, x).outputs["y"]
    skipped = real[0, 0] if time_major else real[0]
    assert not skipped.any() and (np.signbit(skipped) == (not time_major)).all()
    assert drqsim.run(layer, x)[0]["y"].tobytes() == real.tobytes()
