"""Names and tables of the TFLite file format, shared by the reader and the writer.

The field names are the schema's own, in snake_case (``Conv2DOptions.stride_w`` is ``stride_w``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from drqsim.errors import ModelFileError

PADDING = ("SAME", "VALID")
ACTIVATION = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
NUMBER = "a whole number"
REAL = "a number"
TRUTH = "a truth"
TYPE = "a number from -128 to 127"
VECTOR = "a vector of whole numbers"
BYTES = "bytes"
FLOAT32_MAX = float(np.finfo(np.float32).max)
RANGES = {NUMBER: (-(2**31), 2**31 - 1), TRUTH: (0, 1), TYPE: (-128, 127)}
MIRROR = ("REFLECT", "SYMMETRIC")
UNKNOWN = "UNKNOWN"  # a choice that the file does not make

# TensorType in the schema -> NumPy dtype
DTYPES = {
    0: np.dtype(np.float32),
    1: np.dtype(np.float16),
    2: np.dtype(np.int32),
    3: np.dtype(np.uint8),
    4: np.dtype(np.int64),
    6: np.dtype(np.bool_),
    7: np.dtype(np.int16),
    9: np.dtype(np.int8),
    10: np.dtype(np.float64),
}
# stored two to a byte, the earlier in the low half; in NumPy, which has no such type, int8
INT4 = 17
# name, and bytes of an element: 0 where they are not fixed, 1 where several share one
TYPES_NOT_READ = {
    5: ("STRING", 0),
    8: ("COMPLEX64", 8),
    11: ("COMPLEX128", 16),
    12: ("UINT64", 8),
    13: ("RESOURCE", 0),
    14: ("VARIANT", 0),
    15: ("UINT32", 4),
    16: ("UINT16", 2),
    18: ("BFLOAT16", 2),
    19: ("INT2", 1),
    20: ("UINT4", 1),
    21: ("FLOAT8_E4M3FN", 1),
    22: ("FLOAT8_E5M2", 1),
}
# what the ``tflite`` package does not know of QuantizationDetails
QUANTIZATION_NOT_READ = {1: "custom", 2: "blockwise", 3: "multi-axis"}

_POOL = {
    "padding": PADDING,
    "stride_w": NUMBER,
    "stride_h": NUMBER,
    "filter_width": NUMBER,
    "filter_height": NUMBER,
    "fused_activation_function": ACTIVATION,
}

_FUSED = {"fused_activation_function": ACTIVATION}
_RESIZE = {"align_corners": TRUTH, "half_pixel_centers": TRUTH}

# operator code -> (options table of the schema, its fields); the options of an operator that is
# not listed are not read
OPTIONS: dict[str, tuple[str, dict[str, object]]] = {
    "CONV_2D": (
        "Conv2DOptions",
        {
            "padding": PADDING,
            "stride_w": NUMBER,
            "stride_h": NUMBER,
            "dilation_w_factor": NUMBER,
            "dilation_h_factor": NUMBER,
            "fused_activation_function": ACTIVATION,
            "quantized_bias_type": TYPE,
        },
    ),
    "CONV_3D": (
        "Conv3DOptions",
        {
            "padding": PADDING,
            "stride_d": NUMBER,
            "stride_w": NUMBER,
            "stride_h": NUMBER,
            "dilation_d_factor": NUMBER,
            "dilation_w_factor": NUMBER,
            "dilation_h_factor": NUMBER,
            "fused_activation_function": ACTIVATION,
        },
    ),
    "DEPTHWISE_CONV_2D": (
        "DepthwiseConv2DOptions",
        {
            "padding": PADDING,
            "stride_w": NUMBER,
            "stride_h": NUMBER,
            "depth_multiplier": NUMBER,
            "dilation_w_factor": NUMBER,
            "dilation_h_factor": NUMBER,
            "fused_activation_function": ACTIVATION,
        },
    ),
    "FULLY_CONNECTED": (
        "FullyConnectedOptions",
        {
            "fused_activation_function": ACTIVATION,
            "weights_format": TYPE,
            "keep_num_dims": TRUTH,
            "asymmetric_quantize_inputs": TRUTH,
            "quantized_bias_type": TYPE,
            "quant_spec": BYTES,
        },
    ),
    "MAX_POOL_2D": ("Pool2DOptions", _POOL),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _POOL),
    "TRANSPOSE_CONV": (
        "TransposeConvOptions",
        {
            "padding": PADDING,
            "stride_w": NUMBER,
            "stride_h": NUMBER,
            "fused_activation_function": ACTIVATION,
        },
    ),
    "BATCH_MATMUL": (
        "BatchMatMulOptions",
        {"adj_x": TRUTH, "adj_y": TRUTH, "asymmetric_quantize_inputs": TRUTH},
    ),
    "ADD": ("AddOptions", _FUSED),
    "SUB": ("SubOptions", _FUSED),
    "MUL": ("MulOptions", _FUSED),
    "DIV": ("DivOptions", _FUSED),
    "L2_NORMALIZATION": ("L2NormOptions", _FUSED),
    "CONCATENATION": ("ConcatenationOptions", {"axis": NUMBER} | _FUSED),
    "MEAN": ("ReducerOptions", {"keep_dims": TRUTH}),
    "SUM": ("ReducerOptions", {"keep_dims": TRUTH}),
    "REDUCE_MAX": ("ReducerOptions", {"keep_dims": TRUTH}),
    "REDUCE_MIN": ("ReducerOptions", {"keep_dims": TRUTH}),
    "ARG_MAX": ("ArgMaxOptions", {"output_type": TYPE}),
    "RESHAPE": ("ReshapeOptions", {"new_shape": VECTOR}),
    "SQUEEZE": ("SqueezeOptions", {"squeeze_dims": VECTOR}),
    "MIRROR_PAD": ("MirrorPadOptions", {"mode": MIRROR}),
    "STRIDED_SLICE": (
        "StridedSliceOptions",
        {
            "begin_mask": NUMBER,
            "end_mask": NUMBER,
            "ellipsis_mask": NUMBER,
            "new_axis_mask": NUMBER,
            "shrink_axis_mask": NUMBER,
            "offset": TRUTH,
        },
    ),
    "SPLIT": ("SplitOptions", {"num_splits": NUMBER}),
    "PACK": ("PackOptions", {"values_count": NUMBER, "axis": NUMBER}),
    "UNPACK": ("UnpackOptions", {"num": NUMBER, "axis": NUMBER}),
    "GATHER": ("GatherOptions", {"axis": NUMBER, "batch_dims": NUMBER}),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", _RESIZE),
    "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighborOptions", _RESIZE),
    "DEPTH_TO_SPACE": ("DepthToSpaceOptions", {"block_size": NUMBER}),
    "SPACE_TO_DEPTH": ("SpaceToDepthOptions", {"block_size": NUMBER}),
    "SHAPE": ("ShapeOptions", {"out_type": TYPE}),
    "CAST": ("CastOptions", {"in_data_type": TYPE, "out_data_type": TYPE}),
    "SOFTMAX": ("SoftmaxOptions", {"beta": REAL}),
    "LEAKY_RELU": ("LeakyReluOptions", {"alpha": REAL}),
    "GELU": ("GeluOptions", {"approximate": TRUTH}),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        "UnidirectionalSequenceLSTMOptions",
        {
            "fused_activation_function": ACTIVATION,
            "cell_clip": REAL,
            "proj_clip": REAL,
            "time_major": TRUTH,
            "asymmetric_quantize_inputs": TRUTH,
        },
    ),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (
        "SequenceRNNOptions",
        {
            "time_major": TRUTH,
            "fused_activation_function": ACTIVATION,
            "asymmetric_quantize_inputs": TRUTH,
        },
    ),
    "RNN": (
        "RNNOptions",
        {"fused_activation_function": ACTIVATION, "asymmetric_quantize_inputs": TRUTH},
    ),
    "SVDF": (
        "SVDFOptions",
        {
            "rank": NUMBER,
            "fused_activation_function": ACTIVATION,
            "asymmetric_quantize_inputs": TRUTH,
        },
    ),
}

# operator code -> the table that says which subgraphs it runs, and the accessors of their indices;
# a composite's table is in the operator's second union
SUBGRAPHS_OF = {
    "CALL_ONCE": ("CallOnceOptions", ("InitSubgraphIndex",)),
    "IF": ("IfOptions", ("ThenSubgraphIndex", "ElseSubgraphIndex")),
    "STABLEHLO_COMPOSITE": ("StableHLOCompositeOptions", ("DecompositionSubgraphIndex",)),
    "WHILE": ("WhileOptions", ("CondSubgraphIndex", "BodySubgraphIndex")),
}

# operators that have no options: their table is empty, or there is none
WITHOUT_OPTIONS = frozenset(
    (
        "ABS COS DEQUANTIZE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FLOOR GREATER "
        "GREATER_EQUAL HARD_SWISH LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR "
        "LOGISTIC LOG_SOFTMAX MAXIMUM MINIMUM NEG NOT_EQUAL PAD PADV2 POW PRELU QUANTIZE RELU "
        "RELU6 RELU_0_TO_1 RELU_N1_TO_1 RSQRT SELECT SELECT_V2 SIN SLICE SQRT SQUARE "
        "SQUARED_DIFFERENCE TANH TOPK_V2 TRANSPOSE"
    ).split()
)

# fields that the ``tflite`` package does not know, with their place in the table
UNKNOWN_FIELDS = {"quant_spec": 5}

# what a field has when a caller who builds an operator does not say; in a file a SOFTMAX without
# a beta has 0
DEFAULTS = {f"dilation_{axis}_factor": 1 for axis in "dwh"} | {"beta": 1.0}


def unsaid(field: str, kind: object) -> object:
    """The value of a field that nobody gave: its default, else the first choice, nothing or 0."""
    if isinstance(kind, tuple):
        return kind[0]
    return DEFAULTS.get(field, {VECTOR: (), BYTES: b""}.get(kind, 0))


def completed(code: str, options: Mapping[str, object]) -> Mapping[str, object]:
    """The options of an operator, with every field that nobody gave.

    Raises
    ------
    ModelFileError
        When an option has a value that the file format has no place for.
    """
    fields = OPTIONS[code][1] if code in OPTIONS else {}
    for field, value in options.items():
        if field in fields and not _fits(value, fields[field]):
            kind = fields[field]
            wanted = f"one of {', '.join(kind)}" if isinstance(kind, tuple) else kind
            raise ModelFileError(f"{code} has {field} = {value!r}; expected {wanted}.")
    return MappingProxyType({f: unsaid(f, kind) for f, kind in fields.items()} | dict(options))


def without_table(code: str) -> dict[str, object]:
    """The options of an operator to which the file gives no table, or another operator's.

    The runtime then has zeros, also where a field of the table has another default: a beta of 0 for
    SOFTMAX, and ``UNKNOWN`` for a padding and a mode, which are counted from 1 there. Source,
    ai-edge-litert 2.3.0: ``tflite/core/api/flatbuffer_conversions.cc``, ``builtin_op_data.h``.
    """
    empty = {VECTOR: (), BYTES: b"", PADDING: UNKNOWN, MIRROR: UNKNOWN, ACTIVATION: "NONE"}
    return {field: empty.get(kind, 0) for field, kind in OPTIONS[code][1].items()}


def _fits(value: object, kind: object) -> bool:
    """Whether a field of this kind can hold the value."""
    if isinstance(kind, tuple):
        return isinstance(value, str) and value in (*kind, UNKNOWN)
    if kind == BYTES:
        return isinstance(value, bytes)
    if kind == VECTOR:
        return np.iterable(value) and all(_fits(each, NUMBER) for each in value)
    if kind == REAL:  # infinity and NaN have a place; what would become infinity has none
        is_number = isinstance(value, (int, float, np.integer, np.floating))
        return is_number and not FLOAT32_MAX < abs(float(value)) < np.inf
    lowest, highest = RANGES[kind]
    return isinstance(value, (int, np.integer, np.bool_)) and lowest <= value <= highest


def camel(field: str) -> str:
    """``stride_w`` -> ``StrideW``: how the generated accessors spell a field."""
    return "".join(part.capitalize() for part in field.split("_"))
