"""The C library is tuned where it is glibc, and left alone where it is not."""

import os

import numpy as np
import pytest

from drqsim.arithmetic import tiles


@pytest.mark.parametrize(
    "answer", [None, "musl 1.2", ValueError("unrecognized configuration name"), OSError(), "absent"]
)
def test_other_c_libraries_are_not_asked_for_memory(answer, monkeypatch):
    def confstr(name):
        if isinstance(answer, Exception):
            raise answer
        return answer

    def refused(*_):
        raise AssertionError("took memory")

    if answer == "absent":
        monkeypatch.delattr(os, "confstr", raising=False)
    else:
        monkeypatch.setattr(os, "confstr", confstr, raising=False)
    monkeypatch.setattr(tiles.np, "empty", refused)
    assert tiles.keep_freed_memory() is False


def test_glibc_is_asked_for_one_block(monkeypatch):
    asked = []
    monkeypatch.setattr(os, "confstr", lambda name: "glibc 2.36", raising=False)
    monkeypatch.setattr(tiles.np, "empty", lambda *shape: asked.append(shape))
    assert tiles.keep_freed_memory()
    list(tiles.tiles(3, 5))
    assert asked == [(tiles.LARGEST_KEPT, np.uint8)]
