"""The same layer under every scheme that a ``.tflite`` file can have, side by side.

=================  =======  ===========  ===========  ======================================
scheme             weights  activations  accumulator  computed in
=================  =======  ===========  ===========  ======================================
float32            float32  float32      float32      float32
float16 weights    float16  float32      float32      float32, after a DEQUANTIZE
weight-only int8   int8     float32      float32      float32, after a DEQUANTIZE
dynamic range      int8     float32      int32        int8, the input quantized on the fly
full-integer int8  int8     int8         int32        int8, scales from calibration
16x8               int8     int16        int64        int16 x int8, scales from calibration
=================  =======  ===========  ===========  ======================================

Each is a graph of its own here, run like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from drqsim.errors import InputError, UnsupportedOperatorError
from drqsim.graph import Graph, Operator, Quantization, Tensor, freeze
from drqsim.interpreter import inputs_by_index, run
from drqsim.qparams import quantize_weights
from drqsim.quantize import quantize
from drqsim.trace import Trace, html_table, text_table

f32 = np.float32
f64 = np.float64
AXES = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}  # of the output channels
INT64 = 4  # TensorType, for quantized_bias_type


class Range(NamedTuple):
    """Smallest and largest value of an activation."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class SchemeRow:
    """One layer under one scheme.

    Attributes
    ----------
    scheme, weights, activations, accumulator, computed_in : str
        Its name; the dtypes in which the file and the arena hold things; what is multiplied.
    calibration : bool
        Whether examples had to be run to make the file.
    weight_bytes, activation_bytes, scratch_bytes : int
        Of the constants in the file; of the layer's input and output; of what the kernel writes
        down on the way, weights made float32 included.
    largest_error, rms_error : float
        Against the float32 layer, over all outputs.
    operators : tuple of str
        In the file.
    graph : Graph
    output : float32 array
    trace : Trace
    """

    scheme: str
    weights: str
    activations: str
    accumulator: str
    computed_in: str
    calibration: bool
    weight_bytes: int
    activation_bytes: int
    scratch_bytes: int
    largest_error: float
    rms_error: float
    operators: tuple[str, ...]
    graph: Graph
    output: np.ndarray
    trace: Trace


class Schemes:
    """The rows of a comparison; prints as a table."""

    def __init__(self, rows: list[SchemeRow]):
        self.rows = rows

    def __getitem__(self, scheme: str) -> SchemeRow:
        for row in self.rows:
            if row.scheme == scheme:
                return row
        raise InputError(f"No scheme {scheme!r}; there are: {', '.join(SCHEMES)}.")

    def __iter__(self) -> Iterator[SchemeRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                r.scheme,
                r.weights,
                r.activations,
                r.accumulator,
                r.computed_in,
                "yes" if r.calibration else "no",
                f"{r.weight_bytes:,}",
                f"{r.activation_bytes:,}",
                f"{r.scratch_bytes:,}",
                f"{r.largest_error:.3g}",
                f"{r.rms_error:.3g}",
                ", ".join(r.operators),
            )
            for r in self
        ]

    def __repr__(self) -> str:
        return text_table(_HEADER, self._cells(), right=_RIGHT)

    def _repr_html_(self) -> str:
        return html_table(_HEADER, self._cells(), right=_RIGHT)


_HEADER = (
    "scheme",
    "weights",
    "activations",
    "accumulator",
    "computed in",
    "calibration",
    "weight bytes",
    "activation bytes",
    "scratch bytes",
    "largest error",
    "RMS error",
    "operators in the file",
)
_RIGHT = (6, 7, 8, 9, 10)


def compare_schemes(
    layer: Graph,
    x: np.ndarray,
    calibration: Iterable[np.ndarray] | None = None,
    kernels: str = "optimized",
) -> Schemes:
    """One convolution or dense layer and one input, under six schemes.

    Parameters
    ----------
    layer : Graph
        One float32 CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED, from ``conv_relu`` or
        ``graph.extract(name)``.
    x : float32 array
        Its input.
    calibration : iterable of float32 arrays, optional
        Examples of the input, from which the schemes with integer activations get their scales. By
        default ``x`` alone, which is the best that calibration can do for ``x``.
    kernels : {"optimized", "reference", "xnnpack"}

    Returns
    -------
    Schemes
        A ``SchemeRow`` for each scheme; float32 first, against which the errors are. A depthwise
        layer has no row for 16x8.

    Raises
    ------
    InputError
        When ``layer`` is something else, or an array does not fit it.
    """
    op = _checked(layer)
    examples = [x] if calibration is None else list(calibration)
    if not examples:
        raise InputError("calibration is empty; pass at least one array, or None for x alone.")
    ranges = _ranges(layer, examples)
    truth = None
    rows = []
    for name, scheme in SCHEMES.items():
        if name == "16x8" and op.code == "DEPTHWISE_CONV_2D":
            continue
        graph = scheme.make(layer, ranges)
        outputs, trace = run(graph, x, kernels)
        (output,) = outputs.values()
        truth = output if truth is None else truth
        rows.append(_row(name, scheme, graph, output, trace, output.astype(f64) - truth))
    return Schemes(rows)


def _row(name, scheme, graph, output, trace, error) -> SchemeRow:
    (op,) = [op for op in graph.operators if op.code in AXES]
    records = {record.name: record for record in trace.op(op.name)}
    ends = [records["input"], records["output"]]
    scratch = [r for r in trace if r.role == "scratch"]
    # of constants, the output of a DEQUANTIZE is memory that the weights take on top of the file
    scratch += [r for r in trace if r.op.startswith("dequantize") and r.stored == "persistent"]
    sums = records.get("accumulator")
    stored = next(t for t in graph.constants if t.shape == records["filter"].shape)
    return SchemeRow(
        name,
        str(stored.dtype),
        str(records["input"].dtype),
        str(sums.dtype) if sums else "float32",
        scheme.computed_in,
        scheme.calibration,
        sum(t.nbytes for t in graph.constants),
        sum(r.nbytes for r in ends),
        sum(r.nbytes for r in scratch),
        float(np.abs(error).max()),
        float(np.sqrt(np.mean(error**2))),
        tuple(o.code for o in graph.operators),
        graph,
        output,
        trace,
    )


def float16_weights(layer: Graph) -> Graph:
    """Weights and bias as float16, each with a DEQUANTIZE behind it."""
    _checked(layer)
    halves = {
        at: (replace(t, dtype=np.dtype(np.float16), value=freeze(t.value.astype(np.float16))))
        for at, t in enumerate(layer.tensors)
        if t.value is not None
    }
    return _dequantized(layer, halves)


def weight_only(layer: Graph) -> Graph:
    """int8 weights with a DEQUANTIZE behind them; the layer itself stays float32."""
    op = _checked(layer)
    at = op.inputs[1]
    return _dequantized(layer, {at: _int8_weights(layer, op)})


def dynamic_range(layer: Graph) -> Graph:
    """int8 weights, float32 activations: what ``drqsim.quantize`` does, however small the layer."""
    _checked(layer)
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
    op = _checked(layer)
    dtype = np.dtype(activations)
    if dtype not in (np.int8, np.int16):
        raise InputError(f"activations is {dtype}; expected int8 or int16.")
    x, y = layer.tensors[op.inputs[0]], layer.tensors[op.outputs[0]]
    weights = _int8_weights(layer, op)
    ends = [
        Tensor(f"{t.name} {dtype}", t.shape, dtype, None, _activation(seen, dtype))
        for t, seen in ((x, source), (y, target))
    ]
    tensors, reads = [x, *ends, y, weights], [1, 4]
    bias = layer.tensor_of(op, 2)
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
    weights, axis = layer.tensor_of(op, 1), AXES[op.code]
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


def _ranges(layer: Graph, examples: list[np.ndarray]) -> tuple[Range, Range]:
    """What the layer reads and writes over the examples."""
    seen: list[list[np.ndarray]] = [[], []]
    for example in examples:
        (value,) = inputs_by_index(layer, example).values()
        (output,) = run(layer, value, record="shapes")[0].values()
        seen[0].append(value)
        seen[1].append(output)
    low_high = [Range(min(v.min() for v in side), max(v.max() for v in side)) for side in seen]
    return low_high[0], low_high[1]


def _checked(layer: Graph) -> Operator:
    if len(layer.operators) != 1 or layer.operators[0].code not in AXES:
        codes = ", ".join(op.code for op in layer.operators[:5]) or "nothing"
        raise InputError(
            f"The layer is a graph of {codes}; expected one float32 operator, {', '.join(AXES)}. "
            "Take it out of a model with graph.extract(name)."
        )
    (op,) = layer.operators
    if any(t.dtype != f32 for t in layer.tensors):
        other = next(t for t in layer.tensors if t.dtype != f32)
        raise InputError(f"The layer has the tensor {other}; every scheme starts from float32.")
    if layer.tensor_of(op, 1) is None or layer.tensor_of(op, 1).value is None:
        raise UnsupportedOperatorError(f"{op.name} has no constant weights; no scheme stores them.")
    return op


class _Scheme(NamedTuple):
    make: Callable[[Graph, tuple[Range, Range]], Graph]
    computed_in: str
    calibration: bool = False


SCHEMES = {
    "float32": _Scheme(lambda layer, ranges: layer, "float32"),
    "float16 weights": _Scheme(lambda layer, ranges: float16_weights(layer), "float32"),
    "weight-only int8": _Scheme(lambda layer, ranges: weight_only(layer), "float32"),
    "dynamic range": _Scheme(lambda layer, ranges: dynamic_range(layer), "int8"),
    "full-integer int8": _Scheme(lambda layer, ranges: full_integer(layer, *ranges), "int8", True),
    "16x8": _Scheme(
        lambda layer, ranges: full_integer(layer, *ranges, np.int16), "int16 x int8", True
    ),
}
