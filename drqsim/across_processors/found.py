"""The results of ``compare_processors``: operators on two processors, each judged twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from drqsim.arithmetic.apart import difference, same_bits
from drqsim.errors import InputError
from drqsim.tables import Printed, Printout, Table


class Flip(NamedTuple):
    """A value of an operator's input that gets another code on the other processor.

    Attributes
    ----------
    tensor : str
        ``input_quantized``, or another of the operator's records.
    position : tuple of int
        In it.
    first, second : int
        ``code - zero point`` on each processor: how many steps of the scale it stands for.
    """

    tensor: str
    position: tuple[int, ...]
    first: int
    second: int


@dataclass(frozen=True)
class Row:
    """One operator on two processors, judged twice.

    Attributes
    ----------
    operator, arithmetic : str
        Its name, and what it computes in, as in ``drqsim.explain``.
    families : pair of str
        The family of kernels that runs it on each processor; empty where it is not known.
    code_types : pair of str
        ``int8`` or ``uint8``: the type of the codes that it makes of what it reads.
    elements, equal : int
        Of its outputs, with the same values fed on both: how many, and how many have the same bits.
    apart : float
        The largest difference there, divided by the range of the first processor's output (zero
        included).
    codes, flipped : int
        The codes that it makes of those values, and how many stand for other numbers.
    flips : tuple of Flip
        The first of them, at most a thousand.
    equal_through, apart_through, flipped_through
        The same through the whole model, where what it reads may differ too.
    """

    operator: str
    arithmetic: str
    families: tuple[str, str]
    code_types: tuple[str, str]
    elements: int
    equal: int
    apart: float
    codes: int
    flipped: int
    flips: tuple[Flip, ...]
    equal_through: int
    apart_through: float
    flipped_through: int

    @property
    def differs(self) -> bool:
        """Whether its own kernel gives other bits of the same values."""
        return self.equal < self.elements or self.flipped > 0


class ProcessorComparison(Printed):
    """The operators of a model on two processors; prints as a table.

    ``processors`` are their names, ``kernels`` the kernel path, ``first`` and ``second`` the
    model's outputs by name; iterating gives the operators, ``found["conv_2d_0"]`` one of them.
    """

    def __init__(
        self,
        rows: list[Row],
        kernels: str,
        processors: tuple[str, str],
        first: dict[str, np.ndarray],
        second: dict[str, np.ndarray],
    ):
        self.rows, self.kernels, self.processors = rows, kernels, processors
        self.first, self.second = first, second

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, operator: str) -> Row:
        for row in self:
            if row.operator == operator:
                return row
        known = ", ".join(row.operator for row in self)
        raise InputError(f"Nothing was compared of {operator!r}; there is: {known}.")

    @property
    def differing(self) -> list[str]:
        """The operators whose own kernels give other bits of the same values."""
        return [row.operator for row in self if row.differs]

    @property
    def same(self) -> bool:
        """True when no output of an operator has other bits, from end to end."""
        return all(row.equal_through == row.elements for row in self) and not self.differing

    def tables(self) -> list[Table]:
        """Every operator fed with the same values; then those that differ through the model."""
        fed = [
            (
                row.operator,
                *_counts(row.elements, row.elements - row.equal, row.apart),
                *(_counts(row.codes, row.flipped) if row.codes else ("", "")),
                *row.families,
            )
            for row in self
        ]
        through = [
            (
                row.operator,
                *_counts(row.elements, row.elements - row.equal_through, row.apart_through),
                *(_counts(row.codes, row.flipped_through) if row.codes else ("", "")),
            )
            for row in self
            if row.equal_through < row.elements or row.flipped_through
        ]
        of_both = ("operator", *_COUNTS, *self.processors)
        whole = Table(("operator", *_COUNTS), through, range(1, 6), title=THROUGH)
        return [Table(of_both, fed, range(1, 6), title=FED), *([whole] if through else [])]

    def summary(self) -> list[str]:
        """Sentences on the whole."""
        fed = f"Fed with the same values, {len(self.differing)} of {len(self)} operators"
        codes = sum(row.codes for row in self)
        flips = [sum(getattr(row, key) for row in self) for key in ("flipped", "flipped_through")]
        return [
            f"{fed} give other bits on {self.processors[1]} than on {self.processors[0]} "
            f"({self.kernels} kernels), and {flips[0]:,} of {codes:,} codes flip.",
            f"Through the whole model {flips[1]:,} of {codes:,} codes flip.",
            *(self._about(name) for name in self.first),
        ]

    def _about(self, name: str) -> str:
        first, second = self.first[name], self.second[name]
        differ = first.size - int(same_bits(first, second).sum())
        if not differ:
            return f"Output {name!r} is the same, in every element."
        return (
            f"Output {name!r} differs in {differ:,} of {first.size:,} elements, by "
            f"{difference(first, second):.2g} at most; the first's lie from {first.min():.3g} to "
            f"{first.max():.3g}."
        )

    def _printed(self) -> Printout:
        return Printout(self.tables(), self.summary())


def _counts(size: int, other: int, apart: float | None = None) -> tuple[str, ...]:
    return (f"{size:,}", f"{other:,}", *(() if apart is None else (f"{apart:.2g}",)))


FED = "Fed with the same values"
THROUGH = "Through the whole model"
_COUNTS = ("elements", "other bits", "apart", "codes", "flipped")
