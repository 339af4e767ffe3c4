"""What is fed to a model: arrays, archives, pictures, random numbers."""

from pathlib import Path

import numpy as np
import pytest

import drqsim
from drqsim.cli.inputs import read_inputs
from tests.kit.command import DRQ, refused, run


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
