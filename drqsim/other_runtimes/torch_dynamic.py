"""Dynamic quantization of a dense layer in PyTorch, in plain NumPy.

What ``torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear})`` does on the engine
``fbgemm``::

    s, zp  = from the smallest and largest value of x       one scale for the whole input
    q      = clip(rint(x * (1 / s) + zp), 0, 255)           quint8
    acc    = sum (q - zp) * w[o]                            int32; w is qint8, zero point 0
    y      = float32(acc) * (s * s_w) + bias[o]             float32, one fma

Against LiteRT: uint8 codes, one scale for the input, ties to even, and **activations of 7 bits**:
the layer asks for ``reduce_range``, so that sums of two products stay within int16 on CPUs without
VNNI. Scale and zero point are chosen for codes of [0, 127]; the codes themselves are not cut there.
The weights' scale is ``max|w| / 127.5``, so that -128 is a code.

Sources, torch 2.13: ``aten/src/ATen/native/quantized/cpu/QuantUtils.h``
(``ChooseQuantizationParams``), ``qlinear_dynamic.cpp``,
``torch/ao/nn/quantized/dynamic/modules/linear.py`` (``reduce_range=True``),
``torch/ao/quantization/observer.py`` (``MinMaxObserver``); FBGEMM ``OutputProcessing-inl.h``
(``ReQuantizeForFloat``).
"""

from __future__ import annotations

import numpy as np

from drqsim import accumulate
from drqsim.arithmetic.floats import fma
from drqsim.errors import InputError
from drqsim.qparams import Quantized

f32 = np.float32
f64 = np.float64
SMALLEST_SCALE = f32(6.1e-5)


def quantize_input(x: np.ndarray, reduce_range: bool = True) -> Quantized:
    """Codes, scale and zero point of an input: ``torch.quantize_per_tensor_dynamic``.

    ``s = (high - low) / 127``, or 255 without ``reduce_range``; the range is widened to contain 0,
    and to 6.1e-5 for each step. Of the two zero points that the ends of the range suggest, the one
    with the smaller error is rounded to even.

    Parameters
    ----------
    x : float32 array, finite
    reduce_range : bool
        What the dense layer asks for.

    Returns
    -------
    Quantized
        uint8 codes in the shape of ``x``; a float64 and an int32 scalar.
    """
    x = np.asarray(x)
    if x.dtype != f32 or x.size == 0 or not np.isfinite(x).all():
        raise InputError(f"x is {x.dtype}{list(x.shape)}; expected finite float32 values.")
    top = 127 if reduce_range else 255
    low, high = min(x.min(), f32(0)), max(x.max(), f32(0))
    with np.errstate(over="ignore", divide="ignore"):
        scale = (f64(high) - f64(low)) / top
        if f32(scale) == 0 or np.isinf(f32(1) / f32(scale)):
            scale = f64(0.1)
    if scale < SMALLEST_SCALE:
        wider, scale = SMALLEST_SCALE / f32(scale), f64(SMALLEST_SCALE)
        if low == 0:
            high = SMALLEST_SCALE * f32(top)
        elif high == 0:
            low = -SMALLEST_SCALE * f32(top)
        else:
            low, high = low * wider, high * wider
    from_low, from_high = -low / scale, top - high / scale
    error_low, error_high = -abs(low / scale), top - abs(high / scale)
    zero_point = np.clip(np.rint(from_low if error_low < error_high else from_high), 0, top)
    codes = np.clip(np.rint(x * (f32(1) / f32(scale))) + zero_point, 0, 255)
    return Quantized(codes.astype(np.uint8), scale, np.int32(zero_point))


def quantize_weights(weights: np.ndarray) -> Quantized:
    """int8 codes with one scale.

    ``s = max|w| / 127.5`` and ``q = clip(rint(w * (1 / s)), -128, 127)``, in float32.

    Parameters
    ----------
    weights : float32 [out, in]
    """
    weights = np.asarray(weights)
    if weights.dtype != f32 or weights.size == 0 or not np.isfinite(weights).all():
        raise InputError(
            f"weights is {weights.dtype}{list(weights.shape)}; expected finite float32."
        )
    largest = np.maximum(-min(weights.min(), f32(0)), max(weights.max(), f32(0)))
    scale = np.maximum(largest / f32(127.5), np.finfo(f32).eps)
    codes = np.clip(np.rint(weights * (f32(1) / scale)), -128, 127).astype(np.int8)
    return Quantized(codes, scale, np.int32(0))


def linear(x: np.ndarray, weights: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """``torch.nn.Linear`` after ``quantize_dynamic``: float32 [..., out].

    Two fused multiply-adds: ``rint(x * (1 / s) + zp)`` in front, where a tie may fall otherwise
    than in ``quantize_input``, and ``acc * (s * s_w) + bias`` at the end.
    """
    _, scale, zero_point = quantize_input(x)
    filters = quantize_weights(weights)
    codes = np.rint(fma(x, f32(1) / f32(scale), np.full(1, zero_point, f32)))
    centered = np.clip(codes, 0, 255).astype(np.int32) - zero_point
    total = accumulate.wide_matmul(centered.reshape(-1, x.shape[-1]), filters.codes)
    added = np.zeros(len(weights), f32) if bias is None else bias
    output = fma(total.astype(np.int32).astype(f32), f32(scale) * filters.scale, added)
    return output.reshape(*x.shape[:-1], len(weights))
