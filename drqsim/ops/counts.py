"""How many inputs and outputs every kernel takes; the runtime refuses a model with another number.

Every kernel counts them when the model is loaded. The reasons are the runtime's own words.

Source, ai-edge-litert 2.3.0: ``Prepare`` in ``tflite/kernels/*.cc``.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import NamedTuple

from drqsim.graph import Operator
from drqsim.model_file.schema import completed


class Check(NamedTuple):
    """How many tensors a kernel takes on one side, and what the runtime says to another number.

    Attributes
    ----------
    side : str
        ``input`` or ``output``.
    counts : container of int, or str
        The numbers that it takes; a string is the option that holds the only one.
    said : str
        The runtime's words; ``{}`` is the number that the file gives.
    """

    side: str
    counts: Container[int] | str
    said: str


def _exactly(file: str, line: int, inputs: int, outputs: int = 1) -> tuple[Check, ...]:
    """One number of inputs, and of outputs, which the kernel asks for in two lines."""
    words = "{file}:{line} Num{side}(node) != {count} ({{}} != {count})"
    return (
        Check(
            "input",
            (inputs,),
            words.format(file=file, line=line, side="Inputs", count=inputs),
        ),
        Check(
            "output",
            (outputs,),
            words.format(file=file, line=line + 1, side="Outputs", count=outputs),
        ),
    )


_EXACTLY = {
    ("activations.cc", 202, 1): "ELU GELU HARD_SWISH",
    ("activations.cc", 224, 1): "RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1",
    ("activations.cc", 303, 1): "LEAKY_RELU",
    ("activations.cc", 340, 1): "TANH",
    ("activations.cc", 440, 1): "LOGISTIC",
    ("activations.cc", 548, 1): "SOFTMAX",
    ("activations.cc", 660, 1): "LOG_SOFTMAX",
    ("activations.cc", 706, 2): "PRELU",
    ("add.cc", 96, 2): "ADD",
    ("arg_min_max.cc", 86, 2): "ARG_MAX",
    ("batch_matmul.cc", 293, 2): "BATCH_MATMUL",
    ("cast.cc", 576, 1): "CAST",
    ("comparisons.cc", 41, 2): "EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL NOT_EQUAL",
    ("depth_to_space.cc", 45, 1): "DEPTH_TO_SPACE",
    ("dequantize.cc", 53, 1): "DEQUANTIZE",
    ("div.cc", 76, 2): "DIV",
    ("elementwise.cc", 138, 1): "ABS COS LOG LOGICAL_NOT RSQRT SIN SQRT SQUARE",
    ("embedding_lookup.cc", 50, 2): "EMBEDDING_LOOKUP",
    ("exp.cc", 61, 1): "EXP",
    ("expand_dims.cc", 74, 2): "EXPAND_DIMS",
    ("floor.cc", 43, 1): "FLOOR",
    ("gather.cc", 51, 2): "GATHER",
    ("l2norm.cc", 44, 1): "L2_NORMALIZATION",
    ("logical.cc", 51, 2): "LOGICAL_AND LOGICAL_OR",
    ("maximum_minimum.cc", 57, 2): "MAXIMUM MINIMUM",
    ("mul.cc", 89, 2): "MUL",
    ("neg.cc", 35, 1): "NEG",
    ("pooling.cc", 72, 1): "AVERAGE_POOL_2D MAX_POOL_2D",
    ("pow.cc", 52, 2): "POW",
    ("quantize.cc", 159, 1): "QUANTIZE",
    ("reduce.cc", 86, 2): "MEAN REDUCE_MAX REDUCE_MIN SUM",
    ("resize_bilinear.cc", 63, 2): "RESIZE_BILINEAR",
    ("resize_nearest_neighbor.cc", 60, 2): "RESIZE_NEAREST_NEIGHBOR",
    ("select.cc", 62, 3): "SELECT SELECT_V2",
    ("shape.cc", 40, 1): "SHAPE",
    ("slice.cc", 170, 3): "SLICE",
    ("space_to_depth.cc", 45, 1): "SPACE_TO_DEPTH",
    ("squared_difference.cc", 64, 2): "SQUARED_DIFFERENCE",
    ("squeeze.cc", 40, 1): "SQUEEZE",
    ("strided_slice.cc", 303, 4): "STRIDED_SLICE",
    ("sub.cc", 230, 2): "SUB",
    ("transpose.cc", 72, 2): "TRANSPOSE",
}
_ANY = range(2**31)
_FIRST_OUTPUT = Check("output", range(1, 2**31), "Invalid tensor index 0 (not in [0, 0))")
_PAD = (
    Check("input", (2, 3), "pad.cc:54 num_inputs == 2 || num_inputs == 3 was not true"),
    Check("output", (1,), "pad.cc:55 NumOutputs(&node) != 1 ({} != 1)"),
)


def _five(file: str, line: int) -> tuple[Check, ...]:
    """A recurrent kernel with its input, two kinds of weights, a bias and a state."""
    return (
        Check("input", (5,), f"{file}:{line} node->inputs->size != 5 ({{}} != 5)"),
        Check("output", (1,), f"{file}:{line + 1} node->outputs->size != 1 ({{}} != 1)"),
    )


# operator code -> its checks, in the order of the kernel
CHECKS: dict[str, tuple[Check, ...]] = {
    code: _exactly(*row) for row, codes in _EXACTLY.items() for code in codes.split()
} | {
    "CONCATENATION": (Check("input", _ANY, ""), _FIRST_OUTPUT),
    "CONV_2D": (
        Check("input", (2, 3), "conv.cc:346 has_bias || node->inputs->size == 2 was not true"),
        Check("output", (1,), "conv.cc:347 node->outputs->size != 1 ({} != 1)"),
    ),
    "DEPTHWISE_CONV_2D": (
        Check(
            "input",
            (2, 3),
            "depthwise_conv.cc:106 has_bias || NumInputs(node) == 2 was not true",
        ),
        Check("output", (1,), "depthwise_conv.cc:114 NumOutputs(node) != 1 ({} != 1)"),
    ),
    "FULLY_CONNECTED": (
        Check(
            "input",
            (2, 3),
            "fully_connected.cc:446 node->inputs->size == 2 || node->inputs->size == 3 was not "
            "true",
        ),
        Check(
            "output",
            (1,),
            "fully_connected.cc:451 node->outputs->size != expected_outputs_count ({} != 1)",
        ),
    ),
    "MIRROR_PAD": (Check("input", _ANY, ""), _FIRST_OUTPUT),
    "PACK": (
        Check("input", "values_count", "pack.cc:38 NumInputs(node) != data->values_count ({})"),
        Check("output", (1,), "pack.cc:39 NumOutputs(node) != 1 ({} != 1)"),
    ),
    "PAD": _PAD,
    "PADV2": _PAD,
    "RESHAPE": (
        Check(
            "input",
            (1, 2),
            "reshape.cc:120 NumInputs(node) == 1 || NumInputs(node) == 2 was not true",
        ),
        Check("output", (1,), "reshape.cc:121 NumOutputs(node) != 1 ({} != 1)"),
    ),
    "RNN": _five("basic_rnn.cc", 60),
    "SPLIT": (
        Check("input", (2,), "split.cc:81 NumInputs(node) != 2 ({} != 2)"),
        Check(
            "output",
            "num_splits",
            "split.cc:85 NumOutputs(node) != op_context.params->num_splits ({})",
        ),
    ),
    "SVDF": (
        Check("output", (1,), "svdf.cc:82 node->outputs->size != 1 ({} != 1)"),
        Check("input", (5,), "svdf.cc:83 node->inputs->size != 5 ({} != 5)"),
    ),
    "TOPK_V2": _exactly("topk_v2.cc", 257, 2, outputs=2),
    "TRANSPOSE_CONV": (
        Check(
            "input",
            (3, 4),
            "transpose_conv.cc:329 has_bias || NumInputs(node) == 3 was not true",
        ),
        Check("output", (1,), "transpose_conv.cc:330 NumOutputs(node) != 1 ({} != 1)"),
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        Check("input", (20, 24), "The LSTM Full kernel expects 20 or 24 inputs. Got {} inputs"),
        Check(
            "output",
            (1,),
            "unidirectional_sequence_lstm.cc:913 node->outputs->size != 1 ({} != 1)",
        ),
    ),
    "UNIDIRECTIONAL_SEQUENCE_RNN": _five("unidirectional_sequence_rnn.cc", 97),
    "UNPACK": (
        Check("input", (1,), "unpack.cc:38 NumInputs(node) != 1 ({} != 1)"),
        Check("output", "num", "unpack.cc:39 NumOutputs(node) != data->num ({})"),
    ),
}
# operators that ask for their first tensors before they count: the output, then the inputs
CHECKS |= {code: (_FIRST_OUTPUT, *CHECKS[code]) for code in ("ELU", "FLOOR", "GELU")}
FETCHED = dict.fromkeys("CONCATENATION ELU FLOOR GELU".split(), (0,)) | {
    "FULLY_CONNECTED": (1,),
    "MIRROR_PAD": (0, 1),
}
# the inputs that may be left out
OPTIONAL = {
    "FULLY_CONNECTED": (2,),
    "PAD": (2,),
    "PADV2": (2,),
    "SVDF": (3,),
    "TRANSPOSE_CONV": (3,),
    # without an input gate, peepholes, a projection or a norm
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (1, 5, 9, 10, 11, 12, 16, 17, 20, 21, 22, 23),
}


def wrong_count(op: Operator) -> str:
    """What is wrong with the number of an operator's inputs or outputs, if anything."""
    sides = {"input": len(op.inputs), "output": len(op.outputs)}
    for position in FETCHED.get(op.code, ()):
        if position >= sides["input"]:
            said = f"Invalid tensor index {position} (not in [0, {sides['input']}))"
            return f"{_has('input', sides)}: {said}"
    options = completed(op.code, op.options)
    for side, counts, said in CHECKS.get(op.code, ()):
        given = sides[side]
        if isinstance(counts, str):
            if given != options[counts]:
                return f"{_has(side, sides)}: {said.format(f'{given} != {options[counts]}')}"
        elif given not in counts:
            return f"{_has(side, sides)}: {said.format(given)}"
    return ""


def _has(side: str, sides: Mapping[str, int]) -> str:
    count = sides[side]
    return f"it has {count or 'no'} {side}{'s' * (count > 1)}"
