"""Files that the command line writes: never over another by surprise, never over its own inputs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from drqsim.errors import InputError
from drqsim.model_file import whole_file

FORCE = "pass --force"
STDOUT = "-"


def check_output(
    path: str | None, force: bool, inputs: Iterable[str | None], streams: bool = True
) -> None:
    """Refuse an output early, before the work.

    Parameters
    ----------
    path : str or None
        What an option such as ``-o`` names; ``-`` is standard output. None: nothing to write.
    force : bool
        Whether a file that is there may be replaced.
    inputs : strings
        The files that the command reads; none of them may be the output, by whatever name.
    streams : bool
        Whether this output may go to standard output.

    Raises
    ------
    InputError
        When the output cannot be written, or writing it would destroy an input.
    """
    if path is None:
        return
    if path == STDOUT:
        if not streams:
            raise InputError("This cannot go to standard output ('-'); pass the name of a file.")
        return
    for each in inputs:
        if each is not None and _same_file(path, each):
            raise InputError(
                f"{path!r} is the file {each!r} that this command reads, which would be lost; "
                "pass another name."
            )
    whole_file.check_target(path, force, FORCE)
    if _is_stdout(path):
        raise InputError(f"{path!r} is where standard output goes; pass '-' to write it there.")


def write_output(path: str, content: bytes, force: bool) -> None:
    """Write a file whole or not at all, or to standard output where ``path`` is ``-``."""
    if path == STDOUT:
        if sys.stdout is None:
            raise InputError("Standard output is closed; pass the name of a file.")
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    whole_file.write_whole(path, content, force, FORCE)


def called(path: str) -> str:
    """What a sentence calls an output."""
    return "standard output" if path == STDOUT else path


def is_terminal(stream) -> bool:
    """Whether somebody looks at it; a stream that the caller closed is None."""
    return stream is not None and stream.isatty()


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):  # one of them is not there
        return False


def _is_stdout(path: str) -> bool:
    """Whether a regular file is the one that standard output was sent to."""
    try:
        return os.path.isfile(path) and os.path.samestat(os.stat(path), os.fstat(1))
    except OSError:
        return False
