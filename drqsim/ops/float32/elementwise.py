"""Operators that work value by value: sums, products, quotients, powers, roots.

One operand or two; two are broadcast against each other. Plain arithmetic is one float32 rounding
in every kernel, so it is equal bit for bit. XNNPACK computes with denormals taken for zero. EXP,
LOG, SIN, COS and POW are the C library's on the builtin paths, and XNNPACK, which leaves POW alone,
has quotients of its own: ``arithmetic.functions`` has both, bit for bit. XNNPACK's SQRT and RSQRT
begin with the processor's own estimate, which ``arithmetic.functions.roots`` has for AVX-512.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/add.cc``, ``sub.cc``, ``mul.cc``, ``div.cc``,
``maximum_minimum.cc``, ``squared_difference.cc``, ``pow.cc``, ``elementwise.cc``, ``exp.cc``,
``neg.cc``, ``floor.cc``; XNNPACK ``src/f32-vbinary``, ``src/f32-vabs``, ``src/f32-vneg``,
``src/f32-vsqr``, ``src/f32-vsqrt``, ``src/f32-vlog``, ``src/f32-vsin``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from drqsim.arithmetic.floats import flush_denormals
from drqsim.arithmetic.functions import glibc, quotients
from drqsim.ops import fused
from drqsim.ops.call import Call
from drqsim.ops.float32.by_processor import kernels, larger, smaller

f32 = np.float32


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


def squared_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(a - b)^2, the difference rounded before it is squared"""
    difference = a - b
    return difference * difference


def power(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a to the power of b"""
    return glibc.powf(*np.broadcast_arrays(a, b))


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
    return glibc.expf(x)


def sqrt(x: np.ndarray) -> np.ndarray:
    """The square root"""
    return np.sqrt(x)


def square(x: np.ndarray) -> np.ndarray:
    """x * x"""
    return x * x


def log(x: np.ndarray) -> np.ndarray:
    """The natural logarithm"""
    return glibc.logf(x)


def sin(x: np.ndarray) -> np.ndarray:
    """sin(x), x in radians"""
    return glibc.sinf(x)


def cos(x: np.ndarray) -> np.ndarray:
    """cos(x), x in radians"""
    return glibc.cosf(x)


def floor(x: np.ndarray) -> np.ndarray:
    """The largest whole number that is not above x"""
    return np.floor(x)


def rsqrt(x: np.ndarray) -> np.ndarray:
    """1 / sqrt(x), the root rounded before it divides"""
    return f32(1) / np.sqrt(x)


BINARY = {
    "ADD": add,
    "SUB": sub,
    "MUL": mul,
    "DIV": div,
    "MAXIMUM": larger,
    "MINIMUM": smaller,
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
# XNNPACK's own kernels; in ``by_processor`` those that differ between processors
DELEGATED = UNARY | {"NEG": negative_xnnpack, "SIN": quotients.sin, "COS": quotients.cos}
BY_PROCESSOR = ("EXP", "LOG", "SQRT", "RSQRT")
# these also work on the integers that shapes and indices are made of
INTEGER = ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "NEG")
FUSED = ("ADD", "SUB", "MUL", "DIV")
# XNNPACK does not take POW, and clears the sign of a value without looking at it, which arm64 also
# does to change it
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
        by = kernels(call.processor)
        kernel = {"MAXIMUM": by.larger, "MINIMUM": by.smaller}.get(code, BINARY[code])
        output = flush_denormals(kernel(a, b))
    else:
        output = BINARY[code](a, b)
    if code in FUSED and a.dtype == f32:
        call.record("pre_activation", output)
        output = fused.clamp(output, activation, delegated, delegated and call.processor.neon)
    call.record("output", output)
    return [output]


def unary(call: Call) -> list[np.ndarray]:
    """Run an operator of one operand."""
    x = call.value(0, "operand")
    _check_type(call, x.dtype)
    call.record_inputs()
    delegated = _delegated(call, x)
    if delegated:
        output = flush_denormals(_delegate(call)(flush_denormals(x)))
    else:
        output = UNARY[call.operator.code](x)
    call.record("output", output)
    return [output]


def _delegate(call: Call) -> Callable:
    """XNNPACK's kernel on the processor."""
    code = call.operator.code
    if code in BY_PROCESSOR:
        return getattr(kernels(call.processor), code.lower())
    return DELEGATED[code]


def _delegated(call: Call, x: np.ndarray) -> bool:
    """True where XNNPACK computes it, with denormals taken for zero."""
    left = (*UNFLUSHED, "NEG") if call.processor.neon else UNFLUSHED
    return call.kernels == "xnnpack" and x.dtype == f32 and call.operator.code not in left


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
