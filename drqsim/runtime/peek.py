"""What lies in the memory of another process, read from outside. Linux only.

``/proc/<pid>/maps`` lists its areas, ``/proc/<pid>/pagemap`` which of their pages exist, and
``/proc/<pid>/mem`` is what is in them (``man 5 proc``). A process may read its own children, unless
the system was told otherwise.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from errno import EIO
from typing import BinaryIO, NamedTuple

import numpy as np

from drqsim.errors import DrqsimError

AT_ONCE = 2**24  # bytes read in one go
MOST_BYTES = 2**33  # that are searched
MOST_SECONDS = 300.0
MOST_PLACES = 1000  # that are told of one pattern


class Area(NamedTuple):
    """A part of a process's memory; ``kind`` is ``heap``, ``stack``, ``anonymous`` or a file."""

    begin: int
    end: int
    kind: str


def expect_linux(who: str) -> None:
    """Say in one sentence what does not go here.

    Raises
    ------
    DrqsimError
        Elsewhere than on Linux.
    """
    if sys.platform != "linux":
        raise DrqsimError(f"{who} reads /proc, which only Linux has; this is {sys.platform}.")


def resident(pid: int) -> tuple[int, int]:
    """Bytes of memory that a process has now, and had at most since ``forget_peak``."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as lines:
        said = dict(line.split(":", 1) for line in lines)
    now, most = (int(said[key].split()[0]) * 1024 for key in ("VmRSS", "VmHWM"))
    return now, most


def forget_peak(pid: int) -> None:
    """Let the peak begin anew; where that cannot be, it is the one since the start."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/clear_refs", "w") as peak:
        peak.write("5")


def areas(pid: int) -> list[Area]:
    """What a process can have written to: its readable pages but files that it only reads."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            where, mode, _, _, inode, *name = line.split(maxsplit=5)
            kind = name[0].strip().strip("[]") if name else "anonymous"
            if mode[0] != "r" or kind.startswith("v") or (inode != "0" and mode[1] != "w"):
                continue  # vvar, vdso and vsyscall belong to the kernel
            begin, end = (int(address, 16) for address in where.split("-"))
            area = Area(begin, end, kind.rpartition("/")[2])
            found += [area._replace(begin=at, end=to) for at, to in _existing(pid, area)]
    return found


def _existing(pid: int, area: Area) -> list[tuple[int, int]]:
    """From where to where an area has pages; one that nobody has touched yet is all zeros."""
    page = os.sysconf("SC_PAGE_SIZE")
    try:
        with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as entries:
            entries.seek(area.begin // page * 8)
            entry = np.frombuffer(entries.read((area.end - area.begin) // page * 8), np.uint64)
    except OSError:
        return [(area.begin, area.end)]
    exists = entry >> np.uint64(62) != 0  # in memory, or swapped out
    edges = np.flatnonzero(np.diff(exists, prepend=False, append=False)) * page + area.begin
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def search(pid: int, patterns: dict[str, bytes]) -> dict[str, list[tuple[int, str]]]:
    """Where in the memory of a child process some byte strings lie.

    Returns
    -------
    dict
        For each name the address and the kind of area of every place, ``MOST_PLACES`` at most.

    Raises
    ------
    DrqsimError
        Where the system forbids it, and past ``MOST_BYTES`` and ``MOST_SECONDS``.
    """
    try:
        here = areas(pid)
        size = sum(area.end - area.begin for area in here)
        if size > MOST_BYTES:
            raise DrqsimError(
                f"The process holds {size:,} bytes, and at most {MOST_BYTES:,} are searched; take "
                "a smaller model."
            )
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            return search_in(memory, here, patterns)
    except (FileNotFoundError, ProcessLookupError):
        raise DrqsimError("The process ended before all its memory was searched.") from None
    except OSError as error:
        raise DrqsimError(
            f"The memory of a child process cannot be read here ({error.strerror}): the system "
            "forbids it. A container needs the capability SYS_PTRACE, and "
            "/proc/sys/kernel/yama/ptrace_scope has to be 0 or 1."
        ) from None


def search_in(
    memory: BinaryIO, here: list[Area], patterns: dict[str, bytes]
) -> dict[str, list[tuple[int, str]]]:
    """The same in the areas of an open file whose positions are addresses."""
    found: dict[str, list[tuple[int, str]]] = {name: [] for name in patterns}
    longest = max(map(len, patterns.values()), default=1)
    until = time.monotonic() + MOST_SECONDS
    for area in here:
        for begin, before, content in _pieces(memory, area, longest - 1):
            for name, pattern in patterns.items():
                if time.monotonic() > until:
                    raise DrqsimError(
                        f"The search took longer than {MOST_SECONDS:.0f} seconds, and was "
                        "stopped; look for fewer patterns, or take a smaller model."
                    )
                places = found[name]
                # what ends in the bytes before was found with them
                at = content.find(pattern, max(0, before - len(pattern) + 1))
                while at >= 0 and len(places) < MOST_PLACES:
                    places.append((begin + at, area.kind))
                    at = content.find(pattern, at + 1)
    return found


def _pieces(memory: BinaryIO, area: Area, overlap: int) -> Iterator[tuple[int, int, bytes]]:
    """An area piece by piece: address, how many bytes the last piece had as well, content."""
    at, last = area.begin, b""
    while at < area.end:
        try:
            memory.seek(at)
            read = memory.read(min(AT_ONCE, area.end - at))
        except OSError as error:
            if error.errno == EIO:
                return  # no memory behind it, as past the end of a file
            raise
        if not read:
            return
        content = last + read
        yield at - len(last), len(last), content
        at += len(read)
        last = content[-overlap:] if overlap else b""
