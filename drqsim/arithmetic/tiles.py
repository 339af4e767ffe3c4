"""Pieces of an array that fit into the processor's cache.

NumPy passes over a whole array for every operation. A chain of operations on one piece after the
other does the same arithmetic, but all passes except the first find their values in the cache.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

# elements of a tile: half a MiB of float32, so that a few fit into the second or third cache
ELEMENTS = 2**17
# just below 32 MiB, the largest block that glibc lets change its ways
LARGEST_KEPT = 2**25 - 2**16


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


def keep_freed_memory() -> bool:
    """Make glibc keep freed blocks for the next arrays; returns whether glibc is there.

    For every larger block glibc takes fresh pages from the system, and gives them back when the
    block is freed, until it has seen such a block freed. The one here is never touched, so it costs
    nothing, and from then on up to twice its size is kept: page faults cost more than arithmetic.
    (``M_MMAP_THRESHOLD`` in ``man mallopt``, "dynamic mmap threshold".) Other C libraries have
    other ways, and would only be asked for memory.
    """
    if not _has_glibc():
        return False
    np.empty(LARGEST_KEPT, np.uint8)
    return True


def _has_glibc() -> bool:
    """Whether the C library of this process says that it is glibc."""
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError, OSError):  # no such function, no such name, no answer
        return False


# Once, and before the first array: called after the first layers, it left a MobileNet 13,000 page
# faults in every run, and a third more time on the default path.
keep_freed_memory()
