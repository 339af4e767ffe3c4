"""Reading is linear in the file: what many tables refer to is read once, and takes memory once."""

import time
import tracemalloc

import numpy as np
import pytest

import drqsim
from drqsim.model_file.tensors import EXTERNAL_BUFFER, Places
from tests.kit import large_files


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


def test_a_code_of_many_references_is_read_once():
    data = large_files.operator_codes()
    began = time.process_time()
    assert drqsim.load(data).operators == ()
    assert time.process_time() - began < 5


def test_an_operator_may_be_named_often():
    graph = drqsim.load(large_files.shared_operator(reads=2, count=1000))
    assert len(graph.operators) == 1000
    assert graph.operators[999].name == "relu_999" and graph.operators[999].inputs == (0, 0)


def test_vectors_that_repeat_past_reason_are_refused():
    with pytest.raises(drqsim.ModelFileError, match="its operators overlap or repeat"):
        drqsim.load(large_files.shared_operator())


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
