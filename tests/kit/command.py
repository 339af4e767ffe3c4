"""The command line, called from Python."""

import json

import pytest
from click.testing import CliRunner

from drqsim.cli.commands import drqsim as command
from tests.kit.places import MODELS

FLOAT, DRQ = str(MODELS / "digits_float.tflite"), str(MODELS / "digits_drq.tflite")


def run(*arguments, **env) -> tuple[int, str, str]:
    """Status, stdout, stderr."""
    result = CliRunner(env={"NO_COLOR": None, "FORCE_COLOR": None, "COLUMNS": None, **env}).invoke(
        command, list(map(str, arguments)), prog_name="drqsim"
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def parsed(text: str) -> dict:
    """JSON without NaN and Infinity."""
    return json.loads(text, parse_constant=pytest.fail)


def refused(status: int, *arguments) -> str:
    """The one sentence on stderr of a call that must fail."""
    found, out, error = run(*arguments)
    assert (found, out) == (status, ""), error
    assert error.startswith("Error: ") and error.count("\n") == 1, error
    return error
