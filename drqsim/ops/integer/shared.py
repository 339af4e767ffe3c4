"""What the full-integer kernels share: CONV_2D and FULLY_CONNECTED without a float on the way.

::

    acc    = sum (q_in - zp_in) * w[o]                      int32   exact
    biased = acc + bias[o]                                  int32   bias counts steps of s_in * s_w
    q      = round(biased * m[o]) + zp_out                  int32   m = s_in * s_w[o] / s_out
    output = min(max(q, low), high)                         int8    the fused activation, as codes

Scales and zero points of activations are in the file: a converter found them by running the model
on examples (calibration). Everything that depends on them alone is computed once, when the model is
loaded. How ``round(biased * m)`` is computed depends on the kernel: see
``arithmetic/requantize.py``.

16x8 is the same with int16 activations (zero points 0), int8 weights and an int64 or int32 bias;
with an int64 bias the accumulator is int64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drqsim.arithmetic import requantize
from drqsim.arithmetic.requantize import Multiplier
from drqsim.errors import InputError
from drqsim.graph import Tensor
from drqsim.ops import fused, weights
from drqsim.ops.call import Call

f32 = np.float32
f64 = np.float64
OPERATORS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
ACTIVATIONS = (np.dtype(np.int8), np.dtype(np.int16))
# QuantizedBiasType as the options have it: the schema's TensorType, 0 where nothing is said
INT64 = 4
BIAS_TYPES = {0: np.dtype(np.int64), 2: np.dtype(np.int32), INT64: np.dtype(np.int64)}
XNNPACK_LIMIT = f32(256)


class Scales(NamedTuple):
    """The quantization of a full-integer layer."""

    input: np.float32
    input_zero_point: int
    filter: np.ndarray  # float32 [1] or [out]
    output: np.float32
    output_zero_point: int
    dtype: np.dtype  # of input and output
    bias: np.ndarray | None  # int32 or int64 [out]
    bias_scale: np.ndarray | None

    @property
    def effective(self) -> np.ndarray:
        """``s_in * s_w / s_out`` in float64, as the kernels compute it for channels."""
        return f64(self.input) * self.filter.astype(f64) / f64(self.output)


def upward(call: Call, biased: np.ndarray, by: Multiplier) -> np.ndarray:
    """How ruy's product of matrices rounds, on the optimized path: ties upward, on arm64 once."""
    once = call.processor.neon
    rule = requantize.single_rounding_upward if once else requantize.double_rounding_upward
    return rule(biased, by)


def images(call: Call) -> np.ndarray:
    """The input of a full-integer convolution."""
    x = call.value(0, "input")
    if x.ndim != 4 or x.size == 0:
        raise InputError(
            f"the input is {x.dtype}{list(x.shape)}; a convolution reads [batch, height, width, "
            "channels]."
        )
    return x


def scales(call: Call, filters: Tensor, axis: int = 0) -> Scales:
    """Check that the quantization of a full-integer operator is complete, and gather it."""
    source, target = call.tensor(0, "input"), call.results[0]
    if target.dtype != source.dtype:
        raise call.refuse(f"it reads {source} and writes {target}; no kernel does.")
    filter_scale = weights.scales(call, filters, axis)
    if filter_scale is None or filters.bits:
        raise call.refuse(
            f"its input is {source} and its filter {filters}; a full-integer layer has an int8 one."
        )
    ends = [per_tensor(call, t, what) for t, what in ((source, "input"), (target, "output"))]
    (s_in, zp_in), (s_out, zp_out) = ends
    if source.dtype == np.int16 and (zp_in or zp_out):
        raise call.contradiction("int16 activations have a zero point; the runtime wants 0.")
    out = filters.shape[axis]
    bias, bias_scale = _bias(call, out, source.dtype)
    return Scales(s_in, zp_in, filter_scale, s_out, zp_out, source.dtype, bias, bias_scale)


def per_tensor(call: Call, tensor: Tensor, what: str) -> tuple[np.float32, int]:
    """Scale and zero point of an activation, checked."""
    if tensor.dtype not in ACTIVATIONS:
        raise call.refuse(f"its {what} is {tensor}; expected int8 or int16 codes.")
    quantization = tensor.quantization
    if quantization is None or quantization.scale.size != 1:
        raise call.contradiction(
            f"its {what} is {tensor} without a scale of its own; a full-integer operator needs "
            "one scale and zero point for each activation."
        )
    scale, zero_point = quantization.scale[0], int(quantization.zero_point[0])
    limits = np.iinfo(tensor.dtype)
    if not (np.isfinite(scale) and scale > 0 and limits.min <= zero_point <= limits.max):
        raise call.contradiction(
            f"its {what} has the scale {scale:g} and the zero point {zero_point}; expected a "
            f"positive scale and a zero point from {limits.min} to {limits.max}."
        )
    return scale, zero_point


def _bias(call: Call, out: int, dtype: np.dtype) -> tuple[np.ndarray | None, np.ndarray | None]:
    tensor = call.tensors[2] if len(call.tensors) > 2 else None
    wanted = np.dtype(np.int32)
    if dtype == np.int16:
        kind = bias_type(call)
        if kind not in BIAS_TYPES:
            raise call.contradiction(f"its quantized_bias_type is {kind}; expected INT32 or INT64.")
        wanted = BIAS_TYPES[kind]
    if tensor is None:
        return None, None
    tensor = weights.constant(call, 2, "bias")
    if tensor.dtype != wanted or tensor.shape != (out,):
        raise call.contradiction(
            f"the bias is {tensor}; with {dtype} activations and these options the kernel reads "
            f"{wanted}[{out}]."
        )
    quantization = tensor.quantization  # no kernel looks at its zero point
    return tensor.value, None if quantization is None else quantization.scale


def wide(call: Call, given: Scales) -> bool:
    """True where the kernel sums in int64: 16x8 whose options do not ask for an int32 bias.

    Without a bias the optimized dense layer sums in int64 where they ask for an int64 one alone.
    """
    if given.dtype != np.int16:
        return False
    if given.bias is None and call.kernels != "reference":
        return bias_type(call) == INT64
    return BIAS_TYPES[bias_type(call)] == np.int64


def bias_type(call: Call) -> int:
    """What the options say of the bias; those of a depthwise convolution cannot say anything."""
    return call.operator.options.get("quantized_bias_type", 0)


def wrapped(total: np.ndarray, given: np.ndarray | None, dtype) -> np.ndarray:
    """The sum with its bias in the accumulator's type, which wraps around."""
    total = total.astype(dtype)
    return total if given is None else total + given.astype(dtype)


def finish(call: Call, given: Scales, total: np.ndarray, rescale, on_xnnpack: bool) -> np.ndarray:
    """From the exact int64 sums to the output's codes; records every step.

    ``rescale(biased)`` is the kernel's ``round(biased * m)``.
    """
    dtype = np.int64 if wide(call, given) else np.int32
    call.record("accumulator", total.astype(dtype), stored="not stored")
    biased = wrapped(total, given.bias, dtype)
    call.record("accumulator_with_bias", biased)
    steps = rescale(biased)
    requantized = steps + np.int32(given.output_zero_point)
    call.record("requantized", requantized)
    activation = fused.check(call, call.operator.options["fused_activation_function"])
    own = given.output, given.output_zero_point
    low, high = activation_range(call, activation, given.dtype, *own, on_xnnpack)
    output = np.minimum(np.maximum(requantized, low), high).astype(given.dtype)
    call.record("output", output)
    return output


def activation_range(
    call: Call,
    activation: str,
    dtype: np.dtype,
    scale: np.float32,
    zero_point: int,
    on_xnnpack: bool,
) -> tuple[int, int]:
    """The codes of a fused activation's bounds, refused where int32 has no room for one."""
    if on_xnnpack:
        return requantize.activation_range_xnnpack(activation, scale, zero_point)
    ends = requantize.activation_range(activation, dtype, scale, zero_point)
    if ends is None:
        raise call.contradiction(
            f"with the output's scale {scale:g} a bound of {activation} is past int32; the runtime "
            "refuses that, or takes bounds that nobody has set."
        )
    return ends


MOST_SHIFT = 30  # that int32 has room for


def by_multiplier(call: Call, real: np.ndarray) -> Multiplier:
    """The fixed-point effective scales, recorded."""
    by = requantize.quantize_multiplier(real)
    if (by.shift > MOST_SHIFT).any():
        raise call.refuse(
            f"its effective scale is {np.max(real):g}, and the kernels shift a sum of 32 bits left "
            f"by {by.shift.max()}: what that makes is undefined; scales below 2^{MOST_SHIFT} work."
        )
    call.record("output_multiplier", by.multiplier)
    call.record("output_shift", by.shift)
    return by


def in_float32(call: Call, given: Scales):
    """XNNPACK's requantization: ``s_in * s_w / s_out``, each operation rounded to float32."""
    real = given.input * given.filter / given.output
    if (real >= XNNPACK_LIMIT).any():
        raise call.refuse(
            f"its effective scale is {real.max():g}, and XNNPACK takes only those below 256, so "
            "the default path fails to load it; use kernels='optimized'."
        )
    call.record("effective_scale", real, stored="delegate")
    highest = 127 - given.output_zero_point
    return lambda biased: requantize.in_float32(biased, real, highest)
