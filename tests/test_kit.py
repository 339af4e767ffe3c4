"""What the tests share stands in tests/kit, and its builder of one operator is right."""

import ast

import numpy as np

from drqsim.graph import Tensor
from tests.kit.one_operator import one_operator, with_options
from tests.kit.places import TESTS


def test_tests_import_from_the_kit_alone():
    for file in TESTS.rglob("*.py"):
        if "golden" in file.parts:  # programs that make what lies there
            continue
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        named = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        own = {name for name in named if name.partition(".")[0] == "tests"}
        assert all(f"{name}.".startswith("tests.kit.") for name in own), (file.name, own)


def test_operands_by_position_and_left_out():
    state = Tensor("state", (2,), np.dtype(np.float32), is_variable=True)
    graph = one_operator("RNN", {0: (1, 3), 4: state, 2: np.ones(3, np.int8)}, [(1, 2)], rank=2)
    (op,) = graph.operators
    assert (op.inputs, op.outputs, dict(op.options)) == ((0, -1, 2, -1, 1), (3,), {"rank": 2})
    assert (graph.inputs, graph.outputs) == ((0,), (3,))
    assert [t.name for t in graph.tensors] == ["x", "state", "constant_2", "y"]
    assert dict(with_options(graph, rank=3).operators[0].options) == {"rank": 3}
    twice = one_operator("ADD", [graph.tensors[0], None, graph.tensors[0]], [(1, 3)])
    assert (twice.operators[0].inputs, twice.inputs) == ((0, -1, 0), (0,))
