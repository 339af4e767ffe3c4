"""Where an operator with weights keeps what it reads: its input, its weights, its bias.

Facts of the file format. Source, ai-edge-litert 2.3.0: ``tflite/kernels/*.cc``, the constants
``kInputTensor``, ``kWeightsTensor`` and so on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from drqsim.graph import Graph, Operator, Tensor


class Operands(NamedTuple):
    """What stands where among an operator's inputs.

    Attributes
    ----------
    input : int
        Position of the activation that meets the weights.
    weights : int
        Position of the weights whose type decides which kernel runs.
    bias : int or None
        Position of the bias; None where the operator has none. An LSTM has four;
        this is the forget gate's.
    channels : int or None
        The dimension of the weights that runs over the output channels, along which they may have
        one scale each; negative counts from the last. None where the kernels read a single scale.
        Of BATCH_MATMUL it depends on an option, so ask ``channel_axis``.
    rank : int
        How many dimensions both the input and the weights have, at least.
    exactly : int or None
        How many dimensions the weights have, where their kernels take no other number.
    more : tuple of int
        Positions of its other weights.
    """

    input: int
    weights: int
    bias: int | None
    channels: int | None = None
    rank: int = 1
    exactly: int | None = None
    more: tuple[int, ...] = ()

    @property
    def all_weights(self) -> tuple[int, ...]:
        """The positions of all weights, in the order of the inputs."""
        return tuple(sorted((self.weights, *self.more)))


# operator code -> its operands; an operator that is not listed has no weights of its own
OPERANDS = {
    "BATCH_MATMUL": Operands(input=0, weights=1, bias=None, channels=-1, rank=2),
    "CONV_2D": Operands(input=0, weights=1, bias=2, channels=0, rank=4, exactly=4),
    "CONV_3D": Operands(input=0, weights=1, bias=2, channels=4),
    "DEPTHWISE_CONV_2D": Operands(input=0, weights=1, bias=2, channels=3, rank=4, exactly=4),
    "EMBEDDING_LOOKUP": Operands(input=0, weights=1, bias=None, channels=0),
    "FULLY_CONNECTED": Operands(input=0, weights=1, bias=2, channels=0, exactly=2),
    "RNN": Operands(input=0, weights=1, bias=3, more=(2,)),
    "SVDF": Operands(input=0, weights=1, bias=3, more=(2,)),
    "TRANSPOSE_CONV": Operands(input=2, weights=1, bias=3, channels=0, rank=4, exactly=4),
    # the kernel looks at the input-to-output weights; an input gate (1, 5, 9) may be left out.
    # Further on: recurrent 5 to 8, peephole 9 to 11, biases 12 to 15, projection 16
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Operands(
        input=0, weights=4, bias=13, more=(1, 2, 3, *range(5, 12), 16)
    ),
    "UNIDIRECTIONAL_SEQUENCE_RNN": Operands(input=0, weights=1, bias=3, more=(2,)),
}


def input_of(graph: Graph, op: Operator) -> Tensor | None:
    """The activation that an operator reads; of one without weights, its first input."""
    return graph.tensor_of(op, OPERANDS[op.code].input if op.code in OPERANDS else 0)


def weights_of(graph: Graph, op: Operator) -> Tensor | None:
    """The weights of an operator; None where it has none, or the file leaves them out."""
    return graph.tensor_of(op, OPERANDS[op.code].weights) if op.code in OPERANDS else None


def old_codes(weights: Tensor | None) -> bool:
    """Whether weights that meet float32 are int8 codes, though the file says uint8.

    Converters of 2018 wrote so, and the kernels still read the bytes as int8. Source,
    ai-edge-litert 2.3.0: ``GetTensorData<int8_t>(filter)`` in ``fully_connected.cc``.
    """
    return (
        weights is not None
        and weights.value is not None
        and weights.dtype == np.uint8
        and weights.quantization is not None
        and not weights.quantization.zero_point.any()
    )


def as_codes(weights: Tensor) -> Tensor:
    """Such weights as the int8 codes that they hold."""
    return replace(weights, dtype=np.dtype(np.int8), value=weights.value.view(np.int8))


def bias_of(graph: Graph, op: Operator) -> Tensor | None:
    """The bias of an operator; None where it has none, or the file leaves it out."""
    position = OPERANDS[op.code].bias if op.code in OPERANDS else None
    return None if position is None else graph.tensor_of(op, position)


def channel_axis(op: Operator, weights: Tensor) -> int | None:
    """The dimension of an operator's weights that runs over its output channels.

    None where the kernels read a single scale. The weights may have too few dimensions for it, in
    a damaged file: then it is negative or past the last.
    """
    axis = OPERANDS[op.code].channels if op.code in OPERANDS else None
    if axis is None or axis >= 0:
        return axis
    if op.options.get("adj_y"):  # of a BATCH_MATMUL: one row for every output column
        axis -= 1
    return len(weights.shape) + axis
