"""Files that drqsim writes: whole, never over an input, never in the place of a device."""

import os
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import drqsim
from drqsim.cli.commands import drqsim as command
from drqsim.model_file import whole_file
from drqsim.model_file.whole_file import write_whole

ROOT = Path(drqsim.__file__).parent.parent
MODELS = ROOT / "book" / "models"
FLOAT, DRQ = str(MODELS / "digits_float.tflite"), str(MODELS / "digits_drq.tflite")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with two models, ``m`` and ``f``, and an input ``x.npy``."""
    monkeypatch.chdir(tmp_path)
    Path("m").write_bytes(Path(DRQ).read_bytes())
    Path("f").write_bytes(Path(FLOAT).read_bytes())
    np.save("x.npy", np.zeros((1, 8, 8, 1), np.float32))
    return tmp_path


def run(*arguments):
    """Status, bytes on stdout, text on stderr; no exception gets out."""
    # a width of its own: an operator's name is broken in a narrow table
    result = CliRunner(env={"COLUMNS": "180"}).invoke(
        command, list(map(str, arguments)), prog_name="drqsim"
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout_bytes, result.stderr


def refused(*arguments) -> str:
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    status, out, error = run(*arguments)
    assert (status, out) == (1, b""), error
    assert error.startswith("Error: ") and error.count("\n") == 1, error
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before
    return error


def other_names(path: str) -> dict[str, str]:
    """The same file under a link, a hard link and a longer path."""
    os.symlink(path, "link")
    os.link(path, "hard")
    Path("sub").mkdir()
    return {"name": path, "link": "link", "hard": "hard", "path": f"sub/../{path}"}


OWN_INPUT = {
    "report": ("m", ["report", "m", "--input", "random", "-o"]),
    "report, float model": ("f", ["report", "m", "--float", "f", "-o"]),
    "report, input": ("x.npy", ["report", "m", "--input", "x.npy", "-o"]),
    "quantize": ("f", ["quantize", "f", "-o"]),
    "trace": ("m", ["trace", "m", "--input", "x.npy", "--save"]),
    "trace, input": ("x.npy", ["trace", "m", "--input", "x.npy[0]", "--save"]),
    "trace, input by name": ("x.npy", ["trace", "m", "--input", "a=x.npy", "--save"]),
    "explain": ("m", ["explain", "m", "--node-data"]),
    "error": ("m", ["error", "f", "m", "--input", "x.npy", "--node-data"]),
    "error, float model": ("f", ["error", "f", "m", "--input", "x.npy", "--node-data"]),
    "error, input": ("x.npy", ["error", "f", "m", "--input", "x.npy", "--node-data"]),
}


@pytest.mark.parametrize("case", OWN_INPUT)
def test_no_command_writes_over_what_it_reads(here, case):
    path, arguments = OWN_INPUT[case]
    for name in other_names(path).values():
        assert "that this command reads" in refused(*arguments, name, "--force")


def test_a_pipe_or_a_device_is_written_to_and_never_replaced(here):
    os.mkfifo("pipe")
    report = ["report", "m", "--format", "md", "--input", "random", "-o"]
    assert "nobody reads" in refused(*report, "pipe", "--force")
    read = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_bytes()))
    reader.start()
    while run(*report, "pipe")[0]:  # until the reader has opened it
        pass
    reader.join()
    assert read[0].startswith(b"# m") and stat.S_ISFIFO(os.stat("pipe").st_mode)
    assert run(*report, "/dev/null")[0] == 0 and stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert "No space left" in refused(*report, "/dev/full", "--force")
    with pytest.raises(drqsim.InputError, match="No space left"):
        drqsim.save(drqsim.load("m"), "/dev/full")


def test_the_file_at_the_end_of_a_link_is_replaced_and_keeps_its_mode(here):
    Path("private").write_text("old")
    os.chmod("private", 0o600)
    Path("sub").mkdir()
    os.symlink("../private", "sub/link")
    report = ["report", "m", "--format", "md", "--input", "random", "-o", "sub/link"]
    assert "is there already; pass --force" in refused(*report)
    assert run(*report, "--force")[0] == 0
    assert os.path.islink("sub/link") and Path("private").read_text().startswith("# m")
    assert stat.S_IMODE(os.stat("private").st_mode) == 0o600
    os.symlink("nowhere", "dangling")
    assert "leads to no file" in refused(*report[:-1], "dangling", "--force")
    drqsim.save(drqsim.load("m"), "sub/link")  # the same function writes
    assert os.path.islink("sub/link") and stat.S_IMODE(os.stat("private").st_mode) == 0o600
    umask = os.umask(0o027)
    try:
        write_whole("new", b"")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(os.stat("new").st_mode) == 0o640


def test_standard_output(here):
    status, out, error = run("quantize", "f", "-o", "-")
    assert status == 0 and out == drqsim.to_bytes(drqsim.quantize(drqsim.load("f")))
    assert "standard output: " in error and "conv_2d_1" in error
    for form, begins in {"md": b"# m", "json": b"{", "node-data": b"{"}.items():
        fed = ["--input", "random", "-o", "-", "--format", form]
        status, out, error = run("report", "m", *fed)
        assert status == 0 and out.startswith(begins) and "standard output: " in error
    for arguments in (["explain", "m"], ["error", "f", "m", "--input", "x.npy", "--no-end-to-end"]):
        status, out, error = run(*arguments, "--node-data", "-")
        run(*arguments, "--node-data", "file", "--force")
        assert status == 0 and out == Path("file").read_bytes() and "conv_2d_1" in error
        status, out, error = run(*arguments, "--node-data", "-", "--json")
        assert (status, out) == (2, b"") and "choose one" in error
    assert "cannot go to standard" in refused("trace", "m", "--input", "x.npy", "--save", "-")
    assert not Path("-").exists()


def test_names_that_no_file_can_have(here):
    long = "n" * 300
    for arguments in (
        ["inspect", long],
        ["trace", "m", "--input", f"{long}.npy"],
        ["trace", "m", "--input", f"{long}.npz:a[1]"],
        ["trace", "m", "--input", f"{long}.png"],
        ["trace", "m", "--input", long],
        ["trace", "m", "--input", "x.npy", "--save", long],
        ["report", "m", "-o", f"{long}.html"],
        ["quantize", "f", "-o", f"{long}.tflite", "--force"],
        ["memory", "m", "--compare", long],
        ["explain", "m", "--node-data", long],
        ["report", "m", "-o", "x.npy/r.html"],
        ["report", "m", "-o", ""],
        ["report", "m", "-o", "new/"],
    ):
        refused(*arguments)
    write_whole("\u00e9" * 127, b"fits")  # 254 bytes
    for name in ("a\0b", "\ud800", "n" * 300):
        with pytest.raises(drqsim.InputError):
            drqsim.save(drqsim.load("m"), name)
        with pytest.raises(drqsim.DrqsimError):
            drqsim.load(name)


def test_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "made"
    write_whole(target, b"one")
    with pytest.raises(drqsim.InputError, match="there already; pass replace=True"):
        write_whole(target, b"two")
    write_whole(target, b"two", replace=True)
    assert target.read_bytes() == b"two"

    def fails(*_):
        raise OSError(28, "No space left on device")

    for name in ("replace", "chmod", "open"):
        with monkeypatch.context() as patched, pytest.raises(drqsim.InputError, match="No space"):
            patched.setattr(os, name, fails)
            write_whole(target, b"three", replace=True)
        assert target.read_bytes() == b"two" and list(tmp_path.iterdir()) == [target]
    # somebody takes the name between the check and the writing; with links and without
    for link in (os.link, fails, None):
        with monkeypatch.context() as patched, pytest.raises(drqsim.InputError, match="already"):
            patched.setattr(whole_file, "check_target", lambda *_: None)
            patched.setattr(os, "link", link) if link else patched.delattr(os, "link")
            write_whole(target, b"four")
        assert target.read_bytes() == b"two" and list(tmp_path.iterdir()) == [target]
    for at, link in enumerate((fails, None)):
        with monkeypatch.context() as patched:
            patched.setattr(os, "link", link) if link else patched.delattr(os, "link")
            write_whole(tmp_path / f"more{at}", b"five")
        assert (tmp_path / f"more{at}").read_bytes() == b"five"


def test_four_writers_of_one_name_and_a_reader(tmp_path):
    target, writers = tmp_path / "made", 4
    contents = [bytes([at]) * 300_000 for at in range(writers)]
    write_whole(target, contents[0])

    def write(at):
        for _ in range(25):
            write_whole(target, contents[at], replace=True)

    with ThreadPoolExecutor(writers) as pool:
        done = [pool.submit(write, at) for at in range(writers)]
        while not all(each.done() for each in done):
            assert target.read_bytes() in contents
    for each in done:
        each.result()
    assert list(tmp_path.iterdir()) == [target]
    with ThreadPoolExecutor(writers) as pool:  # of four that may not replace, one succeeds
        found = [pool.submit(write_whole, tmp_path / "new", each) for each in contents]
    assert sum(each.exception() is None for each in found) == 1


# a writer that says that its temporary file is there, and waits
WAITS = """
import os, sys, time
from drqsim.model_file import whole_file
def waits(*_):
    print("writing", flush=True)
    time.sleep(60)
os.replace = waits
whole_file.write_whole("made", b"new", replace=True)
"""


def test_a_signal_leaves_nothing_and_the_next_run_clears_what_a_kill_left(here):
    Path("made").write_text("old")
    Path(".drqsim-notes.part").write_text("not ours")
    os.symlink("made", f".drqsim-{'0' * 32}.part")
    kept = set(here.iterdir())
    writers = {
        number: subprocess.Popen(
            [sys.executable, "-c", WAITS],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGINT)
    }
    for writer in writers.values():
        assert writer.stdout.readline() == b"writing\n"
    write_whole("made", b"other", replace=True)
    assert len(set(here.iterdir()) - kept) == 4  # nothing is taken from writers at work
    for number, writer in writers.items():
        writer.send_signal(number)
        writer.communicate()
        assert writer.returncode == -number or number == signal.SIGINT
    assert len(set(here.iterdir()) - kept) == 1
    drqsim.save(drqsim.load("m"), "made")
    assert set(here.iterdir()) == kept
