"""Operators over the last dimension as a whole: LOG_SOFTMAX and L2_NORMALIZATION.

Every path adds the squares of L2_NORMALIZATION one after another. Both stay with the builtin
kernels on the default path.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/l2norm.cc``, ``internal/optimized/optimized_ops.h``
(``L2Normalization``).
"""

from __future__ import annotations

import numpy as np

from drqsim.arithmetic.floats import fma, running_sum
from drqsim.ops.call import Call
from drqsim.ops.float32.softmax import log_softmax

f32 = np.float32
SMALLEST_NORM = f32(1e-6)


def l2_normalization(call: Call, x: np.ndarray) -> np.ndarray:
    """x / max(sqrt(sum of x^2), 1e-6)"""
    activation = call.operator.options["fused_activation_function"]
    if activation != "NONE":
        raise call.refuse(f"the fused activation {activation} is refused by the runtime too.")
    norm = np.sqrt(_sum_of_squares(np.moveaxis(x, -1, 0), call.processor.neon))
    return x / np.maximum(norm, SMALLEST_NORM)[..., np.newaxis]


def _sum_of_squares(x: np.ndarray, fused: bool) -> np.ndarray:
    """One after another; arm64's compiler fuses those that fill no two registers of four."""
    whole = len(x) - len(x) % 8 if fused else len(x)
    total = running_sum(x[:whole] ** 2) if whole else np.zeros(x.shape[1:], f32)
    for values in x[whole:]:
        total = fma(values, values, total)
    return total


NORMALIZERS = {"L2_NORMALIZATION": l2_normalization, "LOG_SOFTMAX": log_softmax}


def run(call: Call) -> list[np.ndarray]:
    """Run one of them."""
    x = call.floats(0, "input")
    if x.ndim == 0 or x.size == 0:
        raise call.contradiction(f"its input {list(x.shape)} has no last dimension of values.")
    call.record_inputs()
    output = NORMALIZERS[call.operator.code](call, x)
    call.record("output", output)
    return [output]


FUNCTIONS = dict.fromkeys(NORMALIZERS, run)
