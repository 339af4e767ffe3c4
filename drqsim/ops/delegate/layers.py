"""XNNPACK takes operators with weights under these conditions.

How to read them is told in ``site.py``.
"""

from __future__ import annotations

import numpy as np

from drqsim.graph import Tensor
from drqsim.ops.delegate.site import (
    FLOAT32,
    FLOATS,
    INT8,
    INT32,
    UINT8,
    Reasons,
    Site,
    bias,
    codes,
    datatype,
    dimensions,
    has_one_scale,
    is_vector,
    kind,
    mixed,
    of_kind,
    same_floats,
    weights,
)


def _images(site: Site, axis: int) -> Reasons:
    """Of a window over images: four dimensions everywhere, a filter that lies in the file."""
    x, filters, _ = site.reads
    (y,) = site.writes
    yield codes(x)
    yield dimensions(x, 4)
    yield weights(filters, axis, x)
    yield dimensions(filters, 4)
    yield site.is_fixed(1, "filter")
    yield from _bias(site, 1, 2)
    yield codes(y)
    yield dimensions(y, 4)


def _conv_2d(site: Site) -> Reasons:
    yield site.counts(3)
    x, filters, _ = site.reads
    (y,) = site.writes
    yield _window(site)
    yield from _images(site, 0)
    on_the_fly = kind(x) == FLOAT32 and kind(filters) == INT8
    if kind(x) != kind(y) or (kind(x) != kind(filters) and not on_the_fly):
        yield mixed(filters, x)
    if x.shape[3] < filters.shape[3]:
        yield "its filter is deeper than its input"
    yield site.activation()


def _depthwise_conv_2d(site: Site) -> Reasons:
    yield site.counts(3)
    x, filters, _ = site.reads
    (y,) = site.writes
    yield from _images(site, 3)
    if not kind(x) == kind(y) == kind(filters):
        yield mixed(filters, x)
    yield _window(site)
    multiplier = site.options["depth_multiplier"]
    if multiplier <= 0 or filters.shape[3] % multiplier:
        yield f"XNNPACK refuses the depth multiplier {multiplier}"
    yield site.activation()


def _window(site: Site) -> str:
    """Strides and dilations are positive."""
    names = ("stride_w", "stride_h", "dilation_w_factor", "dilation_h_factor")
    wrong = [name for name in names if site.options[name] <= 0]
    return f"XNNPACK refuses {wrong[0]} = {site.options[wrong[0]]}" if wrong else ""


def _bias(site: Site, weights_at: int, at: int) -> Reasons:
    yield bias(site, at)
    yield dimensions(site.reads[at], 1)
    yield site.is_fixed(at, "bias")
    yield same_floats(site, weights_at, at)


def _fully_connected(site: Site) -> Reasons:
    if site.options["weights_format"]:
        yield "XNNPACK refuses shuffled weights"
    if site.options["quant_spec"]:
        yield "XNNPACK leaves a layer with a quant_spec to the builtin kernel"
    yield site.counts(2, 3)
    x, filters, *_ = site.reads
    (y,) = site.writes
    yield codes(x)
    yield dimensions(filters, 2)
    yield _dense_weights(filters, x)
    yield site.is_fixed(1, "weights")
    if not site.present(2):
        added = site.reads[2]
        if int(np.prod(added.shape)) != filters.shape[0]:
            yield f"its bias is {added} for {filters.shape[0]} outputs"
        yield bias(site, 2)
        yield site.is_fixed(2, "bias")
        yield same_floats(site, 1, 2)
    yield codes(y)
    packed = kind(filters) in ("int4", INT8)
    joined = packed and kind(x) in (*FLOATS, INT8)
    if kind(x) != kind(y) or (kind(x) != kind(filters) and not joined):
        yield mixed(filters, x)
    on_the_fly = packed and kind(x) in FLOATS
    if not on_the_fly and kind(filters) == INT8 and _has_zero_point(filters):
        yield "XNNPACK refuses weights with a zero point"
    if kind(filters) == "int4" and filters.shape[1] % 2:
        yield "XNNPACK refuses int4 weights in rows of an odd length"
    yield site.activation()


def _has_zero_point(tensor: Tensor) -> bool:
    """One zero point for the whole tensor, and it is not 0."""
    given = tensor.quantization
    return given is not None and given.scale.size == 1 and bool(given.zero_point[0])


def _dense_weights(filters: Tensor, x: Tensor) -> str:
    """As ``weights``, but that their scales are looked at too late: XNNPACK then fails to load."""
    if kind(filters) in FLOATS:
        return ""
    if kind(filters) == UINT8:
        return "" if has_one_scale(filters) else "XNNPACK wants one scale for uint8 weights"
    if kind(filters) not in ("int4", INT8):
        return mixed(filters, x)
    given = filters.quantization
    if given is not None and given.scale.size > 1 and given.axis != 0:
        return "XNNPACK wants the scales of the weights along dimension 0"
    return ""


def _batch_matmul(site: Site) -> Reasons:
    yield site.present(0, 1)
    x, matrix = site.reads[:2]
    y = site.writes[0]
    yield codes(x)
    along = len(matrix.shape) - (2 if site.options["adj_y"] else 1)
    yield weights(matrix, along, x)
    on_the_fly = kind(x) == FLOAT32 and kind(matrix) == INT8
    if kind(matrix) == INT8 and not on_the_fly and matrix.quantization.zero_point[0]:
        yield "XNNPACK refuses weights with a zero point"
    yield codes(y)
    if not on_the_fly and datatype(x) != datatype(matrix):
        yield mixed(matrix, x)
    if min(len(x.shape), len(matrix.shape)) < 2:
        yield "XNNPACK wants two dimensions or more on both sides"


def _transpose_conv(site: Site) -> Reasons:
    yield site.counts(3, 4)
    shape, filters, x, *_ = site.reads
    (y,) = site.writes
    yield of_kind(shape, INT32)
    yield is_vector(shape, "output shape")
    yield site.in_file(0, "output shape")
    if shape.shape[0] != 4:
        yield "its output shape has other than 4 dimensions"
    yield dimensions(filters, 4)
    yield site.is_fixed(1, "filter")
    yield codes(x, also=(FLOAT32,))
    yield dimensions(x, 4)
    yield weights(filters, 0, x)
    if not site.present(3):
        yield bias(site, 3)
        yield dimensions(site.reads[3], 1)
        yield site.is_fixed(3, "bias")
    yield codes(y, also=(FLOAT32,))
    yield dimensions(y, 4)
    size = [int(n) for n in shape.value]
    if (size[3], x.shape[3]) != (filters.shape[0], filters.shape[3]):
        yield "its filter does not fit its input and its output"
    strides = site.options["stride_h"], site.options["stride_w"]
    yield _unfolded(size[1:3], x.shape[1:3], filters.shape[1:3], strides, site.options["padding"])
    yield site.activation()


def _unfolded(output, read, kernel, strides, padding: str) -> str:
    """The sizes of a transposed convolution belong together (CalculateTransposeConvPaddings)."""
    if padding == "VALID":  # it takes any stride here, and does not survive one of 0
        fits = all(k <= n for k, n in zip(kernel, output, strict=True))
        return "" if fits else "XNNPACK refuses VALID padding with a kernel larger than the output"
    if min(strides) <= 0:
        return "XNNPACK refuses a stride of 0"
    if any(-(-n // s) != m for n, s, m in zip(output, strides, read, strict=True)):
        return "XNNPACK refuses an output that its input does not fill"
    if any(k < s for k, s in zip(kernel, strides, strict=True)):
        return "XNNPACK refuses SAME padding with a kernel smaller than the stride"
    return ""


RULES = {
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE_CONV": _transpose_conv,
}
