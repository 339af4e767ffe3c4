"""Pieces of an array that fit into the processor's cache.

NumPy passes over a whole array for every operation. A chain of operations on one piece after the
other does the same arithmetic, but all passes except the first find their values in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# The C library (glibc) takes fresh pages from the system for every larger block, and gives them
# back when it is freed, until it has seen such a block freed. This one, which is never touched,
# makes it keep up to twice its size for the next arrays: page faults cost more than arithmetic.
np.empty(2**25 - 2**16, np.uint8)

# elements of a tile: half a MiB of float32, so that a few fit into the second or third cache
ELEMENTS = 2**17


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
