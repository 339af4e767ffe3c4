"""Which arithmetic does an operator get on a kernel path, and why; and what to beware of.

A verdict is the first rule that applies, read from top to bottom: ``without_weights.RULES``, then
``with_weights.RULES``.
"""

from drqsim.verdict.explanation import RULES, Explanation, explain
from drqsim.verdict.said import (
    FLOAT,
    FULL_INTEGER,
    FULL_INTEGER_16,
    INT8,
    PASSED,
    REFUSED,
    RUNS,
    UNKNOWN,
    Verdict,
    has_codes,
)

__all__ = [
    "FLOAT",
    "FULL_INTEGER",
    "FULL_INTEGER_16",
    "INT8",
    "PASSED",
    "REFUSED",
    "RULES",
    "RUNS",
    "UNKNOWN",
    "Explanation",
    "Verdict",
    "explain",
    "has_codes",
]
