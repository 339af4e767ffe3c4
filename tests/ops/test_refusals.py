"""Operators with too few, too many or absent inputs: the runtime's word on each."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.ops import TABLE, counts, refusals
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
    if refusals.why_refused(graph, op, "optimized"):
        assert said, (graph, op)
    else:  # another reason: an input twice may have a type that it must not have there
        assert not COUNTS.search(said), (graph, op, said)


@pytest.mark.parametrize("name", RECURRENT)
@settings(max_examples=15)
@given(data=st.data())
def test_counts_of_recurrent_operators(name, data):
    graph = data.draw(RECURRENT[name])[0]
    op = changed(graph, data.draw)
    if refusals.why_refused(
        graph, op, "optimized"
    ):  # what else may be left out depends on the other inputs
        assert refusal(graph, op), (graph, op)


WRONG = (0, 1, 2, 4, 6, 21)


def _numbers(counts):
    return (0,) if isinstance(counts, str) else counts


def given_so_many(code, input, output):
    return one_operator.one_operator(code, [(1, 4)] * input, [(1, 4)] * output)


def _words(why):
    """The runtime's own, which stand behind ours."""
    ours, colon, said = why.partition(": ")
    assert ours and said
    return re.escape(said)


@pytest.mark.parametrize("code", sorted(counts.CHECKS))
def test_the_reason_is_what_the_runtime_says(code):
    checks = counts.CHECKS[code]
    right = {
        check.side: max(n for n in range(25) if n in _numbers(check.counts)) for check in checks
    }
    for check in checks:
        for number in [n for n in WRONG if n not in _numbers(check.counts)]:
            graph = given_so_many(code, **right | {check.side: number})
            (op,) = graph.operators
            why = refusals.why_refused(graph, op, "optimized")
            assert why
            with pytest.raises(drqsim.ModelFileError, match=_words(why)):
                litert.read_memory(graph, "optimized")
            fed = {name: np.ones((1, 4), np.float32) for name in graph.input_names}
            with pytest.raises(drqsim.ModelFileError, match=re.escape(why)):
                drqsim.run(graph, fed)
            assert drqsim.explain(graph, "optimized")[op.name].why == why


@pytest.mark.parametrize("code", sorted(refusals.DIMENSIONS))
def test_the_reason_for_a_number_of_dimensions_is_what_the_runtime_says(code):
    inputs = max(n for n in range(1, 6) if n in counts.CHECKS[code][0].counts)
    graph = given_so_many(code, inputs, 1)
    why = refusals.why_refused(graph, graph.operators[0], "reference")
    assert why.endswith((" (2 != 4)", " (2 != 3)", " (2 != 1)"))
    with pytest.raises(drqsim.ModelFileError, match=_words(why)):
        litert.read_memory(graph, "reference")


def test_a_convolution_without_a_bias_is_refused():
    filters = np.ones((2, 1, 1, 4), np.float32)
    graph = one_operator.one_operator("CONV_2D", [(1, 2, 2, 4), filters], [(1, 2, 2, 2)])
    graph = one_operator.with_options(graph, stride_w=1, stride_h=1)
    why = refusals.why_refused(graph, graph.operators[0], "optimized")
    with pytest.raises(drqsim.ModelFileError, match=_words(why)):
        litert.read_memory(graph, "optimized")


def test_every_operator_of_the_table_is_counted():
    assert set(counts.CHECKS) == set(TABLE)


@pytest.mark.parametrize("kernels", ("reference", "optimized", "xnnpack"))
@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_the_runtime_refuses_has_no_plan(name, kernels):
    graph = drqsim.load(CASES / f"{name}.tflite")
    with pytest.raises(drqsim.ModelFileError, match="the runtime refuses the model"):
        drqsim.plan_memory(graph, kernels)


@pytest.mark.parametrize("kernels", ["reference", "optimized", "xnnpack"])
def test_a_variable_with_values_in_the_file(kernels):
    graph = recurrent.rnn(np.random.default_rng(0), None, 2, 3, 4)
    tensors = [
        replace(t, value=np.ones(t.shape, t.dtype)) if t.is_variable else t for t in graph.tensors
    ]
    filled = replace(graph, tensors=tuple(tensors))
    x = np.ones((2, 3), np.float32)
    drqsim.run(graph, x, kernels)
    for run in (drqsim.run, litert.run):
        with pytest.raises(drqsim.ModelFileError, match="is a variable tensor with buffer"):
            run(filled, x, kernels)
