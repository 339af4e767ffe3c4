"""Arrays in ``.npy`` and ``.npz`` files of strangers: the header decides before anything is read.

The layout is that of ``numpy/lib/_format_impl.py``: a magic string, the length of a header, the
header as a Python dict of type, order and shape, then the values.
"""

from __future__ import annotations

import ast
import contextlib
import io
import math
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from drqsim.errors import DrqsimError, InputError
from drqsim.model_file.whole_file import open_regular

MOST_BYTES = 2**29  # of one input; and what is unpacked in order to get at it
MOST_HEADER = 10_000  # NumPy's own limit
MAGIC = b"\x93NUMPY"


class Header(NamedTuple):
    """What an array says of itself."""

    dtype: np.dtype
    fortran: bool
    shape: tuple[int, ...]


class ArrayFile:
    """The arrays of a file by name; the one of a ``.npy`` file is called ``""``."""

    def __init__(self, path: Path):
        self.path, self._members, self._archive = path, {"": ""}, None
        self._opened = contextlib.ExitStack()
        if path.suffix.lower() == ".npz":
            with told(path), contextlib.ExitStack() as opened:
                file = opened.enter_context(open_regular(path))
                self._archive = opened.enter_context(zipfile.ZipFile(file))
                listed = [n for n in self._archive.namelist() if n.endswith(".npy")]
                self._opened = opened.pop_all()
            self._members = {n.removesuffix(".npy"): n for n in listed}
        self.names = list(self._members)

    def __enter__(self) -> ArrayFile:
        return self

    def __exit__(self, *_) -> None:
        self._opened.close()

    def read(self, name: str, check: Callable[[Header], None], at: int | None = None) -> np.ndarray:
        """An array, or one of many along its first dimension, which stays.

        ``check`` gets the header, and refuses what need not be read.
        """
        with told(self.path):
            file = self._open(name)
        with file:
            with told(self.path):
                header = _header(file)
            check(header)
            with told(self.path):
                return _values(file, header, at, packed=self._archive is not None)

    def _open(self, name: str):
        if self._archive is None:
            return open_regular(self.path)
        return self._archive.open(self._members[name])


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Say in one sentence what is wrong with a file.

    What damaged bytes make NumPy, zipfile, the unpackers behind it and Pillow raise is no fixed
    list (``LZMAError``, ``zlib.error``, ``RuntimeError`` where a password is asked for, ...), so
    every exception counts; only their calls stand in this block.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DrqsimError:
        raise
    except OSError as error:
        raise InputError(f"Cannot read {str(path)!r}: {error.strerror or error}.") from error
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"Cannot read {path.name!r}, which is damaged: {why[:200]}.") from error


def _header(file) -> Header:
    start = file.read(len(MAGIC) + 2)
    if start[: len(MAGIC)] != MAGIC or start[-2] not in (1, 2, 3):
        raise ValueError("it does not begin as a NumPy array does")
    (length,) = struct.unpack(*(("<H", file.read(2)) if start[-2] == 1 else ("<I", file.read(4))))
    if length > MOST_HEADER:
        raise ValueError(f"its header claims {length:,} bytes, at most {MOST_HEADER:,} are read")
    text = file.read(length).decode("latin1" if start[-2] < 3 else "utf8")
    match ast.literal_eval(text):
        case {"descr": str(kind), "fortran_order": bool(fortran), "shape": tuple(shape), **more}:
            known = not more
        case _:
            known = False
    if not known:
        raise ValueError("its header does not describe an array of numbers")
    if kind.endswith("O"):
        raise ValueError("it holds Python objects, which are never read (allow_pickle=False)")
    if not re.fullmatch(r"[<>=|]?[biufc]\d{1,2}", kind):
        raise ValueError(f"it holds {kind[:40]!r}, no numbers")
    if not all(type(n) is int and 0 <= n < 2**63 for n in shape):
        raise ValueError(f"no array has the shape {str(shape)[:100]}")
    return Header(np.dtype(kind), fortran, shape)


def _values(file, header: Header, at: int | None, packed: bool) -> np.ndarray:
    """The values in the byte order of this machine; exactly as many as the header says."""
    dtype, fortran, shape = header
    if at is not None and not fortran:
        row = math.prod(shape[1:]) * dtype.itemsize
        if packed and at * row > MOST_BYTES:
            raise InputError(
                f"Number {at} lies {at * row:,} bytes into a packed array, at most "
                f"{MOST_BYTES:,} are unpacked; save it alone."
            )
        file.seek(at * row, io.SEEK_CUR)
        shape = (1, *shape[1:])
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes > MOST_BYTES:
        raise InputError(f"The array has {nbytes:,} bytes; at most {MOST_BYTES:,} are read.")
    raw = file.read(nbytes)
    if len(raw) < nbytes:
        raise ValueError(f"it ends after {len(raw):,} of {nbytes:,} bytes")
    if at is None:
        file.read(1)  # at its end an archive compares its checksum
    values = np.frombuffer(raw, np.uint8 if dtype.kind == "b" else dtype)
    values = values != 0 if dtype.kind == "b" else values.astype(dtype.newbyteorder("="))
    values = values.reshape(shape, order="F" if fortran else "C")
    return values[at : at + 1] if at is not None and fortran else values
