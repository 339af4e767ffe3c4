"""The float arithmetic behind a sum, band by band: some rows of the image after the other."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from drqsim.ops.call import Call
from drqsim.tiles import tiles


def by_bands(
    call: Call,
    shape: tuple[int, ...],
    steps: Callable[..., dict[str, np.ndarray]],
    *arrays: np.ndarray,
) -> dict[str, np.ndarray]:
    """Run ``steps`` on bands that fit into the cache, and put its results together.

    Parameters
    ----------
    call : Call
        Knows which results are kept.
    shape : tuple of int
        Of every result: [batch, rows, ...].
    steps : callable
        Takes a band of every array; returns the same band of every result, by name.
    arrays : arrays [batch or 1, rows or 1, ...]
        What the steps read. A dimension of size 1 belongs to every band.

    Returns
    -------
    dict of arrays
        ``output``, and what is kept, in full. The others have a shape and a dtype, no memory.
    """
    whole: dict[str, np.ndarray] = {}
    for band in tiles(*shape[:2], each=math.prod(shape[2:])):
        for name, part in steps(*(_cut(array, band) for array in arrays)).items():
            if name not in whole:
                kept = name == "output" or call.keeps(name)
                empty = np.empty(shape if kept else (), part.dtype)
                whole[name] = empty if kept else np.broadcast_to(empty, shape)
            if whole[name].flags.writeable:
                whole[name][band] = part
    return whole


def _cut(array: np.ndarray, band: tuple[slice, slice]) -> np.ndarray:
    every = slice(None)
    return array[tuple(every if n == 1 else part for n, part in zip(array.shape, band))]
