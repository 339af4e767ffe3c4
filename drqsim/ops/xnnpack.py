"""XNNPACK, the default path: what its operators with int8 weights share.

Which operators it takes is said in ``ops/delegate``. With int4 weights it takes only
FULLY_CONNECTED, which then computes what it computes of int8 ones.

Where its newest kernel multiplies uint8 by int8, as VNNI does, it keeps the codes of the input as
uint8: 128 is added to the codes and to the zero point, and ``code - zero point`` stays what it was
(``convert_gemm_to_qduint8`` in ``src/subgraph.c``).
"""

from __future__ import annotations

import numpy as np

from drqsim import qparams
from drqsim.arithmetic.floats import flush_denormals, fma
from drqsim.errors import InputError
from drqsim.ops.call import Call

f32 = np.float32


def quantize_input(
    call: Call, rows: np.ndarray, shape: tuple[int, ...], int4: bool = False
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
        made = qparams.asymmetric_xnnpack(rows)
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


def rescale(
    accumulator: np.ndarray, scale: np.ndarray, filter_scale: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``fma(float(acc) * s_in, s_w, bias)``, denormals flushed: ``dequantized`` and with the bias.

    One fused multiply-add: the product with the filter's scale is never rounded by itself.
    ``dequantized`` is what the same instruction gives when the bias is zero.
    """
    acc = flush_denormals(accumulator.astype(f32) * scale)
    dequantized = flush_denormals(acc * filter_scale)
    with_bias = fma(acc, filter_scale, flush_denormals(bias))
    return dequantized, flush_denormals(with_bias)
