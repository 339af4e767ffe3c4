"""What a comparison covers: every record that is said to lie in memory, and no other.

The judge knows from the runtime's source what a kernel writes; the records say it too. Where the
two fall apart, a tensor would drop out of the comparison without a word.
"""

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.ops import conv_2d
from tests.kit import plain_layers as plain

X = np.random.default_rng(0).normal(size=(1, 5, 5, 4)).astype(np.float32)
ROWS = np.random.default_rng(1).normal(size=(3, 12)).astype(np.float32)
INPUT = ["input_quantized", "input_scale", "input_zero_point"]
SYMMETRIC = ["input_quantized", "input_scale"]
WHOLE = [*INPUT, "filter_row_sums"]


def conv(channels, scales, depth=4, size=3):
    return plain.convolution(X, plain.weights(channels, size, size, depth, scales=scales))


# layer, input; what is compared on the reference path, and on the optimized path
CASES = {
    "per-tensor, 8 channels": (conv(8, 1), X, [*SYMMETRIC, "im2col", "accumulator"], None),
    "per-tensor, 6 channels": (conv(6, 1), X, [*SYMMETRIC, "im2col"], None),
    "per-tensor, 1x1": (conv(8, 1, size=1), X, [*SYMMETRIC, "accumulator"], None),
    "per-channel": (conv(8, 8), X, INPUT, [*WHOLE, "im2col", "accumulator_raw"]),
    "per-channel, 6 channels": (conv(6, 6), X, INPUT, [*WHOLE, "im2col", "accumulator_raw"]),
    "grouped": (conv(8, 8, depth=2), X, INPUT, INPUT),
    "depthwise": (plain.depthwise(X), X, INPUT, None),
    "dense": (plain.dense(ROWS), ROWS, WHOLE, None),
    "matrix product": (plain.matmul(ROWS), ROWS, WHOLE, None),
    "transposed": (plain.transposed(X), X, INPUT, None),
}


@pytest.mark.parametrize("what", CASES)
@pytest.mark.parametrize("kernels", ["reference", "optimized", "xnnpack"])
def test_what_lies_in_memory_is_compared(what, kernels):
    layer, x, reference, optimized = CASES[what]
    expected = optimized if optimized and kernels == "optimized" else reference
    comparison = litert.compare(layer, x, kernels)
    covered = [row.tensor.partition(" * ")[0] for row in comparison.rows]
    assert comparison.exact, comparison
    _, trace = drqsim.run(layer, x, kernels)
    said = {r.name for r in trace if r.role == "scratch" and r.stored in ("arena", "persistent")}
    if kernels == "xnnpack" and said == set():  # no tensor holds what the delegate keeps
        expected = []
    assert sorted(covered) == sorted([*expected, "output"])
    assert said == set(expected)


@pytest.mark.parametrize("wrong", [True, False])
def test_a_wrong_choice_of_the_dot_product_is_seen(wrong, monkeypatch):
    """``is_dense``: with channels that are no multiple of 4, per-tensor sums reach no memory."""
    monkeypatch.setattr(conv_2d, "is_dense", lambda kernel, channels: wrong)
    what = "per-tensor, 8 channels" if wrong else "per-tensor, 6 channels"
    with pytest.raises(AssertionError):
        test_what_lies_in_memory_is_compared(what, "optimized")
