"""Files that the command line writes: whole or not at all, and never over another by surprise."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from drqsim.errors import InputError


def check_free(path: str | None, force: bool) -> None:
    """Refuse early, before the work, what ``write_whole`` would refuse after it."""
    if path is None or path == "-":
        return
    target = Path(path)
    if not force and os.path.lexists(target):
        raise InputError(f"{str(target)!r} is there already; pass --force to replace it.")
    if target.is_dir():
        raise InputError(f"{str(target)!r} is a folder; pass the name of a file.")
    if not target.parent.is_dir():
        raise InputError(f"There is no folder {str(target.parent)!r} to write to; make it first.")


def write_whole(path: str, content: bytes, force: bool) -> None:
    """Write a file by way of a temporary one beside it, so that it appears whole or not at all.

    Raises
    ------
    InputError
        When the file is there already and ``force`` is not set, or cannot be written.
    """
    check_free(path, force)
    target = Path(path)
    beside = None
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(beside, 0o666 & ~_umask())
        if force:
            os.replace(beside, target)
        else:
            _claim(beside, target)
    except OSError as error:
        raise InputError(f"Cannot write {str(target)!r}: {error.strerror or error}.") from error
    finally:
        if beside is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)


def _claim(beside: str, target: Path) -> None:
    """Give the file its name, unless somebody took the name in the meantime."""
    try:
        os.link(beside, target)
    except FileExistsError:
        raise InputError(f"{str(target)!r} is there already; pass --force to replace it.") from None
    except OSError:  # a file system without links
        os.replace(beside, target)


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now
