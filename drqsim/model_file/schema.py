"""Names and tables of the TFLite file format, shared by the reader and the writer.

The field names are the schema's own, in snake_case (``Conv2DOptions.stride_w`` is ``stride_w``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

PADDING = ("SAME", "VALID")
ACTIVATION = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
NUMBER = "number"
VECTOR = "vector"  # of int32
BYTES = "bytes"
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
TYPES_NOT_READ = {
    5: "STRING",
    8: "COMPLEX64",
    11: "COMPLEX128",
    12: "UINT64",
    13: "RESOURCE",
    14: "VARIANT",
    15: "UINT32",
    16: "UINT16",
    18: "BFLOAT16",
    19: "INT2",
    20: "UINT4",
    21: "FLOAT8_E4M3FN",
    22: "FLOAT8_E5M2",
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
_RESIZE = {"align_corners": NUMBER, "half_pixel_centers": NUMBER}

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
            "quantized_bias_type": NUMBER,
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
            "weights_format": NUMBER,
            "keep_num_dims": NUMBER,
            "asymmetric_quantize_inputs": NUMBER,
            "quantized_bias_type": NUMBER,
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
        {"adj_x": NUMBER, "adj_y": NUMBER, "asymmetric_quantize_inputs": NUMBER},
    ),
    "ADD": ("AddOptions", _FUSED),
    "SUB": ("SubOptions", _FUSED),
    "MUL": ("MulOptions", _FUSED),
    "DIV": ("DivOptions", _FUSED),
    "L2_NORMALIZATION": ("L2NormOptions", _FUSED),
    "CONCATENATION": ("ConcatenationOptions", {"axis": NUMBER} | _FUSED),
    "MEAN": ("ReducerOptions", {"keep_dims": NUMBER}),
    "SUM": ("ReducerOptions", {"keep_dims": NUMBER}),
    "REDUCE_MAX": ("ReducerOptions", {"keep_dims": NUMBER}),
    "REDUCE_MIN": ("ReducerOptions", {"keep_dims": NUMBER}),
    "ARG_MAX": ("ArgMaxOptions", {"output_type": NUMBER}),
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
            "offset": NUMBER,
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
    "SHAPE": ("ShapeOptions", {"out_type": NUMBER}),
    "CAST": ("CastOptions", {"in_data_type": NUMBER, "out_data_type": NUMBER}),
    "SOFTMAX": ("SoftmaxOptions", {"beta": NUMBER}),
    "LEAKY_RELU": ("LeakyReluOptions", {"alpha": NUMBER}),
    "GELU": ("GeluOptions", {"approximate": NUMBER}),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        "UnidirectionalSequenceLSTMOptions",
        {
            "fused_activation_function": ACTIVATION,
            "cell_clip": NUMBER,
            "proj_clip": NUMBER,
            "time_major": NUMBER,
            "asymmetric_quantize_inputs": NUMBER,
        },
    ),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (
        "SequenceRNNOptions",
        {
            "time_major": NUMBER,
            "fused_activation_function": ACTIVATION,
            "asymmetric_quantize_inputs": NUMBER,
        },
    ),
    "RNN": (
        "RNNOptions",
        {"fused_activation_function": ACTIVATION, "asymmetric_quantize_inputs": NUMBER},
    ),
    "SVDF": (
        "SVDFOptions",
        {
            "rank": NUMBER,
            "fused_activation_function": ACTIVATION,
            "asymmetric_quantize_inputs": NUMBER,
        },
    ),
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
    """The options of an operator, with every field that nobody gave."""
    fields = OPTIONS[code][1] if code in OPTIONS else {}
    return MappingProxyType({f: unsaid(f, kind) for f, kind in fields.items()} | dict(options))


def without_table(code: str) -> dict[str, object]:
    """The options of an operator to which the file gives no table, or another operator's.

    The runtime then has zeros, also where a field of the table has another default: a beta of 0 for
    SOFTMAX, and ``UNKNOWN`` for a padding and a mode, which are counted from 1 there. Source,
    ai-edge-litert 2.3.0: ``tflite/core/api/flatbuffer_conversions.cc``, ``builtin_op_data.h``.
    """
    empty = {VECTOR: (), BYTES: b"", PADDING: UNKNOWN, MIRROR: UNKNOWN, ACTIVATION: "NONE"}
    return {field: empty.get(kind, 0) for field, kind in OPTIONS[code][1].items()}


def camel(field: str) -> str:
    """``stride_w`` -> ``StrideW``: how the generated accessors spell a field."""
    return "".join(part.capitalize() for part in field.split("_"))
