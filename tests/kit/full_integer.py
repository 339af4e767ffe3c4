"""Random full-integer layers: int8 or int16 activations, int8 weights, and codes to feed them."""

import numpy as np
from hypothesis import strategies as st

from drqsim.arithmetic.window import axis
from drqsim.graph import Quantization, Tensor
from tests.kit.one_operator import one_operator
from tests.kit.strategies import ACTIVATIONS, filter_sizes, window_sizes

f32 = np.float32
INT64 = 4  # TensorType of quantized_bias_type


def quantized(scale, zero_point=0, along=0):
    scale = np.atleast_1d(np.asarray(scale, f32))
    zero_point = np.broadcast_to(np.asarray(zero_point, np.int64), scale.shape)
    return Quantization(scale, zero_point, along)


def codes(random, kind, shape, dtype):
    """Codes of a type: all over the range, near its ends, few of them, or one."""
    limits = np.iinfo(dtype)
    if kind == "ends":
        return random.choice(np.array([limits.min, limits.max], dtype), shape)
    if kind == "constant":
        return np.full(shape, random.integers(limits.min, limits.max, endpoint=True), dtype)
    if kind == "few":
        return random.integers(-3, 4, shape).astype(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


@st.composite
def _layers(draw, dtype, out, depth, weights_shape, along=0):
    """Input, filter and bias tensors, output quantization, and a generator of codes.

    The output's scale is chosen by what comes out, so that most outputs lie inside the range; some
    are far too small or too large for it.
    """
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lowest = draw(st.sampled_from((-127, -127, -128)))
    weights = random.integers(lowest, 128, weights_shape, dtype=np.int8)
    if draw(st.booleans()):
        weights = np.abs(np.maximum(weights, -127))
    channels = draw(st.sampled_from((True, True, True, False)))
    s_w = random.uniform(1e-3, 1e-1, out if channels else 1).astype(f32)
    s_in = f32(random.uniform(1e-3, 1e-1))
    spread = np.sqrt(depth) * (70 if dtype == np.int8 else 2**14) * 70 * s_in * s_w.mean()
    steps = 60 if dtype == np.int8 else 2**13
    s_out = f32(spread / steps * draw(st.sampled_from((1, 1, 1, 1, 0.05, 20, 0.001))))
    if dtype == np.int8:
        zeros = [draw(st.sampled_from((0, -128, 127, 3, -77, 50))) for _ in "io"]
        bias_type = np.int32
    else:
        zeros, bias_type = [0, 0], draw(st.sampled_from((np.int64, np.int64, np.int32)))
        bias_type = np.int64 if along == 3 else bias_type  # no depthwise option says int32
    reach = draw(st.sampled_from((0, 1, 1, 30)))
    bias = np.round(random.normal(size=out) * reach * spread / s_in / s_w.mean())
    bias = np.clip(bias, -(2**30), 2**30).astype(bias_type)
    constants = [
        Tensor(
            "filter",
            weights.shape,
            weights.dtype,
            weights,
            quantized(s_w, 0, along if s_w.size > 1 else 0),
        ),
        Tensor("bias", (out,), bias.dtype, bias, quantized(s_in * s_w)),
    ]
    kind = draw(st.sampled_from(("all", "all", "ends", "few", "constant")))
    ends = quantized(s_in, zeros[0]), quantized(s_out, zeros[1])
    return constants, ends, lambda shape: codes(random, kind, shape, dtype)


def _graph(code, dtype, ends, x_shape, constants, y_shape, options):
    dtype = np.dtype(dtype)
    x, y = (
        Tensor(name, shape, dtype, None, end)
        for name, shape, end in zip("xy", (x_shape, y_shape), ends, strict=True)
    )
    if dtype == np.int16 and (len(constants) < 2 or constants[1].dtype == np.int64):
        options["quantized_bias_type"] = INT64
    elif dtype == np.int16:
        options["quantized_bias_type"] = 2
    return one_operator(code, [x, *constants], [y], **options)


def _window(padding, stride, dilation):
    """The options of a window."""
    return {
        "padding": padding,
        "stride_h": stride[0],
        "stride_w": stride[1],
        "dilation_h_factor": dilation[0],
        "dilation_w_factor": dilation[1],
    }


@st.composite
def convolutions(draw, dtype=np.int8):
    """A full-integer CONV_2D and codes for it."""
    groups, depth, out, kernel, stride, dilation = filter_sizes(draw)
    padding, batch, height, width = window_sizes(draw, kernel, dilation)
    shape = (out, *kernel, depth)
    constants, ends, feed = draw(_layers(dtype, out, depth * kernel[0] * kernel[1], shape))
    rows = axis(height, kernel[0], stride[0], dilation[0], padding)
    cols = axis(width, kernel[1], stride[1], dilation[1], padding)
    x_shape = (batch, height, width, depth * groups)
    options = _window(padding, stride, dilation) | {
        "fused_activation_function": draw(st.sampled_from(ACTIVATIONS)),
    }
    y_shape = (batch, rows.out, cols.out, out)
    graph = _graph("CONV_2D", dtype, ends, x_shape, constants, y_shape, options)
    return graph, feed(x_shape)


@st.composite
def dense(draw, dtype=np.int8):
    """A full-integer FULLY_CONNECTED and codes for it, of two to four dimensions."""
    depth, out = draw(st.integers(1, 70)), draw(st.integers(1, 20))
    leading = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    keep = draw(st.booleans())
    constants, ends, feed = draw(_layers(dtype, out, depth, (out, depth)))
    if draw(st.sampled_from((False, False, True))):
        constants = constants[:1]
    options = {
        "fused_activation_function": draw(st.sampled_from(ACTIVATIONS)),
        "keep_num_dims": keep,
    }
    y_shape = (*leading, out) if keep else (int(np.prod(leading)), out)
    graph = _graph("FULLY_CONNECTED", dtype, ends, (*leading, depth), constants, y_shape, options)
    return graph, feed((*leading, depth))


@st.composite
def depthwise(draw, dtype=np.int8):
    """A full-integer DEPTHWISE_CONV_2D and codes for it."""
    channels, multiplier = draw(st.integers(1, 19)), draw(st.sampled_from((1, 1, 2, 3)))
    kernel = draw(st.sampled_from(((1, 1), (3, 3), (2, 3), (5, 5), (1, 3))))
    stride = draw(st.sampled_from(((1, 1), (1, 1), (2, 2))))
    dilation = draw(st.sampled_from(((1, 1), (1, 1), (2, 2))))
    padding, batch, height, width = window_sizes(draw, kernel, dilation)
    out = channels * multiplier
    constants, ends, feed = draw(_layers(dtype, out, kernel[0] * kernel[1], (1, *kernel, out), 3))
    rows = axis(height, kernel[0], stride[0], dilation[0], padding)
    cols = axis(width, kernel[1], stride[1], dilation[1], padding)
    options = _window(padding, stride, dilation) | {
        "depth_multiplier": multiplier,
        "fused_activation_function": draw(st.sampled_from(ACTIVATIONS)),
    }
    x_shape, y_shape = (batch, height, width, channels), (batch, rows.out, cols.out, out)
    graph = _graph("DEPTHWISE_CONV_2D", dtype, ends, x_shape, constants, y_shape, options)
    return graph, feed(x_shape)
