"""Activation functions as operators of their own: float32 in, float32 out, on every kernel path.

Dynamic-range quantization never touches them: they have no weights, so the converter leaves them
alone, and what they read and write is float32. RELU, RELU6, RELU_N1_TO_1, RELU_0_TO_1, LEAKY_RELU,
PRELU and HARD_SWISH are a few float32 operations, written here in the kernels' order and equal to
them bit for bit. The others need exp, tanh or erf, which every kernel path approximates in its own
way; computed here is the true value, rounded.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/activations.cc``, ``internal/reference/*.h``;
XNNPACK ``src/f32-vlrelu``, ``src/f32-vbinary`` (prelu).
"""

from __future__ import annotations

import math

import numpy as np

from drqsim import processor
from drqsim.arithmetic.floats import flush_denormals, fma
from drqsim.errors import InputError
from drqsim.ops.call import Call

f32 = np.float32
f64 = np.float64
SIXTH = f32(1 / 6)
_erf = np.vectorize(math.erf, otypes=[f64])


def relu(call: Call, x: np.ndarray) -> np.ndarray:
    """max(x, 0)"""
    return _clamp(call, x, 0, np.inf)


def relu6(call: Call, x: np.ndarray) -> np.ndarray:
    """min(max(x, 0), 6)"""
    return _clamp(call, x, 0, 6)


def relu_n1_to_1(call: Call, x: np.ndarray) -> np.ndarray:
    """min(max(x, -1), 1)"""
    return _clamp(call, x, -1, 1)


def relu_0_to_1(call: Call, x: np.ndarray) -> np.ndarray:
    """min(max(x, 0), 1)"""
    return _clamp(call, x, 0, 1)


def leaky_relu(call: Call, x: np.ndarray) -> np.ndarray:
    """x if x > 0 else alpha * x"""
    alpha = f32(call.operator.options["alpha"])
    # XNNPACK leaves a denormal alpha to the builtin kernel
    if call.kernels == "xnnpack" and flush_denormals(alpha) == alpha:
        return _scale_negative_xnnpack(x, alpha)
    return np.where(x > 0, x, x * alpha)


def prelu(call: Call, x: np.ndarray) -> np.ndarray:
    """x if x >= 0 else alpha * x, with an alpha for every channel"""
    tensor, alpha = call.tensor(1, "alpha"), call.floats(1, "alpha")
    call.record("alpha", alpha, None if tensor.value is not None else "persistent")
    try:
        if call.kernels == "xnnpack":
            return _scale_negative_xnnpack(x, alpha)
        return np.where(x < 0, x * alpha, x)
    except ValueError:
        raise call.contradiction(
            f"alpha {tensor} does not broadcast to the input {list(x.shape)}."
        ) from None


def _clamp(call: Call, x: np.ndarray, low: float, high: float) -> np.ndarray:
    # XNNPACK, which leaves RELU_0_TO_1 to the builtin kernel, takes denormals for zero
    if call.kernels == "xnnpack" and call.operator.code != "RELU_0_TO_1":
        x = flush_denormals(x)
    # comparisons, not np.maximum: the kernels let a negative zero pass
    return np.where(x < low, f32(low), np.where(x > high, f32(high), x))


def _scale_negative_xnnpack(x: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    flushed = flush_denormals(x)
    # AVX512 compares with 0, so zeros and denormals pass; other kernels ask for the sign bit
    negative = flushed < 0 if processor.has("avx512f") else np.signbit(x)
    return np.where(negative, flush_denormals(flushed * flush_denormals(alpha)), x)


def hard_swish(call: Call, x: np.ndarray) -> np.ndarray:
    """x * min(max(x + 3, 0), 6) / 6"""
    if call.kernels == "xnnpack":
        x = flush_denormals(x)
        return flush_denormals(x * np.clip(fma(x, SIXTH, f32(0.5)), f32(0), f32(1)))
    gate = np.minimum(np.maximum(x + f32(3), f32(0)), f32(6))
    if call.kernels == "reference":
        return x * gate / f32(6)
    output = (x * SIXTH) * gate
    # the optimized kernel handles four values at a time, and multiplies the rest in another order
    rest = slice(x.size - x.size % 4, None)
    output.reshape(-1)[rest] = (x.reshape(-1)[rest] * gate.reshape(-1)[rest]) * SIXTH
    return output


def elu(call: Call, x: np.ndarray) -> np.ndarray:
    """x if x >= 0 else exp(x) - 1"""
    return np.where(x < 0, np.expm1(np.minimum(x, 0), dtype=f64), x).astype(f32)


def tanh(call: Call, x: np.ndarray) -> np.ndarray:
    """tanh(x)"""
    return np.tanh(x, dtype=f64).astype(f32)


def logistic(call: Call, x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x))"""
    with np.errstate(over="ignore"):
        return (1 / (1 + np.exp(-x.astype(f64)))).astype(f32)


def gelu(call: Call, x: np.ndarray) -> np.ndarray:
    """x * Phi(x), Phi the normal distribution function, or its tanh approximation"""
    wide = x.astype(f64)
    if call.operator.options["approximate"]:
        inner = math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3)
        return (0.5 * wide * (1 + np.tanh(inner))).astype(f32)
    return (0.5 * wide * (1 + _erf(wide / math.sqrt(2)))).astype(f32)


def softmax(call: Call, x: np.ndarray) -> np.ndarray:
    """exp(beta * (x - max)) / its sum, over the last dimension"""
    if x.ndim == 0:
        raise InputError("the input is a scalar; softmax needs a last dimension.")
    if x.shape[-1] == 0:  # there is no largest value, and only one kernel does not look for it
        if call.kernels != "reference":
            raise call.contradiction(f"its input {list(x.shape)} has no last dimension of values.")
        return x
    beta = call.operator.options["beta"]
    powers = np.exp(beta * (x.astype(f64) - x.max(axis=-1, keepdims=True)))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(f32)


FUNCTIONS = {
    "RELU": relu,
    "RELU6": relu6,
    "RELU_N1_TO_1": relu_n1_to_1,
    "RELU_0_TO_1": relu_0_to_1,
    "LEAKY_RELU": leaky_relu,
    "PRELU": prelu,
    "ELU": elu,
    "TANH": tanh,
    "LOGISTIC": logistic,
    "HARD_SWISH": hard_swish,
    "GELU": gelu,
    "SOFTMAX": softmax,
}


def run(call: Call) -> list[np.ndarray]:
    """Run one activation operator; its float32 input is the pre-activation."""
    x = call.value(0, "input")
    if x.dtype != f32:
        raise InputError(f"the input is {x.dtype}; activations are simulated in float32.")
    call.record("input", x)
    output = FUNCTIONS[call.operator.code](call, x)
    call.record("output", output)
    return [output]
