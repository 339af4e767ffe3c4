"""Layers and inputs that meet every rule of the arm64 kernels, made from seeds.

Few draws of random layers meet a rule that asks for sixteen rows or for eight channels. These are
chosen: each name says which rule decides. What the runtime makes of them on arm64 is recorded in
``tests/golden/arm64.json``.
"""

import hashlib
from dataclasses import replace

import numpy as np

import drqsim
from drqsim.arithmetic.window import axis
from tests.kit import recurrent
from tests.kit.one_operator import one_operator
from tests.kit.strategies import float_constant, int4_tensor, int8_weights

f32 = np.float32


def values(random, shape, kind="plain"):
    """float32 values; no function of the C library takes part, so they are alike everywhere."""
    x = random.uniform(-1, 1, shape)
    if kind == "ties":  # a largest value of 127 makes the symmetric scale 1
        x = random.integers(-126, 127, shape) + 0.5
        x = np.where(random.random(shape) < 0.3, f32(0.49999997), x)
        x[..., 0] = 127
    if kind == "asymmetric ties":  # and a range of 255 the asymmetric one
        x = random.integers(0, 255, shape) + 0.5
        x = np.where(random.random(shape) < 0.3, f32(0.49999997), x)
        x[..., 0], x[..., -1] = 255, 0
    if kind == "tiny":  # 127/max and 255/range are infinite
        x = x * np.where(random.random(shape) < 0.5, 0, 1e-38)
    return x.astype(f32)


def bias(random, size, kind="plain"):
    """A bias; zeros beside tiny values, which another one would swallow."""
    return float_constant("bias", random.uniform(-1, 1, size) * (kind != "tiny"))


def conv(out, taps, depth, shape, scales="per-channel", stride=1, kind="plain", activation="NONE"):
    def case(random):
        scale = random.uniform(1e-3, 1e-1, out).astype(f32)
        if scales == "per-tensor":
            scale = scale[:1]
        weights = random.integers(-127, 128, (out, taps, taps, depth), dtype=np.int8)
        graph = drqsim.conv_relu(
            weights,
            bias(random, out, kind).value,
            input_shape=shape,
            stride=(stride, stride),
            activation=activation,
            filter_scale=scale,
        )
        return graph, values(random, shape, kind)

    return case


def depthwise(channels, size, stride=1, multiplier=1, kind="plain"):
    def case(random):
        out = channels * multiplier
        window = axis(size, 3, stride, 1, "SAME")
        graph = one_operator(
            "DEPTHWISE_CONV_2D",
            [(2, size, size, channels), int8_weights(random, (1, 3, 3, out), 3, "per-channel")]
            + [bias(random, out, kind)],
            [(2, window.out, window.out, out)],
            padding="SAME",
            stride_h=stride,
            stride_w=stride,
            dilation_h_factor=1,
            dilation_w_factor=1,
            depth_multiplier=multiplier,
            fused_activation_function="NONE",
        )
        return graph, values(random, graph.tensors[0].shape, kind)

    return case


def dense(rows, depth, out, asymmetric=False, kind="plain", activation="NONE", bits=8):
    def case(random):
        if bits == 4:
            weights = int4_tensor(random, (out, depth), 0)
        else:
            weights = int8_weights(random, (out, depth), 0, "per-channel")
        graph = one_operator(
            "FULLY_CONNECTED",
            [(rows, depth), weights, bias(random, out, kind)],
            [(rows, out)],
            fused_activation_function=activation,
            keep_num_dims=False,
            asymmetric_quantize_inputs=asymmetric,
        )
        return graph, values(random, (rows, depth), kind)

    return case


def product(rows, depth, out, weights=(-127, 128)):
    def case(random):
        right = int8_weights(random, (out, depth), 0, "per-tensor")
        right = replace(right, value=random.integers(*weights, (out, depth), dtype=np.int8))
        graph = one_operator(
            "BATCH_MATMUL",
            [(rows, depth), right],
            [(rows, out)],
            adj_x=False,
            adj_y=True,
            asymmetric_quantize_inputs=True,
        )
        return graph, random.uniform(-0.2, 1, (rows, depth)).astype(f32)

    return case


def transposed(batch, size, taps, stride, channels=3, out=5):
    def case(random):
        y = (batch, size * stride, size * stride, out)
        graph = one_operator(
            "TRANSPOSE_CONV",
            [
                np.array(y, np.int32),
                int8_weights(random, (out, taps, taps, channels), 0, "per-channel"),
                (batch, size, size, channels),
                bias(random, out),
            ],
            [y],
            padding="SAME",
            stride_h=stride,
            stride_w=stride,
            fused_activation_function="RELU6",
        )
        return graph, values(random, (batch, size, size, channels))

    return case


def sequence(make, *sizes, **options):
    def case(random):
        graph = make(random, *sizes, **options)
        return graph, values(random, graph.tensors[0].shape)

    return case


def gelu(*x):
    def case(_):
        shape = (len(x),)
        return one_operator("GELU", [shape], [shape], approximate=False), f32(x)

    return case


CASES = {
    "conv_2d per tensor": conv(8, 3, 4, (2, 5, 5, 4), "per-tensor", kind="ties"),
    "conv_2d per tensor, odd channels": conv(5, 2, 9, (1, 5, 5, 9), "per-tensor"),
    "conv_2d per channel": conv(6, 3, 5, (2, 5, 6, 5), kind="asymmetric ties"),
    "conv_2d of one pixel": conv(6, 3, 5, (2, 2, 2, 5), stride=2, kind="asymmetric ties"),
    "conv_2d 1x1": conv(7, 1, 16, (2, 3, 4, 16), kind="asymmetric ties"),
    "conv_2d in groups": conv(6, 3, 4, (1, 5, 5, 8)),
    "conv_2d tiny": conv(6, 3, 5, (1, 4, 5, 5), kind="tiny"),
    "depthwise 3x3": depthwise(16, 7),
    "depthwise 3x3, stride 2": depthwise(8, 9, stride=2),
    "depthwise 3x3, odd channels": depthwise(11, 6),
    "depthwise 3x3, multiplied": depthwise(4, 6, multiplier=2, kind="asymmetric ties"),
    "dense of one row": dense(1, 50, 9, kind="ties"),
    "dense, 8 rows": dense(8, 33, 12, asymmetric=True),
    "dense, 16 rows": dense(16, 20, 20, asymmetric=True, kind="asymmetric ties"),
    "dense, 4 rows": dense(4, 48, 10, asymmetric=True),
    "dense, 3 rows of a large matrix": dense(3, 256, 66),
    "dense, tanh": dense(2, 24, 40, activation="TANH"),
    "dense tiny": dense(2, 19, 6, asymmetric=True, kind="tiny"),
    "dense int4 of one row": dense(1, 86, 10, bits=4),
    "dense int4": dense(6, 70, 11, bits=4, kind="ties"),
    "product": product(5, 40, 9),
    "product past 2^24": product(6, 4001, 5, (100, 128)),
    "transposed": transposed(2, 4, 3, 1),
    "transposed, split by the stride": transposed(1, 4, 3, 2),
    "transposed, split, two images": transposed(2, 3, 2, 2),
    "rnn": sequence(recurrent.rnn, None, 5, 20, 9),
    "rnn, 8 rows": sequence(recurrent.rnn, 3, 8, 16, 12),
    "svdf": sequence(recurrent.svdf, 3, 18, 7, 7, 11, activation="NONE"),
    "lstm": sequence(recurrent.lstm, 3, 2, 19, 21, peephole=True, projection=9),
    "lstm, layer norm": sequence(recurrent.lstm, 2, 3, 11, 37, layer_norm=True),
    # in a register of four, then by itself
    "gelu": gelu(-3.089115, -4.19064, -4.8770795, -2.5, -4.19064),
}


def made(name):
    """The graph of a case, and its input."""
    return CASES[name](np.random.default_rng(list(name.encode())))


def digest(*arrays):
    """Of the bytes of arrays."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def of_what_is_fed(graph, x):
    """The digest of a case itself: constants, scales and input."""
    constants = [t.value for t in graph.tensors if t.value is not None]
    scales = [t.quantization.scale for t in graph.tensors if t.quantization]
    return digest(x, *constants, *scales)[:16]
