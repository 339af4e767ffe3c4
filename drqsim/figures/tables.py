"""Small arrays as tables of numbers, coloured by value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

import numpy as np

from drqsim.errors import InputError
from drqsim.figures.figure import Figure, check_kind, minus, number, scroller
from drqsim.graph import short_form

# of the kind's colour in the strongest cell, in percent: the numbers stay readable on it
STRONGEST = 40
NOTE = re.compile(r'<span class="drq-note">.*?</span>')


def grid(
    values: np.ndarray,
    title: str,
    kind: str,
    number_format: str | None = None,
    highlight: Iterable[tuple[int, int]] | None = None,
    center: float = 0,
) -> Figure:
    """A small 2-D array as a table of numbers.

    Parameters
    ----------
    values : array [rows, columns]
    title : str
        What the array is; its short type is added.
    kind : {"float32", "int8", "int32", "weight"}
        Whose colour the cells take.
    number_format : str, optional
        A format specification such as ``".2f"``; by default, as many digits as tell values apart.
    highlight : set of (row, column), optional
        Cells to outline.
    center : float
        The value without colour: above it the kind's colour grows stronger, below it grey does.
        Pass the zero point to centre codes on what stands for 0.0.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.size == 0:
        raise InputError(f"values has the shape {list(values.shape)}; a grid needs two dimensions.")
    marked = {(int(row), int(col)) for row, col in highlight or ()}
    spec = _usual_format(values) if number_format is None else number_format
    texts = [[format(value, spec) for value in row] for row in values.tolist()]
    lowest, highest = number(values.min()), number(values.max())
    heading = f"{title}  {short_form(values.dtype, values.shape)}  {lowest} … {highest}"
    alt = (
        f"{title}: a table of {values.shape[0]} by {values.shape[1]} {values.dtype.name} numbers "
        f"from {lowest} to {highest}" + (f", {len(marked)} of them outlined." if marked else ".")
    )
    center = np.asarray(center).item()
    caption = (
        f'{escape(title)} <span class="drq-short">{short_form(values.dtype, values.shape)}</span> '
        f'<span class="drq-note">color: distance from {minus(number(center))}</span>'
    )
    body = _table(caption, texts, _shades(values, center), marked, check_kind(kind))
    return Figure(scroller(body, title), _text(heading, texts, marked), alt)


def grids(figures: Iterable[Figure]) -> Figure:
    """Several grids side by side; they wrap where the page is narrow."""
    figures = list(figures)
    bodies = [figure.body for figure in figures]
    notes = {note for body in bodies for note in NOTE.findall(body)}
    below = ""
    if len(notes) == 1:  # what all of them say is said once
        bodies = [NOTE.sub("", body) for body in bodies]
        below = f'<div class="drq-muted">{notes.pop()}</div>'
    items = "".join(f'<div class="drq-beside-item">{body}</div>' for body in bodies)
    return Figure(
        f'<div class="drq-beside">{items}</div>{below}',
        "\n\n".join(figure.text for figure in figures),
        " ".join(figure.alt for figure in figures),
    )


def _usual_format(values: np.ndarray) -> str:
    """Whole numbers as they are; others with three digits in the largest, or as powers of ten."""
    if values.dtype.kind not in "fc":
        return ",d"
    finite = np.abs(values[np.isfinite(values)])
    largest = float(finite.max()) if finite.size else 0.0
    if largest == 0:
        return ".0f"
    decimals = 2 - int(np.floor(np.log10(largest)))
    return f".{max(decimals, 0)}f" if -3 < decimals < 6 else ".1e"


def _shades(values: np.ndarray, center: float) -> list[list[int]]:
    """Percent of colour for each cell; negative where the value lies below the centre."""
    distance = np.nan_to_num(values.astype(np.float64) - center, posinf=0, neginf=0)
    largest = np.abs(distance).max()
    return np.rint(distance * (STRONGEST / largest if largest else 0)).astype(int).tolist()


def _table(caption: str, texts, shades, marked, kind: str) -> str:
    rows = [
        "<tr>"
        + "".join(
            _cell(text, shades[row][col], (row, col) in marked) for col, text in enumerate(line)
        )
        + "</tr>"
        for row, line in enumerate(texts)
    ]
    return (
        f'<table class="drq-grid drq-{kind}"><caption>{caption}</caption>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _cell(text: str, shade: int, marked: bool) -> str:
    names = ["drq-below"] * (shade < 0) + ["drq-marked"] * marked
    classes = f' class="{" ".join(names)}"' if names else ""
    colour = f' style="--shade:{abs(shade)}%"' if shade else ""
    return f"<td{classes}{colour}>{minus(text)}</td>"


def _text(heading: str, texts: list[list[str]], marked: set[tuple[int, int]]) -> str:
    """The table as text; an asterisk follows what is outlined."""
    cells = [
        [text + "*" * ((row, col) in marked) for col, text in enumerate(line)]
        for row, line in enumerate(texts)
    ]
    width = max(len(cell) for line in cells for cell in line)
    return "\n".join([heading, *("  ".join(cell.rjust(width) for cell in line) for line in cells)])
