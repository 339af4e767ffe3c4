"""The newest version of each operator that the runtime has a kernel for.

A file names a version beside each operator's code. One that no kernel is registered for refuses the
whole model.

Sources, ai-edge-litert 2.3.0: ``tflite/core/kernels/register.cc``,
``tflite/kernels/register_ref.cc``.
"""

from __future__ import annotations

from drqsim.graph import Operator

NEWEST = {
    code: version
    for version, codes in {
        1: (
            "ELU EXPAND_DIMS FLOOR HARD_SWISH LOGICAL_AND LOGICAL_NOT LOGICAL_OR NEG POW "
            "PRELU RELU_0_TO_1 RELU_N1_TO_1 RESHAPE SHAPE SQUARE"
        ),
        2: (
            "COS DEPTH_TO_SPACE DIV EXP GREATER L2_NORMALIZATION LEAKY_RELU LESS_EQUAL LOG "
            "LOG_SOFTMAX SELECT_V2 SIN SPACE_TO_DEPTH SQRT SQUARED_DIFFERENCE SQUEEZE SUM"
        ),
        3: (
            "ARG_MAX AVERAGE_POOL_2D GELU GREATER_EQUAL LESS LOGISTIC MAX_POOL_2D MEAN "
            "MIRROR_PAD REDUCE_MAX REDUCE_MIN RELU RELU6 RNN RSQRT TANH TOPK_V2 "
            "UNIDIRECTIONAL_SEQUENCE_RNN"
        ),
        4: (
            "BATCH_MATMUL MAXIMUM MINIMUM NOT_EQUAL RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR "
            "SELECT SOFTMAX SVDF UNIDIRECTIONAL_SEQUENCE_LSTM"
        ),
        5: "ABS EMBEDDING_LOOKUP EQUAL PACK SPLIT SUB TRANSPOSE_CONV",
        6: "ADD PAD PADV2 QUANTIZE UNPACK",
        7: "CONCATENATION DEPTHWISE_CONV_2D",
        8: "CONV_2D GATHER MUL SLICE STRIDED_SLICE",
        9: "CAST DEQUANTIZE TRANSPOSE",
        14: "FULLY_CONNECTED",
    }.items()
    for code in codes.split()
}
# of those whose reference kernel is older; 0 is none at all
NEWEST_REFERENCE = NEWEST | {
    "ABS": 3,
    "ADD": 5,
    "ARG_MAX": 2,
    "COS": 1,
    "DEPTHWISE_CONV_2D": 6,
    "DEPTH_TO_SPACE": 1,
    "ELU": 0,
    "GELU": 2,
    "MUL": 7,
    "SIN": 1,
    "SOFTMAX": 3,
    "SQUEEZE": 1,
    "STRIDED_SLICE": 4,
    "TRANSPOSE": 8,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 3,
}


def unknown_version(op: Operator, kernels: str) -> str:
    """What the runtime says to a version for which it has no kernel; empty where it has one.

    Parameters
    ----------
    op : Operator
    kernels : {"optimized", "reference", "xnnpack"}

    Returns
    -------
    str
        The reason, in the runtime's words. Of operators that drqsim does not know nothing is said.
    """
    newest = (NEWEST_REFERENCE if kernels == "reference" else NEWEST).get(op.code)
    if newest is None or 1 <= op.version <= newest:
        return ""
    known = f"know versions 1 to {newest}" if newest else "have none"
    said = f"Didn't find op for builtin opcode '{op.code}' version '{op.version}'"
    return f"the {kernels} kernels {known}: {said}"
