"""The command line: ``drqsim inspect model.tflite`` and its sisters. Needs click and rich."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line with the arguments of the process, and end the process."""
    try:
        from drqsim.cli.commands import drqsim
    except ImportError as error:
        if error.name and error.name.split(".")[0] == "drqsim":
            raise
        sys.exit(
            f"Error: The command line needs the package {error.name!r}, which is not installed; "
            "run: pip install 'drqsim[cli]'"
        )
    drqsim(prog_name="drqsim")
