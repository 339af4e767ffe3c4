"""The operators: one file each, and the table that lists them."""

from drqsim.ops import activations, conv_2d, unidirectional_sequence_lstm

# TFLite operator code -> function(Call) -> list of output arrays
TABLE = {
    "CONV_2D": conv_2d.run,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": unidirectional_sequence_lstm.run,
} | dict.fromkeys(activations.FUNCTIONS, activations.run)
