"""``.tflite`` bytes -> ``Graph``. With ``tensors``, the only reader of untrusted bytes.

The file is a FlatBuffer: tables that point at one another by offset. The ``tflite`` package decodes
the tables; this module decides what is believed. Every count is bounded by the size of the file,
every index is checked before it is used.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import numpy as np

from drqsim.errors import InputError, ModelFileError, package
from drqsim.graph import Graph, Operator
from drqsim.model_file.schema import BYTES, OPTIONS, UNKNOWN_FIELDS, VECTOR, camel, without_table
from drqsim.model_file.subgraphs import check_runs, read_signatures, runs_of
from drqsim.model_file.tensors import MOST_SHARED, Places, name_of, read_tensor
from drqsim.model_file.whole_file import open_regular
from drqsim.names import operator_names

_IDENTIFIER = b"TFL3"
CODES, SUBGRAPHS = 6, 8  # of a model: where the vtable has the vectors
INPUTS, OUTPUTS = 6, 8  # of an operator and of a subgraph
TENSORS, OPERATORS = 4, 10  # of a subgraph
SUBGRAPH_NAME = 12


def load(source: str | Path | bytes | BinaryIO) -> Graph:
    """Read a ``.tflite`` model.

    Parameters
    ----------
    source : path, bytes or file object
        The file, its content, or the file opened with mode ``"rb"``.

    Returns
    -------
    Graph
        The main subgraph (the first), float or already quantized, with the ``others`` and the
        ``signatures`` of the file. Operators that drqsim cannot run and tensors of types that it
        does not read are in it too; running them raises ``UnsupportedOperatorError``.

    Raises
    ------
    ModelFileError
        When the file is missing, is no TFLite model, is cut short or contradicts itself.
    UnsupportedOperatorError
        When a tensor is stored in a way that drqsim does not read (sparse, blockwise
        quantization).
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
    """The first subgraph, and behind it what else the file holds."""
    places = Places(data, label)
    codes = [
        places.read("operator codes", at, 0, partial(_code, tflite, data, at))
        for at in places.tables(model._tab, CODES)
    ]
    graphs = []
    for at in places.tables(model._tab, SUBGRAPHS):
        read = partial(_subgraph, tflite, model, at, codes, places)
        graphs.append(places.read("subgraphs", at, 0, read))
        # who tells of a subgraph goes through it each time that the file names it
        places.take("subgraphs", 4 * (len(graphs[-1].tensors) + len(graphs[-1].operators)))
    if not graphs:
        raise ModelFileError(f"{label} holds no subgraph, so there is nothing to run.")
    check_runs(graphs, label)
    signatures = read_signatures(tflite, model, graphs, places)
    return replace(graphs[0], others=tuple(graphs[1:]), signatures=signatures)


def _subgraph(tflite, model, at: int, codes: list[tuple[str, int]], places: Places) -> Graph:
    label, data = places.label, places.data
    subgraph = tflite.SubGraph()
    subgraph.Init(data, at)
    subgraph._tab = places.known(subgraph._tab)

    def entries_of(kind: type, vector: int, length: int, what: str) -> Iterator:
        # no entry of any vector takes less than a byte, so a longer one is a lie
        if not 0 <= length <= len(data):
            raise ModelFileError(f"{label} claims {length} {what}, more than its bytes can hold.")
        return places.entries(kind, subgraph._tab, vector)

    entries = entries_of(tflite.Tensor, TENSORS, subgraph.TensorsLength(), "tensors")
    tensors = tuple(read_tensor(model, entry, i, places) for i, entry in enumerate(entries))

    def indices(vector: np.ndarray | None, what: str, lowest: int = 0) -> tuple[int, ...]:
        wrong = [] if vector is None else vector[(vector < lowest) | (vector >= len(tensors))]
        if len(wrong):
            raise ModelFileError(
                f"{label}: {what} names tensor {wrong[0]}, but the model has {len(tensors)} "
                "tensors."
            )
        return () if vector is None else tuple(vector.tolist())

    def operator(entry, name: str) -> Operator:
        (code, version), table = codes[entry.OpcodeIndex()], entry._tab
        inputs = indices(places.vector("operators", table, INPUTS, np.int32), name, lowest=-1)
        outputs = indices(places.vector("operators", table, OUTPUTS, np.int32), name)
        options = _options(tflite, entry, code, name, places)
        if code == "CUSTOM":
            at = entry.OpcodeIndex()
            named = places.read("custom codes", at, 0, partial(_custom_code, model, at, places))
            options = {"custom_code": named}
        runs = runs_of(tflite, entry, code)
        return Operator(code, name, inputs, outputs, MappingProxyType(options), runs, version)

    length = subgraph.OperatorsLength()
    entries = list(entries_of(tflite.Operator, OPERATORS, length, "operators"))
    for entry in entries:
        if entry.OpcodeIndex() >= len(codes):
            raise ModelFileError(
                f"{label}: an operator names code {entry.OpcodeIndex()} of {len(codes)}."
            )
    names = operator_names([codes[entry.OpcodeIndex()][0] for entry in entries])
    operators = []
    for entry, name in zip(entries, names, strict=True):
        first = places.read(
            "tables of operators", (at, entry._tab.Pos), 0, partial(operator, entry, name)
        )
        places.take("operators", 4 * (len(first.inputs) + len(first.outputs)), MOST_SHARED)
        operators.append(first if first.name == name else replace(first, name=name))
    main = subgraph._tab
    return Graph(
        tensors,
        tuple(operators),
        indices(places.vector("inputs", main, INPUTS, np.int32), "an input"),
        indices(places.vector("outputs", main, OUTPUTS, np.int32), "an output"),
        name_of(main, places, SUBGRAPH_NAME),
    )


@cache
def _codes() -> dict[int, str]:
    """The names of the operators that the package knows, by number."""
    known = vars(package("tflite").BuiltinOperator).items()
    return {number: code for code, number in known if isinstance(number, int)}


def _code(tflite, data: bytes, at: int) -> tuple[str, int]:
    """An operator's name and version."""
    # Older writers fill only the deprecated field, newer ones may fill only the other: the code is
    # the larger. The package's BuiltinCode() hides a small code in the newer field, so look there.
    from flatbuffers.number_types import Int32Flags

    entry = tflite.OperatorCode()
    entry.Init(data, at)
    at = entry._tab.Offset(10)
    newer = entry._tab.Get(Int32Flags, at + entry._tab.Pos) if at else 0
    number = max(newer, entry.DeprecatedBuiltinCode())
    return _codes().get(number, f"OPERATOR_{number}"), entry.Version()


def _custom_code(model, index: int, places: Places) -> str:
    """The name of a custom operator."""
    raw = model.OperatorCodes(index).CustomCode() or b""
    places.take("custom codes", len(raw))
    return raw.decode("utf-8", "replace")


def _options(tflite, entry, code: str, name: str, places: Places) -> dict[str, object]:
    if code not in OPTIONS:
        return {}
    label = places.label
    table_name, fields = OPTIONS[code]
    table = getattr(tflite, table_name)()
    union = entry.BuiltinOptions()
    if union is None or entry.BuiltinOptionsType() != getattr(tflite.BuiltinOptions, table_name):
        return without_table(code)
    table.Init(union.Bytes, union.Pos)
    options = {}
    for field, kind in fields.items():
        if kind == BYTES:
            options[field] = _unknown_field(table._tab, UNKNOWN_FIELDS[field])
            continue
        read = getattr(table, camel(field))
        if kind == VECTOR:
            length = getattr(table, f"{camel(field)}Length")()
            places.take("options", 4 * length, MOST_SHARED)
            options[field] = tuple(int(read(i)) for i in range(length))
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
