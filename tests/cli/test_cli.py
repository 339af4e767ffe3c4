"""The command line: what it prints, what it refuses, what it writes.

    python -m tests.cli.test_cli

writes the golden outputs anew.
"""

import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tflite
from click.testing import CliRunner

import drqsim
from drqsim import ops
from drqsim.cli.app import Commands
from drqsim.cli.commands import drqsim as command
from drqsim.cli.inputs import read_inputs
from drqsim.model_file.write import to_bytes
from tests.kit.places import GOLDEN, MODELS, ROOT

OUTPUTS = GOLDEN / "cli"
FLOAT, DRQ = str(MODELS / "digits_float.tflite"), str(MODELS / "digits_drq.tflite")
DIGIT = f"{MODELS / 'digits_inputs.npz'}:images[3]"
EVIL = "\x1b[31m<b onload=\"x('&')\">[bold]|\u202e_é_\n"
GOLDENS = {
    "inspect.txt": ["inspect", DRQ],
    "inspect_int4.txt": ["inspect", str(MODELS / "digits_int4.tflite")],
    "inspect.json": ["inspect", DRQ, "--json"],
    "explain.txt": ["explain", DRQ],
    "explain.json": ["explain", DRQ, "--json", "--kernels", "optimized"],
    "trace.txt": ["trace", DRQ, "--input", DIGIT],
    "trace_op.txt": ["trace", DRQ, "--input", DIGIT, "--op", "conv_2d_1"],
    "trace.json": ["trace", DRQ, "--input", DIGIT, "--op", "fully_connected_0", "--json"],
    "memory.txt": ["memory", DRQ],
    "memory_compared.txt": ["memory", DRQ, "--compare", FLOAT],
    "memory.json": ["memory", DRQ, "--json"],
    "error.txt": ["error", FLOAT, DRQ, "--input", DIGIT, "--no-end-to-end"],
    "help.txt": ["--help"],
}


def run(*arguments, **env) -> tuple[int, str, str]:
    """Status, stdout, stderr."""
    result = CliRunner(env={"NO_COLOR": None, "FORCE_COLOR": None, "COLUMNS": None, **env}).invoke(
        command, list(map(str, arguments)), prog_name="drqsim"
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def parsed(text: str) -> dict:
    """JSON without NaN and Infinity."""
    return json.loads(text, parse_constant=pytest.fail)


def refused(status: int, *arguments) -> str:
    """The one sentence on stderr of a call that must fail."""
    found, out, error = run(*arguments)
    assert (found, out) == (status, ""), error
    assert error.startswith("Error: ") and error.count("\n") == 1, error
    return error


@pytest.mark.parametrize("name", GOLDENS)
def test_golden(name):
    status, out, error = run(*GOLDENS[name], COLUMNS="180")
    assert (status, error) == (0, "")
    assert out == (OUTPUTS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.tflite")), ids=lambda path: path.stem)
def test_every_command_on_every_model(path, tmp_path):
    model = drqsim.load(path)
    fed = ["--input", "random"]
    found = {
        name: run(name, path, *more, "--json")
        for name, more in {
            "inspect": [],
            "explain": [],
            "trace": [*fed, "--save", tmp_path / "t.npz"],
            "memory": ["--compare", FLOAT],
            "check": fed,
            "quantize": ["-o", tmp_path / "q.tflite", "--min-elements", 0],
            "report": ["--float", FLOAT, "-o", tmp_path / "r.json", "--format", "json"],
        }.items()
    } | {"error": run("error", FLOAT, path, *fed, "--no-end-to-end", "--json")}
    # its depthwise layer reads memory that is not its own: not even the runtime agrees with itself
    undefined = "per_tensor" in path.stem
    kind = path.stem.removeprefix("digits_")
    refused = {
        "quantize": kind in ("drq_all_layers", "float16", "weight_only", "int8", "16x8"),
        "error": kind in ("int8", "16x8"),  # with integer activations it is another graph
    }
    for name, (status, out, error) in found.items():
        no = refused.get(name, False)
        assert status == int(no or (name == "check" and undefined)), (name, error)
        assert bool(error) == no, (name, error)
        if not error:
            assert parsed(out)
    assert len(parsed(found["explain"][1])["operators"]) == len(model.operators)
    check = parsed(found["check"][1])
    assert check["passed"] != undefined and (undefined or len(check["operators"]) >= 12)
    left_out = parsed((tmp_path / "r.json").read_text())["left_out"]
    assert len(left_out) == refused["error"] and all(t.startswith("Error: ") for t in left_out)
    _, trace = drqsim.run(model, read_inputs(model, ("random",))[0])
    with np.load(tmp_path / "t.npz") as saved:
        assert set(saved) == {record.key for record in trace}
        assert all(np.array_equal(saved[record.key], record.value) for record in trace)


def test_text_of_every_command(tmp_path):
    fed = ["--input", "random"]
    assert "softmax_0/output" in run("trace", DRQ, *fed)[1]
    assert "Passed: 12 of 12 operators agree" in run("check", DRQ, *fed)[1]
    assert "100.0%" in run("error", FLOAT, DRQ, *fed, "--count", 2)[1]
    made = tmp_path / "q.tflite"
    assert "6 constants are int8" in run("quantize", FLOAT, "-o", made)[1]
    assert made.read_bytes() == to_bytes(drqsim.quantize(drqsim.load(FLOAT)))
    status, out, _ = run("quantize", FLOAT, "-o", made, "--per-tensor", "--force", "--json")
    assert status == 0 and {t["quantization"]["scales"] for t in parsed(out)["quantized"]} == {1}
    for form, begins in {"html": "<!doctype html>", "md": "# digits_drq", "node-data": "{"}.items():
        target = tmp_path / f"r.{form}"
        assert run("report", DRQ, "-o", target, "--format", form)[0] == 0
        assert target.read_text(encoding="utf-8").startswith(begins)


def test_check_fails_where_we_differ(monkeypatch):
    def changed(change):
        def conv_2d(call):
            def record(name, value, *rest, **more):
                call.record(name, change(value) if name == "output" else value, *rest, **more)

            return right(replace(call, record=record))

        monkeypatch.setitem(ops.TABLE, "CONV_2D", conv_2d)

    right = ops.TABLE["CONV_2D"]
    changed(lambda y: np.nextafter(y, np.float32(9)))
    status, out, _ = run("check", DRQ, "--input", "random", "--json")
    failed = {row["operator"] for row in parsed(out)["operators"] if not row["passed"]}
    # a float operator may be one rounding away, an int8 one may not
    assert status == 1 and failed == {"conv_2d_1", "conv_2d_2", "conv_2d_3", "conv_2d_4"}
    changed(lambda y: y * np.float32(1.001))
    status, out, _ = run("check", FLOAT, "--input", "random")
    assert status == 1 and "FAILED" in out


def test_quantize_writes_nothing_that_would_lose_options(tmp_path):
    model = drqsim.load(FLOAT)
    path = tmp_path / "custom.tflite"
    content = bytearray(to_bytes(model))
    # SOFTMAX becomes CUSTOM, whose name and options a Graph does not hold
    softmax = next(op for op in model.operators if op.code == "SOFTMAX")
    custom = tuple(replace(op, code="CUSTOM") if op is softmax else op for op in model.operators)
    with pytest.raises(drqsim.UnsupportedOperatorError, match="CUSTOM, whose options"):
        to_bytes(replace(model, operators=custom))
    code = tflite.BuiltinOperator.SOFTMAX
    root = tflite.Model.GetRootAs(content, 0)
    tables = [root.OperatorCodes(i) for i in range(root.OperatorCodesLength())]
    (table,) = (t for t in tables if t.BuiltinCode() == code)
    for field, width in ((4, 1), (10, 4)):  # the deprecated field, and the one that followed it
        at = table._tab.Pos + table._tab.Offset(field)
        content[at : at + width] = (32).to_bytes(width, "little")
    path.write_bytes(content)
    assert "CUSTOM" in refused(1, "quantize", path, "-o", tmp_path / "q.tflite")
    assert list(tmp_path.iterdir()) == [path]


def test_check_of_a_model_that_drqsim_runs_in_part(monkeypatch):
    monkeypatch.delitem(ops.TABLE, "MAX_POOL_2D")
    status, out, _ = run("check", DRQ, "--input", "random", "--json")
    found = parsed(out)
    assert status == 0 and len(found["operators"]) == 11 and found["codes"] is None
    assert any(note.startswith("From end to end nothing") for note in found["notes"])


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
    "a claim": (["trace", DRQ, "--input", "huge.npy"], "at most 2,147,483,648"),
    "a claim in an archive": (["trace", DRQ, "--input", "huge.npz"], "at most 2,147,483,648"),
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


def test_without_a_command_help_is_shown_and_the_status_is_2():
    status, out, error = run()
    assert (status, out) == (2, "") and "Examples:" in error and "Exit status" in error


@pytest.mark.parametrize("name", command.commands)
def test_help_has_examples(name):
    status, out, _ = run(name, "--help")
    assert status == 0 and f"drqsim {name} " in out.partition("Examples:")[2]


def several(tmp_path) -> str:
    """A model with two inputs of which one is called ``a=b.npy``."""
    shape, f32 = (2, 3), np.dtype(np.float32)
    tensors = [drqsim.Tensor(name, shape, f32) for name in ("left", "a=b.npy", "sum")]
    options = {"fused_activation_function": "NONE", "pot_scale_int16": True}
    add = drqsim.Operator("ADD", "add_0", (0, 1), (2,), options)
    path = tmp_path / "sum.tflite"
    drqsim.save(drqsim.Graph(tuple(tensors), (add,), (0, 1), (2,)), path)
    return str(path)


def test_several_inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = drqsim.load(several(tmp_path))
    x, y = (np.full((2, 3), n, np.float32) for n in (1, 2))
    np.save("x.npy", x)
    np.savez("both.npz", **{"left": x, "a=b.npy": y})
    np.savez("one.npz", only=y)
    np.save("many.npy", np.stack([x, y]))
    for specs in (
        ["both.npz"],
        ["left=x.npy", "a=b.npy=one.npz:only"],
        ["a=b.npy=both.npz", "left=both.npz:left"],
    ):
        fed, notes = read_inputs(model, tuple(specs))
        assert not notes and np.array_equal(fed["left"], x) and np.array_equal(fed["a=b.npy"], y)
    drawn, _ = read_inputs(model, ("random",), 7)
    again, _ = read_inputs(model, ("left=x.npy", "random"), 7)
    assert np.array_equal(drawn["a=b.npy"], again["a=b.npy"]) and (again["left"] == 1).all()
    assert not np.array_equal(drawn["left"], read_inputs(model, ("random",), 8)[0]["left"])
    assert np.abs(drawn["left"]).max() <= 1
    assert "'left'" in refused(1, "trace", "sum.tflite", "--input", "x.npy")
    assert "'a=b.npy'" in refused(1, "trace", "sum.tflite", "--input", "left=x.npy")
    Path("odd[1].npy").write_bytes(Path("x.npy").read_bytes())
    assert read_inputs(model, ("left=odd[1].npy", "random"))[0]["left"].shape == (2, 3)


def test_pictures(tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    image.fromarray(grey).save("grey.png")
    image.fromarray(np.stack([grey] * 3, 2)).save("color.png")
    image.fromarray(grey[:7]).save("small.png")
    image.fromarray(grey.astype(np.uint16)).save("deep.png")
    model = drqsim.load(DRQ)
    fed, notes = read_inputs(model, ("grey.png",))
    (x,) = fed.values()
    assert np.array_equal(x, grey[None, :, :, None].astype(np.float32) / np.float32(255))
    assert notes == ["grey.png: values scaled from 0..255 to 0..1."]
    assert read_inputs(model, ("color.png",))[1][0].endswith("from RGB to L.")
    status, _, error = run("trace", DRQ, "--input", "grey.png")
    assert (status, error) == (0, notes[0] + "\n")
    assert "8 pixels wide and 7 high" in refused(1, "trace", DRQ, "--input", "small.png")
    assert "16 bits" in refused(1, "trace", DRQ, "--input", "deep.png")


def test_color_is_for_terminals(tmp_path):
    plain = run("explain", DRQ)[1]
    assert "\x1b" not in plain and max(map(len, plain.splitlines())) > 140  # nothing is wrapped
    assert all(line == line.rstrip() for line in plain.splitlines())
    colored = run("explain", DRQ, FORCE_COLOR="1")[1]
    assert re.search(r"\x1b\[\d+mint8 ", colored)  # the kind of arithmetic, no sentence
    assert not re.search(r"\x1b\[[1-9]\d*mfloat32 input", colored)
    assert "\x1b[" not in run("explain", DRQ, FORCE_COLOR="1", NO_COLOR="1")[1]
    assert "\x1b" not in run("explain", DRQ, "--json", FORCE_COLOR="1")[1]
    target = tmp_path / "r.md"
    report = ("report", DRQ, "-o", target, "--format", "md", "--force")
    assert "Every tensor" in run(*report, FORCE_COLOR="1")[2]  # a bar while it works
    assert run(*report)[2] == ""


def test_names_that_look_like_markup(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = drqsim.load(DRQ)
    tensors = tuple(replace(t, name=f"{at}{EVIL}") for at, t in enumerate(model.tensors))
    name = '<img src=x onerror="alert(1)">.tflite'
    drqsim.save(replace(model, tensors=tensors), name)
    status, out, _ = run("inspect", name)
    assert status == 0 and "\x1b" not in out and "\u202e" not in out
    assert r"\x1b[31m<b onload=" in out and "[bold]|" in out
    assert parsed(run("inspect", name, "--json")[1])["tensors"][3]["name"] == f"3{EVIL}"
    assert "\x1b" not in refused(1, "trace", name, "--input", f"0{EVIL}=no.npy")
    for form in ("html", "md"):
        assert run("report", name, "-o", f"r.{form}", "--format", form, "--input", "random")[0] == 0
    page = Path("r.html").read_text(encoding="utf-8")
    assert "<b onload" not in page and "<img" not in page and "&lt;b onload=" in page
    assert "\x1b" not in page and "\u202e" not in page and "&lt;img src=x" in page
    text = Path("r.md").read_text(encoding="utf-8")
    assert "<" not in text and r"\[bold\]\|" in text


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
        "import drqsim; drqsim.report; print('fine')",
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


def write_goldens() -> None:
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    for name, arguments in GOLDENS.items():
        (OUTPUTS / name).write_text(run(*arguments, COLUMNS="180")[1], encoding="utf-8")


if __name__ == "__main__":
    write_goldens()
