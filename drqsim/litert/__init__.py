"""The judge: the installed runtime, its own memory, and how it compares with a trace."""

from drqsim.litert.comparison import Comparison, compare
from drqsim.litert.judged import Judged, ModelComparison
from drqsim.litert.memory import MemoryComparison, RuntimeMemory, compare_memory, read_memory
from drqsim.litert.model import compare_model
from drqsim.runtime import RuntimeRun, RuntimeTensor, delegated, run, version

__all__ = [
    "Comparison",
    "Judged",
    "MemoryComparison",
    "ModelComparison",
    "RuntimeMemory",
    "RuntimeRun",
    "RuntimeTensor",
    "compare",
    "compare_memory",
    "compare_model",
    "delegated",
    "read_memory",
    "run",
    "version",
]
