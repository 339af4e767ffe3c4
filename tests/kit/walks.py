"""The walk through a layer of the digits net."""

import json
import re
from functools import cache
from html import unescape

import numpy as np

import drqsim
from drqsim.walk import Walk
from tests.kit.digits import digits

START = (5, 3, 0, 3)


@cache
def traced(kernels, name):
    _, layer, x = digits(name)
    return drqsim.run(layer, x, kernels=kernels)[1], layer.operator("conv_2d_1")


def walk_of(kernels="optimized", name="digits_drq", **settings):
    settings = dict(pixel=(0, 5, 3), input_channel=3) | settings
    return Walk(*traced(kernels, name), **settings)


def data_of(walk):
    html = walk._repr_html_()
    return json.loads(unescape(re.search(r'data-walk="([^"]*)"', html)[1]))


def every_pixel(layer):
    """All (row, column, output channel), with an input channel that changes along."""
    depth = layer.w.shape[3]
    for at, place in enumerate(np.ndindex(layer.output.shape)):
        yield *place, at % depth
