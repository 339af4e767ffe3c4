"""The orders of GCC's standard library, which decide on equal sizes."""

import pytest

from drqsim.memory import libstdcxx
from tests.kit.places import GOLDEN

GOLDENS = GOLDEN / "libstdcxx_orders.txt"


def golden(what):
    for line in GOLDENS.read_text().splitlines():
        kind, *numbers = line.split()
        if kind == what:
            bar = numbers.index("|")
            yield [int(n) for n in numbers[:bar]], [int(n) for n in numbers[bar + 1 :]]


def test_the_order_of_a_set_is_that_of_gcc():
    cases = list(golden("set"))
    assert len(cases) == 34
    for inserted, order in cases:
        assert libstdcxx.set_order(inserted) == order
    ((_, buckets),) = golden("rehash")
    assert list(libstdcxx.BUCKETS) == buckets


def test_the_order_of_a_sort_is_that_of_gcc(monkeypatch):
    cases = list(golden("sort")) + list(golden("killer"))
    assert len(cases) == 60
    for sizes, order in cases:
        assert libstdcxx.introsort(range(len(sizes)), lambda i, s=sizes: (-s[i],)) == order
    # the killers get as far as the heap sort
    monkeypatch.setattr(libstdcxx, "_heapsort", lambda a: 1 / 0)
    for sizes, _ in golden("killer"):
        with pytest.raises(ZeroDivisionError):
            libstdcxx.introsort(range(len(sizes)), lambda i, s=sizes: (-s[i],))
