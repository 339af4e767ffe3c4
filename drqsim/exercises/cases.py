"""The cases of the exercises with their right answers, and the known wrong ways to answer them.

The right answers are those of drqsim's own simulation (``qparams``, ``accumulate`` and ``run`` on
the optimized kernels). The functions beside them have an option for each mistake, so that a
reader's results can be recognized; without options they give the right answers too.
"""

from __future__ import annotations

import numpy as np

from drqsim import accumulate, qparams
from drqsim.arithmetic import window
from drqsim.interpreter import run
from drqsim.lesson import conv_relu

f32 = np.float32
WIDE = f32(1.1)


def half_away(v):
    """Round to the nearest integer, ties away from zero."""
    whole = np.trunc(v)
    return whole + np.where(np.abs(v - whole) >= 0.5, np.copysign(1, v), 0)


def _inputs(rng, shape: tuple[int, ...], at: int) -> np.ndarray:
    """float32 inputs of four kinds: of both signs, after a ReLU, all of one sign, half steps."""
    x = rng.normal(0, 2, shape).astype(f32)
    if at % 4 == 1:
        x = np.maximum(x, f32(0))
        x.flat[0] = f32(1) + abs(x.flat[0])  # not zeros alone
    elif at % 4 == 2:
        x = np.abs(x) + f32(1)
        x = x if at % 8 == 2 else -x
    elif at % 4 == 3:  # a range of 255/64: the scale is 1/64, and half steps are ties
        low = int(rng.choice([rng.integers(-250, -180), rng.integers(-70, -5)]))
        x = (rng.integers(2 * low, 2 * (low + 255), shape) / 128).astype(f32)
        # the third: a tie whose sign the zero point, -128 - low, turns around
        x.flat[:3] = low / 64, (low + 255) / 64, np.copysign(1 / 128, low + 128)
    return x


def _filter(rng, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    weights = rng.normal(0, 0.5, shape).astype(f32)
    return qparams.quantize_weights(weights, 0)[:2]


def scale_case(rng, at):
    """Weights, and their scales."""
    shape = (2, 1, 1, 3) if at < 2 else (*rng.integers(2, 5, 1), 3, 3, *rng.integers(1, 4, 1))
    weights = rng.normal(0, 0.5, shape).astype(f32)
    return (weights,), (qparams.quantize_weights(weights, 0).scale,)


def scale(weights, over=127, of=np.abs, channels=True):
    """The symmetric scale of each channel."""
    rows = of(weights.reshape(len(weights) if channels else 1, -1))
    return rows.max(axis=1) / f32(over)


def scale_of_range(weights):
    """The asymmetric rule, on weights."""
    rows = weights.reshape(len(weights), -1)
    return (rows.max(axis=1) - rows.min(axis=1)) / f32(255)


def zero_point_case(rng, at):
    """An input, its scale and its zero point."""
    x = _inputs(rng, (4 if at < 8 else 12,), at if at % 4 < 3 else 0)
    if at == 3 or at % 8 == 7:  # ends of equal size: the zero point is a tie, -0.5
        x = np.clip(x / 4, -1, 1)
        x[:2] = -1, 1
    elif at == 9:
        x[:] = 0
    _, scale, zero_point = qparams.asymmetric(x.reshape(1, -1))
    return (x,), (scale[0], int(zero_point[0]))


def zero_point(x, rounded=half_away, first=-128, steps=255, widened=True):
    """The asymmetric scale and zero point."""
    low, high = (min(x.min(), f32(0)), max(x.max(), f32(0))) if widened else (x.min(), x.max())
    if low == high == 0:
        return f32(1), 0
    scale = np.float64(high - low) / steps
    return f32(scale), int(rounded(first - low / scale))


def symmetric_scale(x):
    """The symmetric rule, on an input."""
    return np.abs(x).max() / f32(127) if x.any() else f32(1), 0


def quantize_case(rng, at):
    """An input with scale and zero point, and its codes."""
    x = _inputs(rng, (4 if at < 8 else 12,), at)
    if at % 8 == 7:  # ends of equal size: both are ties, and one of them is beyond the codes
        x = np.clip(x, -WIDE, WIDE)
        x[:2] = -WIDE, WIDE
    codes, scale, zero_point = qparams.asymmetric(x.reshape(1, -1))
    return (x, scale[0], int(zero_point[0])), (codes[0],)


def quantize(x, scale, zero_point, rounded=half_away, clamped=True):
    """The codes of an input."""
    codes = rounded(x * f32(1 / np.float64(scale))) + zero_point
    codes = np.clip(codes, -128, 127) if clamped else codes
    return codes.astype(np.int32).astype(np.int8)  # unclamped codes wrap around


def shifted_first(x, scale, zero_point):
    """The zero point added before rounding."""
    inverse = f32(1 / np.float64(scale))
    return np.clip(half_away(x * inverse + f32(zero_point)), -128, 127).astype(np.int8)


def range_case(rng, at):
    """A filter and a zero point, and the ends of the sums."""
    shape = (2, 1, 1, 3) if at < 4 else (2, 3, 3, int(rng.integers(1, 5)))
    filter, _ = _filter(rng, shape)
    zero_point = int(rng.integers(-128, 128)) or -128
    rows = filter.reshape(len(filter), -1)
    ends = []
    for end in (rows < 0, rows > 0):  # the input codes at which each channel's sum is at its end
        codes = np.where(end, 127, -128).astype(np.int8)
        raw = np.diagonal(accumulate.exact_matmul(codes, rows))
        ends.append(raw - zero_point * accumulate.row_sums(filter))
    return (filter, zero_point), tuple(ends)


def sum_range(filter, zero_point, corrected=True, signs=True):
    """The least and the greatest sum of each channel."""
    first, last = (-128 - zero_point, 127 - zero_point) if corrected else (-128, 127)
    rows = filter.reshape(len(filter), -1).astype(np.int32)
    products = rows * first, rows * last
    if not signs:
        return products[0].sum(axis=1), products[1].sum(axis=1)
    return np.minimum(*products).sum(axis=1), np.maximum(*products).sum(axis=1)


def widest_range(filter, zero_point):
    """Bounds from the number of products alone."""
    terms = filter[0].size * 255 * 127
    return np.full(len(filter), -terms), np.full(len(filter), terms)


def _conv_case(rng, at, kernel=3, activation="RELU"):
    small = at < 8
    shape = (1, 2, 2, 2 if kernel == 1 else 1)
    if not small:
        shape = (2, *rng.integers(2, 6, 2).tolist(), int(rng.integers(1, 5)))
    out = 2 if small else int(rng.integers(2, 6))
    filter, filter_scale = _filter(rng, (out, kernel, kernel, shape[3]))
    bias = rng.normal(0, 0.5, out).astype(f32)
    layer = conv_relu(
        filter, bias, input_shape=shape, filter_scale=filter_scale, activation=activation
    )
    x = _inputs(rng, shape, at)
    _, trace = run(layer, x, kernels="optimized")
    return (x, filter, filter_scale, bias), trace


def whole_conv(rng, at):
    """A layer's tensors, and its output."""
    arguments, trace = _conv_case(rng, at)
    return arguments, (trace["conv_2d_0/output"].value,)


def last_steps(rng, at):
    """The accumulator and what scales it, and the result before the activation."""
    # one image, so one scale: the second one of a batch is left out
    (_, _, filter_scale, bias), trace = _conv_case(rng, at, kernel=1, activation="NONE")
    sums, results = (trace[f"conv_2d_0/{n}"].value[:1] for n in ("accumulator", "pre_activation"))
    return (sums, trace["conv_2d_0/input_scale"].value[0], filter_scale, bias), (results,)


def dequantize(acc, s_x, s_w, bias, order="product first", bias_as="float"):
    """The last steps: scales and bias."""
    if bias_as == "codes":
        acc, bias = acc + half_away(bias / (s_x * s_w)).astype(np.int64), f32(0)
    elif bias_as == "in front":
        return (acc + bias).astype(f32) * (s_w * s_x)
    elif bias_as == "none":
        bias = f32(0)
    acc = acc.astype(f32)
    if order == "input last":
        return acc * s_w * s_x + bias
    return (acc * s_x * s_w if order == "weights last" else acc * (s_w * s_x)) + bias


def _sums(x, filter, fill):
    rows, cols = (window.axis(n, 3, 1, 1, "SAME") for n in x.shape[1:3])
    padded = window.pad(x, rows, cols, fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.einsum("bhwcij,oijc->bhwo", windows, filter)


def conv(x, filter, s_w, bias, *, by=qparams.asymmetric, rounded=half_away, whole_batch=False,
          fill=None, corrected=True, relu=True, **last):  # fmt: skip
    """The hybrid convolution."""
    rows = x.reshape(1 if whole_batch else len(x), -1)
    _, scale, zero_point = by(rows)
    inverse = (1 / scale.astype(np.float64)).astype(f32)
    codes = np.clip(rounded(rows * inverse[:, None]) + zero_point[:, None], -128, 127)
    scale, zero_point = (np.resize(v, len(x)).reshape(-1, 1, 1, 1) for v in (scale, zero_point))
    weights = filter.astype(np.int64)
    padding = zero_point if fill is None else np.full(len(x), fill)
    acc = _sums(codes.reshape(x.shape).astype(np.int64), weights, padding)
    if corrected:
        acc = acc - zero_point * accumulate.row_sums(filter)
    y = dequantize(acc, scale, s_w, bias, **last)
    return np.maximum(y, f32(0)) if relu else y


def float_conv(x, filter, s_w, bias):
    """The convolution of the float input with dequantized weights."""
    weights = filter * s_w.reshape(-1, 1, 1, 1)
    return np.maximum(_sums(x, weights, np.zeros(len(x), f32)) + bias, f32(0))
