"""Operators evaluated apart from a run: in float64, and on inputs and weights dequantized.

The kernels' own code does it (``drqsim.ops``), as it runs float weights; ``Call.float_type`` says
in which type it multiplies and adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from drqsim import processor as processors
from drqsim.arithmetic.rounding import half_away
from drqsim.graph import Graph, Operator, Tensor
from drqsim.model_file.operands import OPERANDS
from drqsim.model_file.schema import completed
from drqsim.ops import TABLE
from drqsim.ops.call import Call
from drqsim.trace import Trace

f32 = np.float32
f64 = np.float64

# the operators whose formula can be evaluated in float64
HYBRID = ("BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


def quantized_input(op: Operator, trace: Trace, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a hybrid operator makes of its input.

    Parameters
    ----------
    op : Operator
    trace : Trace
        With the values of its ``input_scale``, ``input_zero_point`` and ``input_quantized``.
    x : float64 array
        Its input.

    Returns
    -------
    values : float64 array, same shape
        ``(codes - zero_point) * scale``, exactly; ``x`` where nothing was quantized.
    cut : bool array, same shape
        Where the code left its 8 bits and was cut. As the range is the input's own, only rounding
        brings it there.
    """
    if f"{op.name}/input_scale" not in trace:  # nothing was quantized
        return x, np.zeros(x.shape, bool)
    codes, scale = (trace[f"{op.name}/{name}"].value for name in ("input_quantized", "input_scale"))
    zero_point = 0
    if f"{op.name}/input_zero_point" in trace:
        zero_point = trace[f"{op.name}/input_zero_point"].value.reshape(-1, 1)
    adjoint = bool(op.options.get("adj_x"))
    rows = (x.swapaxes(-1, -2) if adjoint else x).reshape(scale.size, -1)  # one for each scale
    wide = scale.astype(f64).reshape(-1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = rows / wide
    uncut, ends = half_away(steps) + zero_point, np.iinfo(codes.dtype)
    cut = (uncut > ends.max) | (uncut < ends.min)
    values = (codes.reshape(rows.shape).astype(f64) - zero_point) * wide
    values, cut = (v.reshape(codes.shape) for v in (values, cut))
    return (values.swapaxes(-1, -2), cut.swapaxes(-1, -2)) if adjoint else (values, cut)


def evaluate(
    graph: Graph,
    op: Operator,
    activations: Mapping[int, np.ndarray],
    kernels: str,
    float_type: type = f32,
) -> list[np.ndarray]:
    """An operator's outputs with its quantized constants dequantized.

    Parameters
    ----------
    graph : Graph
        Whose tensors the operator reads.
    op : Operator
    activations : dict of arrays
        What it reads, by index.
    kernels : str
        The kernel path, for operators whose float kernels differ; ``xnnpack`` only where XNNPACK
        takes the operator.
    float_type : type
        float64 for the formula of a ``HYBRID`` operator, fused activation included, whose
        activation then is float64; float32 for the kernel's arithmetic.
    """
    tensors = [None if i < 0 else graph.tensors[i] for i in op.inputs]
    for at, tensor in enumerate(tensors):
        if tensor is not None and tensor.value is not None:
            is_bias = op.code in OPERANDS and at == OPERANDS[op.code].bias
            # int32 elsewhere is axes and shapes, whatever scale the file gives them
            is_code = tensor.dtype.itemsize < 4 or is_bias
            value = _dequantized(tensor) if is_code else tensor.value
            is_weights = op.code in OPERANDS and at == OPERANDS[op.code].weights
            if value.dtype == f64 or is_weights and value.dtype == f32:
                value = value.astype(float_type)
            tensors[at] = Tensor(tensor.name, value.shape, value.dtype, value)
    call = Call(
        operator=replace(op, options=completed(op.code, op.options)),
        tensors=tuple(tensors),
        values=tuple(
            None if t is None else activations.get(i) if t.value is None else t.value
            for i, t in zip(op.inputs, tensors, strict=True)
        ),
        results=tuple(graph.tensors[i] for i in op.outputs),
        kernels=kernels,
        processor=processors.of(),
        record=lambda *_, **__: None,
        keeps=lambda _: False,
        float_type=float_type,
    )
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return TABLE[op.code](call)


def _dequantized(tensor: Tensor) -> np.ndarray:
    """``codes * scale`` in float64, where the product is exact; other constants as they are."""
    if tensor.quantization is None or tensor.dtype.kind not in "iu":
        return tensor.value
    scale, axis = tensor.quantization.scale.astype(f64), tensor.quantization.axis
    shape = [-1 if at == axis else 1 for at in range(tensor.value.ndim)]
    return tensor.value * (scale if scale.size == 1 else scale.reshape(shape))
