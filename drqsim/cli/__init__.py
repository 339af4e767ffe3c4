"""The command line: ``drqsim inspect model.tflite`` and its sisters. Needs click and rich."""

import os
import signal
import sys

STOPPED = 130  # what a shell calls a process that Ctrl-C ended


def main() -> None:
    """Run the command line with the arguments of the process, and end the process."""
    # While modules are imported and when all is done there is nothing to tidy up, and an exception
    # might come up where Python can only print it.
    signal.signal(signal.SIGINT, _stop)
    sys.unraisablehook = _unraisable
    try:
        drqsim = _commands()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        drqsim(prog_name="drqsim")
    except KeyboardInterrupt:
        _stop()
    finally:
        signal.signal(signal.SIGINT, _stop)
        _let_go(sys.stdout)
        _let_go(sys.stderr)


def _commands():
    from drqsim.errors import MissingPackageError, package

    try:
        return package("drqsim.cli.commands").drqsim
    except MissingPackageError as error:
        sys.exit(f"Error: {error}")


def _stop(*_) -> None:
    try:
        os.write(2, b"Stopped.\n")
    except OSError:  # stderr may be closed
        pass
    os._exit(STOPPED)


def _unraisable(what) -> None:
    """Ctrl-C in code whose exceptions go nowhere, such as what Python runs after an import."""
    if what.exc_type is KeyboardInterrupt:
        _stop()
    sys.__unraisablehook__(what)


def _let_go(stream) -> None:
    """Drop what a full disk or a closed pipe does not take; Python would try again at its end."""
    try:
        if stream is not None:
            stream.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
