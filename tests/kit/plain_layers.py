"""Plain layers, inputs that show how they are quantized, and what the runtime makes of them."""

from dataclasses import replace

import numpy as np

import drqsim
from drqsim import litert
from drqsim.graph import Quantization, Tensor
from drqsim.runtime.native import interpreter
from tests.kit.one_operator import one_operator
from tests.kit.places import MODELS
from tests.kit.strategies import float_constant

f32 = np.float32
ONCE = {"stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}


def weights(*shape: int, scales: int = 1, axis: int = 0, seed: int = 0) -> Tensor:
    """int8 weights from -100 to 100; with several scales each is different."""
    values = np.random.default_rng(seed).integers(-100, 101, shape, dtype=np.int8)
    scale = np.linspace(0.01, 0.02, scales).astype(f32)
    return int8(values, scale, axis)


def int8(values: np.ndarray, scale: np.ndarray, axis: int) -> Tensor:
    quantization = Quantization(scale, np.zeros(scale.size, np.int64), axis)
    return Tensor("filter", values.shape, values.dtype, values, quantization)


def conv(x: np.ndarray, size=3, scales=4, activation="NONE", stride=1):
    filters = weights(4, size, size, x.shape[3], scales=scales)
    return convolution(x, filters, activation, stride)


def convolution(x, filters, activation="NONE", stride=1):
    bias = float_constant("bias", np.zeros(len(filters.value)))
    options = ONCE | {"padding": "SAME", "fused_activation_function": activation}
    options |= {"stride_h": stride, "stride_w": stride}
    batch, height, width, _ = x.shape
    shape = (batch, -(-height // stride), -(-width // stride), len(filters.value))
    return one_operator("CONV_2D", [x.shape, filters, bias], [shape], **options)


def depthwise(x):
    channels = x.shape[3]
    filters = weights(1, 3, 3, channels, scales=channels, axis=3)
    options = ONCE | {"padding": "SAME", "depth_multiplier": 1, "fused_activation_function": "NONE"}
    bias = float_constant("bias", np.zeros(channels))
    return one_operator("DEPTHWISE_CONV_2D", [x.shape, filters, bias], [x.shape], **options)


def dense(x, filters=None, asymmetric=True, activation="NONE"):
    filters = weights(4, x.shape[1], scales=4) if filters is None else filters
    options = {"keep_num_dims": False, "fused_activation_function": activation}
    options["asymmetric_quantize_inputs"] = asymmetric
    return one_operator("FULLY_CONNECTED", [x.shape, filters], [(len(x), 4)], **options)


def matmul(x, filters=None):
    filters = weights(x.shape[1], 4) if filters is None else filters
    options = {"adj_x": False, "adj_y": False, "asymmetric_quantize_inputs": True}
    return one_operator("BATCH_MATMUL", [x.shape, filters], [(len(x), 4)], **options)


def transposed(x, filters=None):
    """A TRANSPOSE_CONV; it reads its output shape first, then the weights, then x."""
    filters = weights(4, 1, 1, x.shape[3], scales=4) if filters is None else filters
    shape = (*x.shape[:3], 4)
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1, "fused_activation_function": "NONE"}
    reads = [np.array(shape, np.int32), filters, x.shape]
    return one_operator("TRANSPOSE_CONV", reads, [shape], **options)


def grid(*shape: int, low=-128, high=127) -> np.ndarray:
    """Whole numbers between ``low`` and ``high``, which both occur: codes of the scale 1."""
    x = np.random.default_rng(1).integers(low, high + 1, shape).astype(f32)
    x.reshape(-1, shape[-1])[:, 0], x.reshape(-1, shape[-1])[:, 1] = low, high
    return x


def nudged(x: np.ndarray) -> np.ndarray:
    """Moved by less than half a step, but for the lowest and the highest value."""
    moved = x + np.random.default_rng(2).uniform(-0.4, 0.4, x.shape).astype(f32)
    return np.where((x == x.min()) | (x == x.max()), x, np.clip(moved, x.min(), x.max()))


def louder(x: np.ndarray, where: tuple) -> np.ndarray:
    x = x.copy()
    x[where] *= 1000
    return x


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=shape).astype(f32)


def as_float(graph):
    """The same layer with float32 weights of the same values."""
    filters = graph.tensors[1]
    along = [-1 if n == filters.quantization.axis else 1 for n in range(len(filters.shape))]
    scale = filters.quantization.scale.reshape(along)
    floats = float_constant("filter", filters.value * scale)
    return replace(graph, tensors=(graph.tensors[0], floats, *graph.tensors[2:]))


DRQ = MODELS / "digits_drq.tflite"


def image() -> np.ndarray:
    return np.load(MODELS / "digits_inputs.npz")["images"][:1]


def output(graph, x, kernels):
    (value,) = litert.run(graph, x, kernels).outputs.values()
    return value


def codes_see(graph, x, kernels) -> bool:
    """Whether the output answers to a change of less than half a step of the scale 1."""
    return not np.array_equal(output(graph, x, kernels), output(graph, nudged(x), kernels))


OPERATORS = {
    "conv": (conv, (1, 4, 4, 8)),
    "depthwise": (depthwise, (1, 4, 4, 8)),
    "dense": (dense, (3, 16)),
    "matmul": (matmul, (3, 16)),
    "transposed": (transposed, (1, 4, 4, 8)),
}


def steps_apart(value, graphs, x) -> float:
    """How many steps of float32 it is away from the exact sum of the codes times the scales."""
    scratch = litert.run(graphs["conv"], x, "optimized").scratch
    (codes,) = [t.value for t in scratch if t.dtype == np.int8 and t.shape == x.shape]
    scale = next(t.value for t in scratch if t.dtype == np.float32).ravel()[0].astype(np.float64)
    filters = graphs["conv"].tensors[1]
    sums = (codes.astype(np.int64) + 128) @ filters.value.reshape(4, -1).T.astype(np.int64)
    exact = sums * scale * filters.quantization.scale.astype(np.float64)
    return float((np.abs(value - exact) / np.spacing(exact.astype(f32))).max())


def read_first_convolution(kernels: str, preserve: bool) -> np.ndarray:
    """The output of the first operator, read after the whole network has run."""
    graph = drqsim.load(DRQ)
    runtime = interpreter(DRQ.read_bytes(), kernels, preserve)
    runtime.allocate_tensors()
    runtime.set_tensor(graph.inputs[0], image())
    runtime.invoke()
    return runtime.get_tensor(graph.operators[0].outputs[0])
