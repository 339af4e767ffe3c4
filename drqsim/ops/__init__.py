"""The operators: one file for each that has weights, one for each kind of the others."""

from drqsim.ops import (
    batch_matmul,
    conv_2d,
    depthwise_conv_2d,
    embedding_lookup,
    fully_connected,
    transpose_conv,
)
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
from drqsim.ops.recurrent import rnn, svdf, unidirectional_sequence_lstm

# the operators that run with int4 tensors; BATCH_MATMUL, DEPTHWISE_CONV_2D and TRANSPOSE_CONV are
# refused by the runtime itself
TAKE_INT4 = ("CONV_2D", "DEQUANTIZE", "EMBEDDING_LOOKUP", "FULLY_CONNECTED", "GATHER")

# TFLite operator code -> function(Call) -> list of output arrays
TABLE = (
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
