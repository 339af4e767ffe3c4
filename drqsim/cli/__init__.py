"""The command line: ``drqsim inspect model.tflite`` and its sisters. Needs click and rich."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line with the arguments of the process, and end the process."""
    try:
        from drqsim.cli.commands import drqsim
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("click", "rich"):
            raise
        sys.exit(
            f"Error: The command line needs the package {package!r}, which is not installed; run: "
            "pip install 'drqsim[cli]'"
        )
    drqsim(prog_name="drqsim")
