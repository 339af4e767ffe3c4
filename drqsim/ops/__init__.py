"""The operators: one file each, and the table that lists them."""

from drqsim.ops import activations, conv_2d, rnn, svdf, unidirectional_sequence_lstm

# TFLite operator code -> function(Call) -> list of output arrays
TABLE = {
    "CONV_2D": conv_2d.run,
    "RNN": rnn.run,
    "SVDF": svdf.run,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": unidirectional_sequence_lstm.run,
    "UNIDIRECTIONAL_SEQUENCE_RNN": rnn.run,
} | dict.fromkeys(activations.FUNCTIONS, activations.run)
