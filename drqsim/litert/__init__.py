"""The judge: the installed runtime, its own memory, and how it compares with a trace."""

from drqsim.litert.comparison import Comparison, compare
from drqsim.litert.find import Found, find_in_memory
from drqsim.litert.footprint import ProcessMemory, process_memory
from drqsim.litert.judged import Judged, ModelComparison
from drqsim.litert.memory import MemoryComparison, RuntimeMemory, compare_memory, read_memory
from drqsim.litert.model import compare_model
from drqsim.litert.patterns import layer_patterns, packed
from drqsim.litert.proven import SupportTable, support_table
from drqsim.runtime import RuntimeRun, RuntimeTensor, delegated, run, version

__all__ = [
    "Comparison",
    "Found",
    "Judged",
    "MemoryComparison",
    "ModelComparison",
    "ProcessMemory",
    "RuntimeMemory",
    "RuntimeRun",
    "RuntimeTensor",
    "SupportTable",
    "compare",
    "compare_memory",
    "compare_model",
    "delegated",
    "find_in_memory",
    "layer_patterns",
    "packed",
    "process_memory",
    "read_memory",
    "run",
    "support_table",
    "version",
]
