"""``drqsim memory`` and the report, for shapes that the file leaves open."""

import json

import numpy as np
import pytest

from drqsim.model_file.write import to_bytes
from tests.kit.command import DRQ, run
from tests.kit.memory_net import Net
from tests.kit.places import CASES

FREE = CASES / "fully_conv_dynamic_hw_drq.tflite"
NAME = "serving_default_keras_tensor_59:0"


@pytest.mark.parametrize("spec", ("1,20,17,3", f"{NAME}=1,20,17,3"))
def test_a_shape_on_the_command_line(spec):
    status, out, error = run("memory", FREE, "--input-shape", spec)
    assert (status, error) == (0, "")
    assert "planned for float32[1,20,17,3]." in out and "arena: 175,928 bytes" in out
    data = json.loads(run("memory", FREE, "--input-shape", spec, "--json")[1])
    assert data["input_shapes"] == {NAME: [1, 20, 17, 3]} and data["arena_bytes"] == 175_928


def test_without_a_shape_none_can_run():
    status, out, error = run("memory", FREE)
    assert (status, out) == (1, "")
    assert "float32[1,1,1,3], the model cannot run" in error
    assert error.rstrip().endswith("Pass --input-shape with the shape to plan for.")


def test_the_model_to_compare_with_has_the_same_shape():
    status, out, _ = run("memory", FREE, "--compare", FREE, "--input-shape", "1,20,17,3")
    assert status == 0 and "175,928     175,928" in out


@pytest.mark.parametrize(
    ("specs", "says"),
    (
        (["a=1,2"], "no input 'a'"),
        (["1,x"], "'1,x' is no list of whole numbers"),
        (["1,0,2"], "expected positive numbers"),
        (["1,-2"], "no list of whole numbers"),
        (["1,99999,99999,3"], "at most 268,435,456 elements"),
        (["1,2000,2000,3"], "give a smaller shape"),
        (["1,2,2,3"], "cannot run with float32[1,2,2,3]"),
        (["1,20,17"], "float32[1,20,17]"),
        (["1,9,9,3", "1,9,9,3"], "given two shapes"),
    ),
)
def test_shapes_that_make_no_sense(specs, says):
    options = [part for spec in specs for part in ("--input-shape", spec)]
    status, out, error = run("memory", FREE, *options)
    assert (status, out) == (1, "") and says in error and error.count("\n") == 1


def test_several_inputs_are_named(tmp_path):
    net = Net(0, 0)
    net.add("ADD", (net.input(2, 3), net.input(2, 3)), (2, 3))
    path = tmp_path / "two.tflite"
    path.write_bytes(to_bytes(net.graph(shuffled=False)))
    status, _, error = run("memory", path, "--input-shape", "4,3")
    assert status == 1 and "This model has 2 inputs; say which one" in error
    shapes = [f for n in (0, 1) for f in ("--input-shape", f"tensor {n}=4,3")]
    status, out, _ = run("memory", path, *shapes)
    assert status == 0 and "float32[4,3] for 'tensor 0', float32[4,3] for 'tensor 1'" in out


def test_a_report_plans_for_what_it_is_fed(tmp_path):
    path = tmp_path / "r.md"
    given = ["--format", "md", "-o", path]
    status, _, error = run("report", FREE, "--input", CASES / "x20.npy", *given)
    assert (status, error) == (0, "")
    text = path.read_text()
    assert "the arena takes 175,928 bytes" in text
    assert "Planned for float32\\[1,20,17,3\\]." in text


def test_a_report_of_a_larger_picture_and_its_float_model(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 30, 10, 3), np.float32))
    path = tmp_path / "r.json"
    given = ["--input", tmp_path / "x.npy", "--format", "json", "-o", path]
    assert run("report", FREE, "--float", FREE, *given)[0] == 0
    data = json.loads(path.read_text())
    for plan in (data["memory"], data["float_memory"]):
        assert plan["input_shapes"] == {NAME: [2, 30, 10, 3]}
    wanted = run("memory", FREE, "--input-shape", "2,30,10,3", "--json")[1]
    assert data["memory"]["blocks"] == json.loads(wanted)["blocks"]


def test_a_file_that_leaves_nothing_open_can_have_another_shape():
    status, out, _ = run("memory", DRQ, "--input-shape", "5,8,8,1")
    assert status == 0 and "planned for float32[5,8,8,1]." in out and "arena: 382,720 bytes" in out
    assert "arena: 76,544 bytes" in run("memory", DRQ)[1]
