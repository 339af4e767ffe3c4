"""The judge: the installed runtime, its own memory, and how it compares with a trace."""

from drqsim.litert.comparison import Comparison, compare
from drqsim.litert.runtime import RuntimeRun, RuntimeTensor, delegated, run, version
from drqsim.litert.whole import Judged, ModelComparison, compare_model

__all__ = [
    "Comparison",
    "Judged",
    "ModelComparison",
    "RuntimeRun",
    "RuntimeTensor",
    "compare",
    "compare_model",
    "delegated",
    "run",
    "version",
]
