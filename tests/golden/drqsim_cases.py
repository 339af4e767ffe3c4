"""Float files of operators that TensorFlow cannot write, from drqsim.

``coarse`` draws weights of a shape: few bits, which take little room when compressed.
"""

from dataclasses import replace

import numpy as np

from drqsim.graph import Graph, Operator, Tensor
from drqsim.model_file.write import to_bytes
from tests.kit import recurrent


def as_float(coarse, graph):
    """The same operator with float32 weights."""
    kept = [
        t if t.dtype != np.int8 else Tensor(t.name, t.shape, np.dtype(np.float32), coarse(*t.shape))
        for t in graph.tensors
    ]
    if len(graph.operators) > 1:
        return to_bytes(replace(graph, tensors=tuple(kept)))
    (op,) = graph.operators
    options = {k: v for k, v in op.options.items() if k != "asymmetric_quantize_inputs"}
    absent = (-1,) * (24 - len(op.inputs)) if op.code.endswith("LSTM") else ()
    op = replace(op, inputs=op.inputs + absent, options=options)
    return to_bytes(replace(graph, tensors=tuple(kept), operators=(op,)))


def lookup(coarse, rows, ids):
    """An EMBEDDING_LOOKUP of ``ids`` of so many rows of 13."""
    table = coarse(rows, 13)
    table[3] = 0
    tensors = (
        Tensor("ids", (ids,), np.dtype(np.int32)),
        Tensor("table", table.shape, table.dtype, table),
        Tensor("rows", (ids, 13), np.dtype(np.float32)),
    )
    op = Operator("EMBEDDING_LOOKUP", "embedding_lookup_0", (0, 1), (2,))
    return Graph(tensors, (op,), (0,), (2,))


def reshaped_rows(coarse):
    """Two by any number by four rows of 16, of which the caller sees any number by four."""
    f, i = np.dtype(np.float32), np.dtype(np.int32)
    tensors = (
        Tensor("ids", (2, 3, 4), i, signature=(2, -1, 4)),
        Tensor("table", (66, 16), f, coarse(66, 16)),
        Tensor("rows", (2, 3, 4, 16), f, signature=(2, -1, 4, 16)),
        Tensor("shape", (3,), i, np.array([-1, 4, 16], np.int32)),
        Tensor("reshaped", (6, 4, 16), f, signature=(-1, 4, 16)),
    )
    gather = Operator("GATHER", "gather_0", (0, 1)[::-1], (2,))
    reshape = Operator("RESHAPE", "reshape_0", (2, 3), (4,))
    return Graph(tensors, (gather, reshape), (0,), (4,))


def shared_filter(coarse):
    """A filter that a depthwise convolution and one with a single output read."""
    f = np.dtype(np.float32)
    size = {"padding": "SAME", "stride_h": 1, "stride_w": 1}
    tensors = (
        Tensor("x", (1, 4, 4, 120), f),
        Tensor("filter", (1, 3, 3, 120), f, coarse(1, 3, 3, 120)),
        Tensor("bias", (120,), f, coarse(120)),
        Tensor("one", (1,), f, coarse(1)),
        Tensor("y", (1, 4, 4, 120), f),
        Tensor("z", (1, 4, 4, 1), f),
    )
    depth = size | {"depth_multiplier": 1}
    depthwise = Operator("DEPTHWISE_CONV_2D", "depthwise_conv_2d_0", (0, 1, 2), (4,), depth)
    conv = Operator("CONV_2D", "conv_2d_0", (4, 1, 3), (5,), size)
    return Graph(tensors, (depthwise, conv), (0,), (5,))


def drqsim_cases(rng, coarse):
    """The files by name of their case."""
    lstm = {"n_input": 33, "n_cell": 32}
    graphs = {
        "embedding_lookup": lookup(coarse, 79, 3),
        "embedding_lookup_all": lookup(coarse, 79, 200),
        "embedding_lookup_small": lookup(coarse, 78, 3),
        "gather_reshape": reshaped_rows(coarse),
        "filter_shared": shared_filter(coarse),
        "lstm": recurrent.lstm(rng, **lstm),
        "lstm_cifg_projection": recurrent.lstm(
            rng, **lstm, cifg=True, projection=32, projection_bias=True
        ),
        "lstm_peephole": recurrent.lstm(rng, **lstm, peephole=True),
        "lstm_narrow": recurrent.lstm(rng, n_input=31, n_cell=32),  # 992 weights, 1,024 recurrent
        "svdf": recurrent.svdf(rng, 2, 33, 16, 2, 34),
        "svdf_short_memory": recurrent.svdf(rng, 2, 40, 32, 1, 8),
        "sequence_rnn": recurrent.rnn(rng, 3, 2, 33, 32),
    }
    return {case: as_float(coarse, graph) for case, graph in graphs.items()}
