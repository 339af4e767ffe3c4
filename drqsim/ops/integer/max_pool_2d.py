"""MAX_POOL_2D of int8 or int16 codes: the largest code of each window, then the fused activation.

Input and output have one scale, so a code is taken over as it is; the activation's bounds are codes
as well, and XNNPACK rounds those by its own rule.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/pooling.cc`` (``MaxEvalQuantizedInt8``),
``internal/reference/integer_ops/pooling.h``.
"""

from __future__ import annotations

import numpy as np

from drqsim.ops import fused
from drqsim.ops.call import Call
from drqsim.ops.float32 import pooling
from drqsim.ops.integer import shared as integer


def run(call: Call) -> list[np.ndarray]:
    """Run a MAX_POOL_2D of codes."""
    x = call.value(0, "input")
    rows, cols = pooling.windows_of(call, x)
    scale, zero_point = integer.per_tensor(call, call.results[0], "output")
    activation = fused.check(call, call.operator.options["fused_activation_function"])
    call.record_inputs()
    largest = np.full((len(x), rows.out, cols.out, x.shape[3]), np.iinfo(x.dtype).min, x.dtype)
    for seen, windows in pooling.real_taps(x, rows, cols):
        np.maximum(largest[windows], seen, out=largest[windows])
    on_xnnpack = call.kernels == "xnnpack"
    low, high = integer.activation_range(call, activation, x.dtype, scale, zero_point, on_xnnpack)
    output = np.clip(largest, low, high).astype(x.dtype)
    call.record("output", output)
    return [output]
