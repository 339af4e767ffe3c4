"""How far a float operator may be from the runtime, element by element, and why.

What computes with codes has the runtime's bits, and so have most float operators. The exceptions
stand here. Two kinds of reason allow a difference:

**the sum**
    drqsim and the runtime add the same terms in different orders. Whatever the order, the computed
    sum is within ``k * 2**-24 * (sum of the terms' sizes)`` of the true one, where ``k`` roundings
    meet a term on its way: ``n - 1`` additions for ``n`` terms, and one more where the terms are
    products. There are two such sums, so they are apart by twice that at most. A fused activation
    brings two values nearer to each other, never further apart, so it leaves the bound as it is.
**the function**
    drqsim has not got the runtime's function bit by bit. That is left of two: XNNPACK's SQRT and
    RSQRT on x86, which begin with the processor's own estimate. Where the system's C library is
    another than glibc 2.27 to 2.40, it holds for all that the library computes
    (``OF_ANOTHER_LIBRARY``).

Source of the bound on sums: Jeannerod and Rump, Improved error bounds for inner products in
floating-point arithmetic, SIAM J. Matrix Anal. Appl. 34 (2013): ``n - 1`` and ``n`` for sums and
inner products of ``n`` terms in any order, without terms of higher order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from drqsim import processor as processors
from drqsim.arithmetic.functions import glibc
from drqsim.attribution.formula import HYBRID, evaluate
from drqsim.graph import Graph, Operator
from drqsim.kernels import KERNELS
from drqsim.model_file.operands import OPERANDS

f32 = np.float32
f64 = np.float64
UNIT = 2.0**-24  # half a step of float32 at 1: the largest relative error of one rounding
TINY = float(np.finfo(f32).tiny)  # what XNNPACK takes for zero is smaller
LARGEST = float(np.finfo(f32).max)


class Fed(NamedTuple):
    """An operator with what it read and made."""

    graph: Graph
    op: Operator
    values: Mapping[int, np.ndarray]  # what it read at run time, by tensor index
    ours: np.ndarray  # its output

    def read(self, position: int) -> np.ndarray:
        """What it reads at one of its inputs, a constant or not."""
        index = self.op.inputs[position]
        constant = self.graph.tensors[index].value
        return self.values[index] if constant is None else constant


class Bound(NamedTuple):
    """What keeps an output from being equal, and how far it may then be, for each element."""

    of: str  # "sum" or "function"
    allowed: Callable[[Fed], np.ndarray]


def bound_of(graph: Graph, op: Operator, kernels: str) -> Bound | None:
    """The bound of an operator; None where it must have the runtime's bits."""
    made = graph.tensors[op.outputs[0]].dtype
    weights = graph.tensor_of(op, OPERANDS[op.code].weights) if op.code in HYBRID else None
    if made != f32 or weights is not None and weights.dtype != f32:
        return None
    key = op.code, kernels
    if op.code in TERMS:
        followed = processors.of()
        is_unknown = followed.neon and followed.name not in processors.PROCESSORS
        return Bound("sum", _layer) if is_unknown else SIGN_OF_ZERO.get(key)
    if key in OF_ANOTHER_LIBRARY and not glibc.is_here():
        return OF_ANOTHER_LIBRARY[key]
    return None if key in ON_X86 and processors.of().neon else BOUNDS.get(key)


def _two_sums(size: np.ndarray, roundings: int) -> np.ndarray:
    """How far two sums are apart whose terms' sizes add up to ``size``."""
    size = np.where(size <= LARGEST, size, np.inf)  # a part of one of them may overflow
    return 2 * roundings * (UNIT * size + TINY)


def _layer(fed: Fed) -> np.ndarray:
    """The sum of the sizes of all terms is what the operator gives for absolute values."""
    graph, op, at = fed.graph, fed.op, OPERANDS[fed.op.code]
    tensors = [t if t.value is None else replace(t, value=_size(t.value)) for t in graph.tensors]
    values = {index: _size(value) for index, value in fed.values.items()}
    wide = {op.inputs[position] for position in (at.input, at.weights)}
    values |= {index: values[index].astype(f64) for index in wide & set(values)}
    bare = replace(op, options={**op.options, "fused_activation_function": "NONE"})
    (size,) = evaluate(replace(graph, tensors=tuple(tensors)), bare, values, "optimized", f64)
    terms = TERMS[op.code](fed.read(at.weights).shape, op.options)
    bias = at.bias is not None and graph.tensor_of(op, at.bias) is not None
    return _two_sums(size, terms + int(bias))


def _size(value: np.ndarray) -> np.ndarray:
    return np.abs(value) if value.dtype == f32 else value


# operator code -> how many products one output adds up, by the shape of the weights
TERMS = {
    "BATCH_MATMUL": lambda shape, options: shape[-1 if options.get("adj_y") else -2],
    "CONV_2D": lambda shape, options: math.prod(shape[1:]),
    "DEPTHWISE_CONV_2D": lambda shape, options: math.prod(shape[1:3]),
    "FULLY_CONNECTED": lambda shape, options: shape[-1],
    "TRANSPOSE_CONV": lambda shape, options: math.prod(shape[1:]),
}


def _approximation(fed: Fed) -> np.ndarray:
    """What a C library's exp or tanh, good to 5e-7, may change of the larger of 1 and the result"""
    return 1e-6 * np.maximum(1, np.abs(fed.ours.astype(f64)))


def _sign_of_zero(fed: Fed) -> np.ndarray:
    return np.full(fed.ours.shape, np.nextafter(0, 1))  # less than any float32 but zero


def _steps(count: int) -> Callable[[Fed], np.ndarray]:
    """``count`` float32 steps at the result."""

    def allowed(fed: Fed) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return count * np.spacing(np.abs(fed.ours)).astype(f64) + TINY

    return allowed


def _log_softmax(fed: Fed) -> np.ndarray:
    # every rounding on the way: x - max, n powers and their sum, its logarithm, the result
    x = fed.read(0).astype(f64)
    shifted = x.max(axis=-1, keepdims=True) - x
    return 2 * UNIT * (shifted + np.abs(fed.ours) + x.shape[-1] + 5)


# (operator code, kernel path) -> its bound; what is not listed is exact
BOUNDS = {
    # a Newton step after the processor's estimate of 1 / sqrt(x), which Intel and AMD make each
    # from a table of their own
    ("SQRT", "xnnpack"): Bound("function", _steps(2)),
    ("RSQRT", "xnnpack"): Bound("function", _steps(2)),
}

# Layers of floats are exact on the processors of the table; cores of arm64 beside them may have
# kernels that add up in other orders. One thing is left: these kernels multiply places outside the
# image too, or fill a filter up, with zeros. That, or the clamp of the last channels, makes 0 of a
# sum of -0, for which the bias must be -0.
SIGN_OF_ZERO = {
    ("DEPTHWISE_CONV_2D", "optimized"): Bound("sum", _sign_of_zero),
    ("DEPTHWISE_CONV_2D", "xnnpack"): Bound("sum", _sign_of_zero),
    ("TRANSPOSE_CONV", "xnnpack"): Bound("sum", _sign_of_zero),
}

# arm64 has an instruction for the root itself
ON_X86 = (("SQRT", "xnnpack"), ("RSQRT", "xnnpack"))

_BUILTIN = ("reference", "optimized")
OF_ANOTHER_LIBRARY = {
    **{
        (f, k): Bound("function", _steps(1)) for f in ("EXP", "LOG", "SIN", "COS") for k in _BUILTIN
    },
    **{("POW", kernels): Bound("function", _steps(1)) for kernels in KERNELS},
    **{("LOG_SOFTMAX", kernels): Bound("function", _log_softmax) for kernels in KERNELS},
    **{
        (code, kernels): Bound("function", _approximation)
        for code in ("ELU", "TANH", "LOGISTIC", "GELU", "SOFTMAX")
        for kernels in _BUILTIN
    },
    # XNNPACK leaves a SOFTMAX of another beta than 1 to the optimized kernel
    ("SOFTMAX", "xnnpack"): Bound("function", _approximation),
}
