"""Operators that work value by value: sums, products, quotients, powers, roots.

One operand or two; two are broadcast against each other. Plain arithmetic is one float32 rounding
in every kernel, so it is equal bit for bit. XNNPACK computes with denormals taken for zero. EXP,
LOG, SIN, COS, POW and XNNPACK's RSQRT are approximated by each kernel path in its own way; computed
here is the true value, rounded, but for XNNPACK's LOG, which is the kernel's own. XNNPACK's SIN and
COS lose digits with the size of the angle: at a million they are 2e-6 off, at 1e20 NaN.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/add.cc``, ``sub.cc``, ``mul.cc``, ``div.cc``,
``maximum_minimum.cc``, ``squared_difference.cc``, ``pow.cc``, ``elementwise.cc``, ``exp.cc``,
``neg.cc``, ``floor.cc``; XNNPACK ``src/f32-vbinary``, ``src/f32-vabs``, ``src/f32-vneg``,
``src/f32-vsqr``, ``src/f32-vsqrt``, ``src/f32-vlog``, ``src/f32-vsin``.
"""

from __future__ import annotations

import numpy as np

from drqsim import processor
from drqsim.arithmetic.floats import flush_denormals, fma
from drqsim.ops import fused
from drqsim.ops.call import Call

f32 = np.float32
f64 = np.float64
SQRT_2, SQRT_HALF = f32(1.414213419), f32(0.70710688829)  # the kernel's: their product is 1


def add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a + b"""
    return a + b


def sub(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a - b"""
    return a - b


def mul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a * b"""
    return a * b


def div(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b"""
    return a / b


def maximum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The larger one; of two equal ones (0 and -0) the second, as in the kernels."""
    return np.where(a > b, a, b)


def minimum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smaller one; of two equal ones (0 and -0) the second, as in the kernels."""
    return np.where(a < b, a, b)


def squared_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(a - b)^2, the difference rounded before it is squared"""
    difference = a - b
    return difference * difference


def power(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a to the power of b"""
    return np.power(a, b, dtype=f64).astype(f32)


def absolute(x: np.ndarray) -> np.ndarray:
    """|x|"""
    return np.abs(x)


def negative(x: np.ndarray) -> np.ndarray:
    """-x"""
    return -x


def negative_xnnpack(x: np.ndarray) -> np.ndarray:
    """0 - x, which has no negative zero"""
    return f32(0) - x


def exp(x: np.ndarray) -> np.ndarray:
    """e to the power of x"""
    return np.exp(x, dtype=f64).astype(f32)


def sqrt(x: np.ndarray) -> np.ndarray:
    """The square root"""
    return np.sqrt(x)


def square(x: np.ndarray) -> np.ndarray:
    """x * x"""
    return x * x


def log(x: np.ndarray) -> np.ndarray:
    """The natural logarithm"""
    return np.log(x, dtype=f64).astype(f32)


def log_xnnpack(x: np.ndarray) -> np.ndarray:
    """The natural logarithm; where x * sqrt(2) overflows, it depends on the processor

    AVX512 has an instruction for the exponent, to which that of infinity is infinity. The other
    kernels cut it from the bits of the float: 128, so nothing has a logarithm above 88.37627.
    """
    return log_fused(x, f32(np.inf) if processor.has("avx512f") else f32(128))


def log_fused(x: np.ndarray, exponent_of_infinity: np.float32) -> np.ndarray:
    """log(m * 2^e) = e * log(2) + log(m), m of [sqrt(1/2), sqrt(2)): a quotient of polynomials"""
    scaled, one = x * SQRT_2, f32(1)
    bits = scaled.view(np.uint32)
    e = ((bits >> 23).astype(np.int32) - 127).astype(f32)
    e = np.where(scaled == np.inf, exponent_of_infinity, e)
    e = np.where(scaled > 0, e, np.log(scaled))  # -inf for zeros, NaN below
    m = ((bits & np.uint32(0x007FFFFF)) | np.uint32(0x3F800000)).view(f32) * SQRT_HALF - one
    above = m * fma(m, fma(m, f32(0.182499691844), one), one)
    below = fma(m, fma(m, fma(m, f32(0.049584995955), f32(0.599170029163)), f32(1.5)), one)
    return fma(e, f32(0.6931471805599453), above / below)


def sin(x: np.ndarray) -> np.ndarray:
    """sin(x), x in radians"""
    return np.sin(x, dtype=f64).astype(f32)


def cos(x: np.ndarray) -> np.ndarray:
    """cos(x), x in radians"""
    return np.cos(x, dtype=f64).astype(f32)


def floor(x: np.ndarray) -> np.ndarray:
    """The largest whole number that is not above x"""
    return np.floor(x)


def rsqrt(x: np.ndarray) -> np.ndarray:
    """1 / sqrt(x), the root rounded before it divides"""
    return f32(1) / np.sqrt(x)


def rsqrt_xnnpack(x: np.ndarray) -> np.ndarray:
    """1 / sqrt(x), but NaN for zero: the Newton step multiplies infinity by zero"""
    return np.where(x == 0, f32(np.nan), rsqrt(x))


BINARY = {
    "ADD": add,
    "SUB": sub,
    "MUL": mul,
    "DIV": div,
    "MAXIMUM": maximum,
    "MINIMUM": minimum,
    "SQUARED_DIFFERENCE": squared_difference,
    "POW": power,
}
UNARY = {
    "ABS": absolute,
    "NEG": negative,
    "EXP": exp,
    "LOG": log,
    "SIN": sin,
    "COS": cos,
    "SQUARE": square,
    "SQRT": sqrt,
    "RSQRT": rsqrt,
    "FLOOR": floor,
}
DELEGATED = UNARY | {"NEG": negative_xnnpack, "LOG": log_xnnpack, "RSQRT": rsqrt_xnnpack}
# these also work on the integers that shapes and indices are made of
INTEGER = ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "NEG")
FUSED = ("ADD", "SUB", "MUL", "DIV")
# XNNPACK does not take POW, and clears the sign of a value without looking at it
UNFLUSHED = ("POW", "ABS")


def binary(call: Call) -> list[np.ndarray]:
    """Run an operator of two operands and its fused activation."""
    a, b = call.value(0, "first operand"), call.value(1, "second operand")
    code = call.operator.code
    if a.dtype != b.dtype:
        raise call.contradiction(f"it joins {a.dtype} with {b.dtype}; both must be the same.")
    _check_type(call, a.dtype)
    wanted = call.operator.options.get("fused_activation_function", "NONE")
    activation = fused.check(call, wanted)
    if activation != "NONE" and a.dtype != f32:
        raise call.refuse(f"the fused activation {activation} on {a.dtype} is not simulated.")
    call.broadcast(a, b)
    call.record_inputs()
    delegated = _delegated(call, a) and wanted not in fused.WITHOUT_RANGE
    if delegated:
        a, b = flush_denormals(a), flush_denormals(b)
        if code in ("MAXIMUM", "MINIMUM") and _repeats(a, b):
            a, b = b, a
        output = flush_denormals(BINARY[code](a, b))
    else:
        output = BINARY[code](a, b)
    if code in FUSED and a.dtype == f32:
        call.record("pre_activation", output)
        output = fused.clamp(output, activation, unbounded=delegated)
    call.record("output", output)
    return [output]


def unary(call: Call) -> list[np.ndarray]:
    """Run an operator of one operand."""
    x = call.value(0, "operand")
    _check_type(call, x.dtype)
    call.record_inputs()
    delegated = _delegated(call, x)
    if delegated:
        output = flush_denormals(DELEGATED[call.operator.code](flush_denormals(x)))
    else:
        output = UNARY[call.operator.code](x)
    call.record("output", output)
    return [output]


def _delegated(call: Call, x: np.ndarray) -> bool:
    """True where XNNPACK computes it, with denormals taken for zero."""
    return call.kernels == "xnnpack" and x.dtype == f32 and call.operator.code not in UNFLUSHED


def _repeats(a: np.ndarray, b: np.ndarray) -> bool:
    """True where ``a`` is one value for a row of ``b``: XNNPACK then makes it the second operand.

    That decides whether 0 or -0 is returned.
    """
    rank = max(a.ndim, b.ndim)
    shapes = [(1,) * (rank - x.ndim) + x.shape for x in (a, b)]
    rows = [pair for pair in zip(*shapes, strict=True) if pair != (1, 1)]
    return bool(rows) and rows[-1][0] == 1


def _check_type(call: Call, dtype: np.dtype) -> None:
    code = call.operator.code
    if dtype == f32 or (code in INTEGER and dtype in (np.int32, np.int64)):
        return
    also = ", int32 or int64" if code in INTEGER else ""
    raise call.refuse(f"it works on {dtype}; drqsim runs it in float32{also}.")


FUNCTIONS = dict.fromkeys(BINARY, binary) | dict.fromkeys(UNARY, unary)
