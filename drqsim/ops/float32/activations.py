"""Activation functions as operators of their own: float32 in, float32 out, on every kernel path.

Dynamic-range quantization never touches them: they have no weights, so the converter leaves them
alone, and what they read and write is float32. All are written here in the kernels' order, and have
the runtime's bits. RELU, RELU6, RELU_N1_TO_1, RELU_0_TO_1, LEAKY_RELU, PRELU and HARD_SWISH are a
few float32 operations. The others need exp, tanh or erf, and no kernel path computes the true
value: each has a formula of its own, in ``arithmetic.functions``.

========  =========================  ==================================  =====================
          reference                  optimized                           xnnpack
========  =========================  ==================================  =====================
TANH      the C library's            Eigen's quotient                    a quotient of its own
LOGISTIC  the C library's exp        Eigen's exp, four values at a time  by processor
GELU      Eigen's erfc or tanh       the same                            a quotient of its own
ELU       (there is no kernel)       the C library's exp - 1             by processor
SOFTMAX   see ``softmax``
========  =========================  ==================================  =====================

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/activations.cc``, ``internal/reference/*.h``,
``internal/optimized/optimized_ops.h``; XNNPACK ``src/f32-vlrelu``, ``src/f32-vbinary`` (prelu).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from drqsim.arithmetic.floats import flush_denormals, fma
from drqsim.arithmetic.functions import eigen, glibc, quotients
from drqsim.errors import InputError
from drqsim.ops.call import Call
from drqsim.ops.float32.by_processor import kernels
from drqsim.ops.float32.softmax import softmax as _softmax

f32 = np.float32
SIXTH = f32(1 / 6)
UPPER, LOWER = (
    f32(16.619047),
    f32(-9),
)  # where the reference kernel has the logistic function's ends
MINUS_SQRT_HALF, SQRT_2_BY_PI = f32(-np.sqrt(0.5)), f32(np.sqrt(2 / np.pi))


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
        return _scale_negative_xnnpack(call, x, alpha)
    return np.where(x > 0, x, x * alpha)


def prelu(call: Call, x: np.ndarray) -> np.ndarray:
    """x if x >= 0 else alpha * x, with an alpha for every channel"""
    tensor, alpha = call.tensor(1, "alpha"), call.floats(1, "alpha")
    call.record("alpha", alpha, None if tensor.value is not None else "persistent")
    try:
        if call.kernels == "xnnpack":
            return _scale_negative_xnnpack(call, x, alpha)
        return np.where(x < 0, x * alpha, x)
    except ValueError:
        raise call.contradiction(
            f"alpha {tensor} does not broadcast to the input {list(x.shape)}."
        ) from None


def _clamp(call: Call, x: np.ndarray, low: float, high: float) -> np.ndarray:
    # XNNPACK, which leaves RELU_0_TO_1 to the builtin kernel, takes denormals for zero
    delegated = call.kernels == "xnnpack" and call.operator.code != "RELU_0_TO_1"
    x = flush_denormals(x) if delegated else x
    # comparisons, not np.maximum: the kernels let a negative zero pass, but for XNNPACK's on arm64,
    # and there the builtin RELU's, where it fills a register of four
    below = x < low
    if call.processor.neon and (delegated or call.operator.code == "RELU"):
        below |= (x == low) & (delegated | _in_packets(x))
    return np.where(below, f32(low), np.where(x > high, f32(high), x))


def _scale_negative_xnnpack(call: Call, x: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    flushed = flush_denormals(x)
    # AVX-512 compares with 0, so zeros and denormals pass
    negative = np.signbit(x) if kernels(call.processor).sign_bit else flushed < 0
    return np.where(negative, flush_denormals(flushed * flush_denormals(alpha)), x)


def hard_swish(call: Call, x: np.ndarray) -> np.ndarray:
    """x * min(max(x + 3, 0), 6) / 6"""
    if call.kernels == "xnnpack":
        x = flush_denormals(x)
        return flush_denormals(x * np.clip(fma(x, SIXTH, f32(0.5)), f32(0), f32(1)))
    gate = np.minimum(np.maximum(x + f32(3), f32(0)), f32(6))
    if call.kernels == "reference":
        return x * gate / f32(6)
    output = np.ascontiguousarray((x * SIXTH) * gate)
    # the optimized kernel handles four values at a time, and multiplies the rest in another order
    rest = slice(x.size - x.size % 4, None)
    output.reshape(-1)[rest] = (x.reshape(-1)[rest] * gate.reshape(-1)[rest]) * SIXTH
    return output


def elu(call: Call, x: np.ndarray) -> np.ndarray:
    """x if x >= 0 else exp(x) - 1"""
    if call.kernels == "xnnpack":
        return _flushed(kernels(call.processor).elu, x)
    return np.where(x < 0, glibc.expm1f(np.minimum(x, f32(0)), call.processor.neon), x)


def tanh(call: Call, x: np.ndarray) -> np.ndarray:
    """tanh(x)"""
    neon = call.processor.neon
    if call.kernels == "xnnpack":
        return _flushed(quotients.tanh, x)
    return glibc.tanhf(x, neon) if call.kernels == "reference" else eigen.tanh(x, neon)


def logistic(call: Call, x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x))"""
    if call.kernels == "xnnpack":
        return _flushed(kernels(call.processor).logistic, x)
    if call.kernels == "optimized":
        return eigen.logistic(x, _in_packets(x), call.processor.neon)
    y = f32(1) / (f32(1) + glibc.expf(-x))
    return np.where(x > UPPER, f32(1), np.where(x < LOWER, glibc.expf(x), y))


def gelu(call: Call, x: np.ndarray) -> np.ndarray:
    """x * Phi(x), Phi the normal distribution function, or its tanh approximation"""
    neon, approximate = call.processor.neon, bool(call.operator.options["approximate"])
    if call.kernels == "xnnpack":
        return _flushed(partial(quotients.gelu, approximate=approximate), x)
    with np.errstate(over="ignore", invalid="ignore"):
        if not approximate:
            return f32(0.5) * x * eigen.erfc(x * MINUS_SQRT_HALF, _in_packets(x), neon)
        inner = x + f32(0.044715) * (x * x * x)
        return f32(0.5) * x * (f32(1) + eigen.tanh(SQRT_2_BY_PI * inner, neon))


def _in_packets(x: np.ndarray) -> np.ndarray:
    return eigen.in_packets(0, x.size).reshape(x.shape)


def _flushed(kernel: Callable, x: np.ndarray) -> np.ndarray:
    return flush_denormals(kernel(flush_denormals(x)))


def softmax(call: Call, x: np.ndarray) -> np.ndarray:
    """exp(beta * (x - max)) / its sum, over the last dimension"""
    if x.ndim == 0:
        raise InputError("the input is a scalar; softmax needs a last dimension.")
    if x.shape[-1] == 0:  # there is no largest value, and only one kernel does not look for it
        if call.kernels != "reference":
            raise call.contradiction(f"its input {list(x.shape)} has no last dimension of values.")
        return x
    return _softmax(call, x)


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
