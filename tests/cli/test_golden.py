"""What the commands print, word for word.

    python -m tests.cli.test_golden

writes the golden outputs anew.
"""

import pytest

from drqsim.cli.commands import drqsim as command
from tests.kit.command import DRQ, FLOAT, run
from tests.kit.places import GOLDEN, MODELS

OUTPUTS = GOLDEN / "cli"
DIGIT = f"{MODELS / 'digits_inputs.npz'}:images[3]"
GOLDENS = {
    "inspect.txt": ["inspect", DRQ],
    "inspect_int4.txt": ["inspect", str(MODELS / "digits_int4.tflite")],
    "inspect.json": ["inspect", DRQ, "--json"],
    "explain.txt": ["explain", DRQ],
    "explain_arm64.txt": ["explain", DRQ, "--processor", "arm64-dotprod"],
    "explain.json": ["explain", DRQ, "--json", "--kernels", "optimized"],
    "trace.txt": ["trace", DRQ, "--input", DIGIT],
    "trace_op.txt": ["trace", DRQ, "--input", DIGIT, "--op", "conv_2d_1"],
    "trace.json": ["trace", DRQ, "--input", DIGIT, "--op", "fully_connected_0", "--json"],
    "memory.txt": ["memory", DRQ],
    "memory_compared.txt": ["memory", DRQ, "--compare", FLOAT],
    "memory.json": ["memory", DRQ, "--json"],
    "processors.txt": [
        *("processors", DRQ, "--input", DIGIT),
        *("--processors", "x86-64", "x86-64-vnni"),
    ],
    "error.txt": ["error", FLOAT, DRQ, "--input", DIGIT, "--no-end-to-end"],
    "help.txt": ["--help"],
}


@pytest.mark.parametrize("name", GOLDENS)
def test_golden(name):
    status, out, error = run(*GOLDENS[name], COLUMNS="180")
    assert (status, error) == (0, "")
    assert out == (OUTPUTS / name).read_text(encoding="utf-8")


def test_without_a_command_help_is_shown_and_the_status_is_2():
    status, out, error = run()
    assert (status, out) == (2, "") and "Examples:" in error and "Exit status" in error


@pytest.mark.parametrize("name", command.commands)
def test_help_has_examples(name):
    status, out, _ = run(name, "--help")
    assert status == 0 and f"drqsim {name} " in out.partition("Examples:")[2]


def write_goldens() -> None:
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    for name, arguments in GOLDENS.items():
        (OUTPUTS / name).write_text(run(*arguments, COLUMNS="180")[1], encoding="utf-8")


if __name__ == "__main__":
    write_goldens()
