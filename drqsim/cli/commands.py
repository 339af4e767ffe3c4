"""The command line whole: the group with every command, each in the file of its name."""

from drqsim.cli import (  # noqa: F401
    check,
    error,
    explain,
    inspect,
    memory,
    processors,
    quantize,
    report,
    trace,
)
from drqsim.cli.app import drqsim

__all__ = ["drqsim"]
