"""drqsim: dynamic-range quantization in TensorFlow Lite, every tensor of it on show."""

from importlib import import_module

from drqsim.errors import DrqsimError, InputError, ModelFileError, UnsupportedOperatorError
from drqsim.graph import Graph, Operator, Quantization, Tensor
from drqsim.interpreter import run
from drqsim.lesson import conv_relu
from drqsim.quantize import quantize
from drqsim.schemes import compare_schemes
from drqsim.tflite_file import load
from drqsim.tflite_write import save
from drqsim.trace import TensorRecord, Trace
from drqsim.verdict import explain

__all__ = [
    "DrqsimError",
    "Graph",
    "InputError",
    "ModelFileError",
    "Operator",
    "Quantization",
    "Tensor",
    "TensorRecord",
    "Trace",
    "UnsupportedOperatorError",
    "compare_schemes",
    "conv_relu",
    "explain",
    "load",
    "quantize",
    "run",
    "save",
]

# these need more than NumPy, so they are imported when first used
_ON_DEMAND = ("figures", "litert")


def __getattr__(name: str):
    if name in _ON_DEMAND:
        return import_module(f"drqsim.{name}")
    raise AttributeError(f"module 'drqsim' has no attribute {name!r}")
