"""tanh and the logistic function: the runtime's bits, and how near they are to the truth."""

from dataclasses import replace

import numpy as np
import pytest

from drqsim import litert, processor
from drqsim.arithmetic.functions import eigen
from tests.kit.recurrent import lstm

f32 = np.float32
ARM64 = processor.native().neon


def test_tanh_and_the_logistic_function_are_near_the_truth():
    x = np.concatenate([np.linspace(-120, 120, 20001), np.linspace(-1, 1, 5001)]).astype(f32)
    wide = x.astype(np.float64)
    with np.errstate(over="ignore"):
        truth = 1 / (1 + np.exp(-wide))
    packet = eigen.logistic(x, np.ones(x.shape, bool))
    one_by_one = eigen.logistic(x, np.zeros(x.shape, bool))
    for y, true in ((eigen.tanh(x), np.tanh(wide)), (packet, truth), (one_by_one, truth)):
        assert np.abs(y - true).max() < 5e-7
    assert (packet != one_by_one).any()  # the place in memory decides the last bit
    assert np.abs(packet - one_by_one).max() < 5e-7
    assert eigen.logistic(f32([-np.inf, np.inf]), np.array([True, True])).tolist() == [0, 1]


def test_packets_begin_at_a_boundary_and_are_full():
    def where(start, n):
        return "".join("-P"[int(p)] for p in eigen.in_packets(start, n))

    assert where(0, 9) == "PPPPPPPP-"
    assert where(9, 9) == "---PPPP--"
    assert where(2, 1) == "-" and where(2, 2) == "--" and where(2, 5) == "-----"
    assert where(2, 6) == "--PPPP"


@pytest.mark.parametrize("n", [20_000, 20_001, 20_002, 20_003])
def test_the_runtime_has_the_same_bits(n):
    """Fed zeros, the gates are functions of their biases alone, and the cell is a tanh."""
    random = np.random.default_rng(n)
    layer = lstm(random, time=1, batch=1, n_input=1, n_cell=n, projection=1)
    biases = np.concatenate([random.uniform(-110, 20, n // 2), random.normal(size=n - n // 2) * 3])
    biases = biases.astype(f32)
    values = {f"{name}_bias": biases for name in ("forget", "cell", "output")}
    values["input_bias"] = np.full(n, 20, f32)  # an input gate of exactly 1
    tensors = [replace(t, value=values.get(t.name, t.value)) for t in layer.tensors]
    real = litert.run(replace(layer, tensors=tuple(tensors)), np.zeros((1, 1, 1), f32))
    gates = real.scratch[0].value.ravel()[: 4 * n].reshape(4, n)  # input, cell, forget, output
    assert (gates[0] == 1).all()
    (cell,) = (t.value.ravel() for t in real.tensors if t.name == "state 19")
    assert np.array_equal(cell, eigen.tanh(biases, ARM64))
    for slot in (2, 3):
        packed = eigen.in_packets(slot * n, n)
        assert np.array_equal(gates[slot], eigen.logistic(biases, packed, ARM64))
