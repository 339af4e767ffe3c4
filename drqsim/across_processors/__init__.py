"""The same file on two processors: which operators differ, by how much, which codes flip."""

from drqsim.across_processors.differences import compare_processors
from drqsim.across_processors.found import Flip, ProcessorComparison, Row

__all__ = ["Flip", "ProcessorComparison", "Row", "compare_processors"]
