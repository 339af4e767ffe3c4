"""What the commands refuse: one sentence, and nothing on the disk has changed."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.kit.command import DRQ, FLOAT, refused


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with files that are wrong in many ways."""
    monkeypatch.chdir(tmp_path)
    good = np.zeros((1, 8, 8, 1), np.float32)
    np.save("good.npy", good)
    np.save("shape.npy", np.zeros((1, 8, 9, 1), np.float32))
    np.save("double.npy", np.zeros((1, 8, 8, 1)))
    np.save("nan.npy", good * np.nan)
    np.save("pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez("two.npz", a=good, b=good)
    np.savez("pickle.npz", a=np.array([{}], dtype=object))
    Path("text.npy").write_text("no array")
    Path("text.npz").write_text("no archive")
    Path("empty.npy").write_bytes(b"")
    Path("cut.npy").write_bytes(Path("good.npy").read_bytes()[:-4])
    header = Path("good.npy").read_bytes()[:128]
    Path("huge.npy").write_bytes(header.replace(b"(1, 8, 8, 1)", b"(1, 8888888888, 8, 1)")[:128])
    with zipfile.ZipFile("huge.npz", "w") as archive:
        archive.write("huge.npy", "a.npy")
    Path("text.png").write_text("no picture")
    Path("note.txt").write_text("x")
    Path("bad.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + b"\xff" * 64)
    Path("there.html").write_text("precious")
    Path("folder").mkdir()
    return tmp_path


REFUSED = {
    "no such model": (["inspect", "missing.tflite"], "Cannot read 'missing.tflite'"),
    "a folder": (["inspect", "folder"], "Is a directory"),
    "no model": (["explain", "note.txt"], "not a TFLite model"),
    "a damaged model": (["inspect", "bad.tflite"], "damaged"),
    "no such float model": (["error", "missing.tflite", DRQ, "--input", "random"], "Cannot read"),
    "not the float model": (["error", DRQ, FLOAT, "--input", "random"], "float"),
    "no such input file": (["trace", DRQ, "--input", "missing.npy"], "No such file"),
    "no kind of input": (["trace", DRQ, "--input", "note.txt"], "neither 'random' nor"),
    "no such input name": (["trace", DRQ, "--input", "left=good.npy"], "has no input 'left'"),
    "given twice": (["trace", DRQ, "--input", "good.npy", "--input", "good.npy"], "given twice"),
    "wrong shape": (["trace", DRQ, "--input", "shape.npy"], "got the shape [1, 8, 9, 1]"),
    "wrong type": (["check", DRQ, "--input", "double.npy"], "float64"),
    "not finite": (["trace", DRQ, "--input", "nan.npy"], "nan at (0, 0, 0, 0)"),
    "a pickle": (["trace", DRQ, "--input", "pickle.npy"], "allow_pickle=False"),
    "a pickle in an archive": (["trace", DRQ, "--input", "pickle.npz"], "allow_pickle=False"),
    "no array": (["trace", DRQ, "--input", "text.npy"], "Cannot read 'text.npy'"),
    "no archive": (["trace", DRQ, "--input", "text.npz"], "not a zip file"),
    "an empty file": (["trace", DRQ, "--input", "empty.npy"], "Cannot read 'empty.npy'"),
    "a file cut short": (["trace", DRQ, "--input", "cut.npy"], "Cannot read 'cut.npy'"),
    "a claim": (["trace", DRQ, "--input", "huge.npy"], "got the shape [1, 8888888888, 8, 1]"),
    "a claim in an archive": (["trace", DRQ, "--input", "huge.npz"], "got the shape [1, 888"),
    "several arrays": (["trace", DRQ, "--input", "two.npz"], "'two.npz:ARRAY'"),
    "no such array": (["trace", DRQ, "--input", "two.npz:c"], "has no array 'c'"),
    "no such element": (["trace", DRQ, "--input", "two.npz:a[1]"], "number 1 of an array"),
    "no picture": (["trace", DRQ, "--input", "text.png"], "not a PNG picture"),
    "no such operator": (
        ["trace", DRQ, "--input", "random", "--op", "conv_9"],
        "no operator 'conv_9'",
    ),
    "nothing to quantize": (["quantize", DRQ, "-o", "q.tflite"], "Nothing in 'digits_drq.tflite'"),
    "count without random": (
        ["error", FLOAT, DRQ, "--input", "good.npy", "--count", 2],
        "pass --input random",
    ),
    "a file that is there": (["report", DRQ, "-o", "there.html"], "pass --force"),
    "a folder that is not": (["quantize", FLOAT, "-o", "no/q.tflite"], "no folder 'no'"),
    "a folder as a file": (["report", DRQ, "-o", "folder", "--force"], "is a folder"),
    "node data over a file": (["explain", DRQ, "--node-data", "there.html"], "pass --force"),
}
MISUSED = {
    "no command": (["look"], "No such command 'look'"),
    "no model": (["inspect"], "Missing argument"),
    "no input": (["trace", DRQ], "Missing option '--input'"),
    "no output": (["report", DRQ], "Missing option '-o'"),
    "no such option": (["inspect", DRQ, "--jason"], "--jason"),
    "no such kernels": (["explain", DRQ, "--kernels", "fast"], "'fast'"),
    "no number": (["quantize", FLOAT, "-o", "q.tflite", "--min-elements", -1], "-1"),
    "no threads": (["memory", DRQ, "--threads", 0], "0"),
    "no such format": (["report", DRQ, "-o", "r", "--format", "pdf"], "'pdf'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(here, case):
    arguments, says = REFUSED[case]
    before = sorted(here.iterdir())
    assert says in refused(1, *arguments)
    assert sorted(here.iterdir()) == before and Path("there.html").read_text() == "precious"


def test_a_file_that_is_there_is_found_before_the_work(here, monkeypatch):
    for module in ("quantize", "report", "trace", "error", "explain"):
        monkeypatch.setattr(f"drqsim.cli.{module}.load", lambda _: pytest.fail("worked in vain"))
    for arguments in (
        ["report", DRQ, "-o", "there.html"],
        ["quantize", FLOAT, "-o", "there.html"],
        ["trace", DRQ, "--input", "random", "--save", "there.html"],
        ["error", FLOAT, DRQ, "--input", "random", "--node-data", "there.html"],
        ["explain", DRQ, "--node-data", "there.html"],
    ):
        refused(1, *arguments)


@pytest.mark.parametrize("case", MISUSED)
def test_misused(here, case):
    arguments, says = MISUSED[case]
    message = refused(2, *arguments)
    assert says in message and "--help'." in message
