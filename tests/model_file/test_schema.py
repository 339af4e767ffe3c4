"""What the schema's tables say of an operator's options, held against the ``tflite`` package."""

import pytest
import tflite

import drqsim
from drqsim import litert, ops
from drqsim.model_file.read import parse
from drqsim.model_file.schema import OPTIONS, UNKNOWN_FIELDS, WITHOUT_OPTIONS, camel
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
