"""The operators: one file each, and the table that lists them."""

from drqsim.ops import activations, conv_2d

# TFLite operator code -> function(Call) -> list of output arrays
TABLE = {"CONV_2D": conv_2d.run} | dict.fromkeys(activations.FUNCTIONS, activations.run)
