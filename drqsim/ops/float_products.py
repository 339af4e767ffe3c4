"""Matrix products of float32 weights, added up as the kernel path's library does on a processor.

=========  ==========================================  ========================================
path       x86-64                                      arm64
=========  ==========================================  ========================================
reference  each product rounded, one after another     the same, but for compiled remainders
optimized  Eigen's product, not fused                  ruy's, fused
xnnpack    from the bias on, fused, one after another  the same, or in two or four sums
=========  ==========================================  ========================================

The builtin kernels add the bias last. ``float_order="blas"`` leaves the order to NumPy's library:
some 2 times faster in a float model, and different in the last bits. Where it can be made to keep
XNNPACK's order, exact sums are its own, too (``arithmetic/float_order/blas_in_order.py``).
"""

from __future__ import annotations

import numpy as np

from drqsim.arithmetic.float_order import arm64_product, eigen_product
from drqsim.arithmetic.float_order.one_by_one import fused, rounded
from drqsim.limits import EXACT_PRODUCTS, PER_EXACT
from drqsim.ops.call import Call

f32 = np.float32


def dense(call: Call, rows: np.ndarray, matrix: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """A dense layer: ``rows @ matrix.T + bias``.

    Parameters
    ----------
    call : Call
        Its kernel path, processor and float order are followed.
    rows : float32 [n, k]
    matrix : float32 [out, k]
    bias : float32 [out] or None

    Returns
    -------
    float32 [n, out]
    """
    if by_blas(call, rows):
        return rows @ matrix.T + (f32(0) if bias is None else bias)
    if call.kernels != "xnnpack":
        return builtin(call, rows, matrix, rows.shape[1], bias)
    bias = np.zeros(len(matrix), f32) if bias is None else bias
    if call.processor.neon:
        return arm64_product.xnnpack_dense(rows, matrix, bias, call.processor.pairs)
    return fused(rows, matrix, bias, flush=True)


def convolution(
    call: Call,
    rows: np.ndarray,
    matrix: np.ndarray,
    bias: np.ndarray,
    kernel: tuple[int, int],
    pixels: int,
    groups: int,
) -> np.ndarray:
    """A convolution's unfolded windows times its filters, and the bias.

    Parameters
    ----------
    call : Call
    rows : float32 [n, taps * channels]
    matrix : float32 [out, taps * channels]
    bias : float32 [out]
    kernel : (int, int)
        Rows and columns of taps.
    pixels : int
        Of one output image.
    groups : int
        Of the convolution: with several, the optimized path runs the reference kernel.

    Returns
    -------
    float32 [n, out]
    """
    if by_blas(call, rows):
        return rows @ matrix.T + bias
    taps = kernel[0] * kernel[1]
    channels = rows.shape[1] // taps
    if call.kernels != "xnnpack":
        if groups > 1:
            return reference(call, rows, matrix, channels) + bias
        return builtin(call, rows, matrix, channels, bias)
    if len(matrix) == channels == 1 and takes_depthwise(taps):
        by_columns = np.arange(taps).reshape(kernel).T.ravel()
        rows, matrix = rows[:, by_columns], matrix[:, by_columns]
        if depthwise_sums(call, taps) == 2:
            return arm64_product.in_pairs(rows, matrix, bias, taps)
        return fused(rows, matrix, bias, flush=True)
    if in_pairs(call, len(matrix), pixels):
        return arm64_product.in_pairs(rows, matrix, bias, channels)
    return fused(rows, matrix, bias, flush=True)


def in_pairs(call: Call, out: int, pixels: int) -> bool:
    """Whether XNNPACK's convolution adds up even and odd channels apart.

    So do its arm64 kernels for two channels, which it takes below eight, and for a single pixel.
    """
    return call.processor.neon and (out < 8 or pixels == 1)


def takes_depthwise(taps: int) -> bool:
    """Whether XNNPACK has a depthwise kernel for so many taps; it goes column by column.

    It is for channels that have one filter each, of CONV_2D too.
    """
    return taps <= 25


def depthwise_sums(call: Call, taps: int) -> int:
    """In how many sums, in turn, such a kernel adds up its taps."""
    return 2 if call.processor.neon and taps > 9 else 1


def batched(call: Call, left: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """One matrix of a batch, ``left @ matrix.T``; both builtin paths run the reference loop."""
    if by_blas(call, left):
        return left @ matrix.T
    if call.kernels != "xnnpack":
        return reference(call, left, matrix, left.shape[-1])
    start = np.zeros(len(matrix), f32)
    if call.processor.pairs and len(left) == 1:
        return arm64_product.in_pairs(left, matrix, start, left.shape[-1])
    return fused(left, matrix, start, flush=True)


def builtin(
    call: Call, rows: np.ndarray, matrix: np.ndarray, channels: int, bias: np.ndarray | None = None
) -> np.ndarray:
    """``rows @ matrix.T`` of the builtin kernels, and the bias."""
    if call.kernels == "reference":
        total = reference(call, rows, matrix, channels)
    elif call.processor.neon:
        return arm64_product.ruy(rows, matrix, call.processor.in_order, bias)
    else:
        total = eigen_product.product(rows, matrix, call.processor.l1_data)
    return total if bias is None else total + bias


def reference(call: Call, rows: np.ndarray, matrix: np.ndarray, channels: int) -> np.ndarray:
    """The reference kernels' loop, which others fall back to."""
    if call.processor.neon:
        return arm64_product.reference(rows, matrix, channels)
    return rounded(rows, matrix)


def ask(call: Call, products: int) -> None:
    """Ask for the work of so many products; says so where BLAS adds them up unasked."""
    if call.float_order == "blas" or call.float_type != f32:
        call.work(products)
    elif call.float_order is None and products > EXACT_PRODUCTS:
        call.marks.add("blas")
        call.said.append(
            f"its {products:,} products were added up in BLAS's order; with float_order='exact' "
            "the sums have the runtime's last bits, and take longer."
        )
        call.work(products)
    else:
        call.work(PER_EXACT * products)


def by_blas(call: Call, x: np.ndarray) -> bool:
    """Whether BLAS adds up: asked for, said, or in float64, which no kernel computes in."""
    return call.float_order == "blas" or "blas" in call.marks or x.dtype != f32
