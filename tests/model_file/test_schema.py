"""What the schema's tables say of an operator's options, held against the ``tflite`` package."""

import pytest
import tflite

from drqsim import ops
from drqsim.model_file.schema import OPTIONS, WITHOUT_OPTIONS, camel

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
    assert {camel(field) for field in listed} <= fields(table)
