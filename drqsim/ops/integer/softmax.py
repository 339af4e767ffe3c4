"""SOFTMAX of int8 or int16 codes, the probabilities in steps of 1/256 or 1/32768.

int8: the reference kernel has no float: exp and the reciprocal are int32 fixed point. The optimized
one, which the default path uses too, looks exp up in a table of 256 float32 values and sums those.
int16: every path interpolates exp on [-10, 0] and 1 / (1 + x) on [0, 1] in tables of 513 int16
values. The output's scale and zero point are given.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/activations.cc`` (``SoftmaxPrepare``),
``internal/reference/softmax.h``, ``internal/optimized/optimized_ops.h``
(``PopulateSoftmaxLookupTable``), ``internal/common.h`` (``GetReciprocal``).
"""

from __future__ import annotations

import numpy as np

from drqsim.arithmetic import requantize
from drqsim.arithmetic.fixed_point import (
    divide_by_power,
    exp_of_negative,
    high_multiply,
    reciprocal_of_one_plus,
)
from drqsim.arithmetic.floats import running_sum
from drqsim.arithmetic.rounding import half_away
from drqsim.errors import InputError
from drqsim.ops.call import Call
from drqsim.ops.integer import shared as integer

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
    if call.results[0].dtype != x.dtype:
        raise call.refuse(f"it makes {call.results[0]} of {x.dtype}; drqsim runs equal types.")
    parts, lowest = (256, -128) if x.dtype == np.int8 else (32768, 0)
    if zero_point != lowest or abs(out_scale - 1 / parts) > 0.001 / parts:
        raise call.contradiction(
            f"its output's scale must be 1/{parts} and its zero point {lowest}."
        )
    call.record_inputs()
    beta = f32(call.operator.options["beta"])
    below = x.astype(np.int64) - x.max(axis=-1, keepdims=True)
    if x.dtype == np.int16:
        steps = _interpolated(below, scale * beta)
    elif call.kernels == "reference":
        steps = _fixed_point(call, below, f64(beta) * f64(scale))
    else:
        steps = _table(below, scale * beta, out_scale)
    limits = np.iinfo(x.dtype)
    output = np.clip(steps + lowest, lowest, limits.max).astype(x.dtype)
    call.record("output", output)
    return [output]


def _table(below: np.ndarray, scale: np.float32, out_scale: np.float32) -> np.ndarray:
    """exp(-scale * steps) of a table, divided by the sum of them, in float32."""
    table = np.exp((-scale * np.arange(256, dtype=f32)).astype(f64)).astype(f32)
    powers = table[-below]
    total = running_sum(np.moveaxis(powers, -1, 0))[..., np.newaxis]
    # never negative, so cutting off what has 0.5 added is the kernel's whole rounding
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


def _interpolated(below: np.ndarray, scale: np.float32) -> np.ndarray:
    """Differences as steps of 10/65535, both functions from tables, Q0.15 throughout."""
    by = requantize.quantize_multiplier(f64(scale) / (10.0 / 65535.0))
    steps = requantize.double_rounding(below.astype(np.int32), by).astype(np.int64)
    powers = _look_up(np.clip(steps + 32767, -32768, 32767), EXP)
    total = powers.sum(axis=-1, keepdims=True)
    headroom = 32 - (np.frexp(total.astype(f64))[1]).astype(np.int64)
    share = ((total << (headroom - 1)) + 2**13) >> 14
    inverse = _look_up(np.clip(share - 2**15 - 2**16, -32768, 32767), RECIPROCAL)
    shift = 31 - headroom
    return np.maximum((powers * inverse + (1 << (shift - 1))) >> shift, 0)


def _look_up(x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """512 pieces of 128 codes each, straight lines between them."""
    at, offset = 256 + (x >> 7), x & 127
    return table[at] + (((table[at + 1] - table[at]) * offset + 64) >> 7)


def _int16_table(function, low: float, high: float) -> np.ndarray:
    """The function at 513 points, each moved by half the error that the line makes midway."""
    scale = 65536 / (2.0 / 65535 * 65535)
    step = (high - low) / 512
    at = low + np.arange(512) * step
    value = half_away(function(at) * scale)
    midway = half_away((function(low + np.arange(1, 513) * step) * scale + value) / 2)
    moved = value - half_away((midway - half_away(function(at + step / 2) * scale)) / 2)
    table = np.append(moved, half_away(function(np.array([high])) * scale))
    return np.clip(table, -32768, 32767).astype(np.int64)


EXP = _int16_table(np.exp, 10.0 / 65535 * -65535, 0.0)
RECIPROCAL = _int16_table(lambda x: 1 / (1 + x), 0.0, 1.0 / 65535 * 65535)
