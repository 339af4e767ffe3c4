"""SOFTMAX of int8 codes: exp by fixed point or by a table, probabilities in steps of 1/256.

The reference kernel has no float: exp and the reciprocal are int32 fixed point. The optimized one,
which the default path uses too, looks exp up in a table of 256 float32 values and sums those. The
output's scale and zero point are given: 1/256 and -128.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/activations.cc`` (``SoftmaxPrepare``),
``internal/reference/softmax.h``, ``internal/optimized/optimized_ops.h``
(``PopulateSoftmaxLookupTable``), ``internal/common.h`` (``GetReciprocal``).
"""

from __future__ import annotations

import numpy as np

from drqsim import requantize
from drqsim.errors import InputError
from drqsim.fixed_point import (
    divide_by_power,
    exp_of_negative,
    high_multiply,
    reciprocal_of_one_plus,
)
from drqsim.ops import integer
from drqsim.ops.call import Call
from drqsim.ops.floats import running_sum

f32 = np.float32
f64 = np.float64
INTEGER_BITS, SUM_BITS = 5, 12  # of the difference to the largest code, and of the sum


def run(call: Call) -> list[np.ndarray]:
    """Run a SOFTMAX over the last dimension of int8 codes."""
    x = call.value(0, "input")
    if x.ndim == 0 or x.size == 0:
        raise InputError(f"the input is {x.dtype}{list(x.shape)}; softmax needs a last dimension.")
    scale, _ = integer.per_tensor(call, call.tensor(0, "input"), "input")
    out_scale, zero_point = integer.per_tensor(call, call.results[0], "output")
    if call.results[0].dtype != np.int8 or x.dtype != np.int8:
        raise call.refuse(f"it makes {call.results[0]} of {x.dtype}; drqsim runs int8 to int8.")
    if zero_point != -128 or abs(out_scale - 1 / 256) > 0.001 / 256:
        raise call.contradiction("its output's scale must be 1/256 and its zero point -128.")
    call.record_inputs()
    beta = f32(call.operator.options["beta"])
    below = x.astype(np.int64) - x.max(axis=-1, keepdims=True)
    if call.kernels == "reference":
        steps = _fixed_point(call, below, f64(beta) * f64(scale))
    else:
        steps = _table(below, scale * beta, out_scale)
    output = np.clip(steps - 128, -128, 127).astype(np.int8)
    call.record("output", output)
    return [output]


def _table(below: np.ndarray, scale: np.float32, out_scale: np.float32) -> np.ndarray:
    """exp(-scale * steps) of a table, divided by the sum of them, in float32."""
    table = np.exp((-scale * np.arange(256, dtype=f32)).astype(f64)).astype(f32)
    powers = table[-below]
    total = running_sum(np.moveaxis(powers, -1, 0))[..., np.newaxis]
    return np.floor(powers * (f32(1) / (total * out_scale)) + f64(0.5)).astype(np.int64)


def _fixed_point(call: Call, below: np.ndarray, real: np.float64) -> np.ndarray:
    """The same in int32; differences past -31 count as zero."""
    rescale = min(real * 2.0 ** (31 - INTEGER_BITS), 2.0**31 - 1)
    if rescale <= 1:
        raise call.refuse(f"beta times its scale is {real:g}; the kernel stops at such a number.")
    multiplier, shift = requantize.quantize_multiplier(np.float64(rescale))
    lowest = -int(31 * 2 ** (31 - INTEGER_BITS) / 2.0 ** int(shift))
    counts = below >= lowest
    scaled = high_multiply(np.where(counts, below, 0) << np.int64(shift), multiplier)
    powers = exp_of_negative(scaled)
    total = np.where(counts, divide_by_power(powers, SUM_BITS), 0).sum(axis=-1, keepdims=True)
    headroom = 32 - (np.frexp(total.astype(f64))[1]).astype(np.int64)
    inverse = reciprocal_of_one_plus((total << headroom) - 2**31)
    shares = divide_by_power(high_multiply(inverse, powers), SUM_BITS - headroom + 31 - 8)
    return np.where(counts, shares, 0)
