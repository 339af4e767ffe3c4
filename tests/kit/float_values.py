"""Random values, shapes and axes for operators of float32 and of what is moved around."""

import math

import numpy as np
from hypothesis import strategies as st

from tests.kit.one_operator import f32
from tests.kit.strategies import ACTIVATIONS, DISTRIBUTIONS

CHANNELS = (1, 2, 3, 4, 5, 8, 9, 16, 17, 33)
# sums of products are held to a bound, which has no meaning past float32's range
MODERATE = ("normal", "positive", "negative", "relu", "shifted", "uniform", "constant", "sparse")
ALL = tuple(sorted(set(DISTRIBUTIONS) - {"mixed batch"}))
MOVED = (np.float32, np.int8, np.uint8, np.int16, np.int32, np.int64, np.bool_)


def values(draw, shape, names=ALL) -> np.ndarray:
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    name = draw(st.sampled_from(names)) if math.prod(shape) > 1 else "normal"
    return np.asarray(DISTRIBUTIONS[name](random, shape)).astype(f32)


def anything(draw, shape) -> np.ndarray:
    """Values of any type that can be moved around."""
    dtype = draw(st.sampled_from(MOVED))
    if dtype == np.float32:
        return values(draw, shape)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return random.integers(0, 2 if dtype == np.bool_ else 100, shape).astype(dtype)


def without(x, *refused) -> np.ndarray:
    """The same values as float32 where the runtime's kernel refuses their type."""
    return x.astype(f32) if x.dtype in refused else x


def shape(draw, lowest=1, highest=4, largest=6) -> tuple[int, ...]:
    return tuple(draw(st.lists(st.integers(1, largest), min_size=lowest, max_size=highest)))


def image(draw, lowest=(1, 1), largest=6) -> tuple[int, int, int, int]:
    height, width = (draw(st.integers(at, at + largest)) for at in lowest)
    return draw(st.integers(1, 2)), height, width, draw(st.sampled_from(CHANNELS))


def axis(draw, rank) -> int:
    return draw(st.integers(-rank, rank - 1))


def axes(draw, rank) -> list[int]:
    chosen = draw(st.lists(st.integers(0, rank - 1), min_size=1, max_size=rank, unique=True))
    return [a - rank if draw(st.booleans()) else a for a in chosen]


def fused(draw) -> dict:
    return {"fused_activation_function": draw(st.sampled_from(ACTIVATIONS))}
