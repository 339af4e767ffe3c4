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
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from drqsim.errors import InputError
from drqsim.graph import Graph, expect_graph
from drqsim.interpreter import run
from drqsim.ops.fed import inputs_by_index
from drqsim.schemes.graphs import (
    LAYERS,
    Range,
    checked,
    dynamic_range,
    float16_weights,
    full_integer,
    weight_only,
)
from drqsim.tables import Printed, Printout, Table
from drqsim.trace import Trace

f64 = np.float64


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


class Schemes(Printed):
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

    def _printed(self) -> Printout:
        rows = [
            (name, *(_written(getattr(row, field)) for row in self))
            for name, field in _SHOWN.items()
        ]
        table = Table(("", *(r.scheme for r in self)), rows, right=range(1, len(self) + 1))
        files = [f"{r.scheme}: {', '.join(r.operators)}" for r in self]
        return Printout([table], [f"Operators in the file. {'; '.join(files)}."])


_SHOWN = {  # a scheme is a column, so that six of them fit on a page
    "weights": "weights",
    "activations": "activations",
    "accumulator": "accumulator",
    "computed in": "computed_in",
    "calibration": "calibration",
    "weight bytes": "weight_bytes",
    "activation bytes": "activation_bytes",
    "scratch bytes": "scratch_bytes",
    "largest error": "largest_error",
    "RMS error": "rms_error",
}


def _written(value: str | bool | int | float) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def compare_schemes(
    layer: Graph,
    x: np.ndarray,
    calibration: Iterable[np.ndarray] | None = None,
    kernels: str = "optimized",
    processor: str | None = None,
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
    processor : str, optional
        Whose kernels to follow, as for ``drqsim.run``.

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
    expect_graph(layer)
    op = checked(layer)
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
        outputs, trace = run(graph, x, kernels, processor=processor)
        (output,) = outputs.values()
        truth = output if truth is None else truth
        rows.append(_row(name, scheme, graph, output, trace, output.astype(f64) - truth))
    return Schemes(rows)


def _row(name, scheme, graph, output, trace, error) -> SchemeRow:
    (op,) = [op for op in graph.operators if op.code in LAYERS]
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
