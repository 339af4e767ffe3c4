"""drqsim: dynamic-range quantization in TensorFlow Lite, every tensor of it on show."""

from importlib import import_module

from drqsim.attribution import attribute_error
from drqsim.error_parts import Attribution
from drqsim.errors import DrqsimError, InputError, ModelFileError, UnsupportedOperatorError
from drqsim.graph import Graph, Operator, Quantization, Tensor
from drqsim.interpreter import run
from drqsim.judge import check
from drqsim.lesson import conv_relu
from drqsim.memory import MemoryPlan, plan_memory
from drqsim.quantize import quantize
from drqsim.schemes import compare_schemes
from drqsim.tflite_file import load
from drqsim.tflite_write import save
from drqsim.trace import TensorRecord, Trace
from drqsim.verdict import explain

__all__ = [
    "Attribution",
    "DrqsimError",
    "Graph",
    "InputError",
    "MemoryPlan",
    "ModelFileError",
    "Operator",
    "Quantization",
    "Tensor",
    "TensorRecord",
    "Trace",
    "UnsupportedOperatorError",
    "attribute_error",
    "check",
    "compare_schemes",
    "conv_relu",
    "explain",
    "load",
    "plan_memory",
    "quantize",
    "run",
    "save",
]

# these need more than NumPy, so they are imported when first used
_ON_DEMAND = ("figures", "litert", "report")


def __getattr__(name: str):
    if name in _ON_DEMAND:
        return import_module(f"drqsim.{name}")
    if name == "Explorer":
        return import_module("drqsim.explorer").Explorer
    raise AttributeError(f"module 'drqsim' has no attribute {name!r}")
