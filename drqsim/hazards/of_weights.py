"""Known defects of the runtime that an operator meets by its weights, and the way out.

What it meets by its input is told by ``of_input.py``. What the runtime (ai-edge-litert 2.3.0)
computes deterministically, drqsim computes too, wrong as it is. Where the runtime reads memory that
is not its own, drqsim computes what was meant.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from drqsim import accumulate
from drqsim.graph import Graph, Operator, Tensor
from drqsim.model_file.operands import bias_of, input_of
from drqsim.ops import conv_2d, fully_connected_int4
from drqsim.ops.fused import WITHOUT_RANGE


class Case(NamedTuple):
    """An operator whose quantized weights a builtin kernel runs; no defect here is XNNPACK's."""

    graph: Graph
    op: Operator
    weights: Tensor
    kernels: str
    rule: str  # how it quantizes its input: symmetric or asymmetric; empty for a lookup


def hazards(case: Case) -> list[str]:
    """One sentence for every known defect that the operator meets."""
    return [text for check in _CHECKS.get(case.op.code, ()) if (text := check(case))]


def _one_scale_depthwise(case: Case) -> str:
    if case.weights.quantization.scale.size > 1 or case.weights.shape[3] == 1:
        return ""
    return (
        "its filter has one scale, and the kernel reads one for every channel, past the end of the "
        "array: all channels but the first are undefined. Quantize it per channel, or repeat the "
        "scale for every channel with quantized dimension 3."
    )


def _no_bias_depthwise(case: Case) -> str:
    if bias_of(case.graph, case.op) is not None or case.kernels == "reference":
        return ""
    return "it has no bias, and the optimized kernel crashes without one. Give it zeros."


def _ignored_activation(case: Case) -> str:
    fused = case.op.options["fused_activation_function"]
    if fused not in WITHOUT_RANGE:
        return ""
    return f"its fused {fused} is left out without a word. Make it an operator of its own."


def _equal_scales(case: Case) -> str:
    scale = case.weights.quantization.scale
    if scale.size == 1 or case.rule == "asymmetric":
        return ""
    return (
        f"its {scale.size} scales are equal, so the builtin kernels take it for per-tensor and "
        "quantize the input symmetrically"
        + ("." if case.weights.bits else ", where XNNPACK stays asymmetric.")
    )


def _wrapping_row_sums(case: Case) -> str:
    rows = case.weights.value
    if not rows.size:
        return ""
    if case.rule == "symmetric":
        return ""  # the row sums are multiplied with a zero point of 0
    if case.op.code == "BATCH_MATMUL":
        rows = rows if case.op.options["adj_y"] else rows.swapaxes(-1, -2)
        rows = rows.reshape(-1, rows.shape[-1])
    elif case.op.code == "CONV_2D" and not _convolution(case).corrects:
        return ""  # it subtracts the zero point from every tap
    if np.array_equal(accumulate.row_sums(rows), accumulate.row_sums_x86(rows)):
        return ""
    return (
        "the sum of a channel's weights wraps at int16 on x86, so the correction for the zero "
        "point is wrong. The default path and ARM are right."
    )


def _lowest_weight(case: Case) -> str:
    weights = case.weights
    if not (weights.value == -128).any():
        return ""
    if case.op.code == "CONV_2D" and not conv_2d.is_dense(_convolution(case), weights.shape[0]):
        return ""  # these kernels multiply in another way
    return (
        "a weight is -128, which the x86 dot product cannot negate: products with negative codes "
        "get the wrong sign in the builtin kernels. Clip the weights to -127."
    )


def _convolution(case: Case) -> conv_2d.Kernel:
    """The kernel that runs a convolution."""
    groups = conv_2d.groups_of(case.weights.shape, input_of(case.graph, case.op).shape[3])
    return conv_2d.kernel_of(case.weights.quantization.scale, groups, case.kernels)


def _lowest_int4(case: Case) -> str:
    if not fully_connected_int4.fits(case.weights, case.kernels):
        return ""
    if not (case.weights.value == -8).any():
        return ""
    return (
        "an int4 weight is -8, which this kernel reads as +8, and another weight near it may turn "
        "into +8 as well. Clip the weights to -7. XNNPACK and the reference kernels read it right."
    )


def _odd_int4_rows(case: Case) -> str:
    length = prod(case.weights.shape[1:])
    if not case.weights.bits or length % 2 == 0:
        return ""
    return (
        f"its int4 rows have {length} values, and the kernel begins every row "
        "at a whole byte: every other row is read one value too early. Make the length even."
    )


def _batch_scales(case: Case) -> str:
    left = input_of(case.graph, case.op).shape[:-2]
    real = [n for n in left if n > 1]
    if len(real) < 2:
        return ""
    return (
        f"its input has the batches {list(left)}, and with more than one batch dimension the "
        "builtin kernel takes scales from the wrong rows. Reshape the batches into one dimension."
    )


_CHECKS = {
    "CONV_2D": (_ignored_activation, _equal_scales, _wrapping_row_sums, _lowest_weight),
    "DEPTHWISE_CONV_2D": (_one_scale_depthwise, _no_bias_depthwise, _ignored_activation),
    "EMBEDDING_LOOKUP": (_odd_int4_rows,),
    "FULLY_CONNECTED": (_wrapping_row_sums, _lowest_weight, _lowest_int4),
    "BATCH_MATMUL": (_wrapping_row_sums, _batch_scales),
    "TRANSPOSE_CONV": (_ignored_activation,),
}
