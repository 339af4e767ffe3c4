"""Which scratch tensor is which.

The builtin kernels keep their quantized input, scales, zero points and accumulators in scratch
tensors, which the interpreter lists behind the model's own tensors, unnamed, in the order in which
the kernel's ``Prepare`` asked for them.
"""

from __future__ import annotations

import numpy as np

from drqsim.graph import Operator
from drqsim.litert import recurrent
from drqsim.litert.runtime import RuntimeRun
from drqsim.trace import Trace


def readable(
    trace: Trace, operator: Operator, real: RuntimeRun
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Pairs (tensor, ours, the runtime's) for one operator run alone.

    Only what the kernel writes is paired: buffers that the runtime reserves and never fills hold
    whatever was there before.
    """
    op = operator.name
    (output,) = real.outputs.values()
    pairs = []
    if operator.code in recurrent.KERNELS:
        ours = {record.name: record.value for record in trace.op(op)}
        pairs = recurrent.pairs(operator, ours, real)
        return [*pairs, ("output", ours["output"], output)]
    if real.scratch and f"{op}/input_quantized" in trace:
        pairs = _hybrid_conv_scratch(trace, op, real)
    return [*pairs, ("output", trace[f"{op}/output"].value, output)]


def _hybrid_conv_scratch(trace: Trace, op: str, real: RuntimeRun):
    """CONV_2D's temporaries, in the order of ``Prepare`` in ``tflite/kernels/conv.cc``."""

    def ours(name: str) -> np.ndarray:
        return trace[f"{op}/{name}"].value

    scratch = [tensor.value for tensor in real.scratch]
    filters, scale = ours("filter"), ours("input_scale")
    asymmetric = f"{op}/input_zero_point" in trace
    # [im2col], input_quantized, scaling_factors, accumulator, [input_offsets, row_sums]
    has_im2col = len(scratch) == 6 if asymmetric else len(scratch) == 4
    im2col, (codes, scales, accumulator, *rest) = (
        (scratch[0], scratch[1:]) if has_im2col else (None, scratch)
    )
    pairs = [("input_quantized", ours("input_quantized"), codes)]
    if asymmetric:
        # one slot for every pixel is reserved, one for every batch item is filled
        pairs.append(("input_scale", scale, scales[: scale.size]))
        pairs.append(("input_zero_point", ours("input_zero_point"), rest[0][: scale.size]))
    else:
        # the per-tensor kernel stores the product of both scales, once for every output pixel
        product = scale * ours("filter_scale")[0]
        pixels = ours("output").size // len(filters)
        repeated = np.repeat(product, pixels // scale.size)
        pairs.append(("input_scale * filter_scale", repeated, scales[:pixels]))
    if f"{op}/im2col" in trace:
        pairs.append(("im2col", ours("im2col"), im2col))
    if f"{op}/filter_row_sums" in trace:
        pairs.append(("filter_row_sums", ours("filter_row_sums"), rest[1]))
    for name in ("accumulator_raw", "accumulator"):
        if f"{op}/{name}" in trace and trace[f"{op}/{name}"].stored == "arena":
            # declared [channels, pixels], stored pixel by pixel
            pairs.append((name, ours(name), accumulator.reshape(ours(name).shape)))
    return pairs
