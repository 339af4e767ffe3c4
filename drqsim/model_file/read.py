"""``.tflite`` bytes -> ``Graph``. The only reader of untrusted bytes.

The file is a FlatBuffer: tables that point at one another by offset. The ``tflite`` package decodes
the tables; this module decides what is believed. Every count is bounded by the size of the file,
every index is checked before it is used.
"""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import numpy as np

from drqsim.errors import InputError, ModelFileError, UnsupportedOperatorError, package
from drqsim.graph import (
    Graph,
    Operator,
    Quantization,
    Tensor,
    byte_size,
    freeze,
    operator_names,
    short_form,
)
from drqsim.model_file.schema import (
    BYTES,
    DTYPES,
    INT4,
    OPTIONS,
    QUANTIZATION_NOT_READ,
    TYPES_NOT_READ,
    UNKNOWN_FIELDS,
    VECTOR,
    camel,
    unsaid,
)
from drqsim.model_file.whole_file import open_regular

_IDENTIFIER = b"TFL3"
MOST_DIMENSIONS = 8


def load(source: str | Path | bytes | BinaryIO) -> Graph:
    """Read a ``.tflite`` model.

    Parameters
    ----------
    source : path, bytes or file object
        The file, its content, or the file opened with mode ``"rb"``.

    Returns
    -------
    Graph
        The main subgraph (the first), float or already quantized. Operators that drqsim cannot
        run are read too; running them raises ``UnsupportedOperatorError``.

    Raises
    ------
    ModelFileError
        When the file is missing, is no TFLite model, is cut short or contradicts itself.
    UnsupportedOperatorError
        When a tensor is stored in a way that drqsim does not read (sparse, blockwise
        quantization, strings).
    """
    return parse(*read_bytes(source))


def parse(data: bytes, label: str = "The model") -> Graph:
    """The same from bytes in memory; ``label`` is what an error calls them."""
    if len(data) < 16 or data[4:8] != _IDENTIFIER:
        raise ModelFileError(
            f"{label} is not a TFLite model: {len(data)} bytes without the identifier 'TFL3' at "
            "byte 4; pass a .tflite file."
        )
    tflite = package("tflite")

    try:
        return _graph(tflite, tflite.Model.GetRootAs(data, 0), data, label)
    # what the FlatBuffers decoder raises when an offset leads out of the buffer or to nonsense
    except (struct.error, IndexError, TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(
            f"{label} is damaged: an offset in it leads to nothing readable ({error}); "
            "convert or download the model again."
        ) from error


def read_bytes(source: str | Path | bytes | BinaryIO) -> tuple[bytes, str]:
    """The content of a model, and what an error message calls it."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), "The model"
    if hasattr(source, "read"):
        source = source.read()
        if isinstance(source, bytes):
            return source, "The model"
        raise ModelFileError("The open file gives text, not bytes; open it with mode 'rb'.")
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(
            f"A model was expected, not {type(source).__name__}; pass the path of a .tflite file, "
            "its bytes or an open file."
        )
    path = Path(os.fsdecode(source))
    try:
        with open_regular(path) as file:
            return file.read(), f"The file {path.name!r}"
    except OSError as error:
        raise ModelFileError(
            f"Cannot read {str(path)!r}: {error.strerror}; pass the path of a .tflite file."
        ) from error


def _graph(tflite, model, data: bytes, label: str) -> Graph:
    def count(length: int, what: str) -> range:
        # no entry of any vector takes less than a byte, so a longer one is a lie
        if not 0 <= length <= len(data):
            raise ModelFileError(f"{label} claims {length} {what}, more than its bytes can hold.")
        return range(length)

    if model.SubgraphsLength() < 1:
        raise ModelFileError(f"{label} holds no subgraph, so there is nothing to run.")
    subgraph = model.Subgraphs(0)
    codes = [
        _code(tflite, model.OperatorCodes(i))
        for i in count(model.OperatorCodesLength(), "operator codes")
    ]
    tensors = tuple(
        _tensor(model, subgraph.Tensors(i), i, data, label)
        for i in count(subgraph.TensorsLength(), "tensors")
    )

    def index(value: int, what: str, lowest: int = 0) -> int:
        if not lowest <= value < len(tensors):
            raise ModelFileError(
                f"{label}: {what} names tensor {value}, but the model has {len(tensors)} tensors."
            )
        return int(value)

    entries = [subgraph.Operators(i) for i in count(subgraph.OperatorsLength(), "operators")]
    for entry in entries:
        if entry.OpcodeIndex() >= len(codes):
            raise ModelFileError(
                f"{label}: an operator names code {entry.OpcodeIndex()} of {len(codes)}."
            )
    entry_codes = [codes[entry.OpcodeIndex()] for entry in entries]
    operators = []
    for entry, code, name in zip(entries, entry_codes, operator_names(entry_codes), strict=True):
        inputs = tuple(
            index(entry.Inputs(i), name, lowest=-1) for i in count(entry.InputsLength(), "inputs")
        )
        outputs = tuple(
            index(entry.Outputs(i), name) for i in count(entry.OutputsLength(), "outputs")
        )
        options = MappingProxyType(_options(tflite, entry, code, name, label, count))
        operators.append(Operator(code, name, inputs, outputs, options))
    return Graph(
        tensors,
        tuple(operators),
        tuple(index(subgraph.Inputs(i), "an input") for i in count(subgraph.InputsLength(), "in")),
        tuple(
            index(subgraph.Outputs(i), "an output") for i in count(subgraph.OutputsLength(), "out")
        ),
    )


def _code(tflite, entry) -> str:
    # Older writers fill only the deprecated field, newer ones may fill only the other: the code is
    # the larger. The package's BuiltinCode() hides a small code in the newer field, so look there.
    from flatbuffers.number_types import Int32Flags

    at = entry._tab.Offset(10)
    newer = entry._tab.Get(Int32Flags, at + entry._tab.Pos) if at else 0
    number = max(newer, entry.DeprecatedBuiltinCode())
    if number == tflite.BuiltinOperator.CUSTOM:
        return "CUSTOM"
    names = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
    return names.get(number, f"OPERATOR_{number}")


def _tensor(model, entry, position: int, data: bytes, label: str) -> Tensor:
    name = (entry.Name() or b"").decode("utf-8", errors="replace")
    who = f"{label}: tensor {position} ({name[:60]!r})"
    bits = 4 if entry.Type() == INT4 else None
    if not bits and entry.Type() not in DTYPES:
        if entry.Type() in TYPES_NOT_READ:
            kind = TYPES_NOT_READ[entry.Type()]
            raise UnsupportedOperatorError(f"{who} is of type {kind}, which drqsim does not read.")
        raise ModelFileError(f"{who} is of type number {entry.Type()}, which no runtime knows.")
    if entry.Sparsity() is not None:
        raise UnsupportedOperatorError(f"{who} is stored sparsely; drqsim reads dense tensors.")
    dtype = np.dtype(np.int8) if bits else DTYPES[entry.Type()]
    shape = (
        () if entry.ShapeIsNone() else tuple(int(n) for n in np.atleast_1d(entry.ShapeAsNumpy()))
    )
    if len(shape) > MOST_DIMENSIONS:
        raise ModelFileError(
            f"{who} has {len(shape)} dimensions; the runtime's kernels know at most "
            f"{MOST_DIMENSIONS}."
        )
    if any(n < 0 for n in shape):
        raise ModelFileError(f"{who} has the shape {list(shape)}; no dimension may be negative.")
    value = _constant(model, entry.Buffer(), shape, dtype, bits, data, who)
    quantization = _quantization(entry.Quantization(), shape, who)
    signature = _signature(entry, shape, who)
    return Tensor(name, shape, dtype, value, quantization, entry.IsVariable(), signature, bits)


def _signature(entry, shape: tuple[int, ...], who: str) -> tuple[int, ...] | None:
    """The shape with -1 where the caller chooses; None when there is no such dimension."""
    if entry.ShapeSignatureIsNone() or not entry.ShapeSignatureLength():
        return None
    signature = tuple(int(n) for n in np.atleast_1d(entry.ShapeSignatureAsNumpy()))
    if len(signature) != len(shape) or any(
        sign not in (-1, size) for sign, size in zip(signature, shape, strict=True)
    ):
        raise ModelFileError(
            f"{who} has the shape {list(shape)} and the signature {list(signature)}; they may "
            "differ only where the signature says -1."
        )
    return signature if -1 in signature else None


def _constant(
    model, buffer_index: int, shape, dtype, bits: int | None, data: bytes, who: str
) -> np.ndarray | None:
    if buffer_index == 0:
        return None
    if buffer_index >= model.BuffersLength():
        raise ModelFileError(
            f"{who} names buffer {buffer_index}, but the model has {model.BuffersLength()}."
        )
    buffer = model.Buffers(buffer_index)
    if buffer.Offset() > 1:  # data outside the FlatBuffer, for models past 2 GB
        start, size = buffer.Offset(), buffer.Size()
        if start + size > len(data):
            raise ModelFileError(f"{who} lies at bytes {start} to {start + size}, past the end.")
        raw = np.frombuffer(data, np.uint8, size, start)
    elif buffer.DataIsNone() or (buffer.DataLength() == 0 and 0 not in shape):
        return None
    else:
        raw = buffer.DataAsNumpy()
    expected = byte_size(shape, dtype, bits)
    if raw.nbytes != expected:
        raise ModelFileError(
            f"{who} is {short_form(dtype, shape, bits)}, {expected} bytes, but its buffer has "
            f"{raw.nbytes} bytes."
        )
    if bits:
        return freeze(unpacked(raw, math.prod(shape)).reshape(shape))
    return freeze(np.frombuffer(raw.tobytes(), dtype).reshape(shape))


def unpacked(packed: np.ndarray, count: int) -> np.ndarray:
    """int8 values of ``count`` int4 ones in bytes: the low half is the earlier; sign-extended."""
    halves = np.stack([packed << 4, packed], axis=1).astype(np.uint8)  # each in the upper four bits
    return halves.reshape(-1)[:count].view(np.int8) >> 4


def _quantization(entry, shape: tuple[int, ...], who: str) -> Quantization | None:
    if entry is not None and entry.DetailsType() in QUANTIZATION_NOT_READ:
        kind = QUANTIZATION_NOT_READ[entry.DetailsType()]
        raise UnsupportedOperatorError(
            f"{who} has {kind} quantization, which drqsim does not read; it reads one scale for "
            "the tensor, or one for each channel."
        )
    if entry is None or entry.ScaleIsNone() or entry.ScaleLength() == 0:
        return None
    scale = freeze(np.array(entry.ScaleAsNumpy(), np.float32))
    zero_point = (
        np.zeros(scale.shape, np.int64)
        if entry.ZeroPointIsNone()
        else np.array(entry.ZeroPointAsNumpy(), np.int64)
    )
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
    return Quantization(scale, freeze(zero_point), axis)


def _options(tflite, entry, code: str, name: str, label: str, count) -> dict[str, object]:
    if code not in OPTIONS:
        return {}
    table_name, fields = OPTIONS[code]
    table = getattr(tflite, table_name)()
    union = entry.BuiltinOptions()
    if union is None:
        return {field: unsaid(field, kind) for field, kind in fields.items()}
    if entry.BuiltinOptionsType() != getattr(tflite.BuiltinOptions, table_name):
        raise ModelFileError(f"{label}: {name} carries the options of another operator.")
    table.Init(union.Bytes, union.Pos)
    options = {}
    for field, kind in fields.items():
        if kind == BYTES:
            options[field] = _unknown_field(table._tab, UNKNOWN_FIELDS[field])
            continue
        read = getattr(table, camel(field))
        if kind == VECTOR:
            length = getattr(table, f"{camel(field)}Length")()
            options[field] = tuple(int(read(i)) for i in count(length, field))
            continue
        value = read()
        if isinstance(kind, tuple):
            if not 0 <= value < len(kind):
                raise ModelFileError(
                    f"{label}: {name} has {field} = {value}, expected 0 to {len(kind) - 1}."
                )
            value = kind[value]
        options[field] = value
    return options


def _unknown_field(table, place: int) -> bytes:
    """A vector of bytes in a table, by the number of its field; empty where it is not given."""
    at = table.Offset(4 + 2 * place)
    if not at:
        return b""
    start, length = table.Vector(at), table.VectorLen(at)
    return bytes(table.Bytes[start : start + length])
