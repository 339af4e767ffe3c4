"""The orders of the arm64 kernels: nearly all fuse, and share the products out among several sums.

``reference`` is plain C++ that the compiler turned into vectors, ``ruy`` the library behind the
optimized kernels on arm64, and the others are kernels of XNNPACK, which picks them by the model of
the core and by the number of channels.

Sources, ai-edge-litert 2.3.0: ruy ``kernel_arm64.cc`` (``KernelFloatNeon``), TFLite
``kernels/cpu_backend_gemm_custom_gemv.h``; XNNPACK ``src/configs/gemm-config.c``,
``src/microkernel-utils.c`` (``xnn_use_nr2``), ``src/f32-gemm/*-aarch64-*``, ``src/f32-igemm``. The
trees of all sums were read from outside, with products of 1 and two of +-2^40.
"""

from __future__ import annotations

import numpy as np

from drqsim.arithmetic.float_order.one_by_one import fused, rounded
from drqsim.arithmetic.floats import flush_denormals

f32 = np.float32


def reference(rows: np.ndarray, matrix: np.ndarray, channels: int) -> np.ndarray:
    """Of every tap the channels in whole eights rounded, those that remain fused; in order.

    Parameters
    ----------
    rows : float32 [n, taps * channels]
    matrix : float32 [out, taps * channels]
    channels : int
        Input channels of a tap: the compiler's inner loop.
    """
    whole = channels // 8 * 8
    if whole == channels:
        return rounded(rows, matrix)
    if not whole:
        return fused(rows, matrix, f32(0))
    total = np.zeros((len(rows), len(matrix)), f32)
    for tap in range(0, rows.shape[1], channels):
        for k in range(tap, tap + whole):
            total += rows[:, k, None] * matrix[:, k]
        rest = slice(tap + whole, tap + channels)
        total = fused(rows[:, rest], matrix[:, rest], total)
    return total


def ruy(
    rows: np.ndarray, matrix: np.ndarray, in_order: bool, bias: np.ndarray | None = None
) -> np.ndarray:
    """Fused and in order, but for a slip of the loop that ends: one product comes three late.

    Blocks are eight rows by eight channels. The first four by four take their products in order;
    for the rest of the block the first of the last whole four products is added after the other
    three. Cores that execute in order (Cortex-A53, A55) have a kernel without that. The bias comes
    last. Denormal values are zero throughout (``ScopedSuppressDenormals`` in ruy's ``trmul.cc``),
    but not in the kernel for a single row, which is not ruy's.
    """
    bias = np.full(len(matrix), -0.0, f32) if bias is None else bias  # to which nothing is added
    if len(rows) == 1 and min(matrix.shape) >= 4:
        return vector(rows, matrix) + bias
    depth = rows.shape[1]
    total = fused(rows, matrix, f32(0), flush=True)
    if not in_order and depth >= 8:
        last = depth // 4 * 4 - 4
        order = [*range(last), last + 1, last + 2, last + 3, last, *range(last + 4, depth)]
        first = np.ix_(np.arange(len(rows)) % 8 < 4, np.arange(len(matrix)) % 8 < 4)
        late = fused(rows[:, order], matrix[:, order], f32(0), flush=True)
        late[first] = total[first]
        total = late
    return flush_denormals(total + flush_denormals(bias))


def vector(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """One row: four sums in turn; the up to three products that remain go to the last of them."""
    depth = rows.shape[1]
    whole = depth // 4 * 4
    sums = [fused(rows[:, i:whole:4], matrix[:, i:whole:4], f32(0)) for i in range(4)]
    for k in range(whole, depth):
        lane = 4 - depth + k
        sums[lane] = fused(rows[:, k : k + 1], matrix[:, k : k + 1], sums[lane])
    return (sums[0] + sums[1]) + (sums[2] + sums[3])


def xnnpack_dense(
    rows: np.ndarray, matrix: np.ndarray, bias: np.ndarray, pairs: bool
) -> np.ndarray:
    """XNNPACK's dense layer, from the bias on.

    Parameters
    ----------
    rows : float32 [n, k]
    matrix : float32 [out, k]
    bias : float32 [out]
    pairs : bool
        Whether this core's kernel for a single row has two sums.
    """
    if takes_two_channels(len(matrix)):
        return _in_fours(rows, matrix, bias)
    if len(rows) == 1 and pairs:
        return in_pairs(rows, matrix, bias, rows.shape[1])
    return fused(rows, matrix, bias, flush=True)


def takes_two_channels(out: int) -> bool:
    """Whether kernels of two channels waste less than those of eight, as XNNPACK reckons."""
    wasted, wasted_by_two = -out % 8, -out % 2
    return out < 8 or (wasted_by_two < wasted and 100 * wasted > out)


def _in_fours(rows: np.ndarray, matrix: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The kernel of two channels: four sums in turn, joined, then what remains."""
    whole = rows.shape[1] // 4 * 4
    sums = [
        fused(rows[:, i:whole:4], matrix[:, i:whole:4], f32(0) if i else bias, flush=True)
        for i in range(4)
    ]
    total = (sums[0] + sums[1]) + (sums[2] + sums[3])
    return fused(rows[:, whole:], matrix[:, whole:], total, flush=True)


def in_pairs(rows: np.ndarray, matrix: np.ndarray, bias: np.ndarray, channels: int) -> np.ndarray:
    """Two sums: the even channels of every tap from the bias on, the odd ones from 0."""
    odd = np.arange(rows.shape[1]) % channels % 2 == 1
    even_sum = fused(rows[:, ~odd], matrix[:, ~odd], bias, flush=True)
    return even_sum + fused(rows[:, odd], matrix[:, odd], f32(0), flush=True)
