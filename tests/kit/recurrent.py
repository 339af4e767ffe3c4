"""Random recurrent layers with int8 weights: gates, peepholes, projection, state."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from drqsim.graph import Graph, Quantization, Tensor
from tests.kit.one_operator import one_operator
from tests.kit.strategies import float_constant, inputs

f32 = np.float32
GATES = ("input", "forget", "cell", "output")


def int8_weights(random, name, shape, lowest=-127, one_sided=False, spread=0.02):
    """An int8 constant with one scale."""
    values = random.integers(lowest, 128, shape, dtype=np.int8)
    values = np.abs(np.maximum(values, -127)) if one_sided else values
    scale = (random.uniform(0.05, 1, 1) * spread).astype(f32)
    return Tensor(name, shape, values.dtype, values, Quantization(scale, np.zeros(1, np.int64)))


def one_recurrent_operator(code, x_shape, constants, states, y_shape, **options):
    """A graph of one operator; ``constants`` by position, ``states`` shapes by position."""
    states = {
        at: Tensor(f"state {at}", shape, np.dtype(f32), is_variable=True)
        for at, shape in states.items()
    }
    return one_operator(code, {0: x_shape} | constants | states, [y_shape], **options)


def lstm(
    random,
    time=3,
    batch=2,
    n_input=5,
    n_cell=4,
    n_output=None,
    cifg=False,
    peephole=False,
    projection=None,
    projection_bias=False,
    layer_norm=False,
    time_major=True,
    asymmetric=True,
    activation="TANH",
    cell_clip=0.0,
    proj_clip=0.0,
    lowest=-127,
    one_sided=False,
    bias=1.0,
    spread=0.02,
):
    """A UNIDIRECTIONAL_SEQUENCE_LSTM; ``projection`` is its number of outputs, if it has one."""
    n_output = projection or n_cell

    def weights(name, *shape):
        return int8_weights(random, name, shape, lowest, one_sided, spread)

    constants = {}
    for at, gate in enumerate(GATES):
        if cifg and gate == "input":
            continue
        constants[1 + at] = weights(f"input_to_{gate}", n_cell, n_input)
        constants[5 + at] = weights(f"recurrent_to_{gate}", n_cell, n_output)
        constants[12 + at] = float_constant(f"{gate}_bias", random.normal(size=n_cell) * bias)
        if layer_norm:
            constants[20 + at] = float_constant(f"{gate}_norm", random.normal(size=n_cell))
    if peephole:
        for at, gate in ((9, "input"), (10, "forget"), (11, "output")):
            if not (cifg and gate == "input"):
                constants[at] = weights(f"cell_to_{gate}", n_cell)
    if projection:
        constants[16] = weights("projection", n_output, n_cell)
        if projection_bias:
            constants[17] = float_constant("projection_bias", random.normal(size=n_output) * bias)
    leading = (time, batch) if time_major else (batch, time)
    return one_recurrent_operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        (*leading, n_input),
        constants,
        {18: (batch, n_output), 19: (batch, n_cell)},
        (*leading, n_output),
        fused_activation_function=activation,
        cell_clip=cell_clip,
        proj_clip=proj_clip,
        time_major=time_major,
        asymmetric_quantize_inputs=asymmetric,
    )


def rnn(random, time, batch, n_input, units, time_major=True, asymmetric=True, activation="TANH"):
    """A UNIDIRECTIONAL_SEQUENCE_RNN, or, where ``time`` is None, an RNN."""
    leading = (batch,) if time is None else (time, batch) if time_major else (batch, time)
    options = {} if time is None else {"time_major": time_major}
    return one_recurrent_operator(
        "RNN" if time is None else "UNIDIRECTIONAL_SEQUENCE_RNN",
        (*leading, n_input),
        {
            1: int8_weights(random, "input_weights", (units, n_input)),
            2: int8_weights(random, "recurrent_weights", (units, units)),
            3: float_constant("bias", random.normal(size=units)),
        },
        {4: (batch, units)},
        (*leading, units),
        fused_activation_function=activation,
        asymmetric_quantize_inputs=asymmetric,
        **options,
    )


def svdf(
    random, batch, n_input, units, rank, memory, asymmetric=True, activation="RELU", bias=True
):
    """An SVDF."""
    filters = units * rank
    constants = {
        1: int8_weights(random, "feature_weights", (filters, n_input)),
        2: int8_weights(random, "time_weights", (filters, memory)),
        3: float_constant("bias", random.normal(size=units)),
    }
    if not bias:
        del constants[3]
    return one_recurrent_operator(
        "SVDF",
        (batch, n_input),
        constants,
        {4: (batch, memory * filters)},
        (batch, units),
        rank=rank,
        fused_activation_function=activation,
        asymmetric_quantize_inputs=asymmetric,
    )


def cut(graph: Graph, steps: int, time_major: bool) -> Graph:
    """The same layer on the first ``steps`` of its sequence."""

    def shorter(tensor: Tensor) -> Tensor:
        if tensor.name not in ("x", "y"):
            return tensor
        time, batch = (steps, tensor.shape[1]) if time_major else (tensor.shape[0], steps)
        return replace(tensor, shape=(time, batch, tensor.shape[2]))

    return replace(graph, tensors=tuple(shorter(tensor) for tensor in graph.tensors))


ACTIVATIONS = ("TANH", "TANH", "TANH", "RELU", "RELU6", "RELU_N1_TO_1", "NONE", "SIGN_BIT")


@st.composite
def sequences(draw, shape):
    """Values from one of the distributions, some rows of some steps all zero."""
    leading = (1,) * (4 - len(shape))
    x = draw(inputs((*shape[:1], *leading, *shape[1:]))).reshape(shape)
    if len(shape) == 3 and draw(st.booleans()):
        random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        x = np.where(random.random(shape[:2])[..., None] < 0.4, f32(0), x)
        x[draw(st.integers(0, shape[0] - 1))] = 0
    return x


@st.composite
def with_state(draw, graph):
    """The graph, and its input, with a state or without."""
    fed = {"x": draw(sequences(graph.tensors[0].shape))}
    if draw(st.booleans()):
        random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        states = [t for t in graph.tensors if t.is_variable]
        fed |= {t.name: random.normal(size=t.shape).astype(f32) for t in states}
    return graph, fed


@st.composite
def hybrid_lstm(draw):
    """A UNIDIRECTIONAL_SEQUENCE_LSTM and what it is fed."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    graph = lstm(
        random,
        time=draw(st.integers(1, 5)),
        batch=draw(st.sampled_from((1, 1, 2, 3))),
        n_input=draw(st.integers(1, 40)),
        n_cell=draw(st.integers(1, 40)),
        cifg=draw(st.booleans()),
        peephole=draw(st.booleans()),
        projection=draw(st.one_of(st.none(), st.integers(1, 50))),
        projection_bias=draw(st.booleans()),
        layer_norm=draw(st.sampled_from((False, False, True))),
        time_major=draw(st.booleans()),
        asymmetric=draw(st.booleans()),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        cell_clip=draw(st.sampled_from((0.0, 0.0, 0.3))),
        proj_clip=draw(st.sampled_from((0.0, 0.0, 0.3))),
        lowest=draw(st.sampled_from((-127, -127, -128))),
        one_sided=draw(st.booleans()),
        bias=draw(st.sampled_from((0.0, 1.0, 30.0))),
        spread=draw(st.sampled_from((0.02, 0.5, 1e-4))),
    )
    return draw(with_state(graph))


@st.composite
def hybrid_rnn(draw):
    """An RNN or a UNIDIRECTIONAL_SEQUENCE_RNN and what it is fed."""
    graph = rnn(
        np.random.default_rng(draw(st.integers(0, 2**32 - 1))),
        time=draw(st.one_of(st.none(), st.integers(1, 5))),
        batch=draw(st.integers(1, 4)),
        n_input=draw(st.integers(1, 40)),
        units=draw(st.integers(1, 40)),
        time_major=draw(st.booleans()),
        asymmetric=draw(st.booleans()),
        activation=draw(st.sampled_from(ACTIVATIONS)),
    )
    return draw(with_state(graph))


@st.composite
def hybrid_svdf(draw):
    """An SVDF and what it is fed."""
    graph = svdf(
        np.random.default_rng(draw(st.integers(0, 2**32 - 1))),
        batch=draw(st.integers(1, 4)),
        n_input=draw(st.integers(1, 40)),
        units=draw(st.integers(1, 9)),
        rank=draw(st.integers(1, 9)),
        memory=draw(st.integers(1, 13)),
        asymmetric=draw(st.booleans()),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        bias=draw(st.booleans()),
    )
    return draw(with_state(graph))
