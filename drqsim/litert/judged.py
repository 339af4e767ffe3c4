"""The results of ``compare_model``: operators judged twice, outputs from end to end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drqsim.arithmetic.apart import difference, relative, same_bits
from drqsim.errors import InputError
from drqsim.litert.equality import DIFFERENT, EQUAL, verdict_of
from drqsim.tables import Printed, Printout, Table
from drqsim.verdict import has_codes


@dataclass(frozen=True)
class Judged:
    """One operator of a whole model, judged twice.

    Attributes
    ----------
    operator, arithmetic : str
        Its name, and what it computes in, as in ``drqsim.explain``.
    elements, equal : int
        Of its outputs, fed with the runtime's own input: how many, and how many with the runtime's
        bits. Where that could not be compared, these and all that follow are 0.
    fed : float
        The largest difference there, divided by the range of the runtime's output (zero included).
    codes, flipped : int
        The codes that it makes of what it reads, and how many of them stand for other numbers of
        steps (``code - zero point``) in our own run than of the runtime's input.
    apart : float
        The largest difference of its outputs from end to end, divided by the same range.
    bound, of_bound
        As of a ``Row``: what allows its outputs to differ when it is fed with the runtime's input,
        and how much of that is used.
    """

    operator: str
    arithmetic: str
    elements: int
    equal: int
    fed: float
    codes: int
    flipped: int
    apart: float
    bound: str = ""
    of_bound: float = 0.0

    @property
    def verdict(self) -> str:
        """As of a ``Row``; where nothing was compared, empty."""
        return verdict_of(self) if self.elements else ""

    @property
    def is_hybrid(self) -> bool:
        """True where it computes with codes: then its bits are the runtime's."""
        return has_codes(self.arithmetic)

    @property
    def is_exact(self) -> bool:
        """True where every element has the runtime's bits, fed with the runtime's input."""
        return 0 < self.elements == self.equal


@dataclass(frozen=True)
class Output:
    """One output of a model, from end to end.

    Attributes
    ----------
    name : str
    elements, equal : int
        How many values, and how many with the runtime's bits.
    difference : float
        The largest difference.
    low, high : float
        The range of the runtime's values.
    after : tuple of str
        The operators on the way to it that do not give the runtime's bits of the runtime's own
        input, or could not be compared: what may have moved it.
    """

    name: str
    elements: int
    equal: int
    difference: float
    low: float
    high: float
    after: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """``"equal"``; ``"moved"`` by what stands in ``after``; ``"different"`` where nothing
        there excuses it.
        """
        if self.equal == self.elements:
            return EQUAL
        return MOVED if self.after else DIFFERENT


MOVED = "moved"


class ModelComparison(Printed):
    """The operators of a model, each judged twice, and the outputs; prints as a table.

    ``ours`` and ``theirs`` are the model's outputs by name, ``outputs`` holds the one against the
    other, ``notes`` says what could not be compared and why; iterating gives the operators.
    """

    def __init__(
        self,
        rows: list[Judged],
        ours: dict[str, np.ndarray],
        theirs: dict[str, np.ndarray],
        notes: list[str],
        kernels: str,
        after: dict[str, tuple[str, ...]],
    ):
        self.rows, self.ours, self.theirs = rows, ours, theirs
        self.notes, self.kernels, self._after = notes, kernels, after

    def __iter__(self):
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, operator: str) -> Judged:
        for row in self:
            if row.operator == operator:
                return row
        known = ", ".join(row.operator for row in self)
        raise InputError(f"Nothing was compared of {operator!r}; there is: {known}.")

    @property
    def exact(self) -> bool:
        """True when every hybrid operator gives the runtime's bits, fed with its input."""
        return all(row.is_exact for row in self if row.is_hybrid)

    @property
    def codes(self) -> int:
        """How many int8 codes the hybrid operators make of their inputs."""
        return sum(row.codes for row in self)

    @property
    def flipped(self) -> int:
        """How many of them differ from end to end."""
        return sum(row.flipped for row in self)

    @property
    def outputs(self) -> list[Output]:
        """Every output from end to end."""
        return [
            Output(
                name,
                real.size,
                int(same_bits(self.ours[name], real).sum()),
                difference(self.ours[name], real),
                float(real.min(initial=0)),
                float(real.max(initial=0)),
                self._after[name],
            )
            for name, real in self.theirs.items()
        ]

    @property
    def difference(self) -> float:
        """The largest difference of an output from end to end."""
        return max((output.difference for output in self.outputs), default=0.0)

    @property
    def relative_difference(self) -> float:
        """The same, divided by the range of the output (zero included)."""
        parts = (relative(self.ours[name], real) for name, real in self.theirs.items())
        return max(parts, default=0.0)

    def cells(self) -> list[tuple[str, ...]]:
        """One row of text, under ``HEADER``, for each operator."""
        return [
            (
                row.operator,
                row.arithmetic,
                f"{row.elements:,}" if row.elements else "-",
                f"{row.equal:,}" if row.elements else "-",
                f"{row.fed:.2g}" if row.elements else "-",
                f"{row.codes:,}" if row.codes else "-",
                f"{row.flipped:,}" if row.codes else "-",
                f"{row.apart:.2g}" if row.elements else "-",
            )
            for row in self
        ]

    def summary(self) -> list[str]:
        """Sentences on the whole, and the notes."""
        hybrid = [row for row in self if row.is_hybrid]
        exact = sum(row.is_exact for row in hybrid)
        of_hybrid = [
            f"Fed with the runtime's own input, {exact} of {len(hybrid)} hybrid operators give its "
            "bits in every element.",
            f"From end to end {self.flipped:,} of {self.codes:,} codes are flipped.",
        ]
        apart, relative = f"{self.difference:.2g}", f"{self.relative_difference:.2g}"
        of_range = f", {relative} of its range" * (relative != apart)  # the range may be 1
        return [
            *(of_hybrid if hybrid else ["No operator has a hybrid kernel: all is float32."]),
            f"The output is {apart} apart from end to end{of_range}.",
            'In the table, "fed" and "end to end" are in parts of the range of an output.',
            *self.notes,
        ]

    def _printed(self) -> Printout:
        return Printout([Table(HEADER, self.cells(), right=_RIGHT)], self.summary())


HEADER = ("operator", "arithmetic", "elements", "equal", "fed", "codes", "flipped", "end to end")
_RIGHT = tuple(range(2, len(HEADER)))
