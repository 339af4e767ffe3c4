"""Small arrays as tables of numbers, coloured by value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape

import numpy as np

from drqsim.errors import InputError
from drqsim.figures.figure import Figure, check_kind, minus, number, scroller
from drqsim.names import short_form

# of the kind's colour in the strongest cell, in percent: the numbers stay readable on it
STRONGEST = 40
FIGURE_SPACE = "\N{FIGURE SPACE}"  # as wide as a digit
NOTE = re.compile(r'<span class="drq-note">.*?</span>')


def grid(
    values: np.ndarray,
    title: str,
    kind: str,
    number_format: str | None = None,
    highlight: Iterable[tuple[int, int]] | None = None,
    center: float = 0,
    top: float = 0,
    bits: int | None = None,
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
        With a width, as in ``"4d"``, every cell has room for so many.
    highlight : set of (row, column), optional
        Cells to outline.
    center : float
        The value without colour: above it the kind's colour grows stronger, below it grey does.
        Pass the zero point to centre codes on what stands for 0.0.
    top : float
        The distance from the center that the colour's scale reaches at least: one scale for
        several grids.
    bits : int, optional
        How many of its 8 bits an int8 array uses: with 4, its short type is that of int4.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.size == 0:
        raise InputError(f"values has the shape {list(values.shape)}; a grid needs two dimensions.")
    marked = {(int(row), int(col)) for row, col in highlight or ()}
    spec = _usual_format(values) if number_format is None else number_format
    texts = [[format(value, spec) for value in row] for row in values.tolist()]
    lowest, highest = number(values.min()), number(values.max())
    short = short_form(values.dtype, values.shape, bits)
    heading = f"{title}  {short}  {lowest} … {highest}"
    dtype = short.partition("[")[0]
    alt = (
        f"{title}: a table of {values.shape[0]} by {values.shape[1]} {dtype} numbers "
        f"from {lowest} to {highest}" + (f", {len(marked)} of them outlined." if marked else ".")
    )
    center = np.asarray(center).item()
    caption = (
        f'{escape(title)} <span class="drq-short">{short}</span> '
        f'<span class="drq-note">color: distance from {minus(number(center))}</span>'
    )
    body = table(caption, texts, shades(values, center, top), marked, check_kind(kind))
    return Figure(scroller(body, title), _text(heading, texts, marked), alt)


def grids(figures: Iterable[Figure] | Mapping[str, Iterable[Figure]], note: str = "") -> Figure:
    """Several grids side by side; they wrap where the page is narrow.

    Parameters
    ----------
    figures : list of Figure, or dict of heading to list of Figure
        With headings, a row below each.
    note : str
        What the colours mean, said once in place of what each grid says of its own.
    """
    headed = figures if isinstance(figures, Mapping) else {"": figures}
    rows = {heading: list(row) for heading, row in headed.items()}
    notes = {found for row in rows.values() for one in row for found in NOTE.findall(one.body)}
    if note:
        notes = {f'<span class="drq-note">{escape(note)}</span>'}
    once = len(notes) == 1  # what all of them say is said once
    body, texts, alts = "", [], []
    for heading, row in rows.items():
        if heading:
            body += f'<div class="drq-beside-head">{escape(heading)}</div>'
            alts.append(f"{heading}.")
        items = (NOTE.sub("", one.body) if once else one.body for one in row)
        listed = "".join(f'<div class="drq-beside-item">{item}</div>' for item in items)
        body += f'<div class="drq-beside">{listed}</div>'
        text = "\n\n".join(one.text for one in row)
        texts.append(f"{heading}\n{text}" if heading else text)
        alts += [one.alt for one in row]
    body += f'<div class="drq-muted">{notes.pop()}</div>' if once else ""
    return Figure(body, "\n\n".join(texts), " ".join(alts))


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


def shades(values: np.ndarray, center: float, top: float) -> list[list[int]]:
    """Percent of colour for each cell; negative where the value lies below the centre."""
    distance = np.nan_to_num(values.astype(np.float64) - center, posinf=0, neginf=0)
    largest = max(np.abs(distance).max(), top)
    return np.rint(distance * (STRONGEST / largest if largest else 0)).astype(int).tolist()


def table(caption: str, texts, strengths, marked, kind: str) -> str:
    """The cells as HTML; ``strengths`` are what ``shades`` makes, ``marked`` is outlined."""
    rows = [
        "<tr>"
        + "".join(
            _cell(text, strengths[row][col], (row, col) in marked) for col, text in enumerate(line)
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
    return f"<td{classes}{colour}>{minus(text).replace(' ', FIGURE_SPACE)}</td>"


def _text(heading: str, texts: list[list[str]], marked: set[tuple[int, int]]) -> str:
    """The table as text; an asterisk follows what is outlined."""
    cells = [
        [text + "*" * ((row, col) in marked) for col, text in enumerate(line)]
        for row, line in enumerate(texts)
    ]
    width = max(len(cell) for line in cells for cell in line)
    return "\n".join([heading, *("  ".join(cell.rjust(width) for cell in line) for line in cells)])
