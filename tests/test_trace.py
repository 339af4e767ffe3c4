"""A trace's tensors by index and by the name that they have in the file."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from tests.kit.places import MODELS

f32 = np.float32
PLACES = ("file", "arena", "persistent", "heap", "delegate", "not stored")


@pytest.fixture(scope="module")
def digits():
    graph = drqsim.load(MODELS / "digits_drq.tflite")
    x = np.random.default_rng(0).random(graph.tensors[graph.inputs[0]].shape, f32)
    return graph, x, drqsim.run(graph, x, record=["*/input", "*/output"])[1]


def test_every_tensor_that_flows_is_found_by_its_name(digits):
    graph, x, trace = digits
    for op in graph.operators:
        (index,) = op.outputs
        by_name = trace.tensor(graph.tensors[index].name)
        assert by_name is trace.tensor(index) is trace[f"{op.name}/output"]
        assert by_name.tensor_name == graph.tensors[index].name
    (fed,) = graph.inputs
    assert trace.tensor(graph.tensors[fed].name) is trace.tensor(fed)
    assert np.array_equal(trace.tensor(graph.tensors[fed].name).value, x)


def test_scratch_and_constants_have_no_name_in_the_trace(digits):
    for record in digits[2]:
        flows = record.name in ("input", "output")
        assert (record.tensor_name is not None) == (record.tensor_index is not None) == flows


def test_of_two_tensors_with_one_name_the_first_written_is_meant(digits):
    graph, x, _ = digits
    first, second = graph.operators[0].outputs[0], graph.operators[1].outputs[0]
    tensors = list(graph.tensors)
    tensors[second] = replace(tensors[second], name=tensors[first].name)
    _, trace = drqsim.run(replace(graph, tensors=tuple(tensors)), x)
    assert trace.tensor(tensors[first].name) is trace.tensor(first)
    assert trace.tensor(second) is trace[f"{graph.operators[1].name}/output"]


@pytest.mark.parametrize(("which", "kind"), [(10**6, "index"), ("no such tensor", "name")])
def test_a_tensor_that_was_not_recorded_is_named(digits, which, kind):
    with pytest.raises(drqsim.InputError, match=f"has the {kind} {which!r}"):
        digits[2].tensor(which)


def test_whose_kernels_were_followed_is_said_where_it_is_not_the_usual_processor(digits):
    _, x = digits[:2]
    graph = digits[0]
    usual, arm64 = (drqsim.run(graph, x, "xnnpack", processor=p)[1] for p in ("x86-64", "arm64"))
    assert "kernels of" not in repr(usual) and usual.followed == "xnnpack kernels of x86-64"
    assert repr(arm64).endswith("On the xnnpack kernels of arm64.")
    assert "xnnpack kernels of arm64" in drqsim.figures.layer(arm64, "conv_2d_1").text
    assert "xnnpack kernels" in drqsim.figures.layer(usual, "conv_2d_1").text
    plan = drqsim.plan_memory(graph, "xnnpack")
    assert plan.annotate(arm64).processor == "arm64"


@pytest.mark.parametrize("kernels", drqsim.kernels.KERNELS)
def test_roles_and_places_are_words_of_one_list(kernels):
    for path in sorted(MODELS.glob("*.tflite")):
        graph = drqsim.load(path)
        fed = {
            graph.tensors[i].name: np.zeros(graph.tensors[i].shape, graph.tensors[i].dtype)
            for i in graph.inputs
        }
        for record in drqsim.run(graph, fed, kernels, record="shapes")[1]:
            assert record.role in ("constant", "activation", "scratch", "intermediate")
            assert record.stored in PLACES, record
            assert (record.role == "constant") == (record.stage == "offline")
            assert (record.stored == "file") <= (record.role == "constant")
            assert "not stored" not in repr(record) or "bytes, not stored>" in repr(record)
