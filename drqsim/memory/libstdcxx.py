"""Two orders of the C++ standard library that the memory planner depends on.

The planner collects the tensors of each operator in a ``std::unordered_set<int>`` and sorts them
with ``std::sort``, which is not stable. Neither promises an order among equals, yet equal sizes are
common (two buffers of one value for each pixel), and the order decides which gets which offset and
sometimes how large the arena is. The runtime is built with libstdc++ (GCC), so its two algorithms
are written down here.

Sources: GCC ``bits/hashtable.h`` (``_M_insert_bucket_begin``, ``_M_rehash_aux``),
``src/c++11/hashtable_c++0x.cc`` (``_M_need_rehash``), ``bits/stl_algo.h`` (``__introsort_loop``,
``__unguarded_partition``), ``bits/stl_heap.h`` (``__adjust_heap``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

# the primes that a growing set passes through: the first at or above twice the one before
BUCKETS = (13, 29, 59, 127, 257, 541, 1109, 2357, 5087, 10273, 20753, 42043, 85229, 172933)
SMALL = 16  # shorter pieces are left to the insertion sort


def set_order(values: Iterable[int]) -> list[int]:
    """The order in which ``std::unordered_set<int>`` iterates over what was inserted.

    All elements hang on one list. A number hashes to itself; it goes to the front of the elements
    of its bucket, or to the front of the list when its bucket is empty. When there are more
    elements than buckets, the elements move, in their order and by the same rule, into a larger
    set of buckets.
    """
    order: list[int] = []
    sizes = iter(BUCKETS)
    buckets = next(sizes)
    for value in values:
        if value in order:
            continue
        if len(order) == buckets:
            buckets = next(sizes)
            moved: list[int] = []
            for element in order:
                _hang(moved, element, buckets)
            order = moved
        _hang(order, value, buckets)
    return order


def _hang(order: list[int], value: int, buckets: int) -> None:
    mates = (at for at, other in enumerate(order) if other % buckets == value % buckets)
    order.insert(next(mates, 0), value)


def introsort(items: Iterable[int], key: Callable[[int], tuple]) -> list[int]:
    """The items in the order in which ``std::sort`` leaves them, compared by ``key``.

    Quicksort by the median of three, down to pieces of 16; the insertion sort that finishes the
    work is stable, like Python's own sort. Too deep a recursion ends in a heap sort.
    """
    pairs = [(key(item), item) for item in items]
    _quicksort(pairs, 0, len(pairs), 2 * (len(pairs).bit_length() - 1))
    return [item for _, item in sorted(pairs, key=_first)]


def _first(pair: tuple) -> tuple:
    return pair[0]


def _quicksort(a: list, first: int, last: int, depth: int) -> None:
    while last - first > SMALL:
        if depth == 0:
            a[first:last] = _heapsort(a[first:last])
            return
        depth -= 1
        middle = _median(a, first + 1, first + (last - first) // 2, last - 1)
        a[first], a[middle] = a[middle], a[first]
        cut = _partition(a, first + 1, last, a[first][0])
        _quicksort(a, cut, last, depth)
        last = cut


def _median(a: list, x: int, y: int, z: int) -> int:
    """Which of three positions holds the median (``__move_median_to_first``)."""
    if a[x][0] < a[y][0]:
        return y if a[y][0] < a[z][0] else z if a[x][0] < a[z][0] else x
    return x if a[x][0] < a[z][0] else z if a[y][0] < a[z][0] else y


def _partition(a: list, first: int, last: int, pivot: tuple) -> int:
    while True:
        while a[first][0] < pivot:
            first += 1
        last -= 1
        while pivot < a[last][0]:
            last -= 1
        if first >= last:
            return first
        a[first], a[last] = a[last], a[first]
        first += 1


def _heapsort(a: list) -> list:
    for parent in range(len(a) // 2 - 1, -1, -1):
        _adjust(a, parent, len(a), a[parent])
    for last in range(len(a) - 1, 0, -1):
        value, a[last] = a[last], a[0]
        _adjust(a, 0, last, value)
    return a


def _adjust(a: list, hole: int, length: int, value: tuple) -> None:
    """Move the hole down along the larger children, then ``value`` up from there."""
    top, child = hole, hole
    while child < (length - 1) // 2:
        child = 2 * child + 2
        if a[child][0] < a[child - 1][0]:
            child -= 1
        a[hole] = a[child]
        hole = child
    if length % 2 == 0 and child == (length - 2) // 2:
        child = 2 * child + 1
        a[hole] = a[child]
        hole = child
    parent = (hole - 1) // 2
    while hole > top and a[parent][0] < value[0]:
        a[hole] = a[parent]
        hole, parent = parent, (parent - 1) // 2
    a[hole] = value
