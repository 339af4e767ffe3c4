"""Operators that change the type of values: CAST, QUANTIZE and DEQUANTIZE.

``DEQUANTIZE`` is ``(q - zero_point) * scale``, one float32 rounding on every path. Of a constant it
runs once, and the float weights stay in memory: that is what "weight-only" files do. ``QUANTIZE``
is ``round(x / scale) + zero_point``, and each kernel path rounds in its own way.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/cast.cc``, ``quantize.cc``, ``dequantize.h``,
``internal/reference/quantize.h``, ``internal/optimized/optimized_ops.h`` (``AffineQuantize``);
XNNPACK ``src/f32-qs8-vcvt``, ``src/qs8-f32-vcvt``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from drqsim import qparams
from drqsim.arithmetic.floats import flush_denormals, fma, multiply_add
from drqsim.graph import Tensor
from drqsim.ops.call import Call

f32 = np.float32
f64 = np.float64
CODES = (np.int8, np.uint8, np.int16)
CASTS = (*CODES, np.int32, np.int64, np.bool_, np.float16, np.float32, np.float64)


def cast(call: Call) -> list[np.ndarray]:
    """The same number in another type; fractions are cut off, what is too large stops at the end"""
    x, target = call.value(0, "input"), call.results[0].dtype
    if x.dtype not in CASTS or target not in CASTS:
        raise call.refuse(f"it casts {x.dtype} to {target}, which is not simulated.")
    call.record_inputs()
    if target.kind in "iu" and x.dtype.kind == "f":
        output = _saturated(x, np.iinfo(target)).astype(target)
    else:
        output = x.astype(target)
    call.record("output", output)
    return [output]


def _saturated(x: np.ndarray, limits: np.iinfo) -> np.ndarray:
    """Cut to whole numbers that the type holds; NaN gives the largest one."""
    whole = np.trunc(np.nan_to_num(x.astype(f64), nan=np.inf, posinf=np.inf, neginf=-np.inf))
    # 2^63 - 1 is no float64, so the ends are put in as integers
    inside = np.where((whole > limits.min) & (whole < limits.max), whole, 0).astype(limits.dtype)
    return np.where(
        whole <= limits.min, limits.min, np.where(whole >= limits.max, limits.max, inside)
    )


def dequantize(call: Call) -> list[np.ndarray]:
    """(q - zero_point) * scale; float16 only becomes wider"""
    x, source = call.value(0, "input"), call.tensor(0, "input")
    call.record_inputs()
    if x.dtype == np.float16:
        output = x.astype(f32)
    else:
        scale, zero_point = _scales(call, source, x.shape)
        # both factors fit into float32, so the product is rounded once
        output = (x.astype(np.int32) - zero_point).astype(f32) * scale
        if call.kernels == "xnnpack":
            if source.value is None:
                output = flush_denormals(output)
        elif call.kernels != "reference" and scale.size == 1:
            add = fma if call.processor.neon else multiply_add
            output = _by_eights(x, scale, zero_point, output, add)
    stored = None
    if source.value is not None:
        stored = "delegate" if call.kernels == "xnnpack" else "persistent"
    call.record("output", output, stored)
    return [output]


def _by_eights(x, scale, zero_point, output: np.ndarray, add: Callable) -> np.ndarray:
    """The optimized kernel adds ``-zero_point * scale`` to ``q * scale``: two more roundings,
    or on arm64, where a product and its sum are rounded at once (``add``), one.

    It does so eight values at a time; the last ``n % 8`` are as in ``output``.
    """
    shift = (-zero_point * scale.astype(f64)).astype(f32)
    mixed = add(x.astype(f32), scale, shift).reshape(-1)
    rest = slice(x.size - x.size % 8, None)
    mixed[rest] = output.reshape(-1)[rest]
    return mixed.reshape(x.shape)


def quantize(call: Call) -> list[np.ndarray]:
    """round(x / scale) + zero_point, clamped to the type"""
    x, target = call.floats(0, "input"), call.results[0]
    scale, zero_point = _scales(call, target, x.shape)
    call.record_inputs()
    limits = np.iinfo(target.dtype)
    if call.kernels == "reference" or scale.size > 1:
        steps = qparams.fixed_reference(x, scale)
    elif call.kernels == "xnnpack":
        steps = qparams.fixed_xnnpack(x, scale)
    else:
        steps = qparams.fixed_optimized(x, scale)
    codes = np.clip(steps + zero_point, limits.min, limits.max).astype(target.dtype)
    call.record("output", codes)
    return [codes]


def _scales(call: Call, tensor: Tensor, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Scale and zero point, shaped to broadcast against values of ``shape``."""
    if tensor.dtype not in CODES:
        raise call.refuse(f"{tensor} is no type of codes that is simulated: int8, uint8, int16.")
    if tensor.quantization is None:
        raise call.contradiction(f"{tensor.name!r} is {tensor} without a scale.")
    scale, axis = tensor.quantization.scale, tensor.quantization.axis
    zero_point = tensor.quantization.zero_point.astype(np.int32)
    if scale.size == 1:
        return scale.reshape(()), zero_point.reshape(())
    if axis >= len(shape) or scale.size != shape[axis]:
        raise call.contradiction(
            f"it has {scale.size} scales along dimension {axis} for values {list(shape)}."
        )
    along = [-1 if at == axis else 1 for at in range(len(shape))]
    return scale.reshape(along), zero_point.reshape(along)


FUNCTIONS = {"CAST": cast, "QUANTIZE": quantize, "DEQUANTIZE": dequantize}
