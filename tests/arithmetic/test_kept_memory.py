"""The C library is tuned where it is glibc, and left alone where it is not."""

import ctypes
import os
import platform
from types import SimpleNamespace

import pytest

from drqsim.arithmetic import tiles


@pytest.mark.parametrize(
    "answer", [None, "musl 1.2", ValueError("unrecognized configuration name"), OSError(), "absent"]
)
def test_other_c_libraries_are_left_alone(answer, monkeypatch):
    def confstr(name):
        if isinstance(answer, Exception):
            raise answer
        return answer

    def refused(*_):
        raise AssertionError("asked the C library")

    if answer == "absent":
        monkeypatch.delattr(os, "confstr", raising=False)
    else:
        monkeypatch.setattr(os, "confstr", confstr, raising=False)
    monkeypatch.setattr(ctypes, "CDLL", refused)
    assert tiles.keep_freed_memory() is False


def test_glibc_is_told_what_to_keep(monkeypatch):
    told = {}

    def mallopt(name, size):
        told[name] = size
        return 1

    monkeypatch.setattr(os, "confstr", lambda name: "glibc 2.36", raising=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=mallopt))
    assert tiles.keep_freed_memory()
    assert told == {tiles.TRIM_THRESHOLD: tiles.KEPT, tiles.MMAP_THRESHOLD: tiles.LARGEST_KEPT}


def test_glibc_itself_takes_the_numbers():
    assert tiles.keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
