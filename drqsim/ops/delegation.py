"""Which operators with int8 weights XNNPACK takes on the default path.

Source, ai-edge-litert 2.3.0: ``tflite/delegates/xnnpack/xnnpack_delegate.cc`` (``VisitConv2DNode``
and its neighbors). A float32 input and int8 weights are enough for the four below; a
DEPTHWISE_CONV_2D wants equal types, so under dynamic-range quantization it is never taken.
"""

from __future__ import annotations

import numpy as np

from drqsim.graph import Operator
from drqsim.ops.fused import WITHOUT_RANGE

TAKEN = ("BATCH_MATMUL", "CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


def why_builtin(op: Operator, shape: tuple[int, ...], scale: np.ndarray) -> str:
    """Why an operator with int8 weights stays with the builtin kernel; empty if XNNPACK takes it.

    Parameters
    ----------
    op : Operator
    shape : tuple of int
        Of its weights.
    scale : float32 array
        Of its weights.
    """
    if op.code not in TAKEN:
        return "XNNPACK does not take it with int8 weights and a float32 input"
    activation = op.options.get("fused_activation_function", "NONE")
    if activation in WITHOUT_RANGE:
        return f"XNNPACK has no fused {activation}"
    if (scale < np.finfo(np.float32).tiny).any():
        return "XNNPACK refuses a denormal scale"
    if op.code == "TRANSPOSE_CONV" and op.options["padding"] == "SAME":
        strides = op.options["stride_h"], op.options["stride_w"]
        if any(k < s for k, s in zip(shape[1:3], strides, strict=True)):
            return "XNNPACK refuses SAME padding with a kernel smaller than the stride"
    return ""
