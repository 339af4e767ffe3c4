"""Files that appear whole or not at all: the one function that writes, for ``save`` and commands.

The bytes go to a temporary file beside the target, which then takes the target's name in one step.
Its name is drawn at random, it is made anew and never opened through a link, and its writer holds a
lock on it: the system drops the lock when the process ends, however it ends. So the next writer in
that folder knows what a killed one left behind, and clears it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

from drqsim.errors import InputError

try:
    import fcntl
except ImportError:  # Windows, a browser
    fcntl = None

_TEMPORARY = re.compile(r"\.drqsim-[0-9a-f]{32}\.part")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_NEW |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NOT_WAITING = getattr(os, "O_NONBLOCK", 0)
_ENDING = [n for n in (getattr(signal, s, None) for s in ("SIGTERM", "SIGHUP")) if n is not None]
TAKEN = "{!r} is there already; {} to replace it."
REPLACE = "pass replace=True"


def write_whole(
    path: str | Path, content: bytes, replace: bool = False, how: str = REPLACE
) -> None:
    """Write a file so that it appears whole or not at all.

    Parameters
    ----------
    path : path
        A regular file is replaced only where ``replace`` says so, at the end of a link, and its
        successor keeps its mode. A pipe or a character device is written to, never replaced.
    content : bytes
    replace : bool
        Whether a file that is there may be replaced.
    how : str
        What an error tells to do in order to replace it.

    Raises
    ------
    InputError
        When the file is there already and ``replace`` is not set, is of a kind that cannot be
        written to, or writing fails.
    """
    old = check_target(path, replace, how)
    try:
        if old is not None and not stat.S_ISREG(old.st_mode):
            _write_through(path, content)
        else:
            _write_beside(os.path.realpath(path), content, old, replace)
    except FileExistsError:
        raise InputError(TAKEN.format(str(path), how)) from None
    except (OSError, ValueError) as error:
        raise InputError(f"Cannot write {str(path)!r}: {_reason(error)}.") from error


def check_target(path: str | Path, replace: bool, how: str = REPLACE) -> os.stat_result | None:
    """Refuse before the work what ``write_whole`` would refuse after it; what is there now."""
    try:
        old = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        old = None
    except (OSError, ValueError) as error:
        raise InputError(f"Cannot write {str(path)!r}: {_reason(error)}.") from error
    if not os.path.basename(path):
        raise InputError(f"{str(path)!r} is not the name of a file; pass one.")
    if old is None:
        if os.path.islink(path):
            raise InputError(f"{str(path)!r} is a link that leads to no file; pass another name.")
        folder = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(folder):
            shown = os.path.dirname(path) or folder
            name = os.path.basename(path)
            raise InputError(f"Cannot write {name!r}: there is no folder {shown!r}; make it first.")
        return None
    if stat.S_ISDIR(old.st_mode):
        raise InputError(f"{str(path)!r} is a folder; pass the name of a file.")
    if stat.S_ISFIFO(old.st_mode) or stat.S_ISCHR(old.st_mode):
        return old
    if not stat.S_ISREG(old.st_mode):
        raise InputError(f"{str(path)!r} is no regular file; pass the name of one.")
    if not replace:
        raise InputError(TAKEN.format(str(path), how))
    return old


def open_regular(path: str | Path):
    """Open a regular file for reading; whatever else might keep a reader waiting for ever.

    Raises
    ------
    OSError
        When it cannot be opened, or is a folder, a pipe or a device.
    """
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:  # a name with a zero byte or half a letter
        raise OSError(0, str(error)) from error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(0, "it is no regular file but a pipe or a device")
    return open(path, "rb")


def _write_through(path: str | Path, content: bytes) -> None:
    """Write to a pipe or a device; a pipe that nobody reads is refused, not waited for."""
    handle = os.open(path, os.O_WRONLY | _NOT_WAITING)
    with open(handle, "wb", buffering=0) as file:
        if _NOT_WAITING:
            os.set_blocking(handle, True)
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]


def _write_beside(target: str, content: bytes, old: os.stat_result | None, replace: bool) -> None:
    folder = os.path.dirname(target)
    _clear(folder)
    beside = os.path.join(folder, f".drqsim-{os.urandom(16).hex()}.part")
    with _removed_in_any_case(beside):
        # what replaces a private file is private from its first byte
        handle = _make_locked(beside, 0o666 if old is None else 0o600)
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            if fcntl is None:
                file.close()  # Windows renames no open file; elsewhere the lock is still needed
            if old is not None:
                _like(beside, old)
            if replace:
                os.replace(beside, target)
            else:
                _claim(beside, target)


def _make_locked(beside: str, mode: int) -> int:
    """A new file with a lock; made again where a clearing writer was quicker than the lock."""
    while True:
        handle = os.open(beside, _NEW, mode)
        if not _locked(handle, wait=True):
            return handle  # a file system without locks: nobody clears there
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(beside), os.fstat(handle)):
                return handle
        os.close(handle)


def _locked(handle: int, wait: bool) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _clear(folder: str) -> None:
    """Remove the temporary files of writers that are no more: nobody holds their locks."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:  # it may not be readable
        left = [e.path for e in entries if _TEMPORARY.fullmatch(e.name)]
        for path in left if fcntl is not None else ():
            with contextlib.suppress(OSError):  # another writer's, or cleared by a third
                _clear_one(path)


def _clear_one(path: str) -> None:
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | _NOT_WAITING)
    try:
        if _locked(handle, wait=False):
            os.unlink(path)
    finally:
        os.close(handle)


def _like(beside: str, old: os.stat_result) -> None:
    """The owner, where that may be set, and the mode of the file that is replaced."""
    new = os.stat(beside)
    if hasattr(os, "chown") and (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with contextlib.suppress(PermissionError):
            os.chown(beside, old.st_uid, old.st_gid)
    os.chmod(beside, stat.S_IMODE(old.st_mode))


def _claim(beside: str, target: str) -> None:
    """Give the file its name, unless somebody took the name in the meantime."""
    try:
        os.link(beside, target)
    except FileExistsError:
        raise
    except (OSError, AttributeError):  # no links on this file system, or in this Python
        os.close(os.open(target, _NEW))
        os.replace(beside, target)


@contextlib.contextmanager
def _removed_in_any_case(beside: str) -> Iterator[None]:
    """Remove a file at the end, also where a signal ends the process."""

    def remove() -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)

    def end(number: int, _) -> None:
        remove()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    caught = []
    try:
        with contextlib.suppress(ValueError):  # only the main thread may ask for signals
            for number in _ENDING:
                if signal.getsignal(number) == signal.SIG_DFL:
                    signal.signal(number, end)
                    caught.append(number)
        yield
    finally:
        remove()
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


def _reason(error: Exception) -> str:
    if getattr(error, "errno", None) == errno.ENXIO:
        return "nobody reads at its other end"
    return getattr(error, "strerror", None) or str(error)
