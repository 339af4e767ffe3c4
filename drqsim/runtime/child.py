"""The runtime in a process of its own: whatever a file does to it, this process lives.

One child is started when something is asked first, and serves every later question; a new one
takes its place where it crashed, or took too long and was ended.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec

from drqsim import limits
from drqsim.errors import ModelFileError, package
from drqsim.runtime import native

# the file is run as a program, with this process's own places to import from
PROGRAM = (
    "import json, runpy, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "runpy.run_path(sys.argv[2], run_name='__main__')"
)

_lock = threading.Lock()
_child: subprocess.Popen | None = None
_started_by = 0


def ask(question: str, kernels: str, **arguments) -> object:
    """What the function of that name in ``native.py`` returns.

    Parameters
    ----------
    question : str
        One of ``native.QUESTIONS``.
    kernels : str
        The kernel path.
    **arguments
        The others of that function: numbers, text, bytes, arrays, and lists of them.

    Raises
    ------
    ModelFileError
        When the runtime refuses the model, crashes on it, or takes longer than
        ``limits.ANSWER_SECONDS``.
    MissingPackageError
        When the runtime is not installed.
    """
    with _lock:
        child = _running()
        try:
            return _answer(child, kernels, question, **arguments)
        finally:
            if child.poll() is not None:
                stop()


@contextmanager
def alone(kernels: str) -> Iterator[tuple[int, Callable]]:
    """A process for a few questions, which waits in between, so that it can be looked at.

    Parameters
    ----------
    kernels : str

    Yields
    ------
    pid : int
        Of that process. It ends with the ``with`` block.
    ask : callable
        ``ask`` of this process, which knows the kernel path.
    """
    child = _start()
    try:
        yield child.pid, partial(_answer, child, kernels)
    finally:
        _end(child)


def _answer(child: subprocess.Popen, kernels: str, question: str, **arguments) -> object:
    """What a child answers; one that does not answer has ended after this."""
    late, most = threading.Event(), limits.ANSWER_SECONDS
    timer = threading.Timer(most, lambda: (late.set(), child.kill()))
    timer.daemon = True
    timer.start()
    try:
        native.send(child.stdin, [question, {"kernels": kernels} | arguments, most])
        answer = native.receive(child.stdout)
    except (EOFError, OSError):
        answer = None
    except BaseException:  # Ctrl-C: nobody will read what it still answers
        child.kill()
        child.wait()
        raise
    finally:
        timer.cancel()
    if answer is None:
        _say_why(child, kernels, late.is_set())
    if "refused" in answer:
        said = " ".join(answer["refused"].split())
        raise ModelFileError(f"The runtime refuses this model on {kernels}: {said}")
    return answer["answer"]


def _say_why(child: subprocess.Popen, kernels: str, late: bool) -> None:
    status = child.wait()
    if late:
        raise ModelFileError(
            f"The runtime took longer than {limits.ANSWER_SECONDS} seconds for this model on "
            f"{kernels}, and was stopped."
        )
    try:
        how = signal.Signals(-status).name
    except ValueError:
        how = f"exit status {status}"
    raise ModelFileError(f"The runtime crashed on this model on {kernels} ({how}).")


def _running() -> subprocess.Popen:
    global _child, _started_by
    if _child is not None and _started_by != os.getpid():
        _child = None  # a fork: the child belongs to the process that started it
    if _child is None or _child.poll() is not None:
        stop()
        _child = _start()
        _started_by = os.getpid()
    return _child


def _start() -> subprocess.Popen:
    if not _is_installed():
        package("ai_edge_litert.interpreter")
    command = [sys.executable, "-c", PROGRAM, json.dumps(sys.path), native.__file__]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def _is_installed() -> bool:
    try:
        return find_spec("ai_edge_litert.interpreter") is not None
    except (ImportError, ValueError):
        return False


@atexit.register
def stop() -> None:
    """End the child, if there is one."""
    global _child
    child, _child = _child, None
    if child is not None and _started_by == os.getpid():
        _end(child)


def _end(child: subprocess.Popen) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        try:
            pipe.close()
        except OSError:  # what it did not read any more
            pass
