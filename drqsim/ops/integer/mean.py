"""MEAN of int8 or int16 codes: an int32 sum, requantized; the multiplier divides by the count.

::

    acc    = sum q - n * zp_in
    output = round(acc * s_in / (s_out * n)) + zp_out

The builtin kernels divide the fixed-point multiplier by ``n`` and round twice, as the reference
convolution does; XNNPACK multiplies in float32 and adds a zero point that is no whole number.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/reduce.cc`` (``EvalQuantizedMean``),
``internal/reference/reduce.h`` (``QuantizedMeanOrSum``); XNNPACK ``src/operators/reduce-nd.c``.
"""

from __future__ import annotations

import math

import numpy as np

from drqsim.arithmetic import requantize
from drqsim.ops.call import Call
from drqsim.ops.integer import shared as integer

f32 = np.float32
f64 = np.float64


def run(call: Call) -> list[np.ndarray]:
    """Run a MEAN of int8 or int16 codes."""
    x, target = call.value(0, "input"), call.results[0]
    if target.dtype != x.dtype:
        raise call.refuse(f"it makes {target} of {x.dtype}; no kernel does.")
    s_in, zp_in = integer.per_tensor(call, call.tensor(0, "input"), "input")
    s_out, zp_out = integer.per_tensor(call, target, "output")
    axes = sorted({call.axis(a, x.ndim) for a in call.integers(1, "axes")})
    if x.size == 0:
        raise call.contradiction(f"its input {list(x.shape)} is empty.")
    keep = call.operator.options["keep_dims"]
    fixed = call.tensors[1].value is not None
    delegated = call.kernels == "xnnpack" and fixed and x.dtype == np.int8
    special = keep and x.ndim == 4 and axes == [1, 2] and x.dtype == np.int8
    if special and call.kernels != "reference" and not delegated:
        raise call.refuse(
            "the optimized kernel has code of its own for the mean over height and width that "
            "keeps them, which is not simulated; use kernels='reference'."
        )
    call.record_inputs()
    count = math.prod(x.shape[a] for a in axes)
    total = x.sum(axis=tuple(axes), dtype=np.int64, keepdims=bool(keep)).astype(np.int32)
    call.record("accumulator", total, stored="delegate" if delegated else None)
    if delegated:
        real = f32(s_in / s_out) * f32(f32(1) / f32(count))
        zero_point = f32(zp_out) - f32(count * zp_in) * real
        steps = np.rint(total.astype(f32) * real + zero_point)
    else:
        by = _divided(f64(s_in) / f64(s_out), count)
        steps = requantize.double_rounding(total - np.int32(count * zp_in), by) + zp_out
    limits = np.iinfo(x.dtype)
    output = np.clip(steps, limits.min, limits.max).astype(x.dtype)
    call.record("output", output)
    return [output]


def _divided(real: np.float64, count: int) -> requantize.Multiplier:
    """The multiplier divided by the number of elements, with as many bits as fit."""
    multiplier, shift = (int(part) for part in requantize.quantize_multiplier(real))
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    divided = (multiplier << bits) // count
    return requantize.Multiplier(np.int32(divided), np.int32(shift - bits))
