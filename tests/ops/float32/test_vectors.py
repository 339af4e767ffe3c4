"""XNNPACK's float operators whose bits depend on the processor: what the runtime gave on two kinds.

With AVX-512 on a machine that has it; without on a Haswell emulated by QEMU 10. A machine runs the
kernels of its own kind only, which it is asked about in the other tests.
"""

import numpy as np
import pytest

import drqsim
from tests.kit.one_operator import one_operator

f32 = np.float32
AVX2, AVX512 = "x86-64", "x86-64-vnni"
SOME = f32([-0.0, -86.90355, -17, 0.7, -6.059958, 20])
OVERFLOWING = f32([0, -0.0, 1, 2.4e38, 2.5e38, np.inf, -1, np.nan])
SIGNS = f32([0, -0.0, 1e-40, -1e-40, -1])
ROWS = ((np.arange(3 * 2 * 45) * 7919 % 145) / f32(145 / 8)).astype(f32).reshape(3, 2, 45)
# operator -> its input, its options, and the first of its results on either kind of processor
GIVEN = {
    "LOGISTIC": (
        SOME,
        {},
        [0.5, 2.3509887e-38, 4.1399378e-08, 0.6681878, 0.0023290617, 1],
        [0.5, 1.8124588e-38, 4.139938e-08, 0.66818774, 0.002329062, 1],
    ),
    "ELU": (
        SOME,
        {},
        [0, -1, -0.99999994, 0.7, -0.9976655, 20],
        [-0.0, -1, -1, 0.7, -0.9976655, 20],
    ),
    "LOG": (
        OVERFLOWING,
        {},
        [-np.inf, -np.inf, 0, 88.3737, 88.376266, 88.376266, np.nan, 88.78173],
        [-np.inf, -np.inf, 0, 88.3737, np.inf, np.inf, np.nan, np.nan],
    ),
    "LEAKY_RELU": (SIGNS, {"alpha": -0.5}, [0, 0, 1e-40, 0, 0.5], [0, -0.0, 1e-40, -1e-40, 0.5]),
    "PRELU": (SIGNS, {}, [0, 0, 1e-40, 0, 0.5], [0, -0.0, 1e-40, -1e-40, 0.5]),
    "SOFTMAX": (
        ROWS,
        {"beta": 1.0},
        [6.510786e-05, 0.008834236, 0.00040211377, 0.05456128],
        [6.510786e-05, 0.008834235, 0.0004021137, 0.054561272],
    ),
    "SUM": (ROWS, {"keep_dims": False}, [173.24138, 180.68967], [173.2414, 180.68967]),
    "MEAN": (ROWS, {"keep_dims": False}, [3.9438057, 3.9908047], [3.943806, 3.9908047]),
}
# with AVX-512 only; without, the estimate is the processor's own
ROOTS = {
    "SQRT": [0, -0.0, 1.1547005, 1.7320508, 16, np.inf, 2.5363356e19, np.nan],
    "RSQRT": [np.nan, np.nan, 0.8660254, 0.57735026, 0.0625, 0, 8.87114e-20, np.nan],
}
POSITIVE = f32([0, -0.0, 4 / 3, 3, 256, np.inf, 2.8590865e38, -1])
ALSO_READ = {"SUM": np.int32([2]), "MEAN": np.int32([0, 2]), "PRELU": f32([-0.5])}


@pytest.mark.parametrize("processor", [AVX2, AVX512])
@pytest.mark.parametrize("code", GIVEN)
def test_as_the_runtime_on_that_kind_of_processor(code, processor):
    x, options, avx2, avx512 = GIVEN[code]
    reads = [x.shape, *([ALSO_READ[code]] if code in ALSO_READ else [])]
    graph = one_operator(code, reads, [()], **options)
    y = drqsim.run(graph, x, "xnnpack", processor=processor, allow_nonfinite=True)[0]["y"]
    expected = f32(avx512 if processor == AVX512 else avx2)
    same = np.asarray(y).ravel()[: expected.size]
    assert np.array_equal(same, expected, equal_nan=True), [float(v) for v in same]
    assert np.array_equal(np.signbit(same) & (same == same), np.signbit(expected))


@pytest.mark.parametrize("code", ROOTS)
def test_roots_as_the_runtime_with_avx512(code):
    graph = one_operator(code, [POSITIVE.shape], [()])
    y = drqsim.run(graph, POSITIVE, "xnnpack", processor=AVX512, allow_nonfinite=True)[0]["y"]
    expected = f32(ROOTS[code])
    assert np.array_equal(y, expected, equal_nan=True), [float(v) for v in y]
    assert np.array_equal(np.signbit(y) & (y == y), np.signbit(expected))
