"""What is proven on which processor: the support table, as data.

A cell is about the pinned runtime, on that processor or in an emulation of it, and about all three
kernel paths together:

``exact``
    Of every random layer that the tests draw, every element of every output has the runtime's bits,
    and so has what lies in readable scratch. ``make test`` demands it on the machine that it runs
    on, ``make check-arm64`` on emulated cores; ``tests/litert/test_proven.py`` reads this table.
a share
    So many random layers of so many had the runtime's bits in every output.
``bounded``
    Float operators alone: ``drqsim.litert.bounds`` says why they may differ, and how far.
``not proven``
    Nobody has held it against the runtime there, or a difference is known that no rule explains.
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap
from typing import NamedTuple

from drqsim.litert.bounds import BOUNDS, SIGN_OF_ZERO
from drqsim.ops import TABLE
from drqsim.processor import PROCESSORS
from drqsim.tables import Printed, Printout, Table, text_table

WIDTH = 44  # of the names of operators in one line
EXACT, BOUNDED, NOT_PROVEN = "exact", "bounded", "not proven"


class Share(NamedTuple):
    """Random layers with the runtime's bits in every output, of those that were drawn.

    ``draft`` marks figures of the rules as they were found, before they became drqsim's own.
    """

    equal: int
    cases: int
    draft: bool = False

    def __str__(self) -> str:
        return f"{self.equal:,} of {self.cases:,}" + " *" * self.draft


class Row(NamedTuple):
    """An operator, what its weights or activations are, and a cell for each processor."""

    operator: str
    kind: str
    x86_64: str | Share
    x86_64_vnni: str | Share
    arm64: str | Share
    arm64_dotprod: str | Share
    arm64_i8mm: str | Share

    def on(self, processor: str) -> str | Share:
        """The cell of a row of ``drqsim.processor``'s table."""
        return self[2 + list(PROCESSORS).index(processor)]


def draft(equal: int, cases: int) -> Share:
    """A share of the rules as they were found."""
    return Share(equal, cases, draft=True)


INT8, INT4, INTEGER = "int8 weights", "int4 weights", "full integer"
NO = NOT_PROVEN
SEQUENCE_RNN, LSTM = "UNIDIRECTIONAL_SEQUENCE_RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM"
# fmt: off
WITH_CODES = (
#                              x86-64 -vnni  arm64  -dotprod -i8mm
Row("CONV_2D",           INT8, EXACT, EXACT, EXACT, EXACT, EXACT),
Row("DEPTHWISE_CONV_2D", INT8, EXACT, EXACT, EXACT, EXACT, EXACT),
Row("FULLY_CONNECTED",   INT8, EXACT, EXACT, EXACT, EXACT, EXACT),
Row("BATCH_MATMUL",      INT8, EXACT, EXACT, EXACT, EXACT, EXACT),
Row("TRANSPOSE_CONV",    INT8, EXACT, EXACT, EXACT, EXACT, EXACT),
Row("FULLY_CONNECTED",   INT4, EXACT, EXACT, EXACT, EXACT, EXACT),
Row("CONV_2D",           INT4, EXACT, EXACT, EXACT, EXACT, EXACT),
Row("EMBEDDING_LOOKUP",  INT8, EXACT, EXACT, EXACT, EXACT, EXACT),
Row("RNN",               INT8, EXACT, EXACT, EXACT, EXACT, EXACT),
Row(SEQUENCE_RNN,        INT8, EXACT, EXACT, EXACT, EXACT, EXACT),
Row(LSTM,                INT8, EXACT, EXACT, EXACT, EXACT, EXACT),
Row("SVDF",              INT8, EXACT, EXACT, EXACT, EXACT, EXACT),
Row("CONV_2D",           INTEGER, EXACT, EXACT, NO, NO, NO),
Row("DEPTHWISE_CONV_2D", INTEGER, EXACT, EXACT, NO, NO, NO),
Row("FULLY_CONNECTED",   INTEGER, EXACT, EXACT, NO, NO, NO),
)
# fmt: on
FLOAT, REST = "float32", "no weights"
OTHERS_ON_ARM64 = (NOT_PROVEN,) * 3  # float32, and operators without weights
# of these 40 random layers on each path (of ELU 60 on its two), on a core of each class
MEASURED_ON_ARM64 = frozenset(
    "ABS AVERAGE_POOL_2D BATCH_MATMUL CONV_2D COS ELU EXP FLOOR FULLY_CONNECTED GELU HARD_SWISH "
    "L2_NORMALIZATION LEAKY_RELU LOG LOGISTIC LOG_SOFTMAX MEAN NEG POW PRELU REDUCE_MAX REDUCE_MIN "
    "RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 RESIZE_BILINEAR RSQRT SIN SOFTMAX SQRT SQUARE SUM TANH "
    "TRANSPOSE_CONV".split()
)
# and two of 120 of these had a zero of the other sign
ZEROS_ON_ARM64 = frozenset({"DEPTHWISE_CONV_2D"})


def rows() -> list[Row]:
    """Every operator that drqsim runs: those with codes, then the others by what bounds them."""
    return [*WITH_CODES, *map(_other, sorted(set(TABLE) - _ONLY_WITH_CODES))]


_ONLY_WITH_CODES = {"EMBEDDING_LOOKUP", "RNN", SEQUENCE_RNN, LSTM, "SVDF"}


def _other(operator: str) -> Row:
    """An operator in float32, or without weights; on x86-64 the bounds say what is proven."""
    has_weights = any(row.operator == operator for row in WITH_CODES)
    on_x86 = BOUNDED if any(code == operator for code, _ in BOUNDS | SIGN_OF_ZERO) else EXACT
    measured = operator in MEASURED_ON_ARM64
    on_arm64 = (Share(120, 120),) * 3 if measured else OTHERS_ON_ARM64
    on_arm64 = (Share(118, 120),) * 3 if operator in ZEROS_ON_ARM64 else on_arm64
    return Row(operator, FLOAT if has_weights else REST, on_x86, on_x86, *on_arm64)


NOTES = {
    BOUNDED: "bounded: drqsim.litert.bounds says why these may differ, and how far.",
    Share: "*: random layers with the runtime's bits, by the rules as they were found at first.",
}


class SupportTable(Printed):
    """The support table; prints with operators of one kind and the same cells on one line."""

    def __init__(self, rows: Iterable[Row]):
        self.rows = list(rows)

    def __repr__(self) -> str:
        """As text with the names of the operators on several lines, as they are many."""
        (table,), notes, _ = self._printed()
        lines = []
        for names, *cells in table.rows:
            first, *more = wrap(names, WIDTH)
            lines.append((first, *cells))
            lines += [(line, *[""] * len(cells)) for line in more]
        return "\n".join([text_table(table.header, lines), *notes])

    def _printed(self) -> Printout:
        alike: dict[tuple, list[str]] = {}
        for row in self.rows:
            alike.setdefault(row[1:], []).append(row.operator)
        cells = [(", ".join(names), *map(str, same)) for same, names in alike.items()]
        shown = {cell for same in alike for cell in same}
        notes = [NOTES[BOUNDED]] * (BOUNDED in shown)
        notes += [NOTES[Share]] * any(isinstance(cell, Share) and cell.draft for cell in shown)
        return Printout([Table(("operator", "", *PROCESSORS), cells)], notes)


def support_table() -> SupportTable:
    """What is proven of every operator on every processor.

    Returns
    -------
    SupportTable
        Its ``rows`` have a cell for each processor: ``exact``, a share of random layers,
        ``bounded``, or ``not proven``.
    """
    return SupportTable(rows())
