"""The judge: the installed runtime, its own memory, and how it compares with a trace."""

from drqsim.litert.comparison import Comparison, compare
from drqsim.litert.runtime import RuntimeRun, RuntimeTensor, delegated, run, version

__all__ = ["Comparison", "RuntimeRun", "RuntimeTensor", "compare", "delegated", "run", "version"]
