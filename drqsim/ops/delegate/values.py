"""XNNPACK takes operators that compute without weights under these conditions.

How to read them is told in ``site.py``.
"""

from __future__ import annotations

import numpy as np

from drqsim.arithmetic.floats import is_normal
from drqsim.graph import Tensor
from drqsim.ops.delegate.site import (
    FLOAT32,
    FLOATS,
    INT32,
    MOST_DIMENSIONS,
    Reasons,
    Site,
    codes,
    datatype,
    dimensions,
    floats,
    is_vector,
    kind,
    of_kind,
    ratio,
)

f32 = np.float32


def _pool(site: Site) -> Reasons:
    yield site.counts(1)
    (x,), (y,) = site.reads, site.writes
    if site.op.code == "AVERAGE_POOL_2D":
        yield floats(x, y)
    yield codes(x, also=(FLOAT32,) if site.op.code == "MAX_POOL_2D" else FLOATS)
    yield codes(y)
    strides = site.options["stride_w"], site.options["stride_h"]
    sizes = site.options["filter_width"], site.options["filter_height"]
    if min(*strides, *sizes) <= 0:
        yield "XNNPACK refuses a window or a stride of 0"
    if any(stride > size for stride, size in zip(strides, sizes, strict=True)):
        yield "XNNPACK refuses a stride larger than the window"
    yield site.activation()


def _unary(site: Site) -> Reasons:
    yield site.counts(1)
    (x,), (y,) = site.reads, site.writes
    yield dimensions(x, 0, MOST_DIMENSIONS)
    code = site.op.code
    if code in ("LOGISTIC", "TANH", "LEAKY_RELU", "QUANTIZE"):
        yield codes(x, y)
    elif code == "ELU":
        yield codes(x, y, signed_only=True)
    elif code == "DEQUANTIZE":
        yield codes(x, also=())
        yield floats(y)
    else:
        yield floats(x, y)
    if code == "LEAKY_RELU":
        yield _leaky(x, y, f32(site.options["alpha"]))
    if code == "QUANTIZE":
        yield _requantized(x, y)


def _leaky(x: Tensor, y: Tensor, alpha: np.float32) -> str:
    if not is_normal(np.abs(alpha)):
        return f"XNNPACK refuses the slope {alpha:g}"
    if kind(x) in FLOATS or kind(y) in FLOATS or not _are_normal(x, y):
        return ""
    positive = ratio(x, y)
    negative = positive * alpha
    if not f32(1 / 256) <= positive <= 128:
        return f"XNNPACK refuses the ratio of scales {positive:g}"
    if not f32(-127.99609375) <= negative <= 128 or abs(negative) < f32(1 / 256):
        return f"XNNPACK refuses the ratio of scales {negative:g}"
    return ""


def _are_normal(*tensors: Tensor) -> bool:
    return all(is_normal(np.abs(tensor.quantization.scale)) for tensor in tensors)


def _requantized(x: Tensor, y: Tensor) -> str:
    if kind(x) in FLOATS:
        return ""
    if not datatype(x) or datatype(x) != datatype(y):
        return f"XNNPACK does not turn {kind(x)} into {kind(y)}"
    if not f32(1 / 256) <= ratio(x, y) <= 128:
        return f"XNNPACK refuses the ratio of scales {ratio(x, y):g}"
    return ""


def _binary(site: Site) -> Reasons:
    yield site.counts(2)
    (a, b), (y,) = site.reads, site.writes
    yield dimensions(a, 0, MOST_DIMENSIONS)
    yield dimensions(b, 0, MOST_DIMENSIONS)
    if site.op.code not in ("ADD", "MUL", "SUB"):
        yield floats(a, b, y)
    else:
        yield codes(a, b, y)
        if not kind(a) == kind(b) == kind(y):
            yield f"XNNPACK does not join {kind(a)} and {kind(b)} to {kind(y)}"
        if kind(a) not in FLOATS:
            yield _joined(site.op.code, a, b, y)
    yield site.activation()
    if site.op.code == "PRELU":
        yield site.is_fixed(1, "slopes")


def _joined(code: str, a: Tensor, b: Tensor, y: Tensor) -> str:
    """The scales of two operands and their result lie near enough to one another."""
    if code == "MUL":
        product = a.quantization.scale[0] * b.quantization.scale[0]
        found, lowest = [f32(product / y.quantization.scale[0])], f32(1 / 65536)
    else:
        found, lowest = [ratio(a, y), ratio(b, y)], f32(1 / 1024)
    # as the comparisons are written, NaN passes
    wrong = [value for value in found if value < lowest or value >= 256]
    return f"XNNPACK refuses the ratio of scales {wrong[0]:g}" if wrong else ""


def _reduce(site: Site) -> Reasons:
    yield site.counts(2)
    x, axes = site.reads
    yield codes(x)
    yield of_kind(axes, INT32)
    if len(axes.shape) > 1:
        yield is_vector(axes, "axes")
    yield site.in_file(1, "axes")
    count = axes.value.size
    if count == 1 and not x.shape and not axes.value.reshape(-1)[0]:
        yield "XNNPACK refuses to reduce a scalar"
    if count > MOST_DIMENSIONS:
        yield f"XNNPACK refuses {count} axes"
    yield codes(site.writes[0])


def _softmax(site: Site) -> Reasons:
    if f32(site.options["beta"]) != 1:
        yield f"XNNPACK refuses the beta {site.options['beta']:g}"
    yield site.counts(1)
    yield floats(*site.reads, *site.writes)


def _resize_bilinear(site: Site) -> Reasons:
    yield site.counts(2)
    (x, size), (y,) = site.reads, site.writes
    yield codes(x, also=(FLOAT32,))
    yield dimensions(x, 4)
    yield of_kind(size, INT32)
    yield is_vector(size, "size")
    yield site.in_file(1, "size")
    yield codes(y)
    yield dimensions(y, 4)
    if size.value[0] <= 0:  # of the two numbers it looks at the first
        yield f"XNNPACK refuses the size {size.value[0]}"


UNARY = (
    *("ABS", "CEIL", "COS", "DEQUANTIZE", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH"),
    *("LEAKY_RELU", "LOG", "LOGISTIC", "NEG", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1"),
    *("ROUND", "RSQRT", "SIN", "SQRT", "SQUARE", "TANH"),
)
BINARY = ("ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "PRELU", "SQUARED_DIFFERENCE", "SUB")

RULES = {
    **dict.fromkeys(UNARY, _unary),
    **dict.fromkeys(BINARY, _binary),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), _pool),
    **dict.fromkeys(("MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"), _reduce),
    "RESIZE_BILINEAR": _resize_bilinear,
    "SOFTMAX": _softmax,
}
