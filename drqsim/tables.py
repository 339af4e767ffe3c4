"""Tables as text and as HTML, and the one way in which every result of drqsim prints."""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple


class Table(NamedTuple):
    """A header, rows of text below it, and how they are laid out.

    Attributes
    ----------
    header : tuple of str
    rows : list of tuples of str
    right : collection of int
        The columns that are flush right.
    kinds : list of str, optional
        For each row the palette's class that colours its ``type`` in HTML.
    title : str
        A line above the table.
    """

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    right: Collection[int] = ()
    kinds: list[str] | None = None
    title: str = ""


class Printout(NamedTuple):
    """What a result prints: tables, then sentences, then what to beware of."""

    tables: Sequence[Table]
    notes: Sequence[str] = ()
    beware: Sequence[str] = ()


class Printed:
    """Gives a result its text and its HTML: the class says in ``_printed`` what they hold."""

    _printed: Callable[[], Printout]

    def __repr__(self) -> str:
        tables, notes, beware = self._printed()
        blocks = []
        for table in tables:
            text = text_table(table.header, table.rows, table.right)
            blocks.append(f"{table.title}\n{text}\n" if table.title else text)
        return "\n".join([*blocks, *notes, *beware])

    def _repr_html_(self) -> str:
        tables, notes, beware = self._printed()
        blocks = []
        for table in tables:
            title = f"<p>{html.escape(table.title, quote=False)}</p>" if table.title else ""
            blocks.append(title + html_table(table.header, table.rows, table.right, table.kinds))
        blocks += [f"<p>{html.escape(note)}</p>" for note in notes]
        blocks += [html_table(("beware",), [(text,) for text in beware])] if beware else []
        return "".join(blocks)


def text_table(header: tuple[str, ...], rows: list[tuple[str, ...]], right=()) -> str:
    """Columns aligned with spaces; the columns in ``right`` are flush right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, *rows):
        cells = [
            cell.rjust(w) if at in right else cell.ljust(w)
            for at, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def html_table(
    header: tuple[str, ...],
    rows: list[tuple[str, ...]],
    right=(),
    kinds: list[str] | None = None,
    label: str = "table",
) -> str:
    """The same table as HTML; every string is escaped, ``kinds`` colours the ``type`` column.

    ``label`` is what a screen reader calls it.
    """

    prose = {at for at in range(len(header)) if any(len(row[at]) > 40 for row in rows)}

    def cell(tag: str, text: str, at: int, kind: str | None) -> str:
        text = html.escape(text)
        if kind and header[at] == "type":
            text = f'<span class="drq-badge drq-{html.escape(kind)}">{text}</span>'
        name = "drq-right" if at in right else "drq-prose" if at in prose else ""
        style = f' class="{name}"' if name else ""
        scope = ' scope="col"' if tag == "th" else ""
        return f"<{tag}{scope}{style}>{text}</{tag}>"

    head = "".join(cell("th", name, at, None) for at, name in enumerate(header))
    body = "".join(
        "<tr>" + "".join(cell("td", text, at, kind) for at, text in enumerate(row)) + "</tr>"
        for row, kind in zip(rows, kinds or [None] * len(rows), strict=True)
    )
    return (
        '<div class="drq drq-scroll" tabindex="0" role="region" '
        f'aria-label="{html.escape(label)}">'
        f'<table class="drq-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
