"""A state that several operators share is carried from one to the next."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.graph import Graph, Quantization, Tensor
from drqsim.names import operator_names
from tests.kit.one_operator import one_operator
from tests.kit.recurrent import int8_weights, lstm, one_recurrent_operator

f32 = np.float32
RANDOM = np.random.default_rng(3)


def bias(size):
    return RANDOM.uniform(-1, 1, size).astype(f32)


def rnn(code, x_shape, y_shape, **options):
    constants = {1: int8_weights(RANDOM, "w", (4, 5)), 2: int8_weights(RANDOM, "r", (4, 4))}
    states = {4: (2, 4)}
    return one_recurrent_operator(
        code, x_shape, constants | {3: bias(4)}, states, y_shape, **options
    )


def svdf():
    constants = {1: int8_weights(RANDOM, "w", (8, 5)), 2: int8_weights(RANDOM, "t", (8, 3))}
    states = {4: (2, 24)}
    return one_recurrent_operator("SVDF", (2, 5), constants | {3: bias(4)}, states, (2, 4), rank=2)


LAYERS = {
    "RNN": rnn("RNN", (2, 5), (2, 4), fused_activation_function="TANH"),
    "time first": rnn("UNIDIRECTIONAL_SEQUENCE_RNN", (3, 2, 5), (3, 2, 4), time_major=True),
    "batch first": rnn("UNIDIRECTIONAL_SEQUENCE_RNN", (2, 3, 5), (2, 3, 4)),
    "SVDF": svdf(),
    "LSTM": lstm(RANDOM),
}


def thrice(graph):
    """The operator three times, with an input and an output of its own each, and one state."""
    (op,) = graph.operators
    tensors, made = list(graph.tensors), []
    for number in range(3):
        own = {i: len(tensors) + at for at, i in enumerate((op.inputs[0], *op.outputs))}
        tensors += [replace(graph.tensors[i], name=f"{number} {i}") for i in own]
        reads = tuple(own.get(i, i) for i in op.inputs)
        made.append(replace(op, inputs=reads, outputs=tuple(own[i] for i in op.outputs)))
    names = operator_names([op.code] * 3)
    operators = tuple(replace(o, name=name) for o, name in zip(made, names, strict=True))
    inputs = tuple(o.inputs[0] for o in made)
    outputs = tuple(i for o in made for i in o.outputs)
    return Graph(tuple(tensors), operators, inputs, outputs)


@pytest.mark.parametrize("name", LAYERS)
def test_the_second_operator_goes_on_where_the_first_ended(name):
    graph = thrice(LAYERS[name])
    fed = {
        n: RANDOM.standard_normal(graph.tensors[i].shape).astype(f32)
        for n, i in zip(graph.input_names, graph.inputs, strict=True)
    }
    ours, trace = drqsim.run(graph, fed)
    theirs = litert.run(graph, fed).outputs
    assert [v.tobytes() for v in ours.values()] == [v.tobytes() for v in theirs.values()]
    first, second, third = trace.states.values()
    assert not any(state.any() for state in first.values())
    assert all(state.any() for state in (*second.values(), *third.values()))
    assert litert.compare(graph, fed).exact


def test_a_state_may_be_an_output_and_may_be_added():
    graph = LAYERS["RNN"]
    (op,) = graph.operators
    graph = replace(graph, outputs=(*graph.outputs, op.inputs[4]))
    x = RANDOM.standard_normal((2, 5)).astype(f32)
    y, state = drqsim.run(graph, x)[0].values()
    assert y.tobytes() == state.tobytes()
    assert [v.tobytes() for v in litert.run(graph, x).outputs.values()] == [y.tobytes()] * 2


def test_a_state_that_nobody_writes_starts_at_zero():
    unread = Tensor("s", (3,), np.dtype(f32), is_variable=True)
    graph = LAYERS["RNN"]
    graph = replace(graph, tensors=(*graph.tensors, unread), outputs=(len(graph.tensors),))
    outputs, _ = drqsim.run(graph, np.ones((2, 5), f32))
    assert outputs["s"].tobytes() == bytes(12)


def test_a_state_of_codes_starts_at_its_zero_point():
    zero_point = Quantization(np.array([0.5], f32), np.array([7]))
    state = Tensor("s", (3,), np.dtype(np.int8), None, zero_point, True)
    graph = one_operator("DEQUANTIZE", [state], [(3,)])
    (ours,), (theirs,) = drqsim.run(graph, {})[0].values(), litert.run(graph, {}).outputs.values()
    assert ours.tobytes() == theirs.tobytes() == bytes(12)
