"""A report on a model: what is int8, what it costs in memory, where the error arises."""

from drqsim.report.gather import Report, make

__all__ = ["Report", "make"]
