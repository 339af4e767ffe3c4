"""The float arithmetic behind a sum, band by band: some rows of the image after the other."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from drqsim.arithmetic.tiles import tiles
from drqsim.ops.call import Call


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
        ``output``, and what is kept; of the others perhaps no more than the shape and the dtype.
    """
    bands = list(tiles(*shape[:2], each=math.prod(shape[2:])))
    if len(bands) == 1:
        return steps(*arrays)
    whole: dict[str, np.ndarray] = {}
    for band in bands:
        for name, part in steps(*(_cut(array, band) for array in arrays)).items():
            if name not in whole:
                kept = name == "output" or call.keeps(name)
                whole[name] = np.empty(shape, part.dtype) if kept else _stand_in(shape, part.dtype)
            if whole[name].flags.writeable:
                whole[name][band] = part
    return whole


def _stand_in(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Shape and dtype of an array that nobody will look into; one element of memory."""
    return np.broadcast_to(np.empty((), dtype), shape)


def _cut(array: np.ndarray, band: tuple[slice, slice]) -> np.ndarray:
    sizes = zip(array.shape[:2], band, strict=True)
    return array[tuple(slice(None) if size == 1 else part for size, part in sizes)]
