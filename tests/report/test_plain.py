"""Results as plain data: the types are those of the file."""

import drqsim
from drqsim.report import plain
from tests.kit.places import MODELS


def test_blocks_of_int4_say_so():
    graph = drqsim.load(MODELS / "digits_int4.tflite")
    blocks = plain.of_plan(drqsim.plan_memory(graph))["blocks"]
    tensors = plain.of_graph(graph)["tensors"]
    packed = [i for i, tensor in enumerate(graph.tensors) if tensor.bits]
    assert packed
    by_index = {block["index"]: block for block in blocks}
    for i in packed:
        assert by_index[i]["dtype"] == tensors[i]["dtype"] == "int4"
