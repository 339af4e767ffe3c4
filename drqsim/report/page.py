"""The report as one HTML page: no request leaves it, and it reads without JavaScript."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from html import escape
from importlib.resources import files

import numpy as np

from drqsim import figures
from drqsim.attribution.parts import ORDER
from drqsim.errors import InputError
from drqsim.figures.memory_map import is_drawable
from drqsim.figures.style import DARK_VARIABLES, STYLE
from drqsim.graph import shorten
from drqsim.memory.plan import HEADER as PLAN
from drqsim.report import drawn, plain
from drqsim.report.content import OPERATORS, beware, operators, paths, summary
from drqsim.report.gather import MOST_MAPPED, Report
from drqsim.tables import html_table
from drqsim.trace import HEADER, Trace, kind_class

MOST_BARS = 120  # more rows of bars than this nobody reads


def as_html(report: Report, step: Callable[[str], None] = lambda now: None) -> str:
    """The report as one HTML page that needs nothing else.

    Parameters
    ----------
    report : Report
    step : callable
        Told which operator is drawn.
    """
    script = files("drqsim.report").joinpath("page.js").read_text(encoding="utf-8")
    style = files("drqsim.report").joinpath("page.css").read_text(encoding="utf-8")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    name = escape(plain.printable(report.name))
    sections = [
        _section("summary", "In short", _summary(report)),
        _section("operators", "Operators", _operators(report)),
        _section("memory", "Memory", _memory(report)),
        _section("error", "Error", _error(report)),
        _section("paths", "The three kernel paths", _paths(report)),
        _section("tensors", "Operator by operator", _folded(report, step)),
    ]
    links = "".join(f'<a href="#{at}">{title}</a> ' for at, title, body in sections if body)
    body = "".join(
        f'<section aria-labelledby="{at}"><h2 id="{at}">{title}</h2>{body}</section>'
        for at, title, body in sections
        if body
    )
    fed = f" It was fed with {escape(plain.printable(report.fed))}." if report.fed else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{allowed}'\">"
        '<link rel="icon" href="data:,">'
        f"<title>{name}: what is int8, what it costs, where the error arises</title>"
        f"{STYLE}<style>{style}"
        f"@media (prefers-color-scheme:dark){{:root{DARK_VARIABLES}}}</style></head>\n"
        f"<body><header><h1>{name}</h1><p>Dynamic-range quantization, followed on the "
        f"{report.followed}.{fed}</p>"
        f'<nav aria-label="parts of the report">{links}</nav></header>\n<main>{body}</main>\n'
        f"<footer><p>Made by drqsim.</p></footer><script>{script}</script></body></html>\n"
    )


def _section(at: str, title: str, body: str) -> tuple[str, str, str]:
    return at, title, body


def _summary(report: Report) -> str:
    parts = [
        f"<h3>{escape(question)}</h3>" + "".join(f"<p>{_text(line)}</p>" for line in lines)
        for question, lines in summary(report)
    ]
    found = beware(report)
    if found:
        rows = "".join(f"<li>{_link(op)}: {_text(text)}</li>" for op, text in found)
        parts.append(f"<h3>Beware</h3><ul>{rows}</ul>")
    return "".join(parts)


def _text(line: str) -> str:
    return escape(plain.printable(line))


def _link(operator: str) -> str:
    return f'<a href="#op-{escape(operator)}">{escape(operator)}</a>'


def _operators(report: Report) -> str:
    """The table of operators: sorted and searched by the script, whole without it."""
    kept = [at for at, name in enumerate(OPERATORS) if name != "SNR in dB" or report.error]
    numbers = {"bytes", "SNR in dB"}
    head = "".join(
        f'<th scope="col"{_right(OPERATORS[at], numbers)}>{OPERATORS[at]}</th>' for at in kept
    )
    rows = []
    for row in operators(report):
        kind = {"int8": "int8", "float32": "float32"}.get(row[1], "weight")
        cells = [f'<th scope="row">{_link(row[0])}</th>']
        cells.append(f'<td><span class="drq-badge drq-{kind}">{escape(row[1])}</span></td>')
        for at in kept[2:]:
            cells.append(f"<td{_right(OPERATORS[at], numbers)}>{_text(row[at])}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        '<p class="tools" hidden><label for="search">Search the operators</label> '
        '<input id="search" type="search" autocomplete="off"> '
        '<span id="found" role="status"></span></p>'
        '<div class="drq drq-scroll" tabindex="0" role="group" aria-label="operators">'
        f'<table class="drq-table" id="list"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _right(name: str, numbers: set[str]) -> str:
    return ' class="drq-right"' if name in numbers else ""


def _memory(report: Report) -> str:
    if report.plan is None:
        return ""
    plans = {"this model": report.plan}
    if report.float_plan is not None:
        plans["the float model"] = report.float_plan
    parts = []
    shown = {title: plan for title, plan in plans.items() if is_drawable(plan)}
    if shown:
        if all(len(plan.blocks) <= MOST_MAPPED for plan in shown.values()):
            parts.append(figures.memory_map(shown, table=False))
        parts.append(figures.memory_bars(shown))
    tables = [
        f"<details><summary>The plan of {title} as a table</summary>"
        + html_table(PLAN, _plain(plan.rows()), right=(4, 5), label=f"memory plan, {title}")
        + "".join(f"<p>{_text(note)}</p>" for note in plan.notes())
        + "</details>"
        for title, plan in plans.items()
    ]
    return "".join([*(bare(figure) for figure in parts), *tables])


def _plain(rows) -> list[tuple[str, ...]]:
    return [tuple(map(plain.printable, row)) for row in rows]


def _error(report: Report) -> str:
    if report.error is None:
        return ""
    rows = [
        (row.operator, 100 * 10 ** (-row.error.snr / 20), "float32")
        for row in report.error.rows
        if row.error.snr > -np.inf
    ]
    parts = []
    if rows:
        worst = sorted(range(len(rows)), key=lambda at: -rows[at][1])[:MOST_BARS]
        note = "" if len(rows) <= MOST_BARS else f" (the {MOST_BARS} largest)"
        title = f"Error of each operator's output, root mean square in percent of its own{note}"
        parts.append(bare(figures.bars([rows[at] for at in sorted(worst)], title, "%")))
    for title, header, cells in report.error.tables():
        right = range(1, len(header))
        parts.append(
            f"<details><summary>{escape(title)}</summary>"
            + html_table(header, cells, right=right, label=title)
            + "</details>"
        )
    parts.append(f"<p>{escape(ORDER)}</p>")
    return "".join(parts)


def _paths(report: Report) -> str:
    header = ("operator", *(f"on {kernels}" for kernels in report.verdicts))
    return html_table(header, paths(report), label="arithmetic on each kernel path")


def _folded(report: Report, step: Callable[[str], None]) -> str:
    """For every operator a row that unfolds: why, its tensors, its codes."""
    parts = []
    for op in report.graph.operators:
        step(op.name)
        verdict = report.explanation[op.name]
        inside = [f"<p>{_text(_sentence(verdict.why))}</p>"]
        inside += [f"<p><strong>Beware:</strong> {_text(text)}</p>" for text in verdict.hazards]
        names = ", ".join(shorten(report.graph.tensors[i].name, 80) for i in op.outputs)
        inside.append(f'<p class="drq-muted">Writes: {_text(names)}</p>')
        if report.trace is not None:
            records = report.trace.op(op.name)
            # the same table as everywhere, without the operator in front of every name
            cells = Trace(records, report.kernels).rows()
            kinds = [kind_class(record) for record in records]
            label = f"tensors of {op.name}"
            inside.append(html_table(HEADER, cells, right=(4,), kinds=kinds, label=label))
            inside += [bare(figure) for figure in drawn.of_operator(records)]
        parts.append(
            f'<details class="op" id="op-{escape(op.name)}"><summary>{escape(op.name)} '
            f'<span class="drq-muted">{escape(verdict.arithmetic)}</span></summary>'
            f"{''.join(inside)}</details>"
        )
    return "".join(parts)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def bare(figure) -> str:
    """A figure's HTML; the page has the style already."""
    try:
        return figure._repr_html_().replace(STYLE, "")
    except InputError as error:
        return f"<p>{escape(str(error))}</p>"
