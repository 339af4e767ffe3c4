"""drqsim: dynamic-range quantization in TensorFlow Lite, every tensor of it on show."""

from importlib import import_module

from drqsim.attribution.attribute import attribute_error
from drqsim.attribution.parts import Attribution
from drqsim.converter.quantize import quantize
from drqsim.errors import DrqsimError, InputError, ModelFileError, UnsupportedOperatorError
from drqsim.exercises.checking import check
from drqsim.graph import Graph, Operator, Quantization, Tensor
from drqsim.interpreter import run
from drqsim.lesson import conv_relu
from drqsim.memory import MemoryPlan, plan_memory
from drqsim.model_file.read import load
from drqsim.model_file.write import save, to_bytes
from drqsim.schemes.compare import compare_schemes
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
    "to_bytes",
]

# most of these need more than NumPy, so they are imported when first used
_ON_DEMAND = ("figures", "in_short", "litert", "report")


def __getattr__(name: str):
    if name in _ON_DEMAND:
        return import_module(f"drqsim.{name}")
    if name == "Explorer":
        return import_module("drqsim.explorer").Explorer
    raise AttributeError(f"module 'drqsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ON_DEMAND, "Explorer"})
