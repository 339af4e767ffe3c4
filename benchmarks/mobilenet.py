"""A MobileNet-class network with random weights, made without any converter.

Thirteen separable blocks (depthwise 3x3, pointwise 1x1) behind a 3x3 convolution, a global mean, a
dense layer and a softmax: the shape of MobileNetV1. The weights are random but scaled (He), so that
the activations stay in a usual range.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

import drqsim
from drqsim.graph import Graph, Operator, Tensor, freeze
from drqsim.names import operator_names

f32 = np.dtype(np.float32)
# (output channels, stride) of the blocks
BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
BLOCKS += [(512, 1)] * 5 + [(1024, 2), (1024, 1)]


class Builder:
    """Adds operators one after another; the last tensor is what the next one reads."""

    def __init__(self, shape: tuple[int, ...], seed: int):
        self.random = np.random.default_rng(seed)
        self.tensors = [Tensor("image", shape, f32)]
        self.operators: list[tuple] = []
        self.last = 0

    def constant(self, shape: tuple[int, ...], fan_in: int) -> int:
        values = self.random.normal(size=shape) * np.sqrt(2 / fan_in)
        return self.tensor("weights", shape, freeze(values.astype(f32)))

    def tensor(self, name: str, shape, value: np.ndarray | None = None) -> int:
        dtype = f32 if value is None else value.dtype
        self.tensors.append(Tensor(f"{name}_{len(self.tensors)}", tuple(shape), dtype, value))
        return len(self.tensors) - 1

    def add(self, code: str, reads: list[int], shape: tuple[int, ...], **options) -> None:
        out = self.tensor(code.lower(), shape)
        self.operators.append((code, (self.last, *reads), (out,), MappingProxyType(options)))
        self.last = out

    def window(self, code: str, filter_shape, out: int, stride: int, fan_in: int) -> None:
        batch, height, width, _ = self.tensors[self.last].shape
        shape = (batch, -(-height // stride), -(-width // stride), out)
        options = {"padding": "SAME", "stride_h": stride, "stride_w": stride}
        options |= {"dilation_h_factor": 1, "dilation_w_factor": 1}
        if code == "DEPTHWISE_CONV_2D":
            options["depth_multiplier"] = 1
        reads = [self.constant(filter_shape, fan_in), self.constant((out,), 100)]
        self.add(code, reads, shape, fused_activation_function="RELU6", **options)

    def graph(self) -> Graph:
        names = operator_names([code for code, *_ in self.operators])
        operators = tuple(
            Operator(code, name, reads, writes, options)
            for name, (code, reads, writes, options) in zip(names, self.operators, strict=True)
        )
        return Graph(tuple(self.tensors), operators, (0,), (self.last,))


def mobilenet(size: int = 224, width: float = 1.0, classes: int = 1000, seed: int = 0) -> Graph:
    """The float network; ``drqsim.quantize`` makes its DRQ form."""
    net = Builder((1, size, size, 3), seed)
    channels = int(32 * width)
    net.window("CONV_2D", (channels, 3, 3, 3), channels, 2, 27)
    for block_channels, stride in BLOCKS:
        out = int(block_channels * width)
        net.window("DEPTHWISE_CONV_2D", (1, 3, 3, channels), channels, stride, 9)
        net.window("CONV_2D", (out, 1, 1, channels), out, 1, channels)
        channels = out
    axes = net.tensor("axes", (2,), freeze(np.array([1, 2], np.int32)))
    net.add("MEAN", [axes], (1, channels), keep_dims=False)
    dense = [net.constant((classes, channels), channels), net.constant((classes,), 100)]
    options = {"fused_activation_function": "NONE", "keep_num_dims": False}
    net.add("FULLY_CONNECTED", dense, (1, classes), asymmetric_quantize_inputs=False, **options)
    net.add("SOFTMAX", [], (1, classes), beta=1.0)
    return net.graph()


def image(size: int = 224, seed: int = 1) -> np.ndarray:
    """A random picture, float32 in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, (1, size, size, 3)).astype(f32)


if __name__ == "__main__":
    model = drqsim.quantize(mobilenet())
    print(model)
