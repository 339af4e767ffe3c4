"""Which instructions this machine's processor has: they decide which kernels a runtime takes.

On Linux the system's own list is read, ``/proc/cpuinfo``, which is complete. On Windows and macOS
NumPy's table of the features that it may use stands in: it is internal to NumPy, and lacks AVX-VNNI
and AMX. Nothing is looked at before somebody asks.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

CPUINFO = Path("/proc/cpuinfo")
IN_LINUX_WORDS = {"avx512vnni": "avx512_vnni", "fma3": "fma"}  # the others are spelled alike


@cache
def instructions() -> frozenset[str]:
    """What the processor has, in the words of Linux: ``avx2``, ``avx512f``, ``avx512_vnni``, ...

    Returns
    -------
    frozenset of str
        Of the first core. Empty where neither Linux nor NumPy names any.
    """
    try:
        return named_in(CPUINFO.read_text(encoding="utf-8")) or known_to_numpy()
    except OSError:  # not Linux
        return known_to_numpy()


def has(name: str) -> bool:
    """Whether this machine's processor has an instruction set, by its name in Linux."""
    return name in instructions()


def named_in(cpuinfo: str) -> frozenset[str]:
    """The instructions that the text of ``/proc/cpuinfo`` names for the first core."""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):  # x86-64, arm64
            return frozenset(value.split())
    return frozenset()


def known_to_numpy() -> frozenset[str]:
    """The same from NumPy's table."""
    core = getattr(np, "_core", None) or np.core  # NumPy 2, NumPy 1
    table = getattr(core._multiarray_umath, "__cpu_features__", {})
    here = (name.lower() for name, has in table.items() if has)
    return frozenset(IN_LINUX_WORDS.get(name, name) for name in here)
