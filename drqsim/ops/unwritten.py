"""Outputs that are constants of the file, and one that XNNPACK does not write."""

from __future__ import annotations

import numpy as np

from drqsim.errors import ModelFileError, UnsupportedOperatorError
from drqsim.graph import Graph, Operator, Tensor, shorten
from drqsim.ops.delegate.site import FLOAT16, INT8, is_in_file, kind


def why_unwritten(graph: Graph, op: Operator, kernels: str) -> str:
    """Why the runtime returns memory that nobody wrote; empty where it does not.

    XNNPACK computes a DEQUANTIZE of a constant while it loads the model, for the operators that
    read it, and writes it nowhere else. Alone it is no model: "failed to setup XNNPACK runtime".

    Parameters
    ----------
    graph : Graph
    op : Operator
    kernels : str
        The path of this operator: ``optimized`` for one that XNNPACK leaves.
    """
    if kernels != "xnnpack" or op.code != "DEQUANTIZE" or not set(op.outputs) & set(graph.outputs):
        return ""
    source = graph.tensor_of(op, 0)
    if source is None or not is_in_file(source) or kind(source) not in (FLOAT16, INT8):
        return ""
    return (
        "the model returns what it makes of a constant, and XNNPACK, which computes that while it "
        "loads the model, does not write it: the runtime returns what its memory happens to hold, "
        "or refuses; use kernels='optimized'"
    )


def check_constants(graph: Graph) -> None:
    """Refuse a model that reads a constant of the file which an operator writes over.

    Raises
    ------
    UnsupportedOperatorError
    """
    makers = {i: op for op in graph.operators for i in op.outputs if _is_constant(graph, i)}
    for op in graph.operators if makers else ():
        for index in makers.keys() & set(op.inputs):
            raise UnsupportedOperatorError(
                f"{op.name} reads {shorten(graph.tensors[index].name)!r}, a constant of the file "
                f"that {makers[index].name} writes over; drqsim takes a constant for what lies in "
                "the file. Give that operator an output of its own."
            )


def _is_constant(graph: Graph, index: int) -> bool:
    return graph.tensors[index].value is not None


def left_in(op: Operator, tensor: Tensor, output: np.ndarray) -> np.ndarray:
    """What an output tensor holds when its operator has run: where it is a constant, not always it.

    A builtin kernel writes over the bytes of a constant, whose shape is fixed. CONCATENATION takes
    it for its own result, computed when the model was loaded.

    Raises
    ------
    ModelFileError
        When the result has another shape than the constant.
    """
    if tensor.value is None or op.code == "SHAPE":
        return output
    if output.shape != tensor.shape:
        raise ModelFileError(
            f"{op.name} makes {list(output.shape)} and its output is a constant of the file, "
            f"{tensor}: Attempting to resize a fixed-size tensor; the runtime refuses the model."
        )
    return tensor.value if op.code == "CONCATENATION" else output
