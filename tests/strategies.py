"""Random layers and inputs: shapes, strides, padding, groups, and awkward values."""

import numpy as np
from hypothesis import strategies as st

import drqsim

f32 = np.float32
KERNELS = ("reference", "optimized", "xnnpack")

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
    "mixed batch": lambda r, s: r.normal(size=s) * 10.0 ** np.arange(s[0]).reshape(-1, 1, 1, 1),
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


@st.composite
def hybrid_convolutions(draw, kernels):
    """An int8 CONV_2D that the runtime accepts on this kernel path, and an input for it."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups = draw(st.sampled_from((1, 1, 1, 2, 3)))
    depth = draw(st.sampled_from((1, 2, 3, 4, 5, 8, 16, 17)))
    out = groups * draw(st.integers(1, 9))
    kernel = draw(st.sampled_from(((1, 1), (3, 3), (2, 3), (5, 1), (1, 3))))
    stride = draw(st.sampled_from(((1, 1), (1, 1), (2, 2), (1, 2), (3, 1))))
    dilation = draw(st.sampled_from(((1, 1), (1, 1), (2, 2), (1, 2))))
    padding = draw(st.sampled_from(("SAME", "VALID")))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    lowest = reach if padding == "VALID" else (1, 1)
    height = draw(st.integers(lowest[0], lowest[0] + 6))
    width = draw(st.integers(lowest[1], lowest[1] + 6))
    batch = draw(st.sampled_from((1, 1, 2, 3)))
    scales = draw(st.sampled_from(("per-channel", "per-channel", "equal", "per-tensor")))
    weights = random.integers(-127, 128, (out, *kernel, depth), dtype=np.int8)
    if draw(st.booleans()):
        weights = np.abs(weights)  # one-sided: large row sums
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
        activation=draw(st.sampled_from(("NONE", "RELU", "RELU6", "RELU_N1_TO_1"))),
        filter_scale=scale,
    )
    return graph, draw(inputs(graph.tensors[0].shape))
