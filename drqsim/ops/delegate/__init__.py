"""XNNPACK, the default path: which operators of a model it takes, by drqsim's own rules.

Source, ai-edge-litert 2.3.0: ``tflite/delegates/xnnpack/xnnpack_delegate.cc``
(``Delegate::PrepareOpsToDelegate``). The runtime asks before any kernel is prepared: shapes, types
and scales are those that the file declares, and a constant is what lies in the file.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from drqsim.graph import Graph, Operator
from drqsim.model_file.schema import completed
from drqsim.ops.delegate import layers, moves, values
from drqsim.ops.delegate.site import FLOAT16, INT8, Site, is_in_file, kind

RULES = layers.RULES | moves.RULES | values.RULES
# in these, and behind the first input, float16 weights are read as they are
READ_HALVES = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def why_builtin(graph: Graph) -> Mapping[str, str]:
    """Why each operator stays with the builtin kernels; empty where XNNPACK takes it.

    Parameters
    ----------
    graph : Graph
        The shapes that it declares are believed.

    Returns
    -------
    dict
        Operator name -> a reason in words, or nothing.

    Notes
    -----
    A DEQUANTIZE of a constant is computed by XNNPACK while the model is loaded, whoever reads it,
    unless an operator reads it that stays with the builtin kernels.
    """
    unpacked: dict[int, str] = {}  # tensor -> the DEQUANTIZE that XNNPACK computes beforehand
    halves: set[int] = set()
    readers = _readers(graph)
    why: dict[str, str] = {}
    for op in graph.operators:
        if _unpacks(graph, op):
            (made,) = op.outputs
            unpacked[made] = op.name
            if kind(graph.tensor_of(op, 0)) == FLOAT16 and _only_weights(made, readers):
                halves.add(made)
            why[op.name] = ""
            continue
        why[op.name] = why_one(_site(graph, op, unpacked, halves))
        if why[op.name]:
            for index in unpacked.keys() & set(op.inputs):
                why[unpacked[index]] = f"{op.name} reads it, and stays with the builtin kernels"
    return why


def taken(graph: Graph) -> set[str]:
    """Names of the operators that XNNPACK takes."""
    return {name for name, why in why_builtin(graph).items() if not why}


def why_one(site: Site) -> str:
    """Why an operator stays with the builtin kernels; empty if XNNPACK takes it."""
    if site.op.code not in RULES:
        return f"XNNPACK has no {site.op.code}"
    if not site.writes:
        return "it has no output"
    with np.errstate(all="ignore"):  # a file may hold any scale
        return next(filter(None, RULES[site.op.code](site)), "")


def _site(graph: Graph, op: Operator, unpacked: Mapping[int, str], halves: set[int]) -> Site:
    reads = [graph.tensor_of(op, position) for position in range(len(op.inputs))]
    fixed = [
        tensor is not None and (is_in_file(tensor) or index in unpacked)
        for tensor, index in zip(reads, op.inputs, strict=True)
    ]
    return Site(
        op,
        completed(op.code, op.options),
        tuple(reads),
        tuple(graph.tensors[i] for i in op.outputs),
        tuple(fixed),
        tuple(index in halves for index in op.inputs),
    )


def _unpacks(graph: Graph, op: Operator) -> bool:
    """A DEQUANTIZE of a constant, float16 or int8, to float32."""
    if op.code != "DEQUANTIZE" or len(op.inputs) != 1 or len(op.outputs) != 1:
        return False
    source, target = graph.tensor_of(op, 0), graph.tensors[op.outputs[0]]
    if source is None or not is_in_file(source) or kind(target) != "float32":
        return False
    return kind(source) == FLOAT16 or (kind(source) == INT8 and source.quantization is not None)


def _readers(graph: Graph) -> dict[int, list[tuple[str, int]]]:
    """Tensor -> the operators that read it, by their code, and the first position where."""
    readers: dict[int, list[tuple[str, int]]] = {}
    for op in graph.operators:
        for index in set(op.inputs):
            readers.setdefault(index, []).append((op.code, op.inputs.index(index)))
    return readers


def _only_weights(index: int, readers: dict[int, list[tuple[str, int]]]) -> bool:
    return all(code in READ_HALVES and position for code, position in readers.get(index, ()))
