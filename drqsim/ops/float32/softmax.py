"""SOFTMAX and the sum in LOG_SOFTMAX: exp of what is left after the largest value is taken away.

==========  ================================  ================================  ===================
kernels     powers                            sum                               quotient
==========  ================================  ================================  ===================
reference   the C library's, one by one       one after another                 divided
optimized   Eigen's, four at a time           Eigen's, two registers in turn    times 1 / sum
xnnpack     exp of its own, in vectors        in vectors, two registers in      times 1 / sum
                                              turn
==========  ================================  ================================  ===================

XNNPACK takes SOFTMAX with a beta of 1 only, and no LOG_SOFTMAX.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/activations.cc``, ``internal/reference/softmax.h``,
``internal/optimized/optimized_ops.h`` (``Softmax``, ``LogSoftmax``),
``internal/reference/log_softmax.h``; XNNPACK ``src/f32-raddstoreexpminusmax``.
"""

from __future__ import annotations

import numpy as np

from drqsim.arithmetic.floats import flush_denormals
from drqsim.arithmetic.functions import eigen, glibc
from drqsim.arithmetic.vector_sums import (
    LANES,
    eigen_sum,
    eigen_sum_of_rows,
)
from drqsim.ops.call import Call
from drqsim.ops.float32.by_processor import Kernels, kernels

f32 = np.float32


def softmax(call: Call, x: np.ndarray) -> np.ndarray:
    """exp(beta * (x - max)) / its sum, over the last dimension"""
    neon, beta = call.processor.neon, f32(call.operator.options["beta"])
    if call.kernels == "xnnpack" and beta == 1:
        return _xnnpack(x, kernels(call.processor))
    shifted = (x - x.max(axis=-1, keepdims=True)) * beta
    if call.kernels == "reference":
        powers = glibc.expf(shifted)
        return powers / _in_order(powers)
    powers = np.ascontiguousarray(eigen.exp(shifted, neon))
    rest = slice(x.size - x.size % LANES, None)  # of the whole tensor
    powers.reshape(-1)[rest] = glibc.expf(shifted.reshape(-1)[rest])
    return powers * (f32(1) / eigen_sum_of_rows(powers, neon))[..., None]


def _xnnpack(x: np.ndarray, by: Kernels) -> np.ndarray:
    x = flush_denormals(x)
    powers = by.softmax_power(flush_denormals(x - x.max(axis=-1, keepdims=True)))
    return flush_denormals(powers * (f32(1) / by.softmax_sum(powers))[..., None])


def log_softmax(call: Call, x: np.ndarray) -> np.ndarray:
    """x - max - log(sum of exp(x - max))"""
    neon, shifted = call.processor.neon, x - x.max(axis=-1, keepdims=True)
    if call.kernels == "reference":
        total = _in_order(glibc.expf(shifted))
    else:
        whole = x.shape[-1] - x.shape[-1] % LANES  # of each row
        powers = [eigen.exp(shifted[..., :whole], neon), glibc.expf(shifted[..., whole:])]
        total = eigen_sum(np.concatenate(powers, axis=-1), neon=neon)[..., None]
    return shifted - glibc.logf(total)


def _in_order(powers: np.ndarray) -> np.ndarray:
    return np.add.accumulate(powers, axis=-1, dtype=f32)[..., -1:]
