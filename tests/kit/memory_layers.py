"""Layers and chains of operators for the memory plan."""

from dataclasses import replace
from functools import partial

import numpy as np

from drqsim.graph import Graph, Operator, Tensor
from drqsim.names import operator_names
from tests.kit import full_integer, recurrent, strategies

f32 = np.float32


def chain(*operators, shape=(1, 4, 4, 4)):
    """A graph of operators on one shape: (code, indices of what it reads); 0 is the input."""
    count = len(operators) + 1
    tensors = tuple(Tensor(f"t{i}", shape, np.dtype(f32)) for i in range(count))
    names = operator_names([code for code, *_ in operators])
    made = tuple(
        Operator(code, name, reads, (at,))
        for at, ((code, *reads), name) in enumerate(zip(operators, names, strict=True), 1)
    )
    made = tuple(replace(op, inputs=tuple(op.inputs)) for op in made)
    return Graph(tensors, made, (0,), (count - 1,))


LAYERS = {
    "lstm": lambda kernels: recurrent.hybrid_lstm(),
    "rnn": lambda kernels: recurrent.hybrid_rnn(),
    "svdf": lambda kernels: recurrent.hybrid_svdf(),
    "convolution": strategies.hybrid_convolutions,
    "depthwise": strategies.hybrid_depthwise,
    "convolution, int4": partial(strategies.int4, strategies.hybrid_convolutions),
    "convolution, int8 activations": lambda kernels: full_integer.convolutions(),
    "convolution, int16 activations": lambda kernels: full_integer.convolutions(np.int16),
    "depthwise, int8 activations": lambda kernels: full_integer.depthwise(),
    "dense": strategies.hybrid_dense,
    "dense, int8 activations": lambda kernels: full_integer.dense(),
    "dense, int4": partial(strategies.int4, strategies.hybrid_dense),
    "matmul": strategies.hybrid_batch_matmul,
    "transpose": strategies.hybrid_transpose_conv,
}
