"""Bars: how much, and how long."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from drqsim.errors import InputError
from drqsim.figures.figure import Figure, byte_count, check_kind, number, scroller
from drqsim.graph import Graph


def bars(
    rows: Iterable[tuple[str, float, str]],
    title: str,
    unit: str = "",
    top: float = 0,
    number_format: str | None = None,
) -> Figure:
    """Horizontal bars with their values.

    Parameters
    ----------
    rows : list of (label, value, kind)
        Values from 0 up.
    title, unit : str
        What is compared, and in what.
    top : float
        The value that the scale reaches at least: one scale for the figures of a knob.
    number_format : str, optional
        A format specification for the values, such as ``".3f"``; by default, four digits.
    """
    rows = [(str(label), value, check_kind(kind)) for label, value, kind in rows]
    if not rows or not all(0 <= value < float("inf") for _, value, _ in rows):
        raise InputError("bars needs one row or more, with finite values from 0 up.")
    write = number if number_format is None else lambda value: format(value, number_format)
    largest = max(value for _, value, _ in rows)
    full = max(largest, top) or 1
    lines = [f"{title}: {len(rows)} bars up to {write(largest)} {unit}".rstrip()]
    body = []
    width = max(len(label) for label, _, _ in rows)
    for label, value, kind in rows:
        shown = f"{write(value)} {unit}".strip()
        bar = f'<div style="width:{100 * value / full:.2f}%"></div>'
        lines.append(f"  {label.ljust(width)}  {shown}")
        body.append(
            f'<tr class="drq-{kind}"><th scope="row">{escape(label)}</th>'
            f'<td class="drq-track">{bar if value else ""}</td>'
            f"<td>{escape(shown)}</td></tr>"
        )
    listing = "; ".join(f"{label} {write(value)}" for label, value, _ in rows)
    return Figure(
        f'<table class="drq-bars" style="--label:{0.6 * width:.1f}em">'
        f"<caption>{escape(title)}</caption><tbody>{''.join(body)}</tbody></table>",
        "\n".join(lines),
        f"Bar chart, {title}: {listing} {unit}".strip() + ".",
    )


def lifetimes(graph: Graph) -> Figure:
    """Which activation tensors exist during which operator, and how many bytes that makes.

    One row for each tensor, from the operator that writes it (the first, for an input) to the last
    one that reads it; inputs and outputs of the graph stay to the end. Constants are left out: they
    stay in the file.
    """
    if not graph.operators:
        raise InputError("This model has no operators, so nothing lives in it.")
    names = [op.name for op in graph.operators]
    tensors = [
        ("input" if index in graph.inputs else f"{born} {names[born]}", tensor, born, dies)
        for index, tensor in enumerate(graph.tensors)
        if tensor.value is None
        for born, dies in [graph.lifetime(index)]
    ]
    tensors.sort(key=lambda row: (row[0] != "input", *row[2:]))
    alive = [
        sum(tensor.nbytes for _, tensor, born, dies in tensors if born <= at <= dies)
        for at in range(len(names))
    ]
    peak = max(alive)
    width = max(len(writer) for writer, *_ in tensors)
    lines = [
        f"  {writer:<{width}}  {tensor!s:<18} {tensor.nbytes:>8,} bytes, "
        f"{born} to {'the end' if dies == len(names) else dies}"
        for writer, tensor, born, dies in tensors
    ]
    summary = f"at most {byte_count(peak)} alive, during {names[alive.index(peak)]}"
    rows = [
        _row(
            f"{escape(writer)}<span>{tensor}, {byte_count(tensor.nbytes)}</span>",
            _bar(tensor.dtype.name, names, born, dies),
        )
        for writer, tensor, born, dies in tensors
    ]
    heads = "".join(f"<span>{at} {escape(name)}</span>" for at, name in enumerate(names))
    head = _row("operator", heads, "heads")
    total = _row("bytes alive", "".join(_column(nbytes, peak) for nbytes in alive), "totals")
    table = f'<div class="drq-lives" style="--n:{len(names)}">{head}{"".join(rows)}{total}</div>'
    return Figure(
        scroller(table, "lifetimes of the tensors"),
        "\n".join(
            [f"lifetimes: {summary}", *lines, "  alive: " + " ".join(f"{n:,}" for n in alive)]
        ),
        f"Lifetimes of {len(tensors)} activation tensors over {len(names)} operators: {summary}.",
    )


def _span(names: list[str], born: int, dies: int) -> str:
    end = "the end" if dies == len(names) else names[dies]
    return f"{names[born]} to {end}"


def _row(label: str, track: str, look: str = "") -> str:
    classes = f"drq-lives-row drq-lives-{look}" if look else "drq-lives-row"
    return (
        f'<div class="{classes}"><div class="drq-lives-label">{label}</div>'
        f'<div class="drq-lives-track">{track}</div></div>'
    )


def _bar(kind: str, names: list[str], born: int, dies: int) -> str:
    last = min(dies, len(names) - 1)
    return (
        f'<div class="drq-lives-bar drq-{escape(kind)}" style="grid-column:{born + 1}/{last + 2}">'
        f'<span class="drq-hidden">{escape(_span(names, born, dies))}</span></div>'
    )


def _column(nbytes: int, peak: int) -> str:
    look = ' class="drq-peak"' if nbytes == peak else ""
    height = 3.5 * nbytes / peak
    return f'<span{look}><i style="height:{height:.2f}rem"></i><b>{nbytes:,}</b></span>'
