"""Exact int32 sums of int8 products, at the speed of a float32 matrix product."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# how many products with int8 weights sum to at most 2^24: 1024 of int8 codes, of uint8 ones 514
EXACT_TERMS = {np.dtype(np.int8): 2**24 // (128 * 128), np.dtype(np.uint8): 2**24 // (255 * 128)}


def exact_matmul(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``codes @ weights.T`` with int32 accumulators.

    Parameters
    ----------
    codes : int8 or uint8 [n, k]
        Quantized inputs, one row per accumulator row.
    weights : int8 [channels, k]
        Quantized weights; or the same integers as float32, which saves converting them.

    Returns
    -------
    int32 [n, channels]
        The exact sums. They cannot overflow while ``k <= 131071`` (k * 2^14 < 2^31), with uint8
        codes ``k <= 65793``; past that they wrap.

    Notes
    -----
    NumPy multiplies integer matrices in a plain loop, but hands float32 ones to BLAS. A float32
    holds every integer up to 2^24 exactly, and a product of two int8 values is at most 2^14 in
    size. So the sum of up to 1024 such products is exact in float32, in whatever order BLAS adds
    them up (with or without fused multiply-add): no partial sum ever needs rounding. Longer sums
    are cut into pieces of 1024 terms, each exact, and the pieces are added as int32. Products of
    uint8 codes are up to twice as large, and their pieces half as long.
    """
    total, terms = None, EXACT_TERMS[codes.dtype]
    for start in range(0, codes.shape[1], terms):
        piece = slice(start, start + terms)
        columns = weights[:, piece].astype(np.float32, copy=False)
        exact = codes[:, piece].astype(np.float32) @ columns.T
        total = exact.astype(np.int32) if total is None else total + exact.astype(np.int32)
    return total


def wide_matmul(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``codes @ weights.T`` of integers past int8, int64 [n, channels].

    Through float64, which holds every integer up to 2^53: with codes of 17 bits and int8 weights,
    the sum of 2^29 products is exact in whatever order BLAS adds them up.
    """
    return (codes.astype(np.float64) @ weights.astype(np.float64).T).astype(np.int64)


def grouped(
    windows: np.ndarray,
    filters: np.ndarray,
    groups: int,
    dot: Callable[[np.ndarray, np.ndarray], np.ndarray] = exact_matmul,
) -> np.ndarray:
    """Sum of code * weight over each window; a group of filters sees only its own channels.

    Parameters
    ----------
    windows : int array [batch, out_h, out_w, ..., channels]
        What every output pixel sees; the taps in one dimension, two, or unfolded into the channels.
    filters : int array [out, kernel_h, kernel_w, channels / groups]
    groups : int
    dot : callable
        ``codes [n, k]`` and ``weights [channels, k]`` to ``[n, channels]``.

    Returns
    -------
    array [batch, out_h, out_w, out]
        In the type that ``dot`` gives.
    """
    pixels = windows.shape[:3]
    flat = filters.reshape(len(filters), -1)
    if groups == 1:
        return dot(windows.reshape(-1, flat.shape[1]), flat).reshape(*pixels, -1)
    taps = filters.shape[1] * filters.shape[2]
    by_group = np.moveaxis(windows.reshape(*pixels, taps, groups, -1), 4, 0)
    columns = [
        dot(part.reshape(-1, flat.shape[1]), own)
        for part, own in zip(by_group, np.split(flat, groups), strict=True)
    ]
    return np.concatenate(columns, axis=1).reshape(*pixels, -1)


def row_sums(weights: np.ndarray) -> np.ndarray:
    """Sum of each output channel's int8 weights, int32 [channels]: what a zero point multiplies."""
    return weights.reshape(len(weights), -1).sum(axis=1, dtype=np.int32)


def row_sums_x86(weights: np.ndarray) -> np.ndarray:
    """Row sums as the optimized x86 kernel leaves them: eight int16 lanes that may wrap.

    Parameters
    ----------
    weights : int8 [channels, ...]
        Quantized weights, flattened to [channels, k].

    Returns
    -------
    int32 [channels]
        Equal to ``row_sums`` unless the weights of a lane (an eighth of a channel) sum to more than
        32767 in size, which takes over 2000 weights of one sign.

    Notes
    -----
    ``SseReductionSumVector`` in ``tflite/kernels/internal/optimized/sse_tensor_utils.cc``,
    ai-edge-litert 2.3.0. Whole groups of 16 weights, and a last group of 8, are added in the lanes;
    the up to 7 weights that remain are added in int32.
    """
    flat = weights.reshape(len(weights), -1)
    k = flat.shape[1]
    if k < 2048:  # at most 255 weights in a lane: 255 * 128 fits
        return row_sums(weights)
    sixteens, eights = k - k % 16, k - k % 8
    lanes = flat[:, :sixteens].reshape(len(flat), -1, 8, 2).sum(axis=(1, 3), dtype=np.int16)
    if eights > sixteens:
        lanes = lanes + flat[:, sixteens:eights].astype(np.int16)
    rest = flat[:, eights:].sum(axis=1, dtype=np.int32)
    return lanes.sum(axis=1, dtype=np.int32) + rest


def dot_x86(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``exact_matmul`` as the x86 dot product computes it, which cannot negate a weight of -128.

    Parameters
    ----------
    codes : int8 [n, k]
    weights : int8 [channels, k]
        Or the same integers as float32.

    Returns
    -------
    int32 [n, channels]
        Equal to ``exact_matmul`` unless a weight is -128 (no converter writes one): where it meets
        a negative code, in a whole block of 16 columns, the product gets the wrong sign.

    Notes
    -----
    ``DotProdInt8x4x4`` in ``tflite/kernels/internal/optimized/sse_tensor_utils.cc``, ai-edge-litert
    2.3.0: the sign of the code is moved to the weight, and int8 has no +128 for the weight -128.
    """
    total = exact_matmul(codes, weights)
    blocks = codes.shape[1] - codes.shape[1] % 16
    lowest = weights[:, :blocks] == -128
    if not lowest.any():
        return total
    negative = np.minimum(codes[:, :blocks], 0)
    # -128 * q was to be positive and comes out negative: twice the product is missing
    return total + exact_matmul(negative, lowest.astype(np.int8)) * (2 * 128)


def dot_neon(codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``exact_matmul`` as arm64's plain loop computes it: two products at once in int16.

    Parameters
    ----------
    codes : int8 [n, k]
    weights : int8 [channels, k]
        Or the same integers as float32.

    Returns
    -------
    int32 [n, channels]
        Equal to ``exact_matmul`` unless -128 meets -128 in both of two columns that lie eight apart
        in a whole block of 16: their sum, 32768, wraps, and 65536 is missing.

    Notes
    -----
    ``DotprodMatrixBatchVectorMultiplyAccumulate`` is exact; this is the loop beside it in
    ``tflite/kernels/internal/optimized/neon_tensor_utils.cc``, ai-edge-litert 2.3.0.
    """
    total = exact_matmul(codes, weights)
    k = codes.shape[1]
    sixteens = k - k % 16
    both = [
        (part[:, :sixteens].reshape(len(part), -1, 2, 8) == -128).all(2).reshape(len(part), -1)
        for part in (codes, weights)
    ]
    if not all(pairs.any() for pairs in both):
        return total
    return total - exact_matmul(*(pairs.astype(np.int8) for pairs in both)) * 2**16
