"""Where the float32 values of a quantized table are made: DEQUANTIZE, as far down as it pays.

No kernel of GATHER reads int8 and writes float32. So TensorFlow's converter puts a DEQUANTIZE
behind the table, then pushes it down, past the GATHER and past what else only moves values about,
as long as fewer numbers come out than go in. A table of 1,000 rows of which three are read stays
int8 in memory; one of which every row is read becomes float32 once.

Source: TensorFlow 2.21, ``tensorflow/compiler/mlir/lite/transforms/optimize_op_order.cc``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from drqsim.graph import Graph, Operator, Quantization, Tensor
from drqsim.names import operator_names

# SameOperandsAndResultsScale in tfl_ops.td, as far as they can make fewer numbers of one operand
PASS_THROUGH = (
    "AVERAGE_POOL_2D",
    "BATCH_TO_SPACE_ND",
    "GATHER",
    "GATHER_ND",
    "MAX_POOL_2D",
    "REDUCE_MAX",
    "REDUCE_MIN",
    "RESHAPE",
    "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR",
    "SLICE",
    "STRIDED_SLICE",
)


def dequantize_tables(graph: Graph, tables: Sequence[int]) -> Graph:
    """Give what reads int8 tables through GATHER float32 values again.

    Parameters
    ----------
    graph : Graph
        In which a GATHER reads int8 constants and still writes float32.
    tables : sequence of int
        Those constants: indices of tensors.

    Returns
    -------
    Graph
        The same with one DEQUANTIZE for each table. Those of constants come first.
    """
    tensors, operators = list(graph.tensors), list(graph.operators)
    first: list[Operator] = []
    after: dict[int, Operator] = {}
    for table in tables:
        scale = tensors[table].quantization
        path = _path(tensors, operators, graph.outputs, table)
        if not path:
            source, result = table, len(tensors)
            tensors.append(_float(tensors[table]))
            for at, op in enumerate(operators):
                if op.code == "GATHER" and op.inputs[:1] == (table,):
                    operators[at] = replace(op, inputs=(result, *op.inputs[1:]))
            first.append(_dequantize(source, result))
            continue
        for at in path[:-1]:
            (moved,) = operators[at].outputs
            tensors[moved] = _int8(tensors[moved], scale)
        last = operators[path[-1]]
        source, (result,) = len(tensors), last.outputs
        tensors.append(_int8(tensors[result], scale))
        operators[path[-1]] = replace(last, outputs=(source,))
        after[path[-1]] = _dequantize(source, result)
    ordered = first + [o for at, op in enumerate(operators) for o in (op, after.get(at)) if o]
    names = operator_names([op.code for op in ordered])
    named = tuple(replace(op, name=name) for op, name in zip(ordered, names, strict=True))
    return replace(graph, tensors=tuple(tensors), operators=named)


def _path(tensors, operators, outputs, table: int) -> list[int]:
    """The operators, in order, that the DEQUANTIZE of a table is pushed past."""
    path: list[int] = []
    moved = table
    while moved not in outputs:
        readers = [
            at
            for at, op in enumerate(operators)
            for index in op.inputs
            if index == moved and (path or op.code == "GATHER")  # others read the table's codes
        ]
        if len(readers) != 1:
            break
        op = operators[readers[0]]
        if op.code not in PASS_THROUGH or len(op.outputs) != 1:
            break
        if _count(tensors[moved]) <= _count(tensors[op.outputs[0]]):
            break
        path += readers
        (moved,) = op.outputs
    return path


def _count(tensor: Tensor) -> int:
    """Elements; a dimension that the caller chooses counts as 1."""
    return math.prod(abs(size) for size in tensor.signature or tensor.shape)


def _dequantize(source: int, result: int) -> Operator:
    return Operator("DEQUANTIZE", "", (source,), (result,))


def _int8(tensor: Tensor, scale: Quantization) -> Tensor:
    return replace(tensor, name=f"{tensor.name}/int8", dtype=np.dtype(np.int8), quantization=scale)


def _float(table: Tensor) -> Tensor:
    name = f"{table.name}/float32"
    return replace(table, name=name, dtype=np.dtype(np.float32), value=None, quantization=None)
