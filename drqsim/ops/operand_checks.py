"""Which types and scales of its tensors a kernel takes; the reasons are the runtime's own words.

Source, ai-edge-litert 2.3.0: ``Prepare`` and ``Eval`` in ``tflite/kernels/*.cc``; of XNNPACK
``tflite/delegates/xnnpack/xnnpack_delegate.cc``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from drqsim.arithmetic.floats import is_normal
from drqsim.graph import Graph, Operator, Tensor


class Takes(NamedTuple):
    """The types of one input, and what the runtime says to another; ``{}`` is the type's name."""

    position: int
    types: tuple[str, ...]
    said: str


_SMALL = ("float32", "uint8", "int8", "int16")
_BLOCKS = ("float32", "uint8", "int8", "int32", "int64")
_INDICES = ("int32",)
_AXES = "reduce.cc:398 op_context.axis->type != kTfLiteInt32"
_MOVED = (*_SMALL, "int32", "int64", "bool", "float16")


def _without(*types: str) -> tuple[str, ...]:
    return tuple(each for each in _MOVED if each not in types)


def _blocks(file: str) -> tuple[Takes, ...]:
    return (Takes(0, _BLOCKS, f"{file} data_type == kTfLiteFloat32 || data_type == kTfLiteUInt8"),)


_BOUND = "strided_slice.cc:{} op_context.{}->type != kTfLiteInt32"
# operator code -> the inputs of which drqsim would take other types, too
TAKES: dict[str, tuple[Takes, ...]] = {
    "ARG_MAX": (
        Takes(
            0,
            ("float32", "uint8", "int8", "int32", "bool"),
            "only float32, int types and bool are supported",
        ),
    ),
    "CONCATENATION": (Takes(0, _MOVED, "concatenation.cc:155 is_supported_type was not true"),),
    "DEPTH_TO_SPACE": _blocks("depth_to_space.cc:60"),
    "GATHER": (Takes(0, _MOVED, "Type '{}' is not supported by gather"),),
    **dict.fromkeys(("MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"), (Takes(1, _INDICES, _AXES),)),
    "PACK": (Takes(0, _without("bool", "float16"), "Type '{}' is not supported by pack"),),
    "PAD": (Takes(0, _MOVED, "Type {} is currently not supported by Pad"),),
    "PADV2": (Takes(0, _MOVED, "Type {} is currently not supported by Pad"),),
    "RESIZE_BILINEAR": (Takes(1, _INDICES, "resize_bilinear.cc:79 size->type != kTfLiteInt32"),),
    "RESIZE_NEAREST_NEIGHBOR": (
        Takes(1, _INDICES, "resize_nearest_neighbor.cc:75 size->type != kTfLiteInt32"),
        Takes(
            0,
            _without("int64"),
            "Output type is {}, requires float, uint8, int8 or int16",
        ),
    ),
    "SPACE_TO_DEPTH": _blocks("space_to_depth.cc:60"),
    "SPLIT": (Takes(1, _without("bool", "float16"), "split.cc:96 is_supported_type was not true"),),
    "SQUARED_DIFFERENCE": (
        Takes(
            0,
            ("float32", "int32", "int8"),
            "SquaredDifference only supports FLOAT32 and INT32 now",
        ),
    ),
    "STRIDED_SLICE": tuple(
        Takes(at, _INDICES, _BOUND.format(317 + at, name))
        for at, name in enumerate(("begin", "end", "strides"), 1)
    ),
    "TOPK_V2": (
        Takes(
            1,
            ("int32", "int16"),
            "topk_v2.cc:271 top_k->type == kTfLiteInt32 || top_k->type == kTfLiteInt16 was not "
            "true",
        ),
        Takes(0, _without("bool", "float16"), "Type {} is currently not supported by TopK"),
    ),
    "UNPACK": (Takes(0, _without("int64"), "Type '{}' is not supported by unpack"),),
}

CODES = ("uint8", "int8", "int16")
# operators whose output must have the input's scale: of which types, in words, and the zero point
SAME_SCALE = {
    "EXPAND_DIMS": (
        (),
        "expand_dims.cc:85 input->params.scale != output->params.scale",
        "expand_dims.cc:87 input->params.zero_point != output->params.zero_point",
    ),
    "MIRROR_PAD": (
        CODES,
        "mirror_pad.cc:383 input_tensor->params.scale != output_tensor->params.scale",
        "mirror_pad.cc:385 input_tensor->params.zero_point != output_tensor->params.zero_point",
    ),
    "UNPACK": (
        (),
        "unpack.cc:84 input->params.scale != output->params.scale",
        "unpack.cc:83 input->params.zero_point != output->params.zero_point",
    ),
}
# operators that take int16 with the zero point 0 alone
NO_ZERO_POINT = {
    "CONCATENATION": "concatenation.cc:245 t->params.zero_point != 0",
    "DEQUANTIZE": "dequantize.cc:75 op_context.input->params.zero_point != 0",
    "EXPAND_DIMS": "expand_dims.cc:89 input->params.zero_point != 0",
    "MEAN": "reduce.cc:420 op_context.input->params.zero_point != 0",
    "MIRROR_PAD": "mirror_pad.cc:389 input_tensor->params.zero_point != 0",
}
PADDED = "pad.cc:452 op_context.output->params.scale != op_context.constant_values->params.scale"
# operators that XNNPACK takes without a look at the output's scale, and then cannot build
FAILS_TO_DELEGATE = (
    *("DEPTH_TO_SPACE", "MAX_POOL_2D", "PAD", "SLICE", "SPACE_TO_DEPTH", "SPLIT", "TRANSPOSE"),
)
LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# operator code -> how many of its inputs XNNPACK defines with their scales; None is all
DEFINES_CODES = {
    **dict.fromkeys((*FAILS_TO_DELEGATE, "DEQUANTIZE", "MEAN", "RESHAPE"), 1),
    **dict.fromkeys(LAYERS, 2),
    "CONCATENATION": None,
}


def why_not_taken(graph: Graph, op: Operator, kernels: str) -> str:
    """What the runtime says to the types and scales that the file declares; empty if nothing.

    Of what flows between operators it reckons the type itself, so that is left to
    ``wrong_type_of``, when the values are there.
    """
    known = [
        tensor.type_name if tensor is not None and _is_known(graph, op.inputs[at]) else None
        for at, tensor in enumerate(_reads(graph, op))
    ]
    with np.errstate(invalid="ignore"):  # a file may hold any scale
        wrong = next(filter(None, _wrong_scales(graph, op, kernels)), "")
    return wrong_type(op.code, known) or wrong


def wrong_type(code: str, types: Sequence[str | None]) -> str:
    """What the runtime says to inputs of these types; None is a type that is not known yet."""
    for takes in TAKES.get(code, ()):
        given = types[takes.position] if takes.position < len(types) else None
        if given is not None and given not in takes.types and not given.startswith("int4"):
            return f"its input {takes.position} is {given}: {takes.said.format(given.upper())}"
    return ""


def wrong_type_of(code: str, values: Sequence[np.ndarray | None]) -> str:
    """The same of values."""
    return wrong_type(code, [None if value is None else value.dtype.name for value in values])


def whole(tensor: Tensor) -> tuple[float, int]:
    """Scale and zero point of the whole tensor; 0 where it has none, or several."""
    given = tensor.quantization
    if given is None or given.scale.size != 1:
        return 0.0, 0
    return float(given.scale[0]), int(given.zero_point[0])


def _is_known(graph: Graph, index: int) -> bool:
    return graph.tensors[index].value is not None or index in graph.inputs


def _reads(graph: Graph, op: Operator) -> list[Tensor | None]:
    return [graph.tensor_of(op, at) for at in range(len(op.inputs))]


def _wrong_scales(graph: Graph, op: Operator, kernels: str) -> Iterator[str]:
    code, written = op.code, [graph.tensors[i] for i in op.outputs]
    reads = [tensor for tensor in _reads(graph, op) if tensor is not None]
    if not reads or not written:
        return
    x = reads[1 if code == "SPLIT" else 0]
    for y in written:
        scales, zero_points = zip(whole(x), whole(y), strict=True)
        if code in SAME_SCALE:
            types, scale_said, zero_said = SAME_SCALE[code]
            if not types or x.type_name in types:
                yield _other("scale", scales, scale_said)
                yield _other("zero point", zero_points, zero_said)
        if kernels == "xnnpack" and code in FAILS_TO_DELEGATE and x.type_name in ("uint8", "int8"):
            said = f"XNNPACK takes it, and then fails to delegate {code}"
            yield _other("scale", scales, said) or _other("zero point", zero_points, said)
    yield _wrong_bias(code, reads, kernels)
    if code == "DEQUANTIZE" and x.quantization and x.quantization.scale.size > 1:
        if x.type_name not in ("int8", "uint8", "int4"):
            yield f"it has several scales: Type {x.type_name} not supported for per-channel"
    if kernels == "xnnpack":
        yield from _unsound(code, reads, written[0])
    yield from _wrong_zero_points(code, x, reads, written)
    if code == "PADV2" and len(reads) == 3 and x.type_name in CODES and x.quantization:
        pairs = zip(whole(written[0]), whole(reads[2]), strict=True)
        scale, zero_point = (_other("padding value's scale", pair, PADDED) for pair in pairs)
        yield scale or zero_point.replace("scale", "zero_point", 1)


def _wrong_bias(code: str, reads: list[Tensor], kernels: str) -> str:
    """A bias has no zero point; XNNPACK takes one scale or many, and joins like with like alone."""
    if code in LAYERS[:2] and len(reads) == 3 and reads[0].type_name in ("int8", "uint8", "int16"):
        if whole(reads[2])[1]:  # of several the kernel sees none
            kernel = "conv.cc:417" if code == "CONV_2D" else "depthwise_conv.cc:175"
            return f"its bias has a zero point: {kernel} bias->params.zero_point != 0"
    if kernels != "xnnpack" or code not in LAYERS or len(reads) < 3:
        return ""
    filters, bias = (tensor.quantization for tensor in reads[1:3])
    if filters is None or bias is None or reads[2].type_name != "int32":
        return ""
    if bias.zero_point.any():
        return f"its bias has the zero point {bias.zero_point.max()}: unsupported zero-point value"
    counts = filters.scale.size, bias.scale.size
    if min(counts) == 1 < max(counts) and code != "FULLY_CONNECTED":
        return f"its filter has {counts[0]} scales, its bias {counts[1]}: failed to delegate {code}"
    return ""


def _unsound(code: str, reads: list[Tensor], y: Tensor) -> Iterator[str]:
    """XNNPACK asks of each tensor of codes for a sound scale when it defines it."""
    if code == "QUANTIZE" and not _is_sound(y):
        yield f"{y} has an unsound scale or zero point: XNNPACK takes it, and crashes"
    for x in reads[: DEFINES_CODES.get(code, 0)]:
        if x.quantization and not _is_sound(x):
            yield f"{x} has an unsound scale or zero point: unsupported scale or zero-point value"


def _is_sound(tensor: Tensor) -> bool:
    """Its scale is a positive number, no denormal, and its zero point one of its codes."""
    if tensor.type_name not in ("uint8", "int8"):
        return True
    if tensor.quantization and tensor.quantization.scale.size > 1:
        return is_normal(tensor.quantization.scale)
    scale, zero_point = whole(tensor)
    limits = np.iinfo(tensor.dtype)
    return is_normal(np.float32(scale)) and limits.min <= zero_point <= limits.max


def _wrong_zero_points(code: str, x: Tensor, reads: list[Tensor], written: list[Tensor]):
    """int16 is symmetric wherever a kernel looks at it."""
    if x.type_name != "int16":
        return
    looked_at = [(tensor, NO_ZERO_POINT.get(code)) for tensor in reads[:1]]
    if code == "CONCATENATION":
        looked_at = [(tensor, NO_ZERO_POINT[code]) for tensor in (*reads, *written)]
    if code == "MEAN":
        looked_at += [(written[0], "reduce.cc:421 op_context.output->params.zero_point != 0")]
    for tensor, said in looked_at:
        if said and tensor.type_name == "int16" and whole(tensor)[1]:
            yield f"it has the zero point {whole(tensor)[1]}: {said}"


def _other(what: str, pair: tuple, said: str) -> str:
    return f"the {what} is {pair[0]:g} and {pair[1]:g}: {said}" if pair[0] != pair[1] else ""
