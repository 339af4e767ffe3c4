"""The operators: one file for each that has weights, one for each kind of the others."""

from collections.abc import Callable

import numpy as np

from drqsim.ops import (
    batch_matmul,
    conv_2d,
    depthwise_conv_2d,
    embedding_lookup,
    fully_connected,
    transpose_conv,
)
from drqsim.ops.call import Call
from drqsim.ops.float32 import (
    activations,
    arrange,
    convert,
    cut_and_pad,
    elementwise,
    logic,
    normalize,
    pooling,
    reduce,
    resize,
)
from drqsim.ops.integer import conv_2d as conv_2d_integer
from drqsim.ops.integer import depthwise_conv_2d as depthwise_conv_2d_integer
from drqsim.ops.integer import fully_connected as fully_connected_integer
from drqsim.ops.integer import max_pool_2d as max_pool_2d_integer
from drqsim.ops.integer import mean as mean_integer
from drqsim.ops.integer import shared as integer
from drqsim.ops.integer import softmax as softmax_integer
from drqsim.ops.recurrent import rnn, svdf, unidirectional_sequence_lstm

# the operators that run with int4 tensors; BATCH_MATMUL, DEPTHWISE_CONV_2D and TRANSPOSE_CONV are
# refused by the runtime itself
TAKE_INT4 = ("CONV_2D", "DEQUANTIZE", "EMBEDDING_LOOKUP", "FULLY_CONNECTED", "GATHER")

Run = Callable[[Call], list[np.ndarray]]

# the operators that also have kernels for int8 or int16 activations
FULL_INTEGER: dict[str, Run] = {
    "CONV_2D": conv_2d_integer.run,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d_integer.run,
    "FULLY_CONNECTED": fully_connected_integer.run,
    "MAX_POOL_2D": max_pool_2d_integer.run,
    "MEAN": mean_integer.run,
    "SOFTMAX": softmax_integer.run,
}
FLOAT: dict[str, Run] = (
    {
        "BATCH_MATMUL": batch_matmul.run,
        "CONV_2D": conv_2d.run,
        "DEPTHWISE_CONV_2D": depthwise_conv_2d.run,
        "EMBEDDING_LOOKUP": embedding_lookup.run,
        "FULLY_CONNECTED": fully_connected.run,
        "RNN": rnn.run,
        "SVDF": svdf.run,
        "TRANSPOSE_CONV": transpose_conv.run,
        "UNIDIRECTIONAL_SEQUENCE_LSTM": unidirectional_sequence_lstm.run,
        "UNIDIRECTIONAL_SEQUENCE_RNN": rnn.run,
    }
    | dict.fromkeys(activations.FUNCTIONS, activations.run)
    | arrange.FUNCTIONS
    | convert.FUNCTIONS
    | cut_and_pad.FUNCTIONS
    | elementwise.FUNCTIONS
    | logic.FUNCTIONS
    | normalize.FUNCTIONS
    | pooling.FUNCTIONS
    | reduce.FUNCTIONS
    | resize.FUNCTIONS
)


def _by_activation(of_floats: Run, of_codes: Run) -> Run:
    """The function of an operator that the type of its first input decides."""

    def run(call: Call) -> list[np.ndarray]:
        is_integer = call.value(0, "input").dtype in integer.ACTIVATIONS
        return (of_codes if is_integer else of_floats)(call)

    return run


# TFLite operator code -> function(Call) -> list of output arrays
TABLE: dict[str, Run] = FLOAT | {
    code: _by_activation(FLOAT[code], of_codes) for code, of_codes in FULL_INTEGER.items()
}
