"""The offline half: what the converter does to make a float model dynamic-range quantized."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np

from drqsim.errors import InputError
from drqsim.graph import Graph, Operator, Quantization, freeze
from drqsim.qparams import quantize_weights

# operator code -> (position of its weights, their output-channel dimension):
# GetQuantizableOperandIndices and the quantized dimensions in tflite/converter/ir/tfl_ops.td
WEIGHTS = {"CONV_2D": (1, 0), "DEPTHWISE_CONV_2D": (1, 3), "FULLY_CONNECTED": (1, 0)}
# the TensorFlow converter leaves constants with fewer elements in float32
MIN_ELEMENTS = 1024


def quantize(graph: Graph, per_channel: bool = True, min_elements: int = MIN_ELEMENTS) -> Graph:
    """What post-training dynamic-range quantization does to a model file.

    The weights of convolutions and dense layers become int8; biases, activations and everything
    else stay float32. No data is needed: the ranges of the inputs are found at run time.

    Parameters
    ----------
    graph : Graph
        A float model. Weights that are int8 already stay as they are.
    per_channel : bool
        One scale for each output channel (the converter's default), or one for the whole tensor.
    min_elements : int
        Weights with fewer elements stay float32; the TensorFlow converter's rule is 1024.

    Returns
    -------
    Graph
        The same graph with int8 weights and their float32 scales, bit for bit those that
        TensorFlow's converter writes (TensorFlow 2.21, ``prepare_quantize_dynamic_range.cc``,
        ``quantization_utils.cc``).

    Raises
    ------
    InputError
        When weights are not finite or ``min_elements`` is negative.
    """
    if isinstance(min_elements, bool) or not isinstance(min_elements, int) or min_elements < 0:
        raise InputError(f"min_elements is {min_elements!r}; expected a whole number from 0.")
    tensors = list(graph.tensors)
    operators = []
    for op in graph.operators:
        index, axis = _quantizable(graph, op, min_elements)
        if index is not None:
            weights = tensors[index].value
            if weights.dtype == np.float32:
                codes, scale, zero_point = quantize_weights(weights, axis if per_channel else None)
                tensors[index] = replace(
                    tensors[index],
                    dtype=codes.dtype,
                    value=freeze(codes),
                    quantization=Quantization(
                        freeze(scale), freeze(zero_point), axis if per_channel else 0
                    ),
                )
            if op.code == "FULLY_CONNECTED":
                options = dict(op.options) | {"asymmetric_quantize_inputs": True}
                op = replace(op, options=MappingProxyType(options))
        operators.append(op)
    return replace(graph, tensors=tuple(tensors), operators=tuple(operators))


def _quantizable(graph: Graph, op: Operator, min_elements: int) -> tuple[int | None, int]:
    """Index and channel dimension of the weights that the converter would quantize, if any."""
    position, axis = WEIGHTS.get(op.code, (None, 0))
    weights = None if position is None else graph.tensor_of(op, position)
    if weights is None or weights.value is None or weights.value.size < min_elements:
        return None, axis
    if weights.dtype != np.float32 and weights.dtype != np.int8:
        return None, axis
    return op.inputs[position], axis
