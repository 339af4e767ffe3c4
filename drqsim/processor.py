"""Whose kernels to follow: the same file gives other bits on another processor.

The runtime has kernels for every family of processors, and they round in other orders. A
``Processor`` is a row of a table: what a rule of ``ops`` may ask, one column for each difference.

============== ==== =========== ======= =========== ========== ====== ==============================
name           neon dot_product int8_mm uint8_codes uint8_int4 avx512 which
============== ==== =========== ======= =========== ========== ====== ==============================
x86-64                                              yes               AVX2 without AVX-512
x86-64-vnni                             yes         yes        yes    AVX-512 with VNNI, without AMX
arm64          yes                                                    Armv8.0: Cortex-A53, A72
arm64-dotprod  yes  yes                                               Neoverse N1, Apple M1
arm64-i8mm     yes  yes         yes                                   Neoverse V1, N2, Apple M2
============== ==== =========== ======= =========== ========== ====== ==============================

``native`` is put together from the instructions of this machine, which need not be a row of the
table: a processor with AMX has AVX-512 and int8 codes. Nothing is looked at before somebody asks.

On Linux the system's own list is read, ``/proc/cpuinfo``, which is complete. On Windows and macOS
NumPy's table of the features that it may use stands in, which is internal to NumPy and lacks
AVX-VNNI, AMX and int8 matrix products; the last of these macOS is asked for.

Sources, ai-edge-litert 2.3.0: XNNPACK ``src/configs/hardware-config.c``, ``gemm-config.c`` and
``src/subgraph.c`` (``convert_gemm_to_qduint8``).
"""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from drqsim.errors import InputError

CPUINFO = Path("/proc/cpuinfo")
L1_DATA = Path("/sys/devices/system/cpu/cpu0/cache/index0/size")
# part numbers of Arm's cores: Cortex-A53 and A55 execute in order; these and A35, A57, A72, A73,
# A75, A76, A77 and the Neoverse N1 add up a single row of floats in two sums
IN_ORDER = frozenset({"0xd03", "0xd05"})
PAIRS = IN_ORDER | {"0xd04", "0xd07", "0xd08", "0xd09", "0xd0a", "0xd0b", "0xd0c", "0xd0d"}
DEFAULT_L1_DATA = 32 * 1024
IN_LINUX_WORDS = {"avx512vnni": "avx512_vnni", "fma3": "fma"}  # the others are spelled alike


@dataclass(frozen=True)
class Processor:
    """What the runtime's choice of kernels depends on.

    Attributes
    ----------
    name : str
    neon : bool
        An arm64 processor: the builtin kernels in NEON's own instructions, not in a translation of
        them to SSE.
    dot_product : bool
        Has ``sdot``: XNNPACK multiplies dense layers by KleidiAI's kernels.
    int8_mm : bool
        Has ``smmla`` (i8mm), products of int8 matrices.
    uint8_codes : bool
        XNNPACK keeps an input that meets int8 weights as uint8, 128 added to codes and zero point.
    uint8_int4 : bool
        The same of an input that meets int4 weights.
    avx512 : bool
        XNNPACK's float functions in vectors of 16.
    in_order : bool
        A core that executes in order, for which ruy has kernels of its own.
    pairs : bool
        XNNPACK's kernel for a single row of floats has two sums: cores up to the Neoverse N1.
    l1_data : int
        Bytes of the first level's data cache, after which Eigen cuts long sums.
    """

    name: str
    neon: bool = False
    dot_product: bool = False
    int8_mm: bool = False
    uint8_codes: bool = False
    uint8_int4: bool = False
    avx512: bool = False
    in_order: bool = False
    pairs: bool = False
    l1_data: int = DEFAULT_L1_DATA


PROCESSORS = {
    row.name: row
    for row in (
        Processor("x86-64", uint8_int4=True),
        Processor("x86-64-vnni", uint8_codes=True, uint8_int4=True, avx512=True),
        Processor("arm64", neon=True, in_order=True, pairs=True),
        Processor("arm64-dotprod", neon=True, dot_product=True, pairs=True),
        Processor("arm64-i8mm", neon=True, dot_product=True, int8_mm=True),
    )
}
NAMES = (*PROCESSORS, "native")
DEFAULT = "x86-64"

_CURRENT: ContextVar[str] = ContextVar("processor", default=DEFAULT)


def of(name: str | None = None) -> Processor:
    """The processor of a name; without one, that of the ``with`` block, or else ``x86-64``.

    Raises
    ------
    InputError
        When there is none of that name, or this machine's is of no known family.
    """
    name = _CURRENT.get() if name is None else name
    if name == "native":
        return native()
    if not isinstance(name, str) or name not in PROCESSORS:
        raise InputError(f"processor is {name!r}; expected one of {', '.join(NAMES)}.")
    return PROCESSORS[name]


def in_words(kernels: str, name: str) -> str:
    """``optimized kernels of arm64``: what is followed; a machine between the rows has no name."""
    return f"{kernels} kernels of {'this machine' if name == 'native' else name}"


@contextmanager
def using(name: str | None) -> Iterator[None]:
    """This processor for every run in a ``with`` block, however deep inside drqsim.

    None changes nothing.
    """
    token = _CURRENT.set(_CURRENT.get() if name is None else of(name) and name)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def native() -> Processor:
    """This machine's processor; its ``name`` is that of the table's row where it equals one.

    Raises
    ------
    InputError
        When it is neither x86-64 nor arm64.
    """
    found = found_in(platform.machine(), instructions(), _l1_data(), _core())
    same = (p.name for p in PROCESSORS.values() if replace(found, name=p.name) == p)
    return replace(found, name=next(same, "native"))


def found_in(machine: str, has: frozenset[str], l1_data: int, core: str = "") -> Processor:
    """The processor with these instructions, in the words of Linux, called ``native``.

    ``core`` is the number that ``/proc/cpuinfo`` gives a core of Arm's for its part.
    """
    if machine.lower() in ("x86_64", "amd64"):
        no_amx = "amx_int8" not in has
        vnni = no_amx and not has.isdisjoint({"avx512_vnni", "avx_vnni"})
        codes = dict(uint8_codes=vnni, uint8_int4=no_amx)
        return Processor("native", **codes, avx512="avx512f" in has, l1_data=l1_data)
    if machine.lower() in ("aarch64", "arm64"):
        dot_product, int8_mm = "asimddp" in has, "i8mm" in has
        cores = dict(in_order=core in IN_ORDER, pairs=core in PAIRS)
        return Processor("native", True, dot_product, int8_mm, **cores)
    raise InputError(
        f"This machine's processor is {machine or 'unknown'}, whose kernels drqsim does not know; "
        f"pass processor= one of {', '.join(PROCESSORS)}."
    )


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
        return known_to_numpy() | (known_to_macos() if platform.system() == "Darwin" else set())


def has(name: str) -> bool:
    """Whether this machine's processor has an instruction set, by its name in Linux."""
    return name in instructions()


def named_in(cpuinfo: str) -> frozenset[str]:
    """The instructions that the text of ``/proc/cpuinfo`` names for the first core."""
    return frozenset(_said(cpuinfo, "flags", "Features").split())  # x86-64, arm64


def core_in(cpuinfo: str) -> str:
    """The part number of the first core, where Arm designed it; else empty."""
    return _said(cpuinfo, "CPU part") if _said(cpuinfo, "CPU implementer") == "0x41" else ""


def _said(cpuinfo: str, *keys: str) -> str:
    """The first value of one of these keys."""
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in keys:
            return value.strip()
    return ""


def known_to_numpy() -> frozenset[str]:
    """The same from NumPy's table."""
    core = getattr(np, "_core", None) or np.core  # NumPy 2, NumPy 1
    table = getattr(core._multiarray_umath, "__cpu_features__", {})
    here = (name.lower() for name, has in table.items() if has)
    return frozenset(IN_LINUX_WORDS.get(name, name) for name in here)


def known_to_macos() -> frozenset[str]:
    """Of arm64's instructions those that macOS says are there; NumPy has no word for int8_mm."""
    asked = {"asimddp": "hw.optional.arm.FEAT_DotProd", "i8mm": "hw.optional.arm.FEAT_I8MM"}
    said = subprocess.run(["sysctl", *asked.values()], capture_output=True, text=True, check=False)
    return frozenset(name for name, key in asked.items() if f"{key}: 1" in said.stdout)


@cache
def _core() -> str:
    try:
        return core_in(CPUINFO.read_text(encoding="utf-8"))
    except OSError:  # not Linux
        return ""


@cache
def _l1_data() -> int:
    """Bytes of the first core's L1 data cache; 32 KiB where Linux does not say."""
    try:
        return int(L1_DATA.read_text(encoding="utf-8").strip().removesuffix("K")) * 1024
    except (OSError, ValueError):  # not Linux, or in other words
        return DEFAULT_L1_DATA
