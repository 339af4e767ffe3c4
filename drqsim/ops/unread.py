"""Tensors of a type that drqsim does not read: nothing that touches them runs."""

from __future__ import annotations

import numpy as np

from drqsim.errors import UnsupportedOperatorError
from drqsim.graph import Graph, Operator, Tensor, shorten


def why_unread(graph: Graph, op: Operator) -> str:
    """Which tensor of an operator has such a type; empty where none has."""
    for does, indices in (("reads", op.inputs), ("writes", op.outputs)):
        for index in indices:
            tensor = graph.tensors[index] if index >= 0 else None
            if tensor is not None and tensor.unread:
                return f"it {does} {tensor}, a type that drqsim does not know"
    return ""


def why_halves(graph: Graph, op: Operator, kernels: str) -> str:
    """Whether XNNPACK computes it in float16; empty where it does not.

    ``kernels`` is the path of this operator: ``optimized`` for one that XNNPACK leaves.
    """
    if kernels != "xnnpack":
        return ""
    # a DEQUANTIZE that XNNPACK takes only makes its input wider
    read = () if op.code == "DEQUANTIZE" else op.inputs
    touched = [graph.tensors[i] for i in (*read, *op.outputs) if i >= 0]
    half = next((tensor for tensor in touched if tensor.dtype == np.float16), None)
    if half is None:
        return ""
    return f"XNNPACK takes it with {half}, and drqsim does not compute in float16"


def check_known_types(graph: Graph) -> None:
    """Refuse to run a graph in which an operator touches such a tensor.

    Raises
    ------
    UnsupportedOperatorError
        It names the first such operator.
    """
    for op in graph.operators:
        why = why_unread(graph, op)
        if why:
            raise UnsupportedOperatorError(
                f"{op.name} cannot run: {why}; run another operator alone with graph.extract(name)."
            )


def check_input(tensor: Tensor) -> None:
    """Refuse to feed such a tensor.

    Raises
    ------
    UnsupportedOperatorError
    """
    if tensor.unread:
        raise UnsupportedOperatorError(
            f"The input {shorten(tensor.name)!r} is {tensor}, a type that drqsim does not know, so "
            "nothing can be fed there; run one operator alone with graph.extract(name)."
        )
