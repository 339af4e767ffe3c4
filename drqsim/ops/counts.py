"""How many inputs and outputs an operator has; with others the runtime refuses the model.

Source, ai-edge-litert 2.3.0: ``Prepare`` in ``tflite/kernels/*.cc``.
"""

from __future__ import annotations

from drqsim.graph import Operator
from drqsim.model_file.schema import completed

# operator code -> fewest and most inputs, where that is not one
INPUTS = {
    **dict.fromkeys(("ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "POW", "PRELU", "SUB"), (2, 2)),
    **dict.fromkeys(("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"), (2, 2)),
    **dict.fromkeys(("LOGICAL_AND", "LOGICAL_OR", "NOT_EQUAL", "SQUARED_DIFFERENCE"), (2, 2)),
    **dict.fromkeys(("ARG_MAX", "BATCH_MATMUL", "EMBEDDING_LOOKUP", "EXPAND_DIMS"), (2, 2)),
    **dict.fromkeys(("GATHER", "MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"), (2, 2)),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SPLIT"), (2, 2)),
    **dict.fromkeys(("TOPK_V2", "TRANSPOSE"), (2, 2)),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "PAD", "PADV2"), (2, 3)),
    **dict.fromkeys(("SELECT", "SELECT_V2", "SLICE"), (3, 3)),
    **dict.fromkeys(("RNN", "SVDF", "UNIDIRECTIONAL_SEQUENCE_RNN"), (5, 5)),
    "RESHAPE": (1, 2),
    "STRIDED_SLICE": (4, 4),
    "TRANSPOSE_CONV": (3, 4),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (20, 24),
    "CONCATENATION": (1, None),
    "MIRROR_PAD": (2, None),
}
OUTPUTS = {"TOPK_V2": 2}
# options that say how many there are
COUNTED_INPUTS = {"PACK": "values_count"}
COUNTED_OUTPUTS = {"SPLIT": "num_splits", "UNPACK": "num"}
# the inputs among the fewest that may be left out: gates, peepholes and a projection; a bias
OPTIONAL = {
    "SVDF": (3,),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (1, 5, 9, 10, 11, 12, 16, 17),
}


def why_refused(op: Operator) -> str:
    """Why the runtime refuses a model with this operator; empty where the counts are right.

    Parameters
    ----------
    op : Operator
        One of ``drqsim.ops.TABLE``.
    """
    options = completed(op.code, op.options)
    lowest, highest = INPUTS.get(op.code, (1, 1))
    if op.code in COUNTED_INPUTS:
        lowest = highest = options[COUNTED_INPUTS[op.code]]
    count = len(op.inputs)
    if count < lowest or (highest is not None and count > highest):
        wanted = lowest if lowest == highest else f"{lowest} to {highest}"
        wanted = wanted if highest is not None else f"{lowest} or more"
        return f"{op.code} has {wanted} input{'s' * (wanted != 1)}, and the file gives it {count}"
    writes = OUTPUTS.get(op.code, 1)
    if op.code in COUNTED_OUTPUTS:
        writes = options[COUNTED_OUTPUTS[op.code]]
    if len(op.outputs) != writes:
        return (
            f"{op.code} has {writes} output{'s' * (writes != 1)} here, and the file gives it "
            f"{len(op.outputs)}"
        )
    optional = OPTIONAL.get(op.code, ())
    absent = [at for at in range(lowest) if op.inputs[at] < 0 and at not in optional]
    return f"its input {absent[0]} is left out" if absent else ""
