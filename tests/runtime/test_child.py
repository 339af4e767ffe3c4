"""The process in which the runtime runs: what comes back from it, and what does not."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.runtime import child, native
from tests.kit.places import CASES, MODELS
from tests.kit.strategies import KERNELS

DRQ = MODELS / "digits_drq.tflite"
ZEROS = np.zeros((1, 8, 8, 1), np.float32)
CRASHES = ("floor_absent_input", "segv_1031", "segv_1101", "split_zero")


def test_messages_come_back_as_they_were():
    ours, theirs = os.pipe()
    random = np.random.default_rng(0)
    arrays = [
        np.float32(3.5).reshape(()),
        np.zeros((0, 3), np.int64),
        random.normal(size=(3, 4)).astype(np.float32)[:, ::2],
        np.array([True, False]),
        np.array([[1, 2]], np.uint8),
    ]
    message = {"arrays": arrays, "none": None, "text": "\n{}é", "number": -3, "bytes": b"\0\xff"}
    with os.fdopen(theirs, "wb") as into, os.fdopen(ours, "rb") as out:
        native.send(into, message)
        back = native.receive(out)
    assert {**back, "arrays": None} == {**message, "arrays": None}
    for before, after in zip(arrays, back["arrays"], strict=True):
        assert (before.dtype, before.shape) == (after.dtype, after.shape)
        assert np.array_equal(before, after) and after.flags.writeable


def test_the_file_does_not_reach_this_process():
    code = (
        "import sys, drqsim, numpy as np; from drqsim import litert\n"
        f"litert.compare({str(DRQ)!r}, np.zeros((1, 8, 8, 1), 'f4'))\n"
        f"litert.compare_memory({str(DRQ)!r}, 'xnnpack')\n"
        "sys.exit(any('ai_edge_litert' in m and 'interpreter' in m for m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_crash_is_a_sentence_and_the_next_question_is_answered():
    before = litert.run(DRQ, ZEROS).outputs
    pid = child._child.pid
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    os.kill(pid, signal.SIGSEGV)  # it takes that when it goes on, with a question to answer
    threading.Timer(0.1, os.kill, (pid, signal.SIGCONT)).start()
    with pytest.raises(
        drqsim.ModelFileError, match=r"crashed on this model on reference \(SIGSEGV"
    ):
        litert.run(DRQ, ZEROS, "reference")
    after = litert.run(DRQ, ZEROS).outputs
    assert before.keys() == after.keys() and child._child.pid != pid
    assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("name", CRASHES)
@pytest.mark.parametrize("kernels", KERNELS)
def test_files_that_crash_the_runtime(name, kernels):
    """XNNPACK reads outside of its tables there; what it finds depends on what lies around."""
    with pytest.raises(
        drqsim.ModelFileError, match=r"^The runtime (crashed on|refuses) this model"
    ):
        litert.read_memory(CASES / f"{name}.tflite", kernels)
    assert litert.run(DRQ, ZEROS).outputs


def test_one_child_serves_many_questions():
    litert.run(DRQ, ZEROS)
    first = child._child.pid
    with pytest.raises(drqsim.ModelFileError, match="refuses"):
        litert.read_memory(CASES / "split_zero.tflite")
    litert.compare(DRQ, ZEROS, "reference")
    assert child._child.pid == first


def test_a_question_that_takes_too_long_is_given_up(monkeypatch):
    litert.run(DRQ, ZEROS)
    monkeypatch.setattr("drqsim.limits.ANSWER_SECONDS", 0.5)
    os.kill(child._child.pid, signal.SIGSTOP)  # it does not answer any more
    with pytest.raises(drqsim.ModelFileError, match="longer than 0.5 seconds.*on reference"):
        litert.run(DRQ, ZEROS, "reference")
    monkeypatch.undo()
    assert litert.run(DRQ, ZEROS).outputs


def test_an_interrupted_question_leaves_no_answer_behind(monkeypatch):
    expected = litert.run(DRQ, ZEROS).outputs

    def interrupted(pipe):
        raise KeyboardInterrupt

    monkeypatch.setattr(native, "receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        litert.delegated(DRQ)
    monkeypatch.undo()
    (name,) = expected
    assert np.array_equal(litert.run(DRQ, ZEROS).outputs[name], expected[name])


def test_a_fork_starts_a_child_of_its_own():
    litert.run(DRQ, ZEROS)
    ours = child._child.pid
    pid = os.fork()
    if pid == 0:
        litert.run(DRQ, ZEROS)
        os._exit(child._child.pid == ours)
    assert os.waitpid(pid, 0)[1] == 0
    assert litert.run(DRQ, ZEROS).outputs and child._child.pid == ours
