"""Pieces of an array that fit into the processor's cache.

NumPy passes over a whole array for every operation. A chain of operations on one piece after the
other does the same arithmetic, but all passes except the first find their values in the cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import wraps

import numpy as np

# elements of a tile: half a MiB of float32, so that a few fit into the second or third cache
ELEMENTS = 2**17
# parameters of glibc's mallopt, as <malloc.h> numbers them, and the bytes that they are given here
TRIM_THRESHOLD, KEPT = -1, 2**27
MMAP_THRESHOLD, LARGEST_KEPT = -3, 2**25  # the most that it takes


def tiles(rows: int, columns: int, each: int = 1) -> Iterator[tuple[slice, slice]]:
    """Cut a grid into tiles: several whole rows, or a part of one row.

    Parameters
    ----------
    rows, columns : int
        The grid.
    each : int
        How many elements one cell of the grid stands for.

    Yields
    ------
    (slice, slice)
        The rows and the columns of a tile. With ``each`` = 1 a tile that ends inside a row starts
        and ends at a multiple of 8.
    """
    cells = max(1, ELEMENTS // each)
    height, width = max(1, cells // max(1, columns)), min(columns, cells)
    for row in range(0, rows, height):
        for column in range(0, columns, width or 1):
            yield slice(row, row + height), slice(column, column + width)


def piecewise(function: Callable) -> Callable:
    """A float32 function of every element, applied to a large array tile by tile.

    Its formula may then hold a dozen arrays of float64 at once, each of the size of a tile. Further
    arrays in the shape of the first are cut alike.
    """

    @wraps(function)
    def whole(x: np.ndarray, *others, **options) -> np.ndarray:
        if x.size <= ELEMENTS:
            return function(x, *others, **options)
        flat = [a.reshape(-1) if isinstance(a, np.ndarray) else a for a in (x, *others)]
        y = np.empty(x.size, np.float32)
        for start in range(0, x.size, ELEMENTS):
            at = slice(start, start + ELEMENTS)
            pieces = (a[at] if isinstance(a, np.ndarray) else a for a in flat)
            y[at] = function(*pieces, **options)
        return y.reshape(x.shape)

    return whole


def keep_freed_memory() -> bool:
    """Make glibc keep freed blocks for the next arrays; returns whether glibc is there.

    For every larger block glibc takes fresh pages from the system, and gives them back when the
    block is freed: page faults cost more than the arithmetic on small layers. From here on it keeps
    blocks of up to ``LARGEST_KEPT`` bytes, and ``KEPT`` bytes in all, more than the trace of a
    MobileNet (``man mallopt``). Other C libraries have other ways, and are left alone.
    """
    if not _has_glibc():
        return False
    import ctypes  # not every Python has it where there is no glibc

    mallopt = ctypes.CDLL(None).mallopt
    return all(
        mallopt(name, size)
        for name, size in ((MMAP_THRESHOLD, LARGEST_KEPT), (TRIM_THRESHOLD, KEPT))
    )


def _has_glibc() -> bool:
    """Whether the C library of this process says that it is glibc."""
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError, OSError):  # no such function, no such name, no answer
        return False


keep_freed_memory()  # once, when the first operator is about to run
