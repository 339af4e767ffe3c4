"""The command line as a process of its own."""

import os
import subprocess
import sys

import pytest

from drqsim.cli.app import Commands
from drqsim.cli.commands import drqsim as command
from tests.kit.command import DRQ, run
from tests.kit.places import ROOT


def as_process(*arguments, **more) -> subprocess.CompletedProcess:
    env = {k: v for k, v in os.environ.items() if k != "COLUMNS"} | {"PYTHONPATH": str(ROOT)}
    call = [sys.executable, *arguments]
    return subprocess.run(call, capture_output=True, text=True, env=env, cwd=ROOT, **more)


def test_as_a_process():
    done = as_process("-m", "drqsim", "inspect", DRQ)
    assert (done.returncode, done.stderr) == (0, "") and "conv_2d_1" in done.stdout
    assert done.stdout == run("inspect", DRQ)[1]
    done = as_process("-m", "drqsim", "inspect", "missing.tflite")
    assert (done.returncode, done.stdout) == (1, "") and done.stderr.count("\n") == 1
    # a pipe whose reader leaves, and letters that the terminal does not have
    shell = f"{sys.executable} -m drqsim explain {DRQ} | {{}}"
    more = dict(shell=True, capture_output=True, text=True, cwd=ROOT)
    more["env"] = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    for reader, reads in {"true": "", "head -1": "operator"}.items():
        done = subprocess.run(shell.format(reader), **more)
        assert done.stdout.startswith(reads) and done.stderr == ""


def test_what_is_missing_is_said_in_one_line():
    block = "import sys; sys.modules[{!r}] = None; import drqsim.cli as c; sys.argv[1:] = {!r}"
    cases = {
        "rich": ([], "pip install 'drqsim[cli]'"),
        "ai_edge_litert": (["check", DRQ, "--input", "random"], "pip install 'drqsim[runtime]'"),
        "tflite": (["inspect", DRQ], "pip install 'drqsim[tflite]'"),
    }
    for package, (arguments, says) in cases.items():
        done = as_process("-c", block.format(package, arguments) + "; c.main()")
        assert done.returncode == 1 and says in done.stderr and done.stderr.count("\n") == 1
        assert repr(package) in done.stderr
    done = as_process(
        "-c",
        "import sys; sys.modules['click'] = sys.modules['rich'] = None\n"
        "import drqsim; drqsim.report.gather; print('fine')",
    )
    assert done.stdout == "fine\n", done.stderr


def test_a_mistake_of_ours_is_not_hidden():
    group = Commands("x")
    group.add_command(command.commands["inspect"])

    @group.command()
    def broken():
        raise KeyError("ours")

    with pytest.raises(KeyError):
        group.main(["broken"])
