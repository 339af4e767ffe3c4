"""One float32 layer as every scheme stores it: the graphs that ``schemes`` compares."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from drqsim.converter.quantize import quantize
from drqsim.errors import InputError, UnsupportedOperatorError
from drqsim.graph import Graph, Operator, Quantization, Tensor, freeze
from drqsim.model_file.operands import OPERANDS, bias_of, channel_axis, input_of, weights_of
from drqsim.qparams import quantize_weights

f32 = np.float32
f64 = np.float64
LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")  # with a kernel in every scheme
INT64 = 4  # TensorType, for quantized_bias_type


class Range(NamedTuple):
    """Smallest and largest value of an activation."""

    low: float
    high: float


def float16_weights(layer: Graph) -> Graph:
    """Weights and bias as float16, each with a DEQUANTIZE behind it."""
    checked(layer)
    halves = {
        at: (replace(t, dtype=np.dtype(np.float16), value=freeze(t.value.astype(np.float16))))
        for at, t in enumerate(layer.tensors)
        if t.value is not None
    }
    return _dequantized(layer, halves)


def weight_only(layer: Graph) -> Graph:
    """int8 weights with a DEQUANTIZE behind them; the layer itself stays float32."""
    op = checked(layer)
    at = op.inputs[OPERANDS[op.code].weights]
    return _dequantized(layer, {at: _int8_weights(layer, op)})


def dynamic_range(layer: Graph) -> Graph:
    """int8 weights, float32 activations: what ``drqsim.quantize`` does, however small the layer."""
    checked(layer)
    return quantize(layer, min_elements=0)


def full_integer(layer: Graph, source: Range, target: Range, activations: type = np.int8) -> Graph:
    """Activations as codes too: a QUANTIZE in front, a DEQUANTIZE behind, an integer bias.

    int8: ``s = (high - low) / 255``, the range widened to contain 0, and ``zp = round(-128 - low /
    s)``. int16: symmetric, ``s = max(|low|, |high|) / 32767``. The bias counts steps of
    ``s_in * s_w``, as int32 or, with int16, int64.

    Parameters
    ----------
    layer : Graph
        One float32 layer.
    source, target : Range
        Of its input and of its output, as calibration found them.
    activations : numpy.int8 or numpy.int16
    """
    op = checked(layer)
    dtype = np.dtype(activations)
    if dtype not in (np.int8, np.int16):
        raise InputError(f"activations is {dtype}; expected int8 or int16.")
    x, y = input_of(layer, op), layer.tensors[op.outputs[0]]
    weights = _int8_weights(layer, op)
    ends = [
        Tensor(f"{t.name} {dtype}", t.shape, dtype, None, _activation(seen, dtype))
        for t, seen in ((x, source), (y, target))
    ]
    tensors, reads = [x, *ends, y, weights], [1, 4]
    bias = bias_of(layer, op)
    if bias is not None:
        reads.append(len(tensors))
        tensors.append(_integer_bias(bias, ends[0], weights, dtype))
    options = dict(op.options)
    if dtype == np.int16:
        options["quantized_bias_type"] = INT64
    operators = (
        Operator("QUANTIZE", "quantize_0", (0,), (1,)),
        replace(op, inputs=tuple(reads), outputs=(2,), options=options),
        Operator("DEQUANTIZE", "dequantize_0", (2,), (3,)),
    )
    return Graph(tuple(tensors), operators, (0,), (3,))


def _activation(seen: Range, dtype: np.dtype) -> Quantization:
    low, high = min(f64(seen.low), f64(0)), max(f64(seen.high), f64(0))
    limits = np.iinfo(dtype)
    if dtype == np.int16:
        scale, zero_point = max(-low, high) / limits.max or 1.0, 0
    else:
        scale = (high - low) / (limits.max - limits.min) or 1.0
        # ties upward, so that a symmetric range, whose zero lies at -0.5, gets the zero point 0
        zero_point = int(np.floor(limits.min - low / scale + 0.5))
    scale = f32(scale)
    if not np.isfinite(scale) or scale < np.finfo(f32).tiny:
        raise InputError(f"The range {low:g} to {high:g} has no float32 scale.")
    return Quantization(freeze(np.array([scale])), freeze(np.array([zero_point], np.int64)))


def _integer_bias(bias: Tensor, source: Tensor, weights: Tensor, dtype: np.dtype) -> Tensor:
    scale = source.quantization.scale.astype(f64) * weights.quantization.scale.astype(f64)
    limits = np.iinfo(np.int32)
    steps = np.clip(np.rint(bias.value / scale), limits.min, limits.max)
    wide = np.dtype(np.int64 if dtype == np.int16 else np.int32)
    kept = scale.astype(f32)
    quantization = Quantization(freeze(kept), freeze(np.zeros(kept.shape, np.int64)))
    return replace(bias, dtype=wide, value=freeze(steps.astype(wide)), quantization=quantization)


def _int8_weights(layer: Graph, op: Operator) -> Tensor:
    weights = weights_of(layer, op)
    axis = channel_axis(op, weights)
    codes, scale, zero_point = quantize_weights(weights.value, axis)
    scale, zeros = np.asarray(scale).reshape(-1), np.asarray(zero_point, np.int64).reshape(-1)
    zeros = np.broadcast_to(zeros, scale.shape)
    made = Quantization(freeze(scale), freeze(zeros), axis)
    return replace(weights, dtype=codes.dtype, value=freeze(codes), quantization=made)


def _dequantized(layer: Graph, stored: dict[int, Tensor]) -> Graph:
    """The layer with some constants stored otherwise, and made float32 by a DEQUANTIZE each."""
    tensors, operators = list(layer.tensors), []
    for number, (at, tensor) in enumerate(stored.items()):
        made = Operator("DEQUANTIZE", f"dequantize_{number}", (len(tensors),), (at,))
        operators.append(made)
        tensors[at] = replace(tensors[at], name=f"{tensor.name} float32", value=None)
        tensors.append(tensor)
    return replace(layer, tensors=tuple(tensors), operators=(*operators, *layer.operators))


def checked(layer: Graph) -> Operator:
    """The one float32 operator of a layer, with constant weights; anything else is refused."""
    if len(layer.operators) != 1 or layer.operators[0].code not in LAYERS:
        codes = ", ".join(op.code for op in layer.operators[:5]) or "nothing"
        raise InputError(
            f"The layer is a graph of {codes}; expected one float32 operator, {', '.join(LAYERS)}. "
            "Take it out of a model with graph.extract(name)."
        )
    (op,) = layer.operators
    if any(t.dtype != f32 for t in layer.tensors):
        other = next(t for t in layer.tensors if t.dtype != f32)
        raise InputError(f"The layer has the tensor {other}; every scheme starts from float32.")
    weights = weights_of(layer, op)
    if weights is None or weights.value is None:
        raise UnsupportedOperatorError(f"{op.name} has no constant weights; no scheme stores them.")
    return op
