"""Scales, zero points and codes: every rounding rule of dynamic-range quantization.

``q = round(x / scale) + zero_point`` has six versions here, and they differ only in how the scale
is chosen and how the quotient is rounded:

=====================  =============================  ====================  =====================
function               used for                       range of the codes    rounding
=====================  =============================  ====================  =====================
quantize_weights       weights, TensorFlow            [-127, 127]           half away from zero
quantize_weights_f32   weights, litert-quantizer      [-127, 127]           half to even
symmetric              inputs, builtin kernels        [-127, 127]           half away from zero *
symmetric_int4         inputs of int4 dense layers    [-127, 127]           half away from zero
asymmetric             inputs, builtin kernels        [-128, 127]           half away from zero *
asymmetric_xnnpack     inputs, XNNPACK                [-128, 127]           half to even
=====================  =============================  ====================  =====================

(*) on x86 the kernels handle eight values at a time by adding 0.5 and truncating, the last few
exactly; ``rounding.half_away_x86`` shows where that makes a difference. What the vectors of other
processors do is in ``arithmetic/vectors.py``, whose rows these functions take.

Exact for ai-edge-litert 2.3.0. Sources: ``tflite/kernels/internal/optimized/
neon_tensor_utils.cc`` (the builtin kernels use it on x86 through a NEON-to-SSE layer),
``XNNPACK/src/xnnpack/quantization.h`` and ``src/f32-qs8-vcvt``, and for the weights
``tflite/converter``'s ``quantization_utils.cc``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from drqsim.arithmetic import nan_range, rounding, vectors
from drqsim.arithmetic.floats import flush_denormals
from drqsim.arithmetic.tiles import tiles
from drqsim.arithmetic.vectors import Vectors
from drqsim.errors import InputError

f32 = np.float32
# below this range the converter widens the weights' range, so that no scale is zero
SMALLEST_WEIGHT_RANGE = 1e-6
SMALLEST_LARGEST = f32(1e-9)  # and what litert-quantizer takes for the largest |w| at least


class Quantized(NamedTuple):
    """Codes with the parameters that give them meaning: ``x ~ (codes - zero_point) * scale``."""

    codes: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray


def quantize_weights(weights: np.ndarray, axis: int | None) -> Quantized:
    """Quantize constant weights as the TensorFlow Lite converter does: symmetric, narrow range.

    ``scale = max|w| / 127``; ``q = round_half_away(w / scale)``, both in float64, on [-127, 127].
    The file then stores the scale as float32, but the division used the float64 one.

    Parameters
    ----------
    weights : float32 array
        Any shape, finite.
    axis : int or None
        The output-channel dimension for one scale per channel; None for one scale per tensor.

    Returns
    -------
    Quantized
        int8 codes in the shape of ``weights``; float32 scale [channels] or [1]; int64 zero point,
        all zero. A range below 1e-6 (an all-zero channel, say) is widened to 1e-6.
    """
    weights, other = _weights(weights, axis)
    largest = np.max(np.abs(weights.astype(np.float64)), axis=other, keepdims=True)
    largest = np.where(2 * largest < SMALLEST_WEIGHT_RANGE, SMALLEST_WEIGHT_RANGE / 2, largest)
    scale = largest / 127.0
    codes = np.clip(rounding.half_away(weights / scale), -127, 127).astype(np.int8)
    return Quantized(codes, scale.astype(f32).reshape(-1), np.zeros(scale.size, np.int64))


def quantize_weights_f32(weights: np.ndarray, axis: int | None) -> Quantized:
    """Quantize constant weights as litert-quantizer does: the same in float32.

    ``scale = max|w| / 127``; ``q = round_half_even(w / scale)``, with the scale of the file.
    Parameters and results are those of ``quantize_weights``, but that a largest ``|w|`` below 1e-9
    counts as 1e-9 (litert-quantizer 0.11, ``uniform_quantize_tensor.py``).
    """
    weights, other = _weights(weights, axis)
    largest = np.maximum(np.max(np.abs(weights), axis=other, keepdims=True), SMALLEST_LARGEST)
    scale = largest / f32(127)
    codes = np.clip(np.rint(weights / scale), -127, 127).astype(np.int8)
    return Quantized(codes, scale.reshape(-1), np.zeros(scale.size, np.int64))


def symmetric(x: np.ndarray, allow_nonfinite: bool = False, by: Vectors = vectors.SSE) -> Quantized:
    """Quantize each row of ``x`` with zero point 0: ``scale = max|x| / 127``.

    Parameters
    ----------
    x : float32 [groups, n]
        One row for every group of values that shares a scale.
    allow_nonfinite : bool
        Follow the kernel where NaN and infinity lead it; otherwise they are an ``InputError``.
    by : Vectors
        What the processor's vectors do.

    Returns
    -------
    Quantized
        int8 codes [groups, n] in [-127, 127]; float32 scale [groups]; int32 zero point [groups],
        all zero. A row of zeros gets scale 1.

    Notes
    -----
    ``NeonSymmetricQuantizeFloats``. The codes are multiplied by 127/max, a division of its own,
    not by 1/scale. Infinity makes the scale infinite, and 127/max zero: every finite value gets
    code 0, infinity itself (times zero) NaN, whose code is -127, on arm64 0. What a NaN does to the
    range depends on where it stands (``arithmetic/nan_range.py``).
    """
    largest = np.maximum(x.max(axis=1), -x.min(axis=1))
    ordinary = _has_range(-largest, largest, largest, allow_nonfinite)
    for row in np.flatnonzero(np.isnan(largest)):
        largest[row] = nan_range.largest(x[row])
    flat = largest == 0
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        scale = np.where(flat, f32(1), largest / f32(127))
        inverse = np.where(flat, f32(0), f32(127) / largest)
    codes = np.empty(x.shape, np.int8)
    ordinary = ordinary and np.isfinite(inverse).all()
    with np.errstate(over="ignore", invalid="ignore"):
        for rows, columns in tiles(len(x), _whole_vectors(x)):
            v = x[rows, columns] * inverse[rows, None]
            whole = by.whole(v) if ordinary else by.overflowed(v)
            codes[rows, columns] = np.clip(whole, -127, 127)
        tail = x[:, _whole_vectors(x) :] * inverse[:, None]
    # 127/max overflows below a range of 3.7e-37; the tail's conversion then gives the smallest code
    codes[:, _whole_vectors(x) :] = np.clip(by.single(tail), -127, 127)
    codes[flat] = 0
    return Quantized(codes, scale, np.zeros(len(x), np.int32))


def symmetric_int4(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The scale of each row of ``x`` as in ``symmetric``, and ``x`` divided by it, not rounded yet.

    The dense kernels for int4 weights have quantizers of their own, ``SseBatchQuantizeFloats4Bit``
    and its NEON twin, which round every value exactly, half away from zero, and clamp nothing.

    Returns
    -------
    (float32 [groups, n], float32 [groups])
        Quotients, of which some are infinite or NaN below a range of 3.7e-37, where 127/max
        overflows; and scales. A row of zeros gets scale 1.
    """
    largest = np.max(np.abs(x), axis=1)
    largest = np.where(largest == 0, f32(127), largest)
    with np.errstate(over="ignore", invalid="ignore"):
        return x * (f32(127) / largest)[:, None], largest / f32(127)


def asymmetric(
    x: np.ndarray, allow_nonfinite: bool = False, by: Vectors = vectors.SSE
) -> Quantized:
    """Quantize each row of ``x`` over its own range: ``scale = (max - min) / 255``.

    The range always contains 0, so that zero has a code of its own: the zero point. The parameters
    are those of ``symmetric``.

    Returns
    -------
    Quantized
        int8 codes [groups, n] in [-128, 127]; float32 scale [groups]; int32 zero point [groups].
        A row of zeros gets scale 1 and zero point 0.

    Notes
    -----
    ``NeonAsymmetricQuantizeFloats``. The range is a float32 difference, scale and zero point are
    float64, the inverse that multiplies the values is float32. The scale is not adjusted after the
    zero point has been rounded, so codes may be clamped by one step at an end of the range.

    An infinite range (infinity, or ends over 3.4e38 apart) makes the scale infinite and its inverse
    zero: every finite value gets the zero point's code, which is 127, or 0 when infinity over
    infinity made it NaN. What a NaN does to the range depends on where it stands
    (``arithmetic/nan_range.py``).
    """
    low, high = _range_with_zero(x)
    with np.errstate(over="ignore", invalid="ignore"):
        ordinary = _has_range(low, high, high - low, allow_nonfinite)
        for row in np.flatnonzero(np.isnan(low)):
            low[row], high[row] = by.range_with_nan(x[row])
        flat = low == high
        span = np.where(flat, f32(255), high - low)
        scale = span.astype(np.float64) / 255.0
        # of the two ends, the one nearer to zero gives the zero point with the smaller error
        from_low = -128 - low / scale
        from_high = 127 - high / scale
        low_is_nearer = 128 + np.abs(low / scale) < 127 + np.abs(high / scale)
    zero_point = rounding.half_away(
        np.clip(np.where(low_is_nearer, from_low, from_high), -128, 127)
    )
    zero_point = np.where(flat | np.isnan(zero_point), 0, zero_point).astype(np.int32)
    scale = scale.astype(f32)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        inverse = np.where(scale == 0, 0.0, 1.0 / scale.astype(np.float64)).astype(f32)
    codes = np.empty(x.shape, np.int8)
    # the kernel adds the zero point in int32, where an overflowed code may wrap, as it does here;
    # in the tail it adds in float32, and a NaN (zero times an overflowed 1/scale) gives code 0
    ordinary = ordinary and np.isfinite(inverse).all()
    with np.errstate(over="ignore", invalid="ignore"):
        for rows, columns in tiles(len(x), _whole_vectors(x)):
            v = x[rows, columns] * inverse[rows, None]
            whole = by.whole(v) if ordinary else by.overflowed(v)
            codes[rows, columns] = np.clip(whole + zero_point[rows, None], -128, 127)
        tail = x[:, _whole_vectors(x) :] * inverse[:, None]
    exact = np.nan_to_num(rounding.half_away(tail) + zero_point[:, None], nan=0)
    codes[:, _whole_vectors(x) :] = np.clip(exact, -128, 127)
    codes[flat] = 0
    return Quantized(codes, scale, zero_point)


def asymmetric_xnnpack(x: np.ndarray, rounded: Callable = vectors.half_even_x86) -> Quantized:
    """Quantize each row of ``x`` as XNNPACK does: float32 throughout, ties to even.

    Parameters
    ----------
    x : float32 [groups, n]
        One row for every group of values that shares a scale.
    rounded : callable
        How the kernel makes int32 of float32 quotients: ``arithmetic/vectors.py``.

    Returns
    -------
    Quantized
        int8 codes [groups, n] in [-128, 127]; float32 scale [groups], the reciprocal of the
        rounded factor 255/(max - min); int32 zero point [groups]. A row of zeros gets scale 1 and
        zero point 127.

    Notes
    -----
    ``xnn_qd8_asymmetric_quantization_params`` and ``xnn_f32_qs8_vcvt``. Denormals count as zero.
    """
    low, high = (flush_denormals(end) for end in _range_with_zero(x))
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        _has_range(low, high, high - low, allow_nonfinite=False)
        factor = np.where(low == high, f32(1), f32(255) / (high - low))
        low_scaled, high_scaled = low * factor, high * factor
        low_is_nearer = (f32(-128) + low_scaled) + (f32(127) + high_scaled) > 0
        zero_point = np.where(low_is_nearer, f32(-128) - low_scaled, f32(127) - high_scaled)
        # fmax and fmin, as in the kernel, let a NaN (zero times infinity) fall to the bound
        zero_point = np.rint(np.fmin(np.fmax(zero_point, f32(-128)), f32(127))).astype(np.int32)
        scale = flush_denormals(f32(1) / factor)
    codes = np.empty(x.shape, np.int8)
    with np.errstate(over="ignore", invalid="ignore"):
        for rows, columns in tiles(*x.shape):
            v = flush_denormals(x[rows, columns]) * factor[rows, None]
            codes[rows, columns] = np.clip(rounded(v) + zero_point[rows, None], -128, 127)
    return Quantized(codes, scale, zero_point)


def as_uint8(made: Quantized) -> Quantized:
    """The same codes as uint8: 128 more, and so is the zero point."""
    codes = (made.codes.astype(np.int16) + 128).astype(np.uint8)
    return Quantized(codes, made.scale, made.zero_point + 128)


def fixed_reference(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Whole steps of a given scale, int32 (the operator QUANTIZE adds the zero point).

    ``x / scale``, rounded half away from zero; ``AffineQuantize`` and ``PerChannelQuantize`` in
    ``internal/reference/quantize.h``.
    """
    return rounding.to_int32_x86(rounding.half_away(x / scale))


def fixed_optimized(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The same on the optimized kernels: ``x * (1 / scale)``, rounded half to even.

    The last ``n % 8`` values are divided in float64 and rounded half away from zero;
    ``AffineQuantize`` in ``internal/optimized/optimized_ops.h``.
    """
    values = x.reshape(1, -1)
    head, tail = np.split(values, [_whole_vectors(values)], axis=1)
    wide = scale.reshape(()).astype(np.float64)
    steps = np.rint(head * f32(1.0 / wide)), rounding.half_away(tail.astype(np.float64) / wide)
    return np.concatenate([rounding.to_int32_x86(v) for v in steps], axis=1).reshape(x.shape)


def fixed_xnnpack(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The same in XNNPACK: ``x * (1 / scale)``, half to even, cut to 16 bits."""
    steps = flush_denormals(x) * (f32(1) / scale)
    return np.rint(np.clip(steps, f32(-32768), f32(32767))).astype(np.int32)


def _range_with_zero(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of each row and 0; both NaN where the row holds a NaN."""
    return np.minimum(x.min(axis=1), f32(0)), np.maximum(x.max(axis=1), f32(0))


def _has_range(low: np.ndarray, high: np.ndarray, span: np.ndarray, allow_nonfinite: bool) -> bool:
    """Whether every row's range is a float32 number; an error where it must be."""
    if np.isfinite(span).all():
        return True
    if allow_nonfinite:
        return False
    row = int(np.argmin(np.isfinite(span)))
    raise InputError(
        f"the input spans {low[row]:g} to {high[row]:g}, a range that float32 cannot hold, so it "
        "has no scale; pass finite values within about +-1.7e38. (Convolutions and matrix "
        "products of the builtin kernels also run with allow_nonfinite=True.)"
    )


def _whole_vectors(x: np.ndarray) -> int:
    """How many values of each row the x86 kernels handle eight at a time: all but ``n % 8``."""
    return x.shape[1] - x.shape[1] % 8


def _weights(weights: np.ndarray, axis: int | None) -> tuple[np.ndarray, tuple[int, ...] | None]:
    """Weights, checked, and the dimensions that share a scale."""
    weights = np.asarray(weights)
    if weights.dtype != f32 or weights.size == 0 or not np.isfinite(weights).all():
        raise InputError(
            f"Weights are {weights.dtype}{list(weights.shape)}; expected finite float32 values, "
            "at least one."
        )
    return weights, None if axis is None else tuple(d for d in range(weights.ndim) if d != axis)
