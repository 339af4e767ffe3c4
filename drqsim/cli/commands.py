"""The command line whole: the group with every command, each in the file of its name."""

from drqsim.cli import check, error, explain, inspect, memory, quantize, report, trace  # noqa: F401
from drqsim.cli.app import drqsim

__all__ = ["drqsim"]
