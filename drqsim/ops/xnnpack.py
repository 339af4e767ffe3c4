"""XNNPACK, the default path: which operators with int8 weights it takes, and what they share.

Source, ai-edge-litert 2.3.0: ``tflite/delegates/xnnpack/xnnpack_delegate.cc`` (``VisitConv2DNode``
and its neighbors). A float32 input and int8 weights are enough for the four below; a
DEPTHWISE_CONV_2D wants equal types, so under dynamic-range quantization it is never taken. With
int4 weights it takes only FULLY_CONNECTED, which then computes what it computes of int8 ones.
"""

from __future__ import annotations

import numpy as np

from drqsim import qparams
from drqsim.arithmetic.floats import flush_denormals, fma
from drqsim.errors import InputError
from drqsim.graph import Operator
from drqsim.ops.call import Call
from drqsim.ops.fused import WITHOUT_RANGE

f32 = np.float32

TAKEN = ("BATCH_MATMUL", "CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


def why_builtin(
    op: Operator, shape: tuple[int, ...], scale: np.ndarray, bits: int | None = None
) -> str:
    """Why an operator with int8 weights stays with the builtin kernel; empty if XNNPACK takes it.

    Parameters
    ----------
    op : Operator
    shape : tuple of int
        Of its weights.
    scale : float32 array
        Of its weights.
    bits : int or None
        4 where its weights are int4.
    """
    if bits and op.code != "FULLY_CONNECTED":
        return "XNNPACK does not take it with int4 weights and a float32 input"
    if bits and shape[-1] % 2:
        return "XNNPACK refuses int4 weights in rows of an odd length"
    if op.code not in TAKEN:
        return "XNNPACK does not take it with int8 weights and a float32 input"
    activation = op.options.get("fused_activation_function", "NONE")
    if activation in WITHOUT_RANGE:
        return f"XNNPACK has no fused {activation}"
    if (scale < np.finfo(f32).tiny).any():
        return "XNNPACK refuses a denormal scale"
    if op.code == "TRANSPOSE_CONV" and op.options["padding"] == "SAME":
        strides = op.options["stride_h"], op.options["stride_w"]
        if any(k < s for k, s in zip(shape[1:3], strides, strict=True)):
            return "XNNPACK refuses SAME padding with a kernel smaller than the stride"
    return ""


def quantize_input(call: Call, rows: np.ndarray, shape: tuple[int, ...]) -> qparams.Quantized:
    """Quantize an input, a scale for each of ``rows``, and record it; the codes in ``shape``.

    Raises
    ------
    InputError
        When a row holds NaN or infinity or spans more than float32 can: what XNNPACK then computes
        depends on the CPU.
    """
    try:
        codes, scale, zero_point = qparams.asymmetric_xnnpack(rows)
    except InputError as error:
        if not call.allow_nonfinite:
            raise
        raise InputError(
            f"{str(error).partition(';')[0]}. XNNPACK's codes are undefined there: they depend on "
            "the width of the CPU's vectors. Pass kernels='optimized' to see what the builtin "
            "kernels make of such values."
        ) from None
    codes = codes.reshape(shape)
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
