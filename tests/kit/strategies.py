"""Random layers and inputs: shapes, strides, padding, groups, and awkward values."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

import drqsim
from drqsim.arithmetic.window import axis
from drqsim.graph import Graph, Quantization, Tensor
from tests.kit.one_operator import one_operator

f32 = np.float32
KERNELS = ("reference", "optimized", "xnnpack")
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")

# each takes a generator and a shape, and gives float32 values that stress one rule
DISTRIBUTIONS = {
    "normal": lambda r, s: r.normal(size=s),
    "positive": lambda r, s: np.abs(r.normal(size=s)),
    "negative": lambda r, s: -np.abs(r.normal(size=s)),
    "relu": lambda r, s: np.maximum(r.normal(size=s), 0),
    "shifted": lambda r, s: r.normal(size=s) + 10,
    "uniform": lambda r, s: r.uniform(-1, 1, s),
    "constant": lambda r, s: np.full(s, r.normal()),
    "zeros": lambda r, s: np.zeros(s),
    "negative zeros": lambda r, s: np.copysign(np.zeros(s), r.normal(size=s)),
    "sparse": lambda r, s: r.normal(size=s) * (r.random(s) < 0.1),
    "outliers": lambda r, s: r.normal(size=s) * np.where(r.random(s) < 0.02, 100, 1),
    "huge": lambda r, s: r.normal(size=s) * 1e37,
    "small": lambda r, s: r.normal(size=s) * 1e-20,
    "tiny": lambda r, s: r.normal(size=s) * 1e-37,
    "denormal": lambda r, s: r.normal(size=s) * 1e-40,
    # with the value 127 in it the symmetric scale is 1: ties, and the float just below a tie
    "ties": lambda r, s: _with(r.integers(-126, 127, s) + 0.5, 127.0),
    "asymmetric ties": lambda r, s: _with(_with(r.integers(0, 254, s) + 0.5, 255.0), 0.0, -1),
    "near a half": lambda r, s: _with(np.where(r.random(s) < 0.5, 1, -1) * f32(0.49999997), 127.0),
    "mixed batch": lambda r, s: (
        r.normal(size=s) * 10.0 ** (np.arange(s[0]) % 5).reshape(-1, *[1] * (len(s) - 1))
    ),
}


def _with(values: np.ndarray, first: float, at: int = 0) -> np.ndarray:
    values = np.array(values, np.float64)
    values.reshape(-1)[at] = first
    return values


@st.composite
def inputs(draw, shape):
    """A float32 array of ``shape`` from one of the distributions."""
    name = draw(st.sampled_from(sorted(DISTRIBUTIONS)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return DISTRIBUTIONS[name](random, shape).astype(f32)


def filter_sizes(draw):
    """Groups, depth, outputs, kernel, stride and dilation of a convolution."""
    groups = draw(st.sampled_from((1, 1, 1, 2, 3)))
    depth = draw(st.sampled_from((1, 2, 3, 4, 5, 8, 16, 17)))
    out = groups * draw(st.integers(1, 9))
    kernel = draw(st.sampled_from(((1, 1), (3, 3), (2, 3), (5, 1), (1, 3))))
    stride = draw(st.sampled_from(((1, 1), (1, 1), (2, 2), (1, 2), (3, 1))))
    dilation = draw(st.sampled_from(((1, 1), (1, 1), (2, 2), (1, 2))))
    return groups, depth, out, kernel, stride, dilation


def window_sizes(draw, kernel, dilation):
    """Padding, batch, height and width of an input that the window fits into."""
    padding = draw(st.sampled_from(("SAME", "VALID")))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    lowest = reach if padding == "VALID" else (1, 1)
    height = draw(st.integers(lowest[0], lowest[0] + 6))
    width = draw(st.integers(lowest[1], lowest[1] + 6))
    batch = draw(st.sampled_from((1, 1, 2, 3)))
    return padding, batch, height, width


@st.composite
def hybrid_convolutions(draw, kernels):
    """An int8 CONV_2D that the runtime accepts on this kernel path, and an input for it."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups, depth, out, kernel, stride, dilation = filter_sizes(draw)
    padding, batch, height, width = window_sizes(draw, kernel, dilation)
    scales = draw(st.sampled_from(("per-channel", "per-channel", "equal", "per-tensor")))
    lowest = draw(st.sampled_from((-127, -127, -128)))
    weights = random.integers(lowest, 128, (out, *kernel, depth), dtype=np.int8)
    if draw(st.booleans()):
        weights = np.abs(np.maximum(weights, -127))  # one-sided: large row sums
    scale = random.uniform(1e-3, 1e-1, out).astype(f32)
    if scales != "per-channel":
        scale[:] = scale[0]
    if scales == "per-tensor" and (groups == 1 or kernels == "xnnpack"):
        scale = scale[:1]
    graph = drqsim.conv_relu(
        weights,
        random.normal(size=out).astype(f32) * draw(st.sampled_from((0, 1, 100))),
        input_shape=(batch, height, width, depth * groups),
        stride=stride,
        dilation=dilation,
        padding=padding,
        activation=draw(st.sampled_from(ACTIVATIONS)),
        filter_scale=scale,
    )
    return graph, draw(inputs(graph.tensors[0].shape))


def int8_weights(random, shape, axis, scales, lowest=-127, one_sided=False):
    """An int8 constant with one scale, equal scales, or one for each channel."""
    values = random.integers(lowest, 128, shape, dtype=np.int8)
    values = np.abs(np.maximum(values, -127)) if one_sided else values
    scale = random.uniform(1e-3, 1e-1, shape[axis]).astype(f32)
    if scales != "per-channel":
        scale[:] = scale[0]
    if scales == "per-tensor":
        scale, axis = scale[:1], 0
    zeros = np.zeros(scale.shape, np.int64)
    return Tensor("filter", shape, values.dtype, values, Quantization(scale, zeros, axis))


def float_constant(name, values):
    values = np.asarray(values, f32)
    return Tensor(name, values.shape, values.dtype, values)


@st.composite
def hybrid_depthwise(draw, kernels):
    """An int8 DEPTHWISE_CONV_2D and an input for it; per-channel, as the kernels need."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels = draw(st.integers(1, 19))
    multiplier = draw(st.sampled_from((1, 1, 2, 3)))
    kernel = draw(st.sampled_from(((1, 1), (3, 3), (2, 3), (5, 5), (1, 3))))
    stride = draw(st.sampled_from(((1, 1), (1, 1), (2, 2))))
    dilation = draw(st.sampled_from(((1, 1), (1, 1), (2, 2))))
    padding, batch, height, width = window_sizes(draw, kernel, dilation)
    out = channels * multiplier
    scales = draw(st.sampled_from(("per-channel", "per-channel", "equal")))
    filters = int8_weights(random, (1, *kernel, out), 3, scales, one_sided=draw(st.booleans()))
    bias = float_constant("bias", random.normal(size=out) * draw(st.sampled_from((0, 1, 100))))
    if kernels == "reference" and draw(st.booleans()):
        bias = None
    rows = axis(height, kernel[0], stride[0], dilation[0], padding)
    cols = axis(width, kernel[1], stride[1], dilation[1], padding)
    x = (batch, height, width, channels)
    graph = one_operator(
        "DEPTHWISE_CONV_2D",
        [x, filters, *filter(None, [bias])],
        [(batch, rows.out, cols.out, out)],
        padding=padding,
        stride_h=stride[0],
        stride_w=stride[1],
        dilation_h_factor=dilation[0],
        dilation_w_factor=dilation[1],
        depth_multiplier=multiplier,
        fused_activation_function=draw(st.sampled_from(ACTIVATIONS)),
    )
    return graph, draw(inputs(x))


@st.composite
def hybrid_dense(draw, kernels):
    """An int8 FULLY_CONNECTED and an input for it, of two to four dimensions."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    depth = draw(st.integers(1, 70))
    out = draw(st.integers(1, 20))
    keep = draw(st.booleans())
    leading = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    rows = int(np.prod(leading))
    scales = draw(st.sampled_from(("per-channel", "per-channel", "equal", "per-tensor")))
    lowest = draw(st.sampled_from((-127, -127, -128)))
    filters = int8_weights(random, (out, depth), 0, scales, lowest, draw(st.booleans()))
    bias = float_constant("bias", random.normal(size=out) * draw(st.sampled_from((0, 1, 100))))
    graph = one_operator(
        "FULLY_CONNECTED",
        [(*leading, depth), filters, *filter(None, [draw(st.sampled_from((bias, bias, None)))])],
        [(*leading, out) if keep else (rows, out)],
        fused_activation_function=draw(st.sampled_from(ACTIVATIONS)),
        keep_num_dims=keep,
        asymmetric_quantize_inputs=draw(st.booleans()),
    )
    return graph, draw(inputs((*leading, depth)))


def int4_tensor(random, shape, axis):
    """An int4 constant with a scale for each index along ``axis``, or one; -8 included."""
    values = random.integers(-8, 8, shape, dtype=np.int8)
    scale = random.uniform(1e-3, 1e-1, 1 if axis is None else shape[axis]).astype(f32)
    quantization = Quantization(scale, np.zeros(scale.shape, np.int64), axis or 0)
    return Tensor("filter", shape, values.dtype, values, quantization, bits=4)


def int4(layers, kernels):
    """The same layers with int4 weights, -8 included."""
    # XNNPACK takes no int4 convolution, so what the builtin kernels refuse stays out
    path = "optimized" if layers is hybrid_convolutions else kernels
    return layers(path).map(lambda case: (_with_int4(case[0]), case[1]))


def _with_int4(graph: Graph) -> Graph:
    """The upper half of every int8 weight."""
    tensors = (
        replace(t, value=t.value >> 4, bits=4) if t.value is not None and t.quantization else t
        for t in graph.tensors
    )
    return replace(graph, tensors=tuple(tensors))


@st.composite
def hybrid_batch_matmul(draw, kernels):
    """A BATCH_MATMUL with a constant int8 right side and an input for it."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, depth, columns = (draw(st.integers(1, n)) for n in (6, 40, 12))
    batch = draw(st.lists(st.integers(1, 3), max_size=2))
    right_batch = [draw(st.sampled_from((n, n, 1))) for n in batch]
    adj_x, adj_y = draw(st.booleans()), draw(st.booleans())
    right = (*right_batch, columns, depth) if adj_y else (*right_batch, depth, columns)
    scales = draw(st.sampled_from(("per-channel", "equal", "per-tensor", "per-tensor")))
    along = len(right) - (2 if adj_y else 1)
    filters = int8_weights(random, right, along, scales, one_sided=draw(st.booleans()))
    x = (*batch, depth, rows) if adj_x else (*batch, rows, depth)
    graph = one_operator(
        "BATCH_MATMUL",
        [x, filters],
        [(*batch, rows, columns)],
        adj_x=adj_x,
        adj_y=adj_y,
        asymmetric_quantize_inputs=draw(st.booleans()),
    )
    return graph, draw(inputs(x))


@st.composite
def hybrid_transpose_conv(draw, kernels):
    """An int8 TRANSPOSE_CONV and an input for it."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels, out = draw(st.integers(1, 9)), draw(st.integers(1, 6))
    kernel = draw(st.sampled_from(((1, 1), (2, 2), (3, 3), (2, 3), (5, 1))))
    stride = draw(st.sampled_from(((1, 1), (2, 2), (1, 2), (3, 2))))
    padding = draw(st.sampled_from(("SAME", "VALID")))
    batch, height, width = (draw(st.integers(1, n)) for n in (2, 5, 5))
    y = [batch, 0, 0, out]
    for at, (size, k, s) in enumerate(zip((height, width), kernel, stride, strict=True), 1):
        y[at] = size * s if padding == "SAME" else (size - 1) * s + k
    scales = draw(st.sampled_from(("per-channel", "equal", "per-tensor")))
    filters = int8_weights(random, (out, *kernel, channels), 0, scales)
    bias = float_constant("bias", random.normal(size=out) * draw(st.sampled_from((0, 1, 100))))
    x = (batch, height, width, channels)
    graph = one_operator(
        "TRANSPOSE_CONV",
        [np.array(y, np.int32), filters, x, *draw(st.sampled_from(([bias], [bias], [])))],
        [tuple(y)],
        padding=padding,
        stride_h=stride[0],
        stride_w=stride[1],
        fused_activation_function=draw(st.sampled_from(ACTIVATIONS)),
    )
    return graph, draw(inputs(x))


HYBRID_LAYERS = {
    "conv_2d": hybrid_convolutions,
    "depthwise_conv_2d": hybrid_depthwise,
    "fully_connected": hybrid_dense,
    "batch_matmul": hybrid_batch_matmul,
    "transpose_conv": hybrid_transpose_conv,
}
