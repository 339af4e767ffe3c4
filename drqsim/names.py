"""What things are called: types, and names of a file, cut short and made to differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from functools import cache

import numpy as np


def shorten(name: str, width: int = 40) -> str:
    """A tensor's name for a table or a message: converters write names of hundreds of letters."""
    return name if len(name) <= width else f"{name[: width - 3]}..."


def listed(names: Iterable, most: int = 8) -> str:
    """Names in a sentence, sorted, of many the first: ``['x', 'x:1']``."""
    names = sorted(map(str, names))
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{[shorten(name) for name in names[:most]]}{more}"


def numbered_names(names: list[str]) -> tuple[str, ...]:
    """``y``, ``y:1``, ``y:2`` for three called ``y``; a number that is taken is skipped."""
    taken, last, found = set(names), dict.fromkeys(names, 0), []
    seen: set[str] = set()
    for name in names:
        unique = name
        while unique in seen or (unique != name and unique in taken):
            last[name] += 1
            unique = f"{name}:{last[name]}"
        seen.add(unique)
        found.append(unique)
    return tuple(found)


def operator_names(codes: list[str]) -> list[str]:
    """``conv_2d_0``, ``conv_2d_1``, ...: lower-case code and index among equal codes."""
    seen: Counter[str] = Counter()
    names = []
    for code in codes:
        names.append(f"{code.lower()}_{seen[code]}")
        seen[code] += 1
    return names


def short_form(dtype: np.dtype, shape: tuple[int, ...], bits: int | None = None) -> str:
    """``int8[1,8,8,3]``: how a tensor's type is written everywhere; with 4 ``bits``, ``int4``."""
    return f"{type_name(dtype, bits)}[{','.join(map(str, shape))}]"


@cache  # NumPy puts a name together anew each time, which a file of many tensors feels
def type_name(dtype: np.dtype, bits: int | None = None) -> str:
    """``int8``; with 4 ``bits``, ``int4``."""
    name = np.dtype(dtype).name
    return name.replace("8", str(bits)) if bits else name


def byte_size(shape: tuple[int, ...], dtype: np.dtype, bits: int | None = None) -> int:
    """Bytes of so many values, packed where they have fewer ``bits`` than NumPy's type."""
    return (math.prod(shape) * (bits or 8 * dtype.itemsize) + 7) // 8


def custom_name(op) -> str:
    """What the file calls a custom operator, ``FlexErf``; empty for others."""
    return str(op.options.get("custom_code", ""))


def known_as(op) -> str:
    """An operator's code; of a custom one, which has none of its own, with the file's name."""
    named = custom_name(op)
    return f"{op.code} ({shorten(named)})" if named else op.code
