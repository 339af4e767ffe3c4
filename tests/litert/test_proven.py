"""The support table: no operator is missing, and what it calls exact on this machine is exact."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drqsim import InputError, litert, processor
from drqsim.litert.bounds import BOUNDS, SIGN_OF_ZERO
from drqsim.litert.proven import BOUNDED, EXACT, INT4, INT8, INTEGER, NOT_PROVEN, Share
from drqsim.ops import TABLE, TAKE_INT4
from drqsim.ops.integer import shared as integer
from drqsim.processor import PROCESSORS
from tests.kit.recurrent import hybrid_lstm, hybrid_rnn, hybrid_svdf
from tests.kit.strategies import (
    HYBRID_LAYERS,
    KERNELS,
    hybrid_convolutions,
    hybrid_dense,
    int4,
)

ROWS = litert.support_table().rows
# what draws layers of a row with codes, for a kernel path
DRAWN = {(name.upper(), INT8): layers for name, layers in HYBRID_LAYERS.items()} | {
    ("CONV_2D", INT4): lambda kernels: int4(hybrid_convolutions, kernels),
    ("FULLY_CONNECTED", INT4): lambda kernels: int4(hybrid_dense, kernels),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", INT8): lambda kernels: hybrid_lstm(),
    ("UNIDIRECTIONAL_SEQUENCE_RNN", INT8): lambda kernels: hybrid_rnn(),
    ("RNN", INT8): lambda kernels: hybrid_rnn().filter(lambda case: _code(case) == "RNN"),
    ("SVDF", INT8): lambda kernels: hybrid_svdf(),
}


def _code(case) -> str:
    return case[0].operators[0].code


def here() -> str:
    """The row of the table of processors whose kernels this machine has."""
    found = processor.native()
    usual = "arm64" if found.neon else "x86-64"
    return found.name if found.name in PROCESSORS else usual


def test_every_operator_has_a_row_of_every_kind_that_it_has():
    told = {(row.operator, row.kind) for row in ROWS}
    assert len(told) == len(ROWS)
    assert {row.operator for row in ROWS} == set(TABLE)
    of_kind = {kind: {op for op, of in told if of == kind} for kind in (INT8, INT4, INTEGER)}
    assert of_kind[INTEGER] == set(integer.OPERATORS)
    assert of_kind[INT4] <= set(TAKE_INT4)
    assert {name.upper() for name in HYBRID_LAYERS} <= of_kind[INT8]


def test_every_cell_says_one_of_four_things():
    for row in ROWS:
        for name in PROCESSORS:
            cell = row.on(name)
            if isinstance(cell, Share):
                assert 0 <= cell.equal <= cell.cases and cell.cases >= 100, row
            else:
                assert cell in (EXACT, BOUNDED, NOT_PROVEN), row


def test_what_a_bound_excuses_is_not_called_exact():
    bounded = {code for code, _ in BOUNDS | SIGN_OF_ZERO}
    for row in ROWS:
        if row.kind not in (INT8, INT4, INTEGER):
            for name in ("x86-64", "x86-64-vnni"):
                assert row.on(name) == (BOUNDED if row.operator in bounded else EXACT), row


@pytest.mark.parametrize("of", DRAWN, ids=" ".join)
@given(data=st.data())
def test_what_is_exact_on_this_machine_has_the_bits_of_the_runtime(of, data):
    (row,) = (row for row in ROWS if (row.operator, row.kind) == of)
    kernels = data.draw(st.sampled_from(KERNELS))
    graph, x = data.draw(DRAWN[of](kernels))
    try:
        comparison = litert.compare(graph, x, kernels)
    except InputError as error:  # a state that grows without bound leaves float32 behind
        assert "a range that float32 cannot hold" in str(error)
        assume(False)
    assume(not any("a range that float32 cannot hold" in note for note in comparison.notes))
    assert comparison.exact or row.on(here()) != EXACT, f"\n{graph}\n{comparison}"


def test_it_prints_every_processor_and_operator():
    text = repr(litert.support_table())
    assert all(name in text for name in PROCESSORS)
    assert all(name in text for name in TABLE)
    assert max(map(len, text.splitlines())) < 130
