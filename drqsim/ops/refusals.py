"""What the runtime refuses before it computes anything, whatever the model is fed with.

Every kernel looks at its inputs and outputs when the model is loaded, and one that it does not take
refuses the whole model. The reasons are the runtime's own words.

Source, ai-edge-litert 2.3.0: ``Prepare`` in ``tflite/kernels/*.cc``, ``register_ref.cc``.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from drqsim.errors import ModelFileError
from drqsim.graph import Graph, Operator, Tensor
from drqsim.ops.counts import CHECKS, OPTIONAL, wrong_count
from drqsim.ops.operand_checks import why_not_taken
from drqsim.ops.option_checks import wrong_option
from drqsim.ops.versions import unknown_version

# operator code -> where an input of so many dimensions is asked for, its position, the number
DIMENSIONS = {
    "AVERAGE_POOL_2D": ("pooling.cc:78 NumDimensions(input)", 0, 4),
    "CONV_2D": ("conv.cc:356 input->dims->size", 0, 4),
    "DEPTHWISE_CONV_2D": ("depthwise_conv.cc:119 NumDimensions(input)", 0, 4),
    "DEPTH_TO_SPACE": ("depth_to_space.cc:54 NumDimensions(input)", 0, 4),
    "EMBEDDING_LOOKUP": ("embedding_lookup.cc:55 NumDimensions(lookup)", 0, 1),
    "MAX_POOL_2D": ("pooling.cc:78 NumDimensions(input)", 0, 4),
    "RESIZE_BILINEAR": ("resize_bilinear.cc:75 NumDimensions(input)", 0, 4),
    "RESIZE_NEAREST_NEIGHBOR": ("resize_nearest_neighbor.cc:73 NumDimensions(input)", 0, 4),
    "SPACE_TO_DEPTH": ("space_to_depth.cc:54 NumDimensions(input)", 0, 4),
    "TRANSPOSE_CONV": ("transpose_conv.cc:349 NumDimensions(output_shape)", 0, 1),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (
        "unidirectional_sequence_rnn.cc:115 NumDimensions(input)",
        0,
        3,
    ),
}


# operators whose output must have the type of an input: the runtime's words, the input's position
SAME_TYPE = {
    code: (words, position)
    for codes, words, position in (
        (
            "RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1",
            "activations.cc:230 input->type != output->type",
            0,
        ),
        ("ELU GELU HARD_SWISH", "activations.cc:208 input->type != output->type", 0),
        ("LEAKY_RELU", "activations.cc:309 input->type != output->type", 0),
        ("TANH", "activations.cc:346 input->type != output->type", 0),
        ("LOGISTIC", "activations.cc:446 input->type != output->type", 0),
        ("LOG_SOFTMAX", "activations.cc:666 input->type != output->type", 0),
        ("ABS COS LOG LOGICAL_NOT RSQRT SIN", "elementwise.cc:144 input->type != output->type", 0),
        ("SQRT SQUARE", "elementwise.cc:144 input->type != output->type", 0),
        ("L2_NORMALIZATION", "l2norm.cc:58 input->type != output->type", 0),
        ("AVERAGE_POOL_2D MAX_POOL_2D", "pooling.cc:79 input->type != output->type", 0),
        ("SLICE", "slice.cc:184 input->type != output->type", 0),
        (
            "STRIDED_SLICE",
            "strided_slice.cc:314 op_context.input->type != op_context.output->type",
            0,
        ),
        ("TRANSPOSE", "transpose.cc:82 op_context.input->type != op_context.output->type", 0),
        ("PAD PADV2", "pad.cc:411 op_context.input->type != op_context.output->type", 0),
        ("MIRROR_PAD", "mirror_pad.cc:373 input_tensor->type != output_tensor->type", 0),
        ("TOPK_V2", "topk_v2.cc:265 input->type != output_values->type", 0),
        ("CONCATENATION", "concatenation.cc:226 output->type != input_type", 0),
        ("PACK", "pack.cc:85 output->type != input0->type", 0),
        ("UNPACK", "unpack.cc:79 output->type != input->type", 0),
        ("DEPTH_TO_SPACE", "depth_to_space.cc:61 input->type != output->type", 0),
        ("SPACE_TO_DEPTH", "space_to_depth.cc:61 input->type != output->type", 0),
        ("CONV_2D", "conv.cc:379 output->type != input_type", 0),
        ("DEPTHWISE_CONV_2D", "depthwise_conv.cc:146 output->type != data_type", 0),
        ("TRANSPOSE_CONV", "transpose_conv.cc:409 output->type != input->type", 2),
    )
    for code in codes.split()
}
# the runtime does not look, and reads the bytes of the one type as the other
UNCHECKED_TYPE = frozenset(
    (
        "BATCH_MATMUL EMBEDDING_LOOKUP FULLY_CONNECTED MEAN MUL REDUCE_MAX REDUCE_MIN RESHAPE RNN "
        "SOFTMAX SQUEEZE SUM SVDF UNIDIRECTIONAL_SEQUENCE_LSTM UNIDIRECTIONAL_SEQUENCE_RNN"
    ).split()
)


def why_refused(graph: Graph, op: Operator, kernels: str) -> str:
    """Why the runtime refuses an operator whatever it is fed with; empty where it does not.

    Parameters
    ----------
    graph : Graph
    op : Operator
        One of ``graph``.
    kernels : {"optimized", "reference", "xnnpack"}
        The path of this operator: ``optimized`` for one that XNNPACK leaves.

    Returns
    -------
    str
        The reason, in the runtime's words where it has any. Of operators that drqsim does not know
        nothing is said.
    """
    wrong = unknown_version(op, kernels)
    if wrong:
        return wrong
    wrong = wrong_count(op)
    # XNNPACK reads the first two inputs and counts nothing
    if wrong and kernels == "xnnpack" and op.code == "BATCH_MATMUL":
        return ""
    if wrong or op.code not in CHECKS:
        return wrong
    optional = OPTIONAL.get(op.code, ())
    for position, index in enumerate(op.inputs):
        if index < 0 and position not in optional:
            said = f"Tensor at index {position} was optional but was expected"
            return f"its input {position} is left out: {said}"
    wrong = _wrong_dimensions(graph, op) or _wrong_type(graph, op)
    wrong = wrong or why_not_taken(graph, op, kernels) or wrong_option(graph, op, kernels)
    if wrong:
        return wrong
    if op.code == "CONV_2D" and len(op.inputs) == 2:
        return "it has no bias: conv.cc:411 has_bias was not true"
    filled = next((i for i in op.inputs if i >= 0 and _is_filled_variable(graph.tensors[i])), None)
    if filled is not None:
        return f"Tensor {filled} is a variable tensor with buffer or external buffer"
    if kernels == "xnnpack" and _returns_a_constant(graph, op):
        return "its output is a constant of the file: failed to get external value shape"
    return ""


def _returns_a_constant(graph: Graph, op: Operator) -> bool:
    return any(i in graph.outputs and graph.tensors[i].value is not None for i in op.outputs)


def _is_filled_variable(tensor: Tensor) -> bool:
    """A state that the file begins with values: the runtime begins every one with zeros."""
    return tensor.is_variable and tensor.value is not None


def check_counts(graph: Graph, op: Operator, kernels: str) -> None:
    """Raise ``ModelFileError`` for an operator that the runtime refuses, with its reason."""
    why = why_refused(graph, op, kernels)
    if why:
        raise ModelFileError(f"{op.name}: {why}; the runtime refuses the model.")


def _wrong_dimensions(graph: Graph, op: Operator) -> str:
    """What the runtime says to an input's number of dimensions, if anything.

    It reckons itself what flows between operators, whatever shape the file declares.
    """
    said, position, wanted = DIMENSIONS.get(op.code, ("", 0, 0))
    tensor = graph.tensors[op.inputs[position]] if said else None
    if tensor is None or (op.inputs[position] not in graph.inputs and tensor.value is None):
        return ""
    given = len(tensor.shape)
    if given == wanted:
        return ""
    return f"its input {position} is {tensor}: {said} != {wanted} ({given} != {wanted})"


def _wrong_type(graph: Graph, op: Operator) -> str:
    """What the runtime says to an output of another type than its input, if anything."""
    words, position = SAME_TYPE.get(op.code, ("", 0))
    read = graph.tensor_of(op, position) if words else None
    if read is None or not (read.value is not None or op.inputs[position] in graph.inputs):
        return ""
    # of TOPK_V2 the second output holds indices
    written = [graph.tensors[i] for i in op.outputs[: 1 if op.code == "TOPK_V2" else None]]
    wrong = [t for t in written if (t.dtype, t.bits) != (read.dtype, read.bits)]
    return f"it makes {wrong[0]} of {read}: {words}" if wrong else ""


def check_types(op: Operator, declared: Iterable[Tensor], made: Iterable[np.ndarray]) -> None:
    """Refuse outputs whose type is not what the file says, unless the kernel itself sets the type.

    Raises
    ------
    ModelFileError
        When an operator of ``SAME_TYPE`` or ``UNCHECKED_TYPE`` makes another type.
    """
    if op.code not in SAME_TYPE and op.code not in UNCHECKED_TYPE:
        return
    for tensor, value in zip(declared, made, strict=True):
        if tensor.dtype != value.dtype:
            raise ModelFileError(
                f"{op.name} makes {value.dtype.name}, and the file calls its output {tensor}; the "
                "runtime refuses that, or takes the bytes of the one for the other."
            )
