"""Files on which the runtime dies: a sentence from every command."""

import pytest

from tests.kit.command import run
from tests.kit.places import CASES

CRASHES = ("floor_absent_input", "segv_1031", "segv_1101", "split_zero")
COMMANDS = {
    "memory": ("--kernels", "xnnpack"),
    "check": ("--input", "random", "--kernels", "xnnpack"),
}


@pytest.mark.parametrize("name", CRASHES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_sentence_and_exit_status_1(name, command):
    status, out, error = run(command, str(CASES / f"{name}.tflite"), *COMMANDS[command])
    assert (status, out, error.count("\n")) == (1, "", 1)
    assert error.startswith("Error: ") and "untime" in error


@pytest.mark.parametrize("name", CRASHES)
def test_the_report_says_what_it_leaves_out(name, tmp_path):
    at = tmp_path / "report.html"
    status, out, error = run("report", str(CASES / f"{name}.tflite"), "-o", str(at))
    assert status == 0 and at.stat().st_size > 10_000
    assert "Memory: left out. " in out + error and "the runtime refuses" in out + error
