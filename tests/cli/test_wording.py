"""What the library says of its arguments, the command line says of its options."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import drqsim
from drqsim.cli.wording import for_the_terminal
from tests.kit.command import DRQ, FLOAT, parsed, refused, run

F32 = np.dtype(np.float32)
# an argument in the words of Python: a name and a value, a call, an attribute
PYTHON = re.compile(r"\b[a-z_]+=(?!\S*\.np)|\w\(\w*\)|\.astype|numpy\.")


@pytest.fixture
def masked(tmp_path, monkeypatch):
    """``x.npy`` times a mask with -inf, into a dense layer with int8 weights: ``m.tflite``."""
    monkeypatch.chdir(tmp_path)
    mask = np.array([[1, -np.inf, 1, 1]], np.float32)
    weights = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    tensors = (
        drqsim.Tensor("x", (1, 4), F32),
        drqsim.Tensor("mask", (1, 4), F32, mask),
        drqsim.Tensor("scores", (1, 4), F32),
        drqsim.Tensor("weights", (3, 4), F32, weights),
        drqsim.Tensor("y", (1, 3), F32),
    )
    mul = drqsim.Operator("MUL", "mul_0", (0, 1), (2,), {"fused_activation_function": "NONE"})
    dense = drqsim.Operator("FULLY_CONNECTED", "fully_connected_0", (2, 3, -1), (4,), {})
    model = drqsim.Graph(tensors, (mul, dense), (0,), (4,))
    drqsim.save(model, "f.tflite")
    drqsim.save(drqsim.quantize(model, min_elements=0), "m.tflite")
    np.save("x.npy", np.array([[1, 0, 2, 3]], np.float32))
    return tmp_path


def test_the_operator_that_made_the_first_nan_is_named(masked):
    for kernels in ("optimized", "xnnpack"):
        for name in ("check", "trace"):
            said = refused(1, name, "m.tflite", "--input", "x.npy", "--kernels", kernels)
            assert "--allow-nonfinite" in said and "The first NaN comes from mul_0." in said
    np.save("x.npy", np.array([[1, 5, 2, 3]], np.float32))
    said = refused(1, "trace", "m.tflite", "--input", "x.npy", "--kernels", "xnnpack")
    assert "The first infinity comes from mul_0." in said
    with pytest.raises(drqsim.InputError, match="allow_nonfinite=True.*infinity comes from mul_0"):
        drqsim.run(drqsim.load("m.tflite"), np.ones((1, 4), np.float32), "xnnpack")
    np.save("x.npy", np.array([[1, np.nan, 2, 3]], np.float32))
    said = refused(1, "trace", "m.tflite", "--input", "x.npy")
    assert "pass --allow-nonfinite" in said and "comes from" not in said


def test_allow_nonfinite(masked):
    fed = ["--input", "x.npy", "--allow-nonfinite"]
    status, out, _ = run("trace", "m.tflite", *fed, "--save", "t.npz")
    assert status == 0 and "fully_connected_0" in out
    with np.load("t.npz") as saved:
        assert np.isnan(saved["mul_0/output"]).any()
    status, out, _ = run("check", "m.tflite", *fed, "--json")
    assert {row["operator"] for row in parsed(out)["operators"]} == {"mul_0", "fully_connected_0"}
    said = refused(1, "trace", "m.tflite", *fed, "--kernels", "xnnpack")
    assert "Pass --kernels optimized" in said and "NaN comes from mul_0" in said
    report = ["report", "m.tflite", "--float", "f.tflite", "-o", "r.json", "--format", "json"]
    report.append("--force")
    assert run(*report, "--input", "x.npy")[0] == 0
    left_out = parsed(Path("r.json").read_text())["left_out"]
    assert any("--allow-nonfinite" in text for text in left_out)
    assert run(*report, *fed)[0] == 0
    left_out = parsed(Path("r.json").read_text())["left_out"]
    assert not any(text.startswith("Every tensor") for text in left_out)
    assert "makes NaN or infinity" in refused(1, "error", "f.tflite", "m.tflite", *fed)


def test_options_by_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = drqsim.load(FLOAT)
    tensors = (*model.tensors, drqsim.Tensor("whole", (1, 10), np.dtype(np.int32)))
    cast = drqsim.Operator("CAST", "cast_0", model.outputs, (len(model.tensors),), {})
    whole = replace(
        model, tensors=tensors, operators=(*model.operators, cast), outputs=(len(model.tensors),)
    )
    drqsim.save(whole, "f.tflite")
    drqsim.save(drqsim.quantize(whole), "q.tflite")
    said = refused(1, "error", "f.tflite", "q.tflite", "--input", "random")
    assert "int32[1,10] of cast_0" in said and "pass --no-end-to-end." in said
    assert run("error", "f.tflite", "q.tflite", "--input", "random", "--no-end-to-end")[0] == 0
    np.save("double.npy", np.zeros((1, 8, 8, 1)))
    assert "Save it as float32." in refused(1, "trace", DRQ, "--input", "double.npy")
    monkeypatch.delitem(drqsim.ops.TABLE, "SOFTMAX")
    assert refused(1, "trace", DRQ, "--input", "random") == (
        "Error: This model uses SOFTMAX, which drqsim cannot run.\n"
    )


def test_no_python_is_left_in_a_sentence():
    for said in (
        "replace NaN and infinity first, or pass allow_nonfinite=True to see",
        "so its error has no parts; choose another with output=, or pass end_to_end=False.",
        "which is not simulated; use kernels='reference'.",
        "Convert it with .astype(numpy.float32).",
        "cannot run; run one of its supported operators alone with graph.extract(name).",
        "cannot write; extract its other operators one by one with graph.extract(name).",
    ):
        assert PYTHON.search(said) and not PYTHON.search(for_the_terminal(said)), said
    assert for_the_terminal("there is nothing to run.") == "there is nothing to run."
