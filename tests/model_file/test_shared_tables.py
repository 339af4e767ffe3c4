"""Reading is linear in the file: what many tables refer to is read once, and takes memory once."""

import sys
import time
import tracemalloc
from functools import partial

import numpy as np
import pytest

import drqsim
from drqsim.model_file.tensors import EXTERNAL_BUFFER, Places
from tests.kit import large_files, pace


@pytest.mark.parametrize("make", [large_files.shared_name, large_files.shared_string])
def test_a_name_of_many_tensors_is_one(make):
    graph, most = _loaded(make())
    assert len(graph.tensors) == 1000 and most < 2**25
    assert all(tensor.name is graph.tensors[0].name for tensor in graph.tensors)


def test_a_constant_of_many_tensors_is_one():
    graph, most = _loaded(large_files.shared_buffer())
    assert len(graph.constants) == 1000 and most < 2**25
    places = {tensor.value.__array_interface__["data"] for tensor in graph.tensors}
    assert len(places) == 1 and {read_only for _, read_only in places} == {True}


def test_a_name_of_many_custom_operators_is_one():
    graph, most = _loaded(large_files.shared_custom_code())
    assert len(graph.operators) == 1000 and most < 2**25
    first = graph.operators[0].options["custom_code"]
    assert len(first) == 1 << 16
    assert all(op.options["custom_code"] is first for op in graph.operators)


def test_a_code_of_many_references_is_read_once():
    data = large_files.operator_codes()
    began = time.process_time()
    assert drqsim.load(data).operators == ()
    assert time.process_time() - began < pace.seconds(5)


def test_an_operator_may_be_named_often():
    graph = drqsim.load(large_files.shared_operator(reads=2, count=1000))
    assert len(graph.operators) == 1000
    assert graph.operators[999].name == "relu_999" and graph.operators[999].inputs == (0, 0)


def test_vectors_that_repeat_past_reason_are_refused():
    with pytest.raises(drqsim.ModelFileError, match="its operators overlap or repeat"):
        drqsim.load(large_files.shared_operator())


KINDS = {
    "tensors with one name": large_files.shared_name,
    "names that are one string": large_files.shared_string,
    "constants in one buffer": large_files.shared_buffer,
    "one table of scales": large_files.shared_scales,
    "one operator code": large_files.operator_codes,
    "the name of a custom operator": large_files.shared_custom_code,
    "one table of operators": partial(large_files.shared_operator, 2),
    "a chain of operators": large_files.relu_chain,
    "outputs of an operator": large_files.split_many,
}


@pytest.mark.parametrize("kind", KINDS)
def test_twice_as_much_is_twice_the_steps(kind):
    counted = [_steps(KINDS[kind](count=count)) for count in (500, 1000)]
    assert 500 < counted[0] and counted[1] <= 2.05 * counted[0]


def _steps(data):
    """Calls of functions, of those in C too, while a file is read."""
    calls = 0

    def count(frame, event, called):
        nonlocal calls
        calls += event in ("call", "c_call")

    drqsim.load(data)  # what is read once in a process
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        drqsim.load(data)
    finally:
        sys.setprofile(before)
    return calls


def _loaded(data):
    tracemalloc.start()
    graph = drqsim.load(data)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return graph, most


def test_lists_of_fields_that_overlap_are_kept_in_part():
    """Each claims 64 KiB, and begins two bytes after the other; the file has them once."""
    from flatbuffers.table import Table

    lists = 1000
    data = np.full(2**17, 65534 % 2**16, "<u2").tobytes()
    places = Places(data, "The file")
    for at in range(0, 2 * lists, 2):
        place = 2**17 + 4 * at
        table = Table(data[:place] + np.int32(place - at).tobytes() + data[place + 4 :], place)
        known = places.known(table)
        assert known.Offset(4) == 65534 and known.Offset(EXTERNAL_BUFFER) == 65534
    kept = sum(len(fields) for fields in places._fields.values())
    assert len(places._fields) == lists and kept <= 32 * lists
