"""The builtin kernels: what their operators with int8 weights share.

On x86 they are NEON code in translation, and parts written anew in SSE; on arm64 they are NEON
code as it stands. What that changes in codes and sums is a row of ``Family``.

Source, ai-edge-litert 2.3.0: ``tflite/kernels/internal/optimized``: ``neon_tensor_utils.cc``,
``sse_tensor_utils.cc``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from drqsim import accumulate, qparams
from drqsim.arithmetic import vectors
from drqsim.arithmetic.floats import fma
from drqsim.ops.call import Call
from drqsim.processor import Processor


class Family(NamedTuple):
    """The builtin kernels of a family of processors."""

    codes: vectors.Vectors  # how quotients become codes
    row_sums: Callable  # int32 of int8 weights; on x86 they may wrap in int16


SSE = Family(vectors.SSE, accumulate.row_sums_x86)
NEON = Family(vectors.NEON, accumulate.row_sums)


def family(processor: Processor) -> Family:
    """The builtin kernels of this processor."""
    return NEON if processor.neon else SSE


class Product(NamedTuple):
    """One of the kernels that multiply vectors by the int8 matrix of a dense layer.

    Recurrent layers take it too, and convolutions whose channels do not fill the vectors.
    """

    dot: Callable  # (codes, weights) -> int32 sums, and what goes wrong with weights of -128
    add: Callable  # (total, float32 sums, scale) -> what the sums make of the total
    writes: bool  # leaves the sums in memory, as they are before the zero point is taken off


def rounded(total: np.ndarray, acc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """``total + acc * scale``, each rounded."""
    return total + acc * scale


def fused(total: np.ndarray, acc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """``fma(acc, scale, total)``, rounded once."""
    return fma(acc, scale, total)


# fmt: off
#                  dot                      add      writes
SSE_DOT  = Product(accumulate.dot_x86,      rounded, False)
LOOP     = Product(accumulate.dot_neon,     fused,   False)
ASSEMBLY = Product(accumulate.exact_matmul, rounded, False)  # with sdot
RUY      = Product(accumulate.exact_matmul, fused,   True)
# fmt: on


def product(processor: Processor, rows: int, depth: int, out: int) -> Product:
    """The kernel for so many vectors of ``depth`` codes and a matrix [out, depth].

    On arm64 the last bit of a dense layer so depends on how many rows it is given
    (``NeonMatrixBatchVectorMultiplyAccumulate``, ``UseCpuBackendGemm``).
    """
    if not processor.neon:
        return SSE_DOT
    if out % 4 == 0 and (_is_large if processor.dot_product else _is_many)(rows, depth, out):
        return RUY
    fills_vectors = depth % 16 == 0 and out % 2 == 0 and out >= rows
    if processor.dot_product and fills_vectors:
        if rows % 4 == 0 or (rows >= 2 and out * depth >= 128 * 128):
            return ASSEMBLY
    return LOOP


def _is_many(rows: int, depth: int, out: int) -> bool:
    return rows >= 8


def _is_large(rows: int, depth: int, out: int) -> bool:
    """Many rows, the more the farther the matrix is from a square."""
    ratio = out // depth or depth // out
    return rows >= 16 and rows.bit_length() - ratio.bit_length() > 2


def quantize(call: Call, rows: np.ndarray, asymmetric: bool = True) -> qparams.Quantized:
    """Quantize float32 ``rows``, each with its own scale, and its own zero point if asymmetric."""
    rule = qparams.asymmetric if asymmetric else qparams.symmetric
    return rule(rows, call.allow_nonfinite, family(call.processor).codes)
