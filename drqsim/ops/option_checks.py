"""Which strides, dilations, activations and types of a CAST a kernel takes, in the runtime's words.

Source, ai-edge-litert 2.3.0: ``Prepare`` in ``tflite/kernels/conv.cc``, ``depthwise_conv.cc``,
``pooling.cc``, ``transpose_conv.cc``. XNNPACK asks for positive ones alone (``ops/delegate``).
"""

from __future__ import annotations

import numpy as np

from drqsim.graph import Graph, Operator
from drqsim.model_file.schema import completed

MOST = 2**15 - 1  # INT16_MAX
_POOL = (("stride_h", "stride_height", 91, None), ("stride_w", "stride_width", 92, None))
# operator code -> its file, and for each option its name there, and the lines that want it to be
# positive and at most MOST, in the kernel's order
STEPS = {
    "AVERAGE_POOL_2D": ("pooling.cc", _POOL),
    "MAX_POOL_2D": ("pooling.cc", _POOL),
    "CONV_2D": (
        "conv.cc",
        (
            ("stride_h", "stride_height", 396, 397),
            ("stride_w", "stride_width", 398, 399),
            ("dilation_h_factor", "dilation_height_factor", 402, 403),
            ("dilation_w_factor", "dilation_width_factor", 404, 405),
        ),
    ),
    "DEPTHWISE_CONV_2D": (
        "depthwise_conv.cc",
        (
            ("dilation_h_factor", "dilation_height_factor", 121, 122),
            ("dilation_w_factor", "dilation_width_factor", 123, 124),
            ("stride_w", "stride_width", 128, 127),
            ("stride_h", "stride_height", 130, 129),
        ),
    ),
    "TRANSPOSE_CONV": (
        "transpose_conv.cc",
        (("stride_h", "stride_height", 353, 354), ("stride_w", "stride_width", 355, 356)),
    ),
}


TYPES = range(23)  # of the schema, that the runtime knows


ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")


def wrong_option(graph: Graph, op: Operator, kernels: str) -> str:
    """What the runtime says to an option; empty where it takes them all."""
    options = completed(op.code, op.options)
    activation = options.get("fused_activation_function", "NONE")
    if op.code == "FULLY_CONNECTED" and activation not in ACTIVATIONS:
        x, weights = graph.tensor_of(op, 0), graph.tensor_of(op, 1)
        if x.dtype != np.float32 or weights.dtype == np.float32:  # no hybrid layer
            said = "fully_connected.cc:752 params->activation == kTfLiteActNone"
            return f"its fused activation is {activation}: {said}"
    for name in ("in_data_type", "out_data_type") if op.code == "CAST" else ():
        if options[name] not in TYPES:
            return f"its {name} is {options[name]}: Unsupported data type {options[name]} in tensor"
    if op.code == "DEPTHWISE_CONV_2D" and kernels == "xnnpack":
        x, filters = graph.tensor_of(op, 0), graph.tensor_of(op, 1)
        if filters.shape[3] != x.shape[3] * options["depth_multiplier"]:
            return (
                f"its depth_multiplier is {options['depth_multiplier']}, for {x.shape[3]} channels "
                f"in and {filters.shape[3]} out: XNNPack delegate failed to reshape runtime"
            )
    return wrong_step(op, kernels)


def wrong_step(op: Operator, kernels: str) -> str:
    """What the runtime says to a stride or a dilation; empty where it takes them all."""
    file, steps = STEPS.get(op.code, ("", ()))
    options = completed(op.code, op.options)
    for option, name, positive, most in steps:
        value = options[option]
        if value <= 0 and kernels != "xnnpack":
            return f"its {option} is {value}: {file}:{positive} params->{name} > 0 was not true"
        if most is not None and value > MOST and kernels != "xnnpack":
            return (
                f"its {option} is {value}: {file}:{most} params->{name} <= INT16_MAX was not true"
            )
    return ""
