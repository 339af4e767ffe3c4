"""Model files that say much in few bytes, by tables that many references share."""

import flatbuffers
import numpy as np
import tflite

RELU, SPLIT = tflite.BuiltinOperator.RELU, tflite.BuiltinOperator.SPLIT
CUSTOM = tflite.BuiltinOperator.CUSTOM
INT8 = 9


def shared_name(count=1000, size=1 << 20):
    """1 MB: so many references to one tensor whose name has so many letters."""
    b = flatbuffers.Builder(1024)
    tensor = _tensor(b, _numbers(b, [1]), b.CreateString("n" * size))
    return _model(b, [_code(b, RELU)], [tensor] * count, [], [0], [0])


def shared_string(count=1000, size=1 << 20):
    """1 MB: so many tensors that share their name alone."""
    b = flatbuffers.Builder(1024)
    name, shape = b.CreateString("n" * size), _numbers(b, [1])
    tensors = [_tensor(b, shape, name) for _ in range(count)]
    return _model(b, [_code(b, RELU)], tensors, [], [0], [0])


def shared_buffer(count=1000, size=1 << 20):
    """1 MB: so many tensors that share one constant."""
    b = flatbuffers.Builder(1024)
    data = _numbers(b, np.zeros(size), np.uint8)
    name, shape = b.CreateString("n"), _numbers(b, [size])
    tensors = [_tensor(b, shape, name, INT8, 1) for _ in range(count)]
    return _model(b, [_code(b, RELU)], tensors, [], [0], [0], data)


def shared_scales(count=1000, size=4):
    """So many tensors with one table of so many scales."""
    b = flatbuffers.Builder(1024)
    scales, zeros = _numbers(b, np.ones(size), np.float32), _numbers(b, np.zeros(size), np.int64)
    tflite.QuantizationParametersStart(b)
    tflite.QuantizationParametersAddScale(b, scales)
    tflite.QuantizationParametersAddZeroPoint(b, zeros)
    table = tflite.QuantizationParametersEnd(b)
    name, shape = b.CreateString("n"), _numbers(b, [size])
    tensors = [_tensor(b, shape, name, INT8, quantization=table) for _ in range(count)]
    return _model(b, [_code(b, RELU)], tensors, [], [0], [0])


def shared_custom_code(count=1000, size=1 << 16):
    """So many custom operators, and references to one code with a name of so many letters."""
    b = flatbuffers.Builder(1024)
    code = _code(b, CUSTOM, b.CreateString("c" * size))
    tensor = _tensor(b, _numbers(b, [1]), b.CreateString("n"))
    reads, writes = _numbers(b, [0]), _numbers(b, [1])
    operators = [_operator(b, reads, writes) for _ in range(count)]
    return _model(b, [code] * count, [tensor] * 2, operators, [0], [1])


def operator_codes(count=200_000):
    """2 MB: so many references to one operator code."""
    b = flatbuffers.Builder(1024)
    tensor = _tensor(b, _numbers(b, [1]), b.CreateString("n"))
    return _model(b, [_code(b, RELU)] * count, [tensor], [], [0], [0])


def shared_operator(reads=20_000, count=20_000):
    """So many references to one operator with so many inputs."""
    b = flatbuffers.Builder(1024)
    tensor = _tensor(b, _numbers(b, [1]), b.CreateString("n"))
    operator = _operator(b, _numbers(b, [0] * reads), _numbers(b, [1]))
    return _model(b, [_code(b, RELU)], [tensor] * 2, [operator] * count, [0], [1])


def relu_chain(count=2000):
    """A chain of RELUs."""
    b = flatbuffers.Builder(1024)
    tensors = [
        _tensor(b, _numbers(b, [1 + i % 7]), b.CreateString(f"t{i}")) for i in range(count + 1)
    ]
    operators = [_operator(b, _numbers(b, [i]), _numbers(b, [i + 1])) for i in range(count)]
    return _model(b, [_code(b, RELU)], tensors, operators, [0], [count])


def split_many(count=100_000):
    """One SPLIT with so many outputs."""
    b = flatbuffers.Builder(1024)
    axis = _numbers(b, [0, 0, 0, 0], np.uint8)
    one, scalar = _numbers(b, [1]), _numbers(b, [])
    tensors = [_tensor(b, _numbers(b, [count]), b.CreateString("x"))]
    tensors += [_tensor(b, scalar, b.CreateString("axis"), 2, 1)]
    tensors += [_tensor(b, one, b.CreateString(f"y{i}")) for i in range(count)]
    tflite.SplitOptionsStart(b)
    tflite.SplitOptionsAddNumSplits(b, count)
    options = tflite.SplitOptionsEnd(b)
    writes = _numbers(b, range(2, count + 2))
    operator = _operator(
        b, _numbers(b, [1, 0]), writes, options, tflite.BuiltinOptions.SplitOptions
    )
    return _model(b, [_code(b, SPLIT)], tensors, [operator], [0], [2], axis)


def _vector(b, start, items):
    start(b, len(items))
    for item in reversed(items):
        b.PrependUOffsetTRelative(item)
    return b.EndVector()


def _numbers(b, values, dtype=np.int32):
    return b.CreateNumpyVector(np.asarray(values, dtype))


def _code(b, number, custom=None):
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, number)
    if custom:
        tflite.OperatorCodeAddCustomCode(b, custom)
    return tflite.OperatorCodeEnd(b)


def _tensor(b, shape, name, kind=0, buffer=0, quantization=None):
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, kind)
    tflite.TensorAddBuffer(b, buffer)
    tflite.TensorAddName(b, name)
    if quantization:
        tflite.TensorAddQuantization(b, quantization)
    return tflite.TensorEnd(b)


def _operator(b, inputs, outputs, options=None, kind=0):
    tflite.OperatorStart(b)
    tflite.OperatorAddInputs(b, inputs)
    tflite.OperatorAddOutputs(b, outputs)
    if options:
        tflite.OperatorAddBuiltinOptionsType(b, kind)
        tflite.OperatorAddBuiltinOptions(b, options)
    return tflite.OperatorEnd(b)


def _model(b, codes, tensors, operators, inputs, outputs, data=None):
    """The parts of one subgraph put together; ``data`` is the vector of buffer 1."""
    tensors = _vector(b, tflite.SubGraphStartTensorsVector, tensors)
    operators = _vector(b, tflite.SubGraphStartOperatorsVector, operators)
    inputs, outputs = _numbers(b, inputs), _numbers(b, outputs)
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, tensors)
    tflite.SubGraphAddInputs(b, inputs)
    tflite.SubGraphAddOutputs(b, outputs)
    tflite.SubGraphAddOperators(b, operators)
    subgraphs = _vector(b, tflite.ModelStartSubgraphsVector, [tflite.SubGraphEnd(b)])
    buffers = []
    for vector in (None, data) if data else (None,):
        tflite.BufferStart(b)
        if vector:
            tflite.BufferAddData(b, vector)
        buffers.append(tflite.BufferEnd(b))
    buffers = _vector(b, tflite.ModelStartBuffersVector, buffers)
    codes = _vector(b, tflite.ModelStartOperatorCodesVector, codes)
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddOperatorCodes(b, codes)
    tflite.ModelAddSubgraphs(b, subgraphs)
    tflite.ModelAddBuffers(b, buffers)
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())
