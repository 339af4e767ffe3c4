"""XNNPACK, the default path: what its operators with int8 weights share.

Which operators it takes is said in ``ops/delegate``. With int4 weights it takes only
FULLY_CONNECTED, which then computes what it computes of int8 ones.

Where its newest kernel multiplies uint8 by int8, as VNNI does, it keeps the codes of the input as
uint8: 128 is added to the codes and to the zero point, and ``code - zero point`` stays what it was
(``convert_gemm_to_qduint8`` in ``src/subgraph.c``).

Which of its kernels multiplies, and so in which order it rounds, follows from the processor and,
for convolutions on some, from the size of the image: ``dense`` and ``convolution`` say which.

Sources, ai-edge-litert 2.3.0: ``src/configs/gemm-config.c``; of ``FOUR_ROWS``
``src/qs8-igemm/4x16c4-aarch64-neondot-ld128.S.in`` and ``xnn_get_heuristic_mr_igemm``; of
``KLEIDIAI`` ``init_qp8_f32_qc8w_gemm_config``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from drqsim import qparams
from drqsim.arithmetic import vectors
from drqsim.arithmetic.floats import flush_denormals, fma
from drqsim.errors import InputError
from drqsim.ops.call import Call
from drqsim.processor import Processor

f32 = np.float32


def fused(acc: np.ndarray, s_in: np.ndarray, s_w: np.ndarray, bias: np.ndarray):
    """``fma(acc * s_in, s_w, bias)``, denormals flushed: ``dequantized`` and with the bias.

    One fused multiply-add: the product with the filter's scale is never rounded by itself.
    ``dequantized`` is what the same instruction gives when the bias is zero.
    """
    scaled = flush_denormals(acc.astype(f32) * s_in)
    with_bias = fma(scaled, s_w, flush_denormals(bias))
    return flush_denormals(scaled * s_w), flush_denormals(with_bias)


def scales_together(acc: np.ndarray, s_in: np.ndarray, s_w: np.ndarray, bias: np.ndarray):
    """``acc * (s_in * s_w) + bias``, each rounded, denormals flushed: the same two."""
    scale = flush_denormals(s_in * flush_denormals(s_w))
    dequantized = flush_denormals(acc.astype(f32) * scale)
    return dequantized, flush_denormals(dequantized + flush_denormals(bias))


class Kernel(NamedTuple):
    """What one of XNNPACK's kernels for int8 weights does in its own way."""

    rounded: Callable  # how the quotients of the input become whole numbers
    rescale: Callable  # (int32 sums, s_in, s_w, bias) -> scaled, with the bias; in its order


# fmt: off
#                  rounded                 rescale
X86       = Kernel(vectors.half_even_x86,  fused)
NEON      = Kernel(vectors.half_even_neon, fused)
FOUR_ROWS = Kernel(vectors.half_even_neon, scales_together)  # assembly for the dot product
KLEIDIAI  = Kernel(vectors.half_away_neon, scales_together)
# fmt: on


def dense(processor: Processor) -> Kernel:
    """The kernel of a dense layer, and of what becomes one."""
    if processor.dot_product:
        return KLEIDIAI
    return NEON if processor.neon else X86


def convolution(processor: Processor, rows: int) -> Kernel:
    """The kernel of any other convolution, whose product of matrices has so many rows.

    A single row has a kernel for one row; int8 matrix products have no assembly.
    """
    if processor.dot_product and not processor.int8_mm and rows > 1:
        return FOUR_ROWS
    return NEON if processor.neon else X86


def quantize_input(
    call: Call, kernel: Kernel, rows: np.ndarray, shape: tuple[int, ...], int4: bool = False
) -> qparams.Quantized:
    """Quantize an input, a scale for each of ``rows``, and record it; the codes in ``shape``.

    ``int4`` says what weights it meets; with them and the processor int8 codes may become uint8.

    Raises
    ------
    InputError
        When a row holds NaN or infinity or spans more than float32 can: what XNNPACK then computes
        depends on the CPU.
    """
    try:
        made = qparams.asymmetric_xnnpack(rows, kernel.rounded)
    except InputError as error:
        if not call.allow_nonfinite:
            raise
        raise InputError(
            f"{str(error).partition(';')[0]}. XNNPACK's codes are undefined there: they depend on "
            "the width of the CPU's vectors. Pass kernels='optimized' to see what the builtin "
            "kernels make of such values."
        ) from None
    if call.processor.uint8_int4 if int4 else call.processor.uint8_codes:
        made = qparams.as_uint8(made)
    codes, scale, zero_point = made._replace(codes=made.codes.reshape(shape))
    call.record("input_scale", scale, stored="delegate")
    call.record("input_zero_point", zero_point, stored="delegate")
    call.record("input_quantized", codes, stored="delegate")
    return qparams.Quantized(codes, scale, zero_point)
