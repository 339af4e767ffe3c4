"""XNNPACK's float operators whose bits depend on the processor: what the runtime gave on each kind.

With AVX-512 on a machine that has it; on the others emulated by QEMU 10, a Haswell and a Neoverse
N1. A machine runs the kernels of its own kind only, which it is asked about in the other tests.
"""

import numpy as np
import pytest

import drqsim
from tests.kit.one_operator import one_operator

f32 = np.float32
KINDS = ("x86-64", "x86-64-vnni", "arm64")  # AVX2, AVX-512, NEON
SOME = f32([-0.0, -86.90355, -17, 0.7, -6.059958, 20])
OVERFLOWING = f32([0, -0.0, 1, 2.4e38, 2.5e38, np.inf, -1, np.nan])
SIGNS = f32([0, -0.0, 1e-40, -1e-40, -1])
ROWS = ((np.arange(3 * 2 * 45) * 7919 % 145) / f32(145 / 8)).astype(f32).reshape(3, 2, 45)
POSITIVE = f32([0, -0.0, 4 / 3, 3, 256, np.inf, 2.8590865e38, -1])
INF, NAN = np.inf, np.nan
# operator -> its input, its options, and the first of its results on each kind of processor: of
# roots two, as without AVX-512 the estimate of any other is the processor's own
GIVEN = {
    "LOGISTIC": (
        SOME,
        {},
        [0.5, 2.3509887e-38, 4.1399378e-08, 0.6681878, 0.0023290617, 1],
        [0.5, 1.8124588e-38, 4.139938e-08, 0.66818774, 0.002329062, 1],
        [0.5, 1.8124592e-38, 4.139938e-08, 0.66818774, 0.0023290617, 1],
    ),
    "ELU": (
        SOME,
        {},
        [0, -1, -0.99999994, 0.7, -0.9976655, 20],
        [-0.0, -1, -1, 0.7, -0.9976655, 20],
        [-0.0, -1, -0.99999994, 0.7, -0.9976655, 20],
    ),
    "LOG": (
        OVERFLOWING,
        {},
        [-INF, -INF, 0, 88.3737, 88.37627, 88.37627, NAN, 88.78173],
        [-INF, -INF, 0, 88.3737, INF, INF, NAN, NAN],
        [-INF, -INF, 0, 88.3737, 88.37627, 88.37627, NAN, 88.78173],
    ),
    "EXP": (
        f32([NAN, -90, 1, 100]),
        {},
        [0, 0, 2.7182817, INF],
        [0, 0, 2.7182817, INF],
        [NAN, 0, 2.7182817, INF],
    ),
    "NEG": (f32([0, -0.0, 1e-40, 1]), {}, [0, 0, 0, -1], [0, 0, 0, -1], [-0.0, 0, -1e-40, -1]),
    "SQRT": (
        POSITIVE,
        {},
        [0, -0.0],
        [0, -0.0, 1.1547005, 1.7320508, 16, INF, 2.5363356e19, NAN],
        [0, -0.0, 1.1547005, 1.7320508, 16, INF, 1.6908834e19, NAN],
    ),
    "RSQRT": (
        POSITIVE,
        {},
        [NAN, NAN],
        [NAN, NAN, 0.8660254, 0.57735026, 0.0625, 0, 8.87114e-20, NAN],
        [INF, -INF, 0.86602545, 0.57735026, 0.0625, 0, 5.914068e-20, NAN],
    ),
    "LEAKY_RELU": (
        SIGNS,
        {"alpha": -0.5},
        [0, 0, 1e-40, 0, 0.5],
        [0, -0.0, 1e-40, -1e-40, 0.5],
        [0, 0, 1e-40, 0, 0.5],
    ),
    "PRELU": (
        SIGNS,
        {},
        [0, 0, 1e-40, 0, 0.5],
        [0, -0.0, 1e-40, -1e-40, 0.5],
        [0, 0, 1e-40, 0, 0.5],
    ),
    "SOFTMAX": (
        ROWS,
        {"beta": 1.0},
        [6.510786e-05, 0.008834236, 0.00040211377, 0.05456128],
        [6.510786e-05, 0.008834235, 0.0004021137, 0.054561272],
        [6.510787e-05, 0.008834236, 0.00040211377, 0.05456128],
    ),
    "SUM": (
        ROWS,
        {"keep_dims": False},
        [173.24138, 180.68967],
        [173.2414, 180.68967],
        [173.2414, 180.68967],
    ),
    "MEAN": (
        ROWS,
        {"keep_dims": False},
        [3.9438057, 3.9908047],
        [3.943806, 3.9908047],
        [3.943806, 3.9908047],
    ),
}
GIVEN |= {
    "MAXIMUM": (
        f32([-0.0, 0, -0.0, 0]),
        {},
        [0, 0, -0.0, -0.0],
        [0, 0, -0.0, -0.0],
        [0, 0, -0.0, 0],
    ),
    "MINIMUM": (
        f32([-0.0, 0, -0.0, 0]),
        {},
        [0, 0, -0.0, -0.0],
        [0, 0, -0.0, -0.0],
        [-0.0, 0, -0.0, -0.0],
    ),
    "REDUCE_MAX": (
        f32([[0, -0.0, 0], [-0.0, 0, 1]]),
        {"keep_dims": False},
        [-0.0, 0, 1],
        [-0.0, 0, 1],
        [0, 0, 1],
    ),
    "MUL": (
        f32([-0.0, 0, -1, 1]),
        {"fused_activation_function": "RELU"},
        [-0.0, 0, 0, 0.5],
        [-0.0, 0, 0, 0.5],
        [0, 0, 0, 0.5],
    ),
    "RESIZE_BILINEAR": (
        f32([0.1, 0.7, 1 / 3]).reshape(1, 1, 3, 1),
        {"align_corners": False, "half_pixel_centers": True},
        [0.1, 0.1, 0.20909092, 0.37272727, 0.53636366, 0.7, 0.59999996],
        [0.1, 0.1, 0.20909092, 0.37272727, 0.53636366, 0.7, 0.59999996],
        [0.1, 0.1, 0.2090909, 0.37272727, 0.5363636, 0.7, 0.6],
    ),
}
ALSO_READ = {"SUM": np.int32([2]), "MEAN": np.int32([0, 2]), "PRELU": f32([-0.5])}
ALSO_READ |= {"MAXIMUM": f32([0, 0, -0.0, -0.0]), "MINIMUM": f32([0, 0, -0.0, -0.0])}
ALSO_READ |= {"REDUCE_MAX": np.int32([0]), "MUL": f32([0.5]), "RESIZE_BILINEAR": np.int32([1, 11])}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", GIVEN)
def test_as_the_runtime_on_that_kind_of_processor(code, kind):
    x, options, *given = GIVEN[code]
    reads = [x.shape, *([ALSO_READ[code]] if code in ALSO_READ else [])]
    made = (1, 1, 11, 1) if code.startswith("RESIZE") else ()  # at which XNNPACK looks
    graph = one_operator(code, reads, [made], **options)
    y = drqsim.run(graph, x, "xnnpack", processor=kind, allow_nonfinite=True)[0]["y"]
    expected = f32(given[KINDS.index(kind)])
    first = np.asarray(y).ravel()[: expected.size]
    assert np.array_equal(first, expected, equal_nan=True), [str(v) for v in first]
    assert np.array_equal(np.signbit(first) & (first == first), np.signbit(expected))
