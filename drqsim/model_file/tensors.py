"""The tensors of a ``.tflite`` file: names, shapes, constants, scales; each place read once.

Tables of a file may refer to one and the same name, buffer or vector, so what a file of a few bytes
says can be gigabytes when every reference is followed. Constants are views of the file's bytes.
Everything else is read once for each place where it begins (``Places``), and what lies at all
places together may not be more than the file holds: that takes places that overlap.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from functools import cache, partial
from typing import TypeVar

import numpy as np

from drqsim.errors import ModelFileError, UnsupportedOperatorError
from drqsim.graph import Quantization, Tensor, freeze
from drqsim.model_file.schema import DTYPES, INT4, QUANTIZATION_NOT_READ, TYPES_NOT_READ
from drqsim.names import byte_size, short_form

MOST_DIMENSIONS = 8
# where the vtables have the vectors
SHAPE, NAME, SIGNATURE = 4, 10, 18  # of a tensor
EXTERNAL_BUFFER = 24  # of a tensor, in a field that the generated code does not know
MOST_FIELDS = 64  # bytes of a table's list of fields that are looked at: more than any of these
SCALE, ZERO_POINT = 8, 10  # of its quantization
# references to one vector, if all vectors of the file were shared so; a converter shares none
MOST_SHARED = 16
UINT32 = struct.Struct("<I")
Made = TypeVar("Made")


@cache
def _known() -> type:
    """The class of a table that need not look into the file for where its fields are."""
    from flatbuffers.table import Table

    class Known(Table):
        __slots__ = ("fields",)

        def Offset(self, field: int) -> int:  # noqa: N802 (as the generated code calls it)
            at = field // 2
            return self.fields[at] if at < len(self.fields) else 0

    return Known


class Places:
    """What lies at the places of a file, read once each; all of a kind within the file's size."""

    def __init__(self, data: bytes, label: str):
        self.data, self.label = data, label
        self._made: dict[tuple[str, Hashable], object] = {}
        self._taken: Counter[str] = Counter()  # bytes, by kind
        self._fields: dict[int, tuple[int, ...]] = {}  # of tables, by the place of their list

    def read(self, kind: str, at: Hashable, size: int, make: Callable[[], Made]) -> Made:
        """What ``make`` makes of the ``size`` bytes at a place, for the first who asks."""
        if (kind, at) not in self._made:
            self.take(kind, size)
            self._made[kind, at] = make()
        return self._made[kind, at]

    def take(self, kind: str, size: int, times: int = 1) -> None:
        """Count bytes of a kind; all together may be ``times`` the file's.

        Raises
        ------
        ModelFileError
            When they are more.
        """
        self._taken[kind] += size
        if self._taken[kind] > times * len(self.data):
            raise ModelFileError(
                f"{self.label} is damaged: its {kind} overlap or repeat, and take more than "
                f"{times * len(self.data):,} bytes, with {len(self.data):,} in the file; convert "
                "or download the model again."
            )

    def known(self, table):
        """The same table, with the list of its fields read once for all tables that share it."""
        found = _known()(table.Bytes, table.Pos)
        at = table.Pos - struct.unpack_from("<i", table.Bytes, table.Pos)[0]
        if at not in self._fields:
            (size,) = struct.unpack_from("<H", table.Bytes, at)
            size = min(size, MOST_FIELDS)  # a list may claim thousands, and lists may overlap
            self._fields[at] = struct.unpack_from(f"<{(size + 1) // 2}H", table.Bytes, at)
        found.fields = self._fields[at]
        return found

    def vector(self, kind: str, table, field: int, dtype: type) -> np.ndarray | None:
        """A vector of numbers that a table refers to, a view; None where it does not.

        Who asks goes through all of it, so every reference counts.
        """
        at = table.Offset(field)
        if not at:
            return None
        start, length = _vector_at(table, at)
        self.take(kind, length * np.dtype(dtype).itemsize, MOST_SHARED)
        return np.frombuffer(self.data, dtype, length, start)

    def tables(self, table, field: int) -> list[int]:
        """Where the tables of a vector begin; it may name one many times."""
        at = table.Offset(field)
        if not at:
            return []
        start, length = _vector_at(table, at)
        steps = np.frombuffer(self.data, np.uint32, length, start).astype(np.int64)
        return (start + 4 * np.arange(length) + steps).tolist()

    def entries(self, make: type, table, field: int) -> Iterator:
        """The tables of a vector; the generated code would look for the vector at each of them."""
        for at in self.tables(table, field):
            entry = make()
            entry.Init(self.data, at)
            yield entry


def read_tensor(model, entry, position: int, places: Places) -> Tensor:
    """One tensor; ``position`` is its index, for errors."""
    entry._tab = places.known(entry._tab)
    name = name_of(entry._tab, places, NAME)
    who = f"{places.label}: tensor {position} ({name[:60]!r})"
    number = entry.Type()
    bits = 4 if number == INT4 else None
    unread, size = TYPES_NOT_READ.get(number, ("", 0))
    if not (bits or unread or number in DTYPES):
        raise ModelFileError(f"{who} is of type number {number}, which no runtime knows.")
    if entry.Sparsity() is not None:
        raise UnsupportedOperatorError(f"{who} is stored sparsely; drqsim reads dense tensors.")
    if entry._tab.Offset(EXTERNAL_BUFFER):
        raise UnsupportedOperatorError(f"{who} lies in another file; drqsim reads one file.")
    dtype = np.dtype((np.void, size)) if unread else DTYPES.get(number, np.dtype(np.int8))
    shape = _integers(places.vector("shapes", entry._tab, SHAPE, np.int32))
    if len(shape) > MOST_DIMENSIONS:
        raise ModelFileError(
            f"{who} has {len(shape)} dimensions; the runtime's kernels know at most "
            f"{MOST_DIMENSIONS}."
        )
    if shape and min(shape) < 0:
        raise ModelFileError(f"{who} has the shape {list(shape)}; no dimension may be negative.")
    raw = _bytes(model, entry.Buffer(), shape, places, who)
    value = raw if raw is None or unread else _constant(raw, shape, dtype, bits, places, who)
    quantization = _quantization(entry.Quantization(), shape, places, who)
    signature = _signature(entry, shape, places, who)
    is_variable = entry.IsVariable()
    return Tensor(name, shape, dtype, value, quantization, is_variable, signature, bits, unread)


def _vector_at(table, at: int) -> tuple[int, int]:
    """Where the first element of a vector is, and how many there are."""
    (step,) = UINT32.unpack_from(table.Bytes, table.Pos + at)
    (length,) = UINT32.unpack_from(table.Bytes, table.Pos + at + step)
    return table.Pos + at + step + UINT32.size, length


def name_of(table, places: Places, field: int) -> str:
    """A string that a table refers to; empty where it does not."""
    at = table.Offset(field)
    if not at:
        return ""
    start, length = _vector_at(table, at)
    raw = memoryview(places.data)[start : start + length]
    make = partial(str, raw, "utf-8", "replace")
    return places.read("names", start, len(raw), make)


def _integers(vector: np.ndarray | None) -> tuple[int, ...]:
    return () if vector is None else tuple(vector.tolist())


def _signature(entry, shape: tuple[int, ...], places: Places, who: str) -> tuple[int, ...] | None:
    """The shape with -1 where the caller chooses; None when there is no such dimension."""
    signature = _integers(places.vector("shapes", entry._tab, SIGNATURE, np.int32))
    if not signature:
        return None
    if len(signature) != len(shape) or any(
        sign not in (-1, size) for sign, size in zip(signature, shape, strict=True)
    ):
        raise ModelFileError(
            f"{who} has the shape {list(shape)} and the signature {list(signature)}; they may "
            "differ only where the signature says -1."
        )
    return signature if -1 in signature else None


def _bytes(model, buffer_index: int, shape, places: Places, who: str) -> np.ndarray | None:
    """The bytes of a constant, a view; None where the file holds none."""
    if buffer_index == 0:
        return None
    if buffer_index >= model.BuffersLength():
        raise ModelFileError(
            f"{who} names buffer {buffer_index}, but the model has {model.BuffersLength()}."
        )
    buffer = model.Buffers(buffer_index)
    # data outside the FlatBuffer, for models past 2 GB; where there are both, the other counts
    if buffer.DataIsNone() and buffer.Offset() > 1:
        start, size = buffer.Offset(), buffer.Size()
        if start + size > len(places.data):
            raise ModelFileError(f"{who} lies at bytes {start} to {start + size}, past the end.")
        return freeze(np.frombuffer(places.data, np.uint8, size, start))
    if buffer.DataIsNone() or (buffer.DataLength() == 0 and 0 not in shape):
        return None
    # of an empty vector it makes the number 0
    raw = buffer.DataAsNumpy() if buffer.DataLength() else np.zeros(0, np.uint8)
    return freeze(raw)


def _constant(
    raw: np.ndarray, shape, dtype, bits: int | None, places: Places, who: str
) -> np.ndarray:
    expected = byte_size(shape, dtype, bits)
    if raw.nbytes != expected:
        raise ModelFileError(
            f"{who} is {short_form(dtype, shape, bits)}, {expected} bytes, but its buffer has "
            f"{raw.nbytes} bytes."
        )
    if bits:
        count, begin = math.prod(shape), raw.__array_interface__["data"][0]
        make = partial(unpacked, raw, count)
        return freeze(
            places.read("int4 constants", (begin, count), raw.nbytes, make).reshape(shape)
        )
    return freeze(raw.view(dtype).reshape(shape))


def unpacked(packed: np.ndarray, count: int) -> np.ndarray:
    """int8 values of ``count`` int4 ones in bytes: the low half is the earlier; sign-extended."""
    halves = np.stack([packed << 4, packed], axis=1).astype(np.uint8)  # each in the upper four bits
    return halves.reshape(-1)[:count].view(np.int8) >> 4


def _quantization(entry, shape: tuple[int, ...], places: Places, who: str) -> Quantization | None:
    if entry is not None and entry.DetailsType() in QUANTIZATION_NOT_READ:
        kind = QUANTIZATION_NOT_READ[entry.DetailsType()]
        raise UnsupportedOperatorError(
            f"{who} has {kind} quantization, which drqsim does not read; it reads one scale for "
            "the tensor, or one for each channel."
        )
    if entry is None:
        return None
    scale = places.vector("scales", entry._tab, SCALE, np.float32)
    if scale is None or scale.size == 0:
        return None
    zero_point = places.vector("zero points", entry._tab, ZERO_POINT, np.int64)
    zero_point = np.zeros(1, np.int64) if zero_point is None else zero_point
    if zero_point.size == 1:
        zero_point = np.broadcast_to(zero_point, scale.shape)
    axis = entry.QuantizedDimension()
    if zero_point.shape != scale.shape:
        raise ModelFileError(f"{who} has {scale.size} scales but {zero_point.size} zero points.")
    if not 0 <= axis < max(1, len(shape)):
        raise ModelFileError(f"{who} is quantized along dimension {axis} of {len(shape)}.")
    if scale.size > 1 and scale.size != shape[axis]:
        raise ModelFileError(
            f"{who} has {scale.size} scales for the {shape[axis]} channels of dimension {axis}."
        )
    return Quantization(scale, zero_point, axis)
