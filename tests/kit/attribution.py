"""Float networks with their quantized forms, and how the parts of an error are added up."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import qparams
from drqsim.attribution.parts import CAUSES
from drqsim.graph import Graph, Operator, Quantization, Tensor
from drqsim.names import operator_names
from tests.kit.places import MODELS

f32, f64 = np.float32, np.float64
# how far a sum of a few float64 numbers is from exact, in units of the largest of them
UNITS = 8 * np.finfo(f64).eps


def assert_adds_up(float_model, drq_model, inputs, kernels, **options):
    """Every operator's parts add up to what the two models' outputs really differ by."""
    found = drqsim.attribute_error(
        float_model, drq_model, inputs, kernels, keep_values=True, **options
    )
    for case, x in enumerate(inputs):
        (in_float, ours), (in_drq, theirs) = (
            drqsim.run(model, x, kernels) for model in (float_model, drq_model)
        )
        for row in found.rows:
            name, _, output = row.operator.partition("/")
            key = f"{name}/{output or 'output'}"
            error = row.error.values[case]
            if theirs[key].dtype == f32:  # and not codes that are moved, and dequantized later
                assert np.array_equal(error, theirs[key].value.astype(f64) - ours[key].value)
            assert tuple(row.parts) == CAUSES
            assert_sum(error, [part.values[case] for part in row.parts.values()])
        if found.net_error is None:
            continue
        if "output" not in options:
            y_f, y_d = (list(made.values())[0] for made in (in_float, in_drq))
            assert np.array_equal(found.net_error.values[case], y_d.astype(f64) - y_f)
        parts = [part.values[case] for row in found.net for part in row.parts.values()]
        assert_sum(found.net_error.values[case], parts)
    for table in ([r.parts.values() for r in found.rows], [[r.error for r in found.net]]):
        for parts in table:
            total = sum(part.share for part in parts)
            assert total == pytest.approx(1, abs=1e-9) or total == 0
    return found


def assert_sum(error, parts):
    largest = max((np.abs(part).max() for part in parts), default=0.0)
    assert np.abs(sum(parts, np.zeros(error.shape)) - error).max() <= UNITS * largest


def digits(name):
    return drqsim.load(MODELS / f"digits_{name}.tflite")


class Net:
    """A float network with one operator after the other; ``quantized`` makes its DRQ form."""

    def __init__(self, seed, shape, signature=None):
        self.random = np.random.default_rng(seed)
        self.tensors = [Tensor("x", shape, np.dtype(f32), signature=signature)]
        self.operators = []
        self.weights = {}  # index -> channel dimension

    def constant(self, value, axis=None):
        value = np.asarray(value)
        self.tensors.append(Tensor(f"c{len(self.tensors)}", value.shape, value.dtype, value))
        if axis is not None:
            self.weights[len(self.tensors) - 1] = axis
        return len(self.tensors) - 1

    def normal(self, *shape, axis=None):
        """Small enough that the branched net's last operator is not saturated."""
        return self.constant((0.2 * self.random.normal(size=shape)).astype(f32), axis)

    def add(self, code, reads, *shapes, **options):
        """Returns the index of the operator's first output."""
        first = len(self.tensors)
        for shape in shapes:
            self.tensors.append(Tensor(f"t{len(self.tensors)}", shape, np.dtype(f32)))
        writes = tuple(range(first, len(self.tensors)))
        self.operators.append((code, tuple(reads), writes, options))
        return first

    def graph(self, *outputs):
        names = operator_names([code for code, *_ in self.operators])
        operators = tuple(
            Operator(code, name, reads, writes, options)
            for name, (code, reads, writes, options) in zip(names, self.operators, strict=True)
        )
        return Graph(tuple(self.tensors), operators, (0,), outputs)

    def quantized(self, *outputs, only=None):
        """With int8 weights, or only some of them."""
        graph = self.graph(*outputs)
        tensors = list(graph.tensors)
        for index, axis in self.weights.items():
            if only is None or index in only:
                codes, *rest = qparams.quantize_weights(tensors[index].value, axis)
                quantization = Quantization(*rest, axis)
                tensors[index] = replace(
                    tensors[index], dtype=codes.dtype, value=codes, quantization=quantization
                )
        return replace(graph, tensors=tuple(tensors))


WINDOW = {"padding": "SAME", "stride_h": 1, "stride_w": 1}


def branched(seed, activation="RELU"):
    """A residual sum, a concatenation, depthwise, transposed, dense, a matrix product, a split."""
    net = Net(seed, (1, 5, 4, 3))
    fused = {"fused_activation_function": activation}
    conv = WINDOW | {"dilation_h_factor": 1, "dilation_w_factor": 1} | fused
    first = net.add(
        "CONV_2D", (0, net.normal(6, 3, 3, 3, axis=0), net.normal(6)), (1, 5, 4, 6), **conv
    )
    filters = net.normal(1, 3, 3, 6, axis=3)
    deep = net.add(
        "DEPTHWISE_CONV_2D",
        (first, filters, net.normal(6)),
        (1, 5, 4, 6),
        depth_multiplier=1,
        **conv,
    )
    total = net.add("ADD", (first, deep), (1, 5, 4, 6), fused_activation_function="NONE")
    side = net.add(
        "CONV_2D", (0, net.normal(2, 1, 1, 3, axis=0), net.normal(2)), (1, 5, 4, 2), **conv
    )
    together = {"axis": 3, "fused_activation_function": "NONE"}
    both = net.add("CONCATENATION", (side, total), (1, 5, 4, 8), **together)
    shape = net.constant(np.array([1, 5, 4, 3], np.int32))
    painted = net.add(
        "TRANSPOSE_CONV",
        (shape, net.normal(3, 2, 2, 8, axis=0), both, net.normal(3)),
        (1, 5, 4, 3),
        **WINDOW,
        **fused,
    )
    flat = net.add("RESHAPE", (painted, net.constant(np.array([1, 60], np.int32))), (1, 60))
    dense = net.add(
        "FULLY_CONNECTED",
        (flat, net.normal(10, 60, axis=0), net.normal(10)),
        (1, 10),
        keep_num_dims=False,
        asymmetric_quantize_inputs=bool(seed % 2),
        **fused,
    )
    product = net.add(
        "BATCH_MATMUL",
        (dense, net.normal(10, 8, axis=1)),
        (1, 8),
        adj_x=False,
        adj_y=False,
        asymmetric_quantize_inputs=False,
    )
    axis = net.constant(np.array(1, np.int32))
    left = net.add("SPLIT", (axis, product), (1, 4), (1, 4), num_splits=2)
    last = net.add("LOGISTIC", (left + 1,), (1, 4))
    return net, (last, left)


def unquantized(graph, random, spread=0.5):
    """A float model whose weights round to those of a quantized one of one operator."""
    tensors = list(graph.tensors)
    for index, tensor in enumerate(tensors):
        if tensor.quantization is not None:
            shape = [1] * tensor.value.ndim
            shape[tensor.quantization.axis] = -1
            steps = tensor.value + random.uniform(-spread, spread, tensor.shape)
            value = (steps * tensor.quantization.scale.reshape(shape)).astype(f32)
            tensors[index] = replace(tensor, dtype=value.dtype, value=value, quantization=None)
    return replace(graph, tensors=tuple(tensors))


def layer(weights, x_shape, **options):
    net = Net(0, x_shape)
    out, depth = weights.shape
    filters = net.constant(weights[:, None, None, :].astype(f32), axis=0)
    options = WINDOW | {"fused_activation_function": "NONE"} | options
    options |= {"dilation_h_factor": 1, "dilation_w_factor": 1}
    net.add("CONV_2D", (0, filters, net.normal(out)), (*x_shape[:3], out), **options)
    return net.graph(len(net.tensors) - 1), net.quantized(len(net.tensors) - 1)
