"""Where operators keep their input, weights and bias, held against layers that run."""

from pathlib import Path

import numpy as np
import pytest

import drqsim
from drqsim import ops
from drqsim.graph import Graph
from drqsim.model_file.operands import OPERANDS, bias_of, channel_axis, input_of, weights_of
from tests.kit import networks, recurrent

f32 = np.float32
RANDOM = np.random.default_rng(0)
LSTM = {"peephole": True, "projection": 3, "projection_bias": True, "layer_norm": True}
MODELS = {build.__name__: build for build in (*networks.FLOAT, *networks.RECURRENT)} | {
    "lstm with everything": lambda: recurrent.lstm(RANDOM, **LSTM),
    "lstm without an input gate": lambda: recurrent.lstm(RANDOM, cifg=True),
    "svdf without a bias": lambda: recurrent.svdf(RANDOM, 2, 5, 4, 2, 3, bias=False),
}
RECURRENT = list(MODELS)[len(networks.FLOAT) :]


@pytest.mark.parametrize("name", MODELS)
def test_operands_are_what_their_names_say(name):
    graph: Graph = MODELS[name]()
    _, trace = drqsim.run(graph, {graph.tensors[i].name: _zeros(graph, i) for i in graph.inputs})
    for op in graph.operators:
        if op.code not in OPERANDS:
            assert weights_of(graph, op) is None and bias_of(graph, op) is None
            continue
        source, weights, bias = (of(graph, op) for of in (input_of, weights_of, bias_of))
        assert source.is_fed and weights.dtype in (f32, np.int8)
        records = {r.name: r.value for r in trace.op(op.name)}
        if "filter" in records:  # the convolutions and matrix products record it
            assert np.array_equal(records["filter"], weights.value)
        if "bias" in records:  # an LSTM records those of all its gates, a row for each
            rows = np.atleast_2d(records["bias"])
            assert (rows == bias.value).all(axis=1).any()
        rank = OPERANDS[op.code].rank
        assert min(len(source.shape), len(weights.shape)) >= rank
        axis = channel_axis(op, weights)
        if axis is not None and op.code != "EMBEDDING_LOOKUP":  # whose channels are its rows
            written = graph.tensors[op.outputs[0]].shape[-1]
            assert weights.shape[axis] == written
            assert bias is None or bias.shape == (written,)


def _zeros(graph: Graph, index: int) -> np.ndarray:
    return np.zeros(graph.tensors[index].shape, graph.tensors[index].dtype)


@pytest.mark.parametrize(
    "name", [n for n in MODELS if "lstm" in n or n in ("keyword", "recurrent")]
)
def test_all_weights_are_the_int8_constants(name):
    graph = MODELS[name]()
    for op in graph.operators:
        codes = [
            at
            for at in range(len(op.inputs))
            if graph.tensor_of(op, at) is not None and graph.tensor_of(op, at).dtype == np.int8
        ]
        if codes:
            known = OPERANDS[op.code].all_weights
            assert set(codes) <= set(known)
            missing = set(known) - set(codes)
            assert all(graph.tensor_of(op, at) is None for at in missing)


def test_every_operator_with_a_file_of_its_own_is_listed():
    """``drqsim/ops`` has a file for each operator with weights; both kinds of RNN share one."""
    room = Path(ops.__file__).parent
    files = {
        path.stem.upper() for folder in (".", "recurrent") for path in room.glob(f"{folder}/*.py")
    }
    weighted = files & set(ops.TABLE)
    assert weighted | {"CONV_3D", "UNIDIRECTIONAL_SEQUENCE_RNN"} == set(OPERANDS)


@pytest.mark.parametrize("adj_y", [False, True])
def test_channels_of_a_matrix_product_follow_its_option(adj_y):
    random = np.random.default_rng(0)
    layer = networks.Net(0, 2, 3, 5)
    right = random.normal(size=(2, 7, 5) if adj_y else (2, 5, 7)).astype(f32)
    made = layer.op("BATCH_MATMUL", layer.x, right, adj_x=False, adj_y=adj_y)
    graph = layer.graph(made)
    (op,) = graph.operators
    weights = weights_of(graph, op)
    assert weights.shape[channel_axis(op, weights)] == 7
    quantized = drqsim.quantize(graph, rules="litert-quantizer")
    (op,) = quantized.operators
    quantization = weights_of(quantized, op).quantization
    assert quantization.axis == channel_axis(op, weights) and quantization.scale.size == 7
