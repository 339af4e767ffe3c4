"""The commands on every model: what they print, what they write."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tflite

import drqsim
from drqsim import ops, processor
from drqsim.cli.inputs import read_inputs
from drqsim.model_file.write import to_bytes
from tests.kit.command import DRQ, FLOAT, parsed, refused, run
from tests.kit.places import MODELS

EVIL = "\x1b[31m<b onload=\"x('&')\">[bold]|\u202e_é_\n"


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
            "processors": [*fed, "--processors", "x86-64", "x86-64-vnni"],
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
    failed = {r["operator"] for r in parsed(out)["operators"] if r["verdict"] == "different"}
    # one rounding away, in floats or int8: on the processors of the table neither may
    known = {"conv_2d_0"} if processor.native().name in processor.PROCESSORS else set()
    assert status == 1
    assert failed == {"conv_2d_1", "conv_2d_2", "conv_2d_3", "conv_2d_4"} | known
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
    assert status == 3 and len(found["operators"]) == 11 and found["codes"] is None
    assert found["verdict"] == "INCOMPLETE" and list(found["not_compared"]) == ["max_pool_2d_0"]
    assert any(note.startswith("From end to end nothing") for note in found["notes"])


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
    assert "Memory" in run(*report, FORCE_COLOR="1")[2]  # a bar while it works
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
