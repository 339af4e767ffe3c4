"""Parts of an error: how large each is, where it is worst, and how they print."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from drqsim.errors import InputError
from drqsim.tables import Printed, Printout, Table

INHERITED, WEIGHTS, INPUT, ROUNDING = CAUSES = (
    "inherited",
    "weight rounding",
    "input rounding",
    "float rounding",
)
CLIPPING = "of it clipping"
# dB: below a millionth of the output is what the order of float32 sums makes, which depends on the
# processor; how far below is not printed
FLOAT_NOISE = 120
ERROR = "error"
ORDER = (
    "Order of attribution: inherited, weight rounding, input rounding, float rounding; each is what"
    " changes when it comes on top of those before it, so the parts add up to the error."
)


@dataclass(frozen=True, eq=False)
class Part:
    """One part of an error, over all inputs.

    Attributes
    ----------
    cause : str
    snr : float
        Power of the float output over power of this part in dB, over all inputs; inf where the
        part is zero, -inf where the float output is zero and the part is not.
    lowest, highest : float
        The same for the worst and the best single input.
    share : float
        The part's projection on the whole error, as a fraction of the error's power: the shares of
        all causes add up to 1 (to 0 where there is no error). Negative where a part makes up for
        others.
    largest : float
        The largest absolute value.
    input, position, channel : int, tuple of int, int or None
        Where that is: which input, which element, and the last number of that position.
    values : list of float64 arrays, or None
        The part itself, an array for each input, if it was asked for.
    """

    cause: str
    snr: float
    lowest: float
    highest: float
    share: float
    largest: float
    input: int
    position: tuple[int, ...]
    channel: int | None
    values: list[np.ndarray] | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """An error and its parts.

    Attributes
    ----------
    operator : str
        Whose output it is; ``split_0/output_2`` for a further output.
    error : Part
        The whole.
    parts : dict of Part
        By cause; they add up to ``error``.
    clipping : Part or None
        The part of the input rounding from values whose codes were cut at an end of their range.
    """

    operator: str
    error: Part
    parts: dict[str, Part]
    clipping: Part | None = None


class Tally:
    """Sums up one part over the inputs."""

    def __init__(self, cause: str, keep: bool):
        self.cause = cause
        self.powers: list[tuple[float, float]] = []  # of the signal and of the part, by input
        self.along = self.whole = 0.0
        self.largest, self.where = -1.0, (0, ())
        self.values: list[np.ndarray] | None = [] if keep else None

    def add(self, part: np.ndarray, error: np.ndarray, signal: np.ndarray) -> None:
        """One input's ``part`` of the ``error`` of ``signal``: float64 arrays of one shape."""
        self.powers.append((_power(signal), _power(part)))
        self.along += float(np.vdot(part, error))
        self.whole += _power(error)
        size = np.abs(part)
        if size.size and size.max() > self.largest:
            position = np.unravel_index(int(size.argmax()), size.shape)
            self.largest = float(size.max())
            self.where = len(self.powers) - 1, tuple(int(i) for i in position)
        if self.values is not None:
            self.values.append(part)

    def part(self) -> Part:
        """The part as it stands."""
        each = [_snr(*powers) for powers in self.powers]
        position = self.where[1]
        return Part(
            self.cause,
            _snr(*(sum(column) for column in zip(*self.powers, strict=True))),
            min(each),
            max(each),
            self.along / self.whole if self.whole else 0.0,
            max(self.largest, 0.0),
            self.where[0],
            position,
            position[-1] if position else None,
            self.values,
        )


class Tallies:
    """A row for each operator, a tally for each cause."""

    def __init__(self, keep: bool):
        self.keep, self.tallies = keep, {}

    def add(self, operator: str, parts: dict[str, np.ndarray], own, error, signal) -> None:
        """One input's parts of the operator's ``own`` error, as parts of ``error``."""
        row = self.tallies.setdefault(operator, {})
        for cause, values in ({ERROR: own} | parts).items():
            row.setdefault(cause, Tally(cause, self.keep)).add(values, error, signal)

    def rows(self) -> list[Row]:
        """The rows as they stand."""
        made = []
        for operator, tallies in self.tallies.items():
            parts = {cause: tally.part() for cause, tally in tallies.items()}
            error, clipping = parts.pop(ERROR), parts.pop(CLIPPING, None)
            made.append(Row(operator, error, parts, clipping))
        return made


def _power(x: np.ndarray) -> float:
    return float(np.vdot(x, x))


def _snr(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf


class Attribution(Printed):
    """Where the error of a quantized model arises; prints as tables.

    ``attribution["conv_2d_0"]`` is the row of one operator.

    Attributes
    ----------
    rows : list of Row
        One for each operator's float output: the error there.
    net : list of Row
        One for each operator with weights of its own: what it adds to the error of the final
        output. All their parts add up to ``net_error``.
    net_error : Part or None
        The error of the final output; None if the whole net was not asked for.
    inputs : int
        How many inputs it is taken over.
    hazards : list of (operator, text)
        Known defects that the operators meet, and inputs that they cannot quantize well: what these
        do is among the float rounding and the input rounding.
    """

    def __init__(self, rows, net, net_error, inputs: int, hazards):
        self.rows: list[Row] = rows
        self.net: list[Row] = net
        self.net_error: Part | None = net_error
        self.inputs: int = inputs
        self.hazards: list[tuple[str, str]] = hazards

    def __getitem__(self, operator: str) -> Row:
        for row in self.rows:
            if row.operator == operator:
                return row
        known = ", ".join(row.operator for row in self.rows)
        raise InputError(f"No row for {operator!r}; there are: {known}.")

    def tables(self) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
        """Title, header and rows of each table."""
        rows = [
            (
                row.operator,
                self._dbs(row.error),
                *(_db(row.parts[c].snr) for c in CAUSES),
                *self._worst(row.error),
            )
            for row in self.rows
        ]
        title = "The error of each operator's output, and its parts, as SNR in dB"
        tables = [(title, ("operator", "error", *CAUSES, *_WORST), rows)]
        if self.net_error is not None:
            rows = [
                (row.operator, *(_percent(part.share) for part in (row.error, *row.parts.values())))
                + (self._dbs(row.error), f"{row.error.largest:.3g}")
                for row in self.net
            ]
            sums = [sum(row.parts[c].share for row in self.net) for c in CAUSES[1:]]
            last = self._dbs(self.net_error), f"{self.net_error.largest:.3g}"
            rows.append(("all", *map(_percent, (sum(sums), *sums)), *last))
            title = "What each operator adds to the error of the final output, as shares of it"
            header = ("operator", "share", *CAUSES[1:], "SNR in dB", "largest")
            tables.append((title, header, rows))
        return tables

    def _dbs(self, part: Part) -> str:
        low, high = _db(part.lowest), _db(part.highest)
        return _db(part.snr) + (f" ({low} to {high})" if low != high else "")

    def _worst(self, part: Part) -> tuple[str, str, str]:
        if not part.largest:
            return "0", "", ""
        channel = "" if part.channel is None else str(part.channel)
        where = f"input {part.input} " if self.inputs > 1 else ""
        return f"{part.largest:.3g}", channel, f"{where}{list(part.position)}"

    def _printed(self) -> Printout:
        tables = [
            Table(header, rows, right=range(1, len(header)), title=title)
            for title, header, rows in self.tables()
        ]
        return Printout(tables, [ORDER], [f"{name}: {text}" for name, text in self.hazards])


_WORST = ("largest", "channel", "position")


def _db(snr: float) -> str:
    if FLOAT_NOISE < snr < math.inf:
        return f"over {FLOAT_NOISE}"
    return {math.inf: "none", -math.inf: "no signal"}.get(snr) or f"{snr:.1f}"


def _percent(share: float) -> str:
    return f"{round(100 * share, 1) + 0.0:.1f}%"  # no -0.0
