"""Names are not keys: of two tensors with one name, both can be fed and both are returned."""

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.cli.inputs import read_inputs
from drqsim.graph import Graph, Operator, Tensor
from drqsim.names import numbered_names

f32 = np.float32


@pytest.mark.parametrize(
    "names, numbered",
    [
        ("a b", "a b"),
        ("a a a", "a a:1 a:2"),
        ("a a a:1", "a a:2 a:1"),
        ("a:1 a a", "a:1 a a:2"),
        ("a a:1 a a:1", "a a:1 a:2 a:1:1"),
    ],
)
def test_the_second_of_a_name_gets_a_number_that_no_other_has(names, numbered):
    assert numbered_names(names.split()) == tuple(numbered.split())


def subtraction() -> Graph:
    """``x - x:1``, and the second input again: two outputs, both called ``x``."""
    tensors = tuple(Tensor("x", (3,), np.dtype(f32)) for _ in range(3))
    return Graph(tensors, (Operator("SUB", "sub_0", (0, 1), (2,)),), (0, 1), (2, 1))


def test_inputs_and_outputs_of_one_name_stay_two():
    graph = subtraction()
    assert graph.input_names == graph.output_names == ("x", "x:1")
    one, two = np.array([1, 2, 3], f32), np.array([5, 5, 5], f32)
    outputs, _ = drqsim.run(graph, {"x": one, "x:1": two})
    assert outputs["x"].tolist() == [-4, -3, -2]
    assert outputs["x:1"].tolist() == [5, 5, 5]
    theirs = litert.run(graph, {"x": one, "x:1": two}).outputs
    assert {n: v.tolist() for n, v in theirs.items()} == {n: v.tolist() for n, v in outputs.items()}
    with pytest.raises(drqsim.InputError, match=r"\['x'\]; this model has \['x', 'x:1'\]"):
        drqsim.run(graph, {"x": one})


def test_one_tensor_that_is_listed_twice_is_fed_once_and_returned_twice():
    graph = Graph((Tensor("x", (1,), np.dtype(f32)),), (), (0, 0), (0, 0))
    outputs, _ = drqsim.run(graph, np.ones(1, f32))
    assert {name: value.tolist() for name, value in outputs.items()} == {"x": [1], "x:1": [1]}


def test_the_command_line_names_each_of_two(tmp_path):
    np.save(tmp_path / "one.npy", np.ones(3, f32))
    fed, _ = read_inputs(subtraction(), (f"x:1={tmp_path / 'one.npy'}", "random"))
    assert fed["x:1"].tolist() == [1, 1, 1] and fed["x"].tolist() != [1, 1, 1]


def test_a_plan_takes_a_shape_for_each_of_two():
    shapes = {"x": (1,), "x:1": (4,)}
    plan = drqsim.plan_memory(subtraction(), input_shapes=shapes)
    assert [plan[key].nbytes for key in ("x", "x:1", "sub_0/output")] == [4, 16, 16]


def test_a_sentence_on_many_long_names_stays_short():
    many = tuple(Tensor(f"{at} {chr(1) * 300}", (1,), np.dtype(f32)) for at in range(100))
    graph = Graph(many, (), tuple(range(100)), (0,))
    for fed in (np.ones(1, f32), {"x" * 300: np.ones(1, f32)}):
        with pytest.raises(drqsim.InputError, match="and 92 more") as error:
            drqsim.run(graph, fed)
        assert len(str(error.value)) < 2000
