"""Arithmetic piece by piece gives the same bits as all at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import qparams
from drqsim.arithmetic import tiles
from tests.kit.strategies import KERNELS, hybrid_convolutions, hybrid_depthwise

LAYERS = {"conv_2d": hybrid_convolutions, "depthwise_conv_2d": hybrid_depthwise}


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles so small that the layers and rows of these tests are cut into several."""
    return lambda elements: monkeypatch.setattr(tiles, "ELEMENTS", elements)


@given(st.integers(1, 40), st.integers(1, 200), st.integers(1, 50))
def test_every_cell_is_in_one_tile(rows, columns, each):
    seen = np.zeros((rows, columns), int)
    for tile in tiles.tiles(rows, columns, each * 2**12):
        seen[tile] += 1
        assert seen[tile].size * each * 2**12 <= max(tiles.ELEMENTS, each * 2**12)
    assert (seen == 1).all()


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", LAYERS)
@given(data=st.data())
def test_the_bands_of_a_layer(name, kernels, small_tiles, data):
    graph, x = data.draw(LAYERS[name](kernels))
    small_tiles(2**17)
    _, whole = drqsim.run(graph, x, kernels)
    small_tiles(16)
    _, banded = drqsim.run(graph, x, kernels)
    for one, other in zip(whole, banded, strict=True):
        assert (one.key, one.dtype, one.shape) == (other.key, other.dtype, other.shape)
        assert one.value.tobytes() == other.value.tobytes(), one.key


@pytest.mark.parametrize("kernels", KERNELS)
def test_what_is_not_kept_keeps_shape_and_dtype(kernels, small_tiles):
    random = np.random.default_rng(0)
    weights = random.normal(size=(4, 3, 3, 2)).astype(np.float32)
    graph = drqsim.conv_relu(weights, np.zeros(4, np.float32), input_shape=(1, 8, 8, 2))
    graph = drqsim.quantize(graph, min_elements=0)
    x = random.normal(size=(1, 8, 8, 2)).astype(np.float32)
    outputs, whole = drqsim.run(graph, x, kernels)
    small_tiles(64)
    for record in ("shapes", ["*/dequantized"]):
        bare_outputs, bare = drqsim.run(graph, x, kernels, record)
        for name, output in outputs.items():
            assert output.tobytes() == bare_outputs[name].tobytes()
        for one, other in zip(whole, bare, strict=True):
            described = [(r.key, r.dtype, r.shape, r.nbytes, r.reserved) for r in (one, other)]
            assert described[0] == described[1]
            if other.name == "dequantized" and record != "shapes":
                assert one.value.tobytes() == other.value.tobytes()
            else:
                assert other.value is None


@pytest.mark.parametrize("quantize", ["symmetric", "asymmetric", "asymmetric_xnnpack"])
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 100))
def test_the_codes_of_long_and_short_rows(quantize, small_tiles, seed, rows, n):
    random = np.random.default_rng(seed)
    x = (random.normal(size=(rows, n)) * 10.0 ** random.integers(-40, 30)).astype(np.float32)
    small_tiles(2**17)
    whole = getattr(qparams, quantize)(x)
    small_tiles(32)
    for one, other in zip(whole, getattr(qparams, quantize)(x), strict=True):
        assert np.array_equal(one, other)


def test_a_function_of_every_element_is_the_same_in_pieces(monkeypatch):
    random = np.random.default_rng(0)
    x, packed = random.normal(size=(7, 11)).astype(np.float32), random.random((7, 11)) < 0.5
    seen = []

    @tiles.piecewise
    def function(x, packed, scale, add=0):
        seen.append(x.size)
        return np.where(packed, x * scale, x) + np.float32(add)

    whole = function(x, packed, np.float32(3), add=1)
    monkeypatch.setattr(tiles, "ELEMENTS", 20)
    cut = function(x.T.copy().T, packed, np.float32(3), add=1)
    assert seen == [77, 20, 20, 20, 17]
    assert cut.shape == x.shape and np.array_equal(cut, whole)
