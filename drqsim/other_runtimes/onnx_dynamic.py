"""Dynamic quantization in ONNX Runtime: the same idea in another runtime, in plain NumPy.

What ``onnxruntime.quantization.quantize_dynamic`` makes of a MatMul or a Conv, node by node::

    DynamicQuantizeLinear   q, s_x, zp = quantize(x)             uint8, asymmetric, one scale for x
    Mul                     s   = s_x * s_w                      float32
    MatMulInteger           acc = sum (q - zp) * (w - zp_w)      int32, exact
    Cast, Mul               y   = float32(acc) * s               float32
    Add                     y   = y + bias                       float32

Against LiteRT's hybrid kernels: codes are uint8 rather than int8, the whole input has one scale
(LiteRT: one for each batch item or row), ties are rounded to even, the two scales are multiplied
first, and every step is a node of the graph, so nothing is hidden in a kernel. Convolutions are
NCHW, filters OIHW, and have one scale even with ``per_channel=True``.

ONNX Runtime may fuse the nodes again when it loads the file (``DynamicQuantizeMatMul``,
``MatMulIntegerToFloat``); the integers stay the same.

**Not every CPU computes these integers.** On x86 with AVX2 or AVX-512 but without VNNI,
MatMulInteger's kernel for uint8 inputs and int8 weights adds pairs of products in int16, which
saturates: 255 * 127 twice is past 32767 (``saturate=True``; ``saturates_here()`` is what this
machine does). ``reduce_range=True`` (weights of 7 bits) avoids it. uint8 weights and ConvInteger,
whose left operand is the filter, have a kernel that widens to 16 bits first: exact everywhere.

Sources, onnxruntime 1.32.0: ``core/providers/cpu/quantization/dynamicquantizelinear.cc``,
``core/util/qmath.h`` (``GetQuantizationParameter``), ``core/mlas/lib/quantize.cpp``,
``platform.cpp``, ``matmul_integer.cc``, ``conv_integer.cc``; ``python/tools/quantization/
quant_utils.py`` (``compute_scale_zp``, ``quantize_nparray``); the ONNX operators of these names.
"""

from __future__ import annotations

import numpy as np

from drqsim import accumulate, processor
from drqsim.arithmetic.window import Axis, pad, patches
from drqsim.errors import InputError
from drqsim.lesson import pair
from drqsim.qparams import Quantized
from drqsim.trace import Trace, make_record

f32 = np.float32
f64 = np.float64
# weight_type, reduce_range -> the codes that a weight may have
RANGES = {
    ("int8", False): (-127, 127),
    ("int8", True): (-64, 64),
    ("uint8", False): (0, 255),
    ("uint8", True): (0, 127),
}


def dynamic_quantize_linear(x: np.ndarray) -> Quantized:
    """The operator DynamicQuantizeLinear.

    The range of ``x`` is widened to contain 0; ``s = (max - min) / 255``, or 1 where the range is
    empty; ``zp = rint(0 - min / s)``; ``q = clip(rint(x / s) + zp, 0, 255)``. Everything in
    float32, ties to even. Both roundings are apart: the zero point is a whole number before it is
    added.

    Parameters
    ----------
    x : float32 array, finite

    Returns
    -------
    Quantized
        uint8 codes in the shape of ``x``; float32 and uint8 scalars.

    Raises
    ------
    InputError
        When ``x`` is no finite float32 array, is empty, or spans more than float32 holds.
    """
    x = _floats(x, "x")
    low, high = np.minimum(x.min(), f32(0)), np.maximum(x.max(), f32(0))
    with np.errstate(over="ignore"):
        scale = f32(1) if low == high else (high - low) / f32(255)
    if not np.isfinite(scale):
        raise InputError(f"x spans {low:g} to {high:g}, more than float32 can hold.")
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        zero_point = np.rint(np.clip(f32(0) - low / scale, f32(0), f32(255)))
        codes = np.clip(np.rint(x / scale) + zero_point, f32(0), f32(255))
    return Quantized(codes.astype(np.uint8), np.asarray(scale, f32), np.uint8(zero_point))


def quantize_weights(
    weights: np.ndarray, weight_type: str = "int8", axis: int | None = None, *, reduce_range=False
) -> Quantized:
    """Constant weights as ``quantize_dynamic`` stores them.

    ``int8``: symmetric, ``s = 2 max|w| / 254``, codes of [-127, 127]. ``uint8``: asymmetric,
    ``s = (max - min) / 255``, the range widened to contain 0, ``zp = round(0 - min / s)``. With
    ``reduce_range`` one bit less: [-64, 64] and [0, 127]. The scale is computed in float64 and
    stored as float32; the codes are divided by the stored one, ties to even.

    Parameters
    ----------
    weights : float32 array
    weight_type : {"int8", "uint8"}
        ``QuantType.QInt8`` and ``QuantType.QUInt8``.
    axis : int or None
        One scale for each index of this dimension; None for one scale.
    reduce_range : bool
    """
    weights = _floats(weights, "weights")
    if (weight_type, bool(reduce_range)) not in RANGES:
        raise InputError(f"weight_type is {weight_type!r}; expected 'int8' or 'uint8'.")
    if axis is not None and not -weights.ndim <= axis < weights.ndim:
        raise InputError(f"axis is {axis}; the weights have {weights.ndim} dimensions.")
    q_low, q_high = RANGES[weight_type, bool(reduce_range)]
    others = (
        None if axis is None else tuple(a for a in range(weights.ndim) if a != axis % weights.ndim)
    )
    low = np.minimum(weights.min(axis=others, keepdims=True), f32(0)).astype(f64)
    high = np.maximum(weights.max(axis=others, keepdims=True), f32(0)).astype(f64)
    if weight_type == "int8":
        high = np.maximum(-low, high)
        low = -high
    wide = (high - low) / (q_high - q_low)
    flat = wide < np.finfo(f32).tiny  # so narrow that the scale would be denormal
    wide = np.where(flat, 1, wide)
    zero_point = np.zeros_like(wide)
    if weight_type == "uint8":
        zero_point = np.where(flat, 0, np.rint(q_low - low / wide))
    scale = wide.astype(f32)
    dtype = np.dtype(weight_type)
    limits = np.iinfo(dtype)  # with reduce_range uint8 codes may reach 128, one past its range
    codes = np.clip(np.rint(weights / scale) + zero_point, limits.min, limits.max)
    shape = () if axis is None else (-1,)
    return Quantized(
        codes.astype(dtype), scale.reshape(shape), zero_point.reshape(shape).astype(dtype)
    )


def saturates_here() -> bool:
    """Whether ONNX Runtime's MatMulInteger saturates in int16 on this machine's processor."""
    exact = processor.has("avx512_vnni") or processor.has("avx_vnni")
    return processor.has("avx2") and not exact


def matmul_integer(
    a: np.ndarray, b: np.ndarray, a_zero_point=0, b_zero_point=0, *, saturate: bool = False
) -> np.ndarray:
    """The operator MatMulInteger: ``(a - a_zero_point) @ (b - b_zero_point)``, int32.

    ``a`` is [..., k], ``b`` is [k, n]; ``b_zero_point`` may be one for each of the n columns.
    ``saturate`` adds products of uint8 by int8 as x86 processors without VNNI do.
    """
    left = a.astype(np.int32) - np.int32(a_zero_point)
    right = b.astype(np.int32) - np.asarray(b_zero_point, np.int32)
    total = accumulate.wide_matmul(left.reshape(-1, a.shape[-1]), right.T)
    if saturate and b.dtype == np.int8:
        total = total - _lost_in_int16(a.reshape(-1, a.shape[-1]), b)
    return total.astype(np.int32).reshape(*a.shape[:-1], b.shape[1])


def _lost_in_int16(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What ``a @ b`` loses where neighbors along k are added in int16, before the zero points."""
    a, b = a.astype(np.int32), b.astype(np.int32)
    lost = np.zeros((len(a), b.shape[1]), np.int32)
    for k in range(0, len(b) - 1, 2):
        pair = a[:, k, None] * b[k] + a[:, k + 1, None] * b[k + 1]
        lost += pair - np.clip(pair, -32768, 32767)
    return lost


def conv_integer(
    x: np.ndarray,
    w: np.ndarray,
    x_zero_point=0,
    w_zero_point=0,
    *,
    strides: int | tuple[int, int] = 1,
    dilations: int | tuple[int, int] = 1,
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    group: int = 1,
) -> np.ndarray:
    """The operator ConvInteger: int32 [batch, out, height, width].

    Parameters
    ----------
    x : uint8 [batch, channels, height, width]
    w : int8 or uint8 [out, channels / group, kernel_h, kernel_w]
    x_zero_point, w_zero_point : scalars
        The padding holds the input's zero point.
    strides, dilations, pads, group
        As in ONNX; ``pads`` is (top, left, bottom, right).
    """
    if x.ndim != 4 or w.ndim != 4 or x.shape[1] != w.shape[1] * group or len(w) % group:
        raise InputError(
            f"x is {list(x.shape)}, w {list(w.shape)} and group {group}; expected [batch, "
            "channels, height, width], [out, channels / group, height, width], and out a multiple "
            "of group."
        )
    steps, taps_apart = pair(strides, "strides"), pair(dilations, "dilations")
    axes = []
    for at in range(2):
        size, kernel = x.shape[2 + at], w.shape[2 + at]
        before, after = pads[at], pads[2 + at]
        reach = (kernel - 1) * taps_apart[at] + 1
        out = (size + before + after - reach) // steps[at] + 1
        if out < 1 or min(before, after) < 0:
            raise InputError(f"The filter {list(w.shape)} does not fit into x {list(x.shape)}.")
        axes.append(Axis(kernel, steps[at], taps_apart[at], out, before, after))
    centred = np.moveaxis(x, 1, 3).astype(np.int32) - np.int32(x_zero_point)
    filters = np.moveaxis(w, 1, 3).astype(np.int32) - np.int32(w_zero_point)
    seen = patches(pad(centred, *axes, np.zeros(len(x), np.int32)), *axes)
    total = accumulate.grouped(seen, filters, group, accumulate.wide_matmul)
    return np.moveaxis(total, 3, 1).astype(np.int32)


def matmul(
    x: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    weight_type: str = "int8",
    per_channel: bool = False,
    reduce_range: bool = False,
    saturate: bool = False,
) -> tuple[np.ndarray, Trace]:
    """A MatMul (and Add) after ``quantize_dynamic``, every tensor recorded.

    Parameters
    ----------
    x : float32 [..., k]
    weights : float32 [k, n]
    bias : float32 [n], optional
    weight_type, per_channel, reduce_range, saturate
        The options of ``quantize_dynamic``, and that of ``matmul_integer``.

    Returns
    -------
    output : float32 [..., n]
    trace : Trace
        The operator is called ``matmul_integer_0``.
    """
    if np.ndim(weights) != 2 or np.ndim(x) < 2 or np.shape(x)[-1] != len(weights):
        raise InputError(
            f"x is {list(np.shape(x))} and the weights {list(np.shape(weights))}; expected "
            "[..., k] and [k, n]."
        )
    axis = 1 if per_channel else None
    filters = quantize_weights(weights, weight_type, axis, reduce_range=reduce_range)
    source = dynamic_quantize_linear(x)
    zero_points = source.zero_point, filters.zero_point
    total = matmul_integer(source.codes, filters.codes, *zero_points, saturate=saturate)
    return _finish("matmul_integer_0", x, source, filters, total, bias, bias)


def conv(
    x: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    weight_type: str = "int8",
    reduce_range: bool = False,
    **window,
) -> tuple[np.ndarray, Trace]:
    """A Conv after ``quantize_dynamic``, every tensor recorded; ``conv_integer_0``.

    ``x`` is [batch, channels, height, width], ``weights`` [out, channels / group, height, width],
    ``window`` the parameters of ``conv_integer``. There is no ``per_channel``: the tool gives a
    convolution one scale whatever it is asked for.
    """
    filters = quantize_weights(weights, weight_type, reduce_range=reduce_range)
    source = dynamic_quantize_linear(x)
    total = conv_integer(
        source.codes, filters.codes, source.zero_point, filters.zero_point, **window
    )
    added = None if bias is None else bias.reshape(1, -1, 1, 1)
    return _finish("conv_integer_0", x, source, filters, total, bias, added)


def _finish(op, x, source, filters, total, bias, added) -> tuple[np.ndarray, Trace]:
    """Scale and bias, and the trace of all of it."""
    dequantized = total.astype(f32) * (source.scale * filters.scale)
    output = dequantized if added is None else dequantized + added
    values = {
        "input": x,
        "filter": filters.codes,
        "filter_scale": filters.scale,
        "filter_zero_point": filters.zero_point,
        "bias": bias,
        "input_scale": source.scale,
        "input_zero_point": np.asarray(source.zero_point),
        "input_quantized": source.codes,
        "accumulator": total,
        "dequantized": dequantized,
        "output": output,
    }
    # every one of them is a tensor of the graph: none is hidden in a register
    places = {"dequantized": "arena"}
    records = [
        make_record(op, name, value, places.get(name))
        for name, value in values.items()
        if value is not None
    ]
    return output, Trace(records, "onnxruntime")


def _floats(x: np.ndarray, what: str) -> np.ndarray:
    x = np.asarray(x)
    if x.dtype != f32 or x.size == 0 or not np.isfinite(x).all():
        raise InputError(
            f"{what} is {x.dtype}{list(x.shape)}; expected finite float32 values, at least one."
        )
    return x
