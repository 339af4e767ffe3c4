"""What the schema's tables say of an operator's options, held against the ``tflite`` package."""

import pytest
import tflite

import drqsim
from drqsim import litert, ops
from drqsim.model_file.read import parse
from drqsim.model_file.schema import (
    OPTIONS,
    UNKNOWN_FIELDS,
    WITHOUT_OPTIONS,
    camel,
)
from drqsim.model_file.tensors import EXTERNAL_BUFFER
from drqsim.model_file.write import to_bytes
from tests.kit.places import CASES

GENERATED = {name.lower(): name for name in dir(tflite) if name.endswith("Options")}


def fields(table: str) -> set[str]:
    """The fields of an options table, as the package's encoder knows them."""
    adds = f"{table}Add"
    return {name.removeprefix(adds) for name in dir(tflite) if name.startswith(adds)}


def test_every_operator_that_runs_can_be_written():
    assert set(ops.TABLE) <= set(OPTIONS) | WITHOUT_OPTIONS
    assert not WITHOUT_OPTIONS & set(OPTIONS)


@pytest.mark.parametrize("code", sorted(WITHOUT_OPTIONS))
def test_an_operator_without_options_has_an_empty_table_or_none(code):
    assert hasattr(tflite.BuiltinOperator, code)
    table = GENERATED.get(f"{camel(code).lower()}options")
    assert table is None or fields(table) == set()


@pytest.mark.parametrize("code", sorted(OPTIONS))
def test_the_options_are_the_schema_s_own(code):
    table, listed = OPTIONS[code]
    known = fields(table)
    assert {camel(field) for field in set(listed) - set(UNKNOWN_FIELDS)} <= known
    # the generated code ends before a field that it does not know
    assert all(UNKNOWN_FIELDS[f] >= len(known) for f in set(listed) & set(UNKNOWN_FIELDS))


def test_a_field_that_the_generated_code_does_not_know_is_kept():
    case = drqsim.load(CASES / "fc_quant_spec.tflite")
    assert case.operators[0].options["quant_spec"] == b"\1\0\0\0"
    again = parse(to_bytes(case))
    assert again.operators[0].options == case.operators[0].options
    assert litert.delegated(case) == litert.delegated(again) == set()


def known(module, name: str) -> set[str]:
    """The fields of a table, by the functions that read them."""
    ends = ("AsNumpy", "Length", "IsNone")
    return {f for f in vars(getattr(module, name)) if f[0].isupper() and not f.endswith(ends)}


def test_of_what_the_runtime_knows_no_other_field_is_overlooked():
    from ai_edge_litert import schema_py_generated as runtime

    tables = {table for table, _ in OPTIONS.values()}
    tables |= {"Buffer", "Operator", "OperatorCode", "QuantizationParameters", "Tensor"}
    for table in tables:
        more = {camel(f) for f in UNKNOWN_FIELDS} if table == "FullyConnectedOptions" else set()
        more |= {"ExternalBuffer"} if table == "Tensor" else set()
        assert known(runtime, table) - known(tflite, table) == more, table


def test_a_tensor_in_another_file_is_refused():
    from flatbuffers import Builder

    builder = Builder(64)
    slot = (EXTERNAL_BUFFER - 4) // 2
    builder.StartObject(slot + 1)
    builder.PrependUint32Slot(slot, 1, 0)
    tensor = builder.EndObject()
    tflite.SubGraphStartTensorsVector(builder, 1)
    builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors)
    subgraph = tflite.SubGraphEnd(builder)
    tflite.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(subgraph)
    subgraphs = builder.EndVector()
    tflite.ModelStart(builder)
    tflite.ModelAddSubgraphs(builder, subgraphs)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    with pytest.raises(drqsim.UnsupportedOperatorError, match="lies in another file"):
        drqsim.load(bytes(builder.Output()))
