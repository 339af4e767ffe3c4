"""Operators with too few, too many or absent inputs: the runtime's word on each."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.ops import TABLE, counts
from tests.kit import one_operator, recurrent
from tests.kit.float_cases import GENERATORS, cases
from tests.kit.places import CASES

RECURRENT = {
    "lstm": recurrent.hybrid_lstm(),
    "rnn": recurrent.hybrid_rnn(),
    "svdf": recurrent.hybrid_svdf(),
}
REFUSED = ("floor_absent_input", "segv_1031", "segv_1101", "split_zero")

COUNTS = re.compile(r"Num(In|Out)puts|(in|out)puts->size|num_inputs|was optional but was expected")


def changed(graph, draw):
    """The graph of one operator, with other inputs or outputs than it has."""
    (op,) = graph.operators
    inputs, outputs = list(op.inputs), list(op.outputs)
    at = draw(st.integers(0, len(inputs) - 1))
    how = draw(st.sampled_from(("none", "left out", "last twice", "cut", "output twice", "none")))
    if how == "left out":
        inputs[at] = -1
    elif how == "last twice":
        inputs.append(inputs[-1])
    elif how == "cut":
        del inputs[at:]
    elif how == "output twice":
        outputs.append(outputs[-1])
    return replace(op, inputs=tuple(inputs), outputs=tuple(outputs))


def refusal(graph, op) -> str:
    """What the runtime says against the operator; nothing if it takes it."""
    try:
        litert.read_memory(replace(graph, operators=(op,)), "optimized")
    except drqsim.ModelFileError as error:
        return str(error)
    return ""


def sized(case):
    bare, fed = one_operator.graph(case)
    outputs, _ = drqsim.run(bare, fed)
    return one_operator.graph(case, [y.shape for y in outputs.values()])[0]


@pytest.mark.parametrize("code", sorted(GENERATORS))
@settings(max_examples=6)
@given(data=st.data())
def test_counts_of_float_operators(code, data):
    graph = sized(data.draw(cases(code)))
    op = changed(graph, data.draw)
    said = refusal(graph, op)
    if counts.why_refused(op):
        assert said, (graph, op)
    else:  # another reason: an input twice may have a type that it must not have there
        assert not COUNTS.search(said), (graph, op, said)


@pytest.mark.parametrize("name", RECURRENT)
@settings(max_examples=15)
@given(data=st.data())
def test_counts_of_recurrent_operators(name, data):
    graph = data.draw(RECURRENT[name])[0]
    op = changed(graph, data.draw)
    if counts.why_refused(op):  # what else may be left out depends on the other inputs
        assert refusal(graph, op), (graph, op)


def test_every_operator_of_the_table_has_its_counts():
    assert set(counts.INPUTS) <= set(TABLE)


@pytest.mark.parametrize("kernels", ("reference", "optimized", "xnnpack"))
@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_the_runtime_refuses_has_no_plan(name, kernels):
    graph = drqsim.load(CASES / f"{name}.tflite")
    with pytest.raises(drqsim.ModelFileError, match="the runtime refuses the model"):
        drqsim.plan_memory(graph, kernels)
