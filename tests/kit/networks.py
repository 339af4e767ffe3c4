"""Small networks of the kinds that people deploy, with random weights."""

from dataclasses import replace

import numpy as np

import drqsim
from drqsim.graph import Graph, Operator, Quantization, Tensor
from drqsim.names import operator_names

f32 = np.float32
ONCE = {"stride_h": 1, "stride_w": 1}


class Net:
    """A model under construction; every operator is run at once, so that its shape is known."""

    def __init__(self, seed: int, *shape: int, rows: int | None = None):
        self.random = np.random.default_rng(seed)
        self.tensors, self.values, self.operators = [], {}, []
        x = self.random.normal(size=shape).astype(f32)
        if rows is not None:  # the input is indices into so many rows
            x = self.random.integers(0, rows, shape).astype(np.int32)
        self.x = self._add(x)

    def _add(self, value, kept=False, quantization=None) -> int:
        value = np.asarray(value)
        made = Tensor(f"t{len(self.tensors)}", value.shape, value.dtype, None, quantization)
        self.tensors.append(replace(made, value=value) if kept else made)
        self.values[len(self.tensors) - 1] = value
        return len(self.tensors) - 1

    def constant(self, values, quantization=None) -> int:
        return self._add(values, kept=True, quantization=quantization)

    def weights(self, *shape: int, fan_in: int) -> int:
        """Values that neither let a sum grow nor shrink."""
        return self.constant((self.random.normal(size=shape) * (2 / fan_in) ** 0.5).astype(f32))

    def codes(self, *shape: int) -> int:
        """int8 weights with one scale."""
        values = self.random.integers(-127, 128, shape, dtype=np.int8)
        scale = f32([shape[-1] ** -0.5 / 73])
        return self.constant(values, Quantization(scale, np.zeros(1, np.int64)))

    def bias(self, size: int) -> int:
        return self.constant((self.random.normal(size=size) * 0.1).astype(f32))

    def state(self, *shape: int) -> int:
        self.tensors.append(Tensor(f"t{len(self.tensors)}", shape, np.dtype(f32), is_variable=True))
        return len(self.tensors) - 1

    def op(self, code: str, *reads, dtype=f32, **options) -> int:
        """Append an operator; an array among what it reads becomes a constant, None is left out."""
        reads = [self.constant(r) if isinstance(r, np.ndarray) else r for r in reads]
        reads = tuple(-1 if r is None else r for r in reads)
        at = len(self.tensors)
        made = Operator(code, f"{code.lower()}_0", reads, (at,), options)
        fed = {self.tensors[i].name: self.values[i] for i in reads if self._is_fed(i)}
        inputs = tuple(dict.fromkeys(i for i in reads if self._is_fed(i)))
        tensors = (*self.tensors, Tensor(f"t{at}", (), np.dtype(dtype)))
        (value,) = drqsim.run(Graph(tensors, (made,), inputs, (at,)), fed)[0].values()
        self.operators.append(made)
        return self._add(value)

    def _is_fed(self, index: int) -> bool:
        return index >= 0 and self.tensors[index].is_fed

    def shape(self, index: int) -> tuple[int, ...]:
        return self.tensors[index].shape

    def conv(self, x, out, size=3, stride=1, activation="RELU", groups=1, **options) -> int:
        depth = self.shape(x)[3] // groups
        options = {"padding": "SAME", "stride_h": stride, "stride_w": stride} | options
        options["fused_activation_function"] = activation
        filters = self.weights(out, size, size, depth, fan_in=size * size * depth)
        return self.op("CONV_2D", x, filters, self.bias(out), **options)

    def depthwise(self, x, size=3, stride=1, activation="RELU6") -> int:
        depth = self.shape(x)[3]
        filters = self.weights(1, size, size, depth, fan_in=size * size)
        strides = {"stride_h": stride, "stride_w": stride, "depth_multiplier": 1}
        fused = {"padding": "SAME", "fused_activation_function": activation}
        return self.op("DEPTHWISE_CONV_2D", x, filters, self.bias(depth), **strides, **fused)

    def dense(self, x, out, activation="NONE", keep=False) -> int:
        depth = self.shape(x)[-1]
        options = {"fused_activation_function": activation, "keep_num_dims": keep}
        filters = self.weights(out, depth, fan_in=depth)
        return self.op("FULLY_CONNECTED", x, filters, self.bias(out), **options)

    def add(self, a, b, activation="NONE") -> int:
        return self.op("ADD", a, b, fused_activation_function=activation)

    def mul(self, a, b) -> int:
        return self.op("MUL", a, b, fused_activation_function="NONE")

    def join(self, *parts) -> int:
        options = {"axis": -1, "fused_activation_function": "NONE"}
        return self.op("CONCATENATION", *parts, **options)

    def mean(self, x, *axes, keep=False) -> int:
        return self.op("MEAN", x, np.int32(axes), keep_dims=keep)

    def pool(self, x, code="MAX_POOL_2D", size=2, stride=2) -> int:
        window = {"filter_height": size, "filter_width": size, "padding": "SAME"}
        return self.op(code, x, stride_h=stride, stride_w=stride, **window)

    def grow(self, x, out, size=3, stride=2) -> int:
        """A TRANSPOSE_CONV that makes an image ``stride`` times as large."""
        batch, height, width, depth = self.shape(x)
        wanted = np.int32([batch, height * stride, width * stride, out])
        filters = self.weights(out, size, size, depth, fan_in=size * size * depth / stride**2)
        options = {"padding": "SAME", "stride_h": stride, "stride_w": stride}
        return self.op("TRANSPOSE_CONV", wanted, filters, x, self.bias(out), **options)

    def resize(self, x, code, factor=2) -> int:
        size = np.int32([n * factor for n in self.shape(x)[1:3]])
        return self.op(code, x, size, half_pixel_centers=True)

    def reshape(self, x, *shape) -> int:
        return self.op("RESHAPE", x, np.int32(shape), new_shape=shape)

    def classify(self, x, classes=10) -> int:
        """Mean over the image, a dense layer, a softmax."""
        return self.op("SOFTMAX", self.dense(self.mean(x, 1, 2), classes), beta=1.0)

    def graph(self, *outputs: int) -> Graph:
        names = operator_names([op.code for op in self.operators])
        named = [replace(op, name=n) for op, n in zip(self.operators, names, strict=True)]
        return Graph(tuple(self.tensors), tuple(named), (self.x,), outputs)


def residual() -> Graph:
    net = Net(1, 1, 12, 12, 3)
    x = net.conv(net.x, 16)
    for _ in range(2):
        inner = net.conv(net.conv(x, 16), 16, activation="NONE")
        x = net.add(x, inner, "RELU")
    x = net.add(net.conv(x, 24, size=1, stride=2, activation="NONE"), net.conv(x, 24, stride=2))
    return net.graph(net.classify(x))


def mobile() -> Graph:
    """Inverted residuals, as in MobileNetV2."""
    net = Net(2, 1, 16, 16, 3)
    x = net.conv(net.x, 16, stride=2, activation="RELU6")
    for out, stride in ((16, 1), (24, 2), (24, 1)):
        inner = net.conv(x, 6 * net.shape(x)[3], size=1, activation="RELU6")
        inner = net.conv(net.depthwise(inner, stride=stride), out, size=1, activation="NONE")
        x = net.add(x, inner) if net.shape(x) == net.shape(inner) else inner
    return net.graph(net.classify(net.conv(x, 64, size=1, activation="RELU6")))


def inception() -> Graph:
    net = Net(3, 1, 10, 10, 3)
    x = net.conv(net.x, 16)
    for _ in range(2):
        few = net.conv(x, 8, size=1)
        pooled = net.conv(net.pool(x, stride=1, size=3), 8, size=1)
        wide = net.conv(net.conv(x, 8, size=1), 12, size=5)
        x = net.join(few, net.conv(few, 16), wide, pooled)
    x = net.pool(x, "AVERAGE_POOL_2D")
    return net.graph(net.classify(x))


def squeeze_excite() -> Graph:
    net = Net(4, 1, 12, 12, 3)
    x = net.op("HARD_SWISH", net.conv(net.x, 24, activation="NONE"))
    for _ in range(2):
        inner = net.op("HARD_SWISH", net.depthwise(x, size=5, activation="NONE"))
        gate = net.conv(net.mean(inner, 1, 2, keep=True), 16, size=1)
        gate = net.op("LOGISTIC", net.conv(gate, 24, size=1, activation="NONE"))
        x = net.add(x, net.conv(net.mul(inner, gate), 24, size=1, activation="NONE"))
    return net.graph(net.classify(x))


def transformer() -> Graph:
    """One block: layer normalization, attention with four heads, a dense pair."""
    length, width, heads = 12, 32, 4
    net = Net(5, 1, length, width)

    def normalized(x):
        center = net.op("SUB", x, net.mean(x, -1, keep=True))
        spread = net.mean(net.op("SQUARE", center), -1, keep=True)
        spread = net.op("RSQRT", net.add(spread, f32([1e-5])))
        return net.add(net.mul(net.mul(center, spread), net.bias(width)), net.bias(width))

    def split(x, *order):
        x = net.reshape(net.dense(x, width, keep=True), 1, length, heads, width // heads)
        return net.op("TRANSPOSE", x, np.int32(order))

    inner = normalized(net.x)
    query, key, value = (split(inner, 0, 2, 1, 3) for _ in range(3))
    scores = net.op("BATCH_MATMUL", query, key, adj_x=False, adj_y=True)
    scores = net.mul(scores, f32([(width // heads) ** -0.5]))
    seen = net.op("BATCH_MATMUL", net.op("SOFTMAX", scores, beta=1.0), value, adj_y=False)
    seen = net.reshape(net.op("TRANSPOSE", seen, np.int32([0, 2, 1, 3])), 1, length, width)
    x = net.add(net.x, net.dense(seen, width, keep=True))
    inner = net.op("GELU", net.dense(normalized(x), 4 * width, keep=True), approximate=False)
    x = net.add(x, net.dense(inner, width, keep=True))
    return net.graph(net.op("BATCH_MATMUL", x, net.weights(width, 10, fan_in=width)))


def dense_blocks() -> Graph:
    """Every layer reads all layers before it, as in DenseNet."""
    net = Net(6, 1, 10, 10, 3)
    x = net.conv(net.x, 16)
    for _ in range(4):
        x = net.join(x, net.conv(x, 8))
    return net.graph(net.classify(net.pool(net.conv(x, 16, size=1), "AVERAGE_POOL_2D")))


def decoder() -> Graph:
    net = Net(7, 1, 24)
    x = net.reshape(net.dense(net.x, 4 * 4 * 16, "RELU"), 1, 4, 4, 16)
    x = net.op("RELU", net.grow(x, 16))
    x = net.op("LEAKY_RELU", net.grow(x, 12), alpha=0.2)
    x = net.conv(net.resize(x, "RESIZE_BILINEAR"), 3, activation="NONE")
    return net.graph(net.op("TANH", x))


def u_net() -> Graph:
    net = Net(8, 1, 16, 16, 1)
    fine = net.conv(net.x, 12)
    coarse = net.conv(net.pool(fine), 24)
    x = net.conv(net.pool(coarse), 32)
    x = net.conv(net.join(coarse, net.resize(x, "RESIZE_NEAREST_NEIGHBOR")), 24)
    x = net.conv(net.join(fine, net.grow(x, 12)), 12)
    return net.graph(net.op("LOGISTIC", net.conv(x, 2, size=1, activation="NONE")))


def grouped() -> Graph:
    """Groups, dilation, padding by an operator, slopes for negative values."""
    net = Net(9, 1, 11, 11, 3)
    x = net.op("PAD", net.x, np.int32([[0, 0], [1, 1], [1, 1], [0, 0]]))
    x = net.conv(x, 16, padding="VALID", activation="NONE")
    x = net.op("PRELU", x, np.abs(net.random.normal(size=(1, 1, 16))).astype(f32) / f32(4))
    x = net.conv(x, 32, groups=4)
    x = net.conv(x, 16, dilation_h_factor=2, dilation_w_factor=2)
    x = net.op("MAXIMUM", x, net.conv(x, 16, size=1, activation="NONE"))
    return net.graph(net.classify(x))


def mlp() -> Graph:
    net = Net(10, 4, 40)
    x = net.op("TANH", net.dense(net.x, 64))
    x = net.op("LOGISTIC", net.dense(x, 64))
    return net.graph(net.op("LOG_SOFTMAX", net.dense(x, 10, "RELU")))


def embedding() -> Graph:
    """Words to vectors, their mean, a dense pair."""
    net = Net(11, 20, rows=200)
    words = net.weights(200, 32, fan_in=4)
    x = net.mean(net.op("EMBEDDING_LOOKUP", net.x, words), 0, keep=True)
    x = net.dense(net.dense(x, 48, "RELU"), 2)
    return net.graph(net.op("SOFTMAX", x, beta=1.0))


def lstm() -> Graph:
    """Two recurrent layers; their weights are int8 from the start."""
    net = Net(12, 6, 1, 24)
    x = net.x
    for units in (32, 20):
        width = net.shape(x)[2]
        gates = [net.codes(units, width) for _ in range(4)]
        gates += [net.codes(units, units) for _ in range(4)]
        biases = [net.bias(units) for _ in range(4)]
        states = [net.state(1, units), net.state(1, units)]
        reads = (x, *gates, None, None, None, *biases, None, None, *states)
        options = {"fused_activation_function": "TANH", "time_major": True}
        options |= {"cell_clip": 0.0, "proj_clip": 0.0, "asymmetric_quantize_inputs": True}
        x = net.op("UNIDIRECTIONAL_SEQUENCE_LSTM", *reads, **options)
    return net.graph(net.op("SOFTMAX", net.dense(net.reshape(x, 6, 20), 5), beta=1.0))


def keyword() -> Graph:
    """Rank-decomposed filters over time, as in keyword spotting; int8 from the start."""
    net = Net(13, 2, 40)
    reads = (net.codes(32, 40), net.codes(32, 8), net.bias(16), net.state(2, 8 * 32))
    options = {"rank": 2, "fused_activation_function": "RELU", "asymmetric_quantize_inputs": True}
    x = net.op("SVDF", net.x, *reads, **options)
    return net.graph(net.op("SOFTMAX", net.dense(net.dense(x, 32, "RELU"), 4), beta=1.0))


def recurrent() -> Graph:
    """A layer that goes through a sequence, and one that makes a single step."""
    net = Net(14, 5, 2, 20)
    options = {"fused_activation_function": "TANH", "asymmetric_quantize_inputs": True}
    reads = (net.codes(24, 20), net.codes(24, 24), net.bias(24), net.state(2, 24))
    x = net.op("UNIDIRECTIONAL_SEQUENCE_RNN", net.x, *reads, time_major=True, **options)
    x = net.reshape(x, 10, 24)
    reads = (net.codes(16, 24), net.codes(16, 16), net.bias(16), net.state(10, 16))
    x = net.op("RNN", x, *reads, **options | {"asymmetric_quantize_inputs": False})
    return net.graph(net.op("SOFTMAX", net.dense(x, 6), beta=1.0))


FLOAT = (residual, mobile, inception, squeeze_excite, transformer, dense_blocks, decoder, u_net)
FLOAT += (grouped, mlp, embedding)
RECURRENT = (lstm, keyword, recurrent)
# no weights of 1024 elements besides those that are int8 anyway
SMALL = (squeeze_excite, *RECURRENT)
WITHOUT_DEPTHWISE = (residual, inception, dense_blocks, transformer, mlp)
