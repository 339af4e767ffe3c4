"""The operators: one file for each that has weights, one for each kind of the others."""

from drqsim.ops import (
    activations,
    arrange,
    conv_2d,
    convert,
    cut_and_pad,
    elementwise,
    float_layers,
    normalize,
    pooling,
    reduce,
    resize,
)

# TFLite operator code -> function(Call) -> list of output arrays
TABLE = (
    {"CONV_2D": conv_2d.run}
    | dict.fromkeys(activations.FUNCTIONS, activations.run)
    | arrange.FUNCTIONS
    | convert.FUNCTIONS
    | cut_and_pad.FUNCTIONS
    | elementwise.FUNCTIONS
    | float_layers.FUNCTIONS
    | normalize.FUNCTIONS
    | pooling.FUNCTIONS
    | reduce.FUNCTIONS
    | resize.FUNCTIONS
)
