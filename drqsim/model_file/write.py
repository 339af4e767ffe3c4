"""``Graph`` -> ``.tflite`` bytes that the runtime loads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from drqsim.errors import UnsupportedOperatorError, package
from drqsim.graph import Graph, Operator, Tensor, expect_graph, shorten
from drqsim.model_file.schema import (
    BYTES,
    DTYPES,
    INT4,
    OPTIONS,
    UNKNOWN,
    UNKNOWN_FIELDS,
    VECTOR,
    WITHOUT_OPTIONS,
    camel,
    completed,
)
from drqsim.model_file.subgraphs import check_whole
from drqsim.model_file.whole_file import write_whole

MOST_FIELDS = 16  # of an options table; those at the end that nobody gives take no place
_TYPE_NUMBERS = {dtype: number for number, dtype in DTYPES.items()}


def to_bytes(graph: Graph) -> bytes:
    """Write a graph as a TFLite FlatBuffer.

    Parameters
    ----------
    graph : Graph
        Every operator's options are written from ``schema.OPTIONS``.

    Returns
    -------
    bytes
        The content of a ``.tflite`` file; constants keep their bits. What a ``Graph`` does not
        hold (signatures, metadata) is not in it.

    Raises
    ------
    UnsupportedOperatorError
        When the graph has an operator whose options drqsim does not read: it would lose them.
        Or a tensor of a type that it does not read, or several subgraphs or signatures.
    """
    expect_graph(graph)
    check_whole(graph)
    unread = next((tensor for tensor in graph.tensors if tensor.unread), None)
    if unread is not None:
        raise UnsupportedOperatorError(
            f"The tensor {shorten(unread.name)!r} is {unread}, a type that drqsim does not "
            "know, so it cannot write this model."
        )
    unknown = sorted({op.code for op in graph.operators} - set(OPTIONS) - WITHOUT_OPTIONS)
    if unknown:
        raise UnsupportedOperatorError(
            f"This model uses {', '.join(unknown)}, whose options drqsim does not read, so it "
            "cannot write them; extract its other operators one by one with graph.extract(name)."
        )
    flatbuffers, tflite = package("flatbuffers"), package("tflite")

    builder = flatbuffers.Builder(1024)
    stored = {_place(t): t for t in graph.tensors if t.value is not None}
    data = [None] + [_stored(tensor) for tensor in stored.values()]
    filled = [_buffer(builder, tflite, value) for value in data]
    buffers = _offsets(builder, tflite.ModelStartBuffersVector, filled)
    numbers = {place: at for at, place in enumerate(stored, 1)}
    tensors = [
        _tensor(builder, tflite, t, numbers[_place(t)] if t.value is not None else 0)
        for t in graph.tensors
    ]
    codes = sorted({(op.code, op.version) for op in graph.operators})
    numbered = {code: at for at, code in enumerate(codes)}
    operators = [
        _operator(builder, tflite, op, numbered[op.code, op.version]) for op in graph.operators
    ]

    tensor_vector = _offsets(builder, tflite.SubGraphStartTensorsVector, tensors)
    operator_vector = _offsets(builder, tflite.SubGraphStartOperatorsVector, operators)
    inputs = builder.CreateNumpyVector(np.array(graph.inputs, np.int32))
    outputs = builder.CreateNumpyVector(np.array(graph.outputs, np.int32))
    name = builder.CreateString("main")
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensor_vector)
    tflite.SubGraphAddInputs(builder, inputs)
    tflite.SubGraphAddOutputs(builder, outputs)
    tflite.SubGraphAddOperators(builder, operator_vector)
    tflite.SubGraphAddName(builder, name)
    subgraph = tflite.SubGraphEnd(builder)

    subgraphs = _offsets(builder, tflite.ModelStartSubgraphsVector, [subgraph])
    code_vector = _offsets(
        builder, tflite.ModelStartOperatorCodesVector, [_code(builder, tflite, *c) for c in codes]
    )
    description = builder.CreateString("drqsim")
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, code_vector)
    tflite.ModelAddSubgraphs(builder, subgraphs)
    tflite.ModelAddDescription(builder, description)
    tflite.ModelAddBuffers(builder, buffers)
    builder.Finish(tflite.ModelEnd(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def save(graph: Graph, path: str | Path) -> None:
    """Write a graph as a ``.tflite`` file that the runtime loads.

    Parameters
    ----------
    graph : Graph
    path : path
        Where to write. The file appears whole or not at all; one that is there is replaced, as
        ``model_file.whole_file`` tells.

    Raises
    ------
    InputError
        When the path cannot be written.
    """
    write_whole(path, to_bytes(graph), replace=True)


def _offsets(builder, start_vector, offsets: list[int]) -> int:
    start_vector(builder, len(offsets))
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _place(tensor: Tensor) -> tuple:
    """Where a constant lies in memory: tensors of one place share a buffer, as in their file."""
    value = tensor.value
    if value.flags.c_contiguous and value.nbytes:
        return value.__array_interface__["data"][0], value.nbytes, tensor.bits
    return (id(tensor),)


def _stored(tensor: Tensor) -> np.ndarray:
    """The values as the file holds them: int4 packed, an odd last one with zeros beside it."""
    if tensor.bits is None:
        return tensor.value
    codes = np.append(tensor.value.reshape(-1), np.zeros(tensor.value.size % 2, np.int8))
    low, high = codes.view(np.uint8).reshape(-1, 2).T
    return low & 15 | high << 4


def _buffer(builder, tflite, value: np.ndarray | None) -> int:
    vector = None
    if value is not None:
        raw = np.ascontiguousarray(value).tobytes()
        # kernels read constants in place and expect them on a 16-byte boundary
        builder.StartVector(1, len(raw), 16)
        builder.head -= len(raw)
        builder.Bytes[builder.head : builder.head + len(raw)] = raw
        vector = builder.EndVector()
    tflite.BufferStart(builder)
    if vector is not None:
        tflite.BufferAddData(builder, vector)
    return tflite.BufferEnd(builder)


def _tensor(builder, tflite, tensor: Tensor, buffer: int) -> int:
    name = builder.CreateString(tensor.name)
    shape = builder.CreateNumpyVector(np.array(tensor.shape, np.int32))
    signature = quantization = None
    if tensor.signature is not None:
        signature = builder.CreateNumpyVector(np.array(tensor.signature, np.int32))
    if tensor.quantization is not None:
        scale = builder.CreateNumpyVector(tensor.quantization.scale.astype(np.float32))
        zero_point = builder.CreateNumpyVector(tensor.quantization.zero_point.astype(np.int64))
        tflite.QuantizationParametersStart(builder)
        tflite.QuantizationParametersAddScale(builder, scale)
        tflite.QuantizationParametersAddZeroPoint(builder, zero_point)
        tflite.QuantizationParametersAddQuantizedDimension(builder, tensor.quantization.axis)
        quantization = tflite.QuantizationParametersEnd(builder)
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, shape)
    tflite.TensorAddType(builder, INT4 if tensor.bits else _TYPE_NUMBERS[tensor.dtype])
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddName(builder, name)
    if quantization is not None:
        tflite.TensorAddQuantization(builder, quantization)
    if signature is not None:
        tflite.TensorAddShapeSignature(builder, signature)
    tflite.TensorAddIsVariable(builder, tensor.is_variable)
    return tflite.TensorEnd(builder)


def _operator(builder, tflite, op: Operator, code_index: int) -> int:
    inputs = builder.CreateNumpyVector(np.array(op.inputs, np.int32))
    outputs = builder.CreateNumpyVector(np.array(op.outputs, np.int32))
    options = None
    if op.code in OPTIONS and UNKNOWN not in op.options.values():
        table, fields = OPTIONS[op.code]
        values = {**completed(op.code, op.options)}
        # a vector or a table is written before the table that points to it
        for field, kind in fields.items():
            if kind == VECTOR:
                values[field] = builder.CreateNumpyVector(np.array(values[field], np.int32))
            elif kind == BYTES:
                values[field] = builder.CreateByteVector(values[field]) if values[field] else 0
            elif isinstance(kind, tuple):
                values[field] = kind.index(values[field])
        builder.StartObject(MOST_FIELDS)
        for field in fields:
            value = values[field]
            if field in UNKNOWN_FIELDS:
                builder.PrependUOffsetTRelativeSlot(UNKNOWN_FIELDS[field], value, 0)
            else:
                getattr(tflite, f"{table}Add{camel(field)}")(builder, value)
        options = getattr(tflite, f"{table}End")(builder)
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, code_index)
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(builder, getattr(tflite.BuiltinOptions, table))
        tflite.OperatorAddBuiltinOptions(builder, options)
    return tflite.OperatorEnd(builder)


def _code(builder, tflite, code: str, version: int) -> int:
    number = getattr(tflite.BuiltinOperator, code)
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, min(number, 127))
    tflite.OperatorCodeAddBuiltinCode(builder, number)
    tflite.OperatorCodeAddVersion(builder, version)
    return tflite.OperatorCodeEnd(builder)
