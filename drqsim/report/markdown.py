"""The report as Markdown."""

from __future__ import annotations

import re

from drqsim.memory.plan import HEADER as PLAN
from drqsim.report import plain
from drqsim.report.content import OPERATORS, beware, operators, paths, summary
from drqsim.report.gather import Report
from drqsim.trace import HEADER as TRACE


def as_markdown(report: Report) -> str:
    """The report as Markdown."""
    lines = [f"# {_escape(report.name)}", ""]
    lines += [f"Dynamic-range quantization, followed on the {report.followed}.", ""]
    lines += [f"Fed with {_escape(report.fed)}.", ""] if report.fed else []
    for question, sentences in summary(report):
        lines += [f"## {question}", "", *(f"- {_escape(text)}" for text in sentences), ""]
    hazards = [f"- {operator}: {_escape(text)}" for operator, text in beware(report)]
    lines += ["## Beware", "", *hazards, ""] if hazards else []
    lines += ["## Operators", "", *_table(OPERATORS, operators(report)), ""]
    header = ("operator", *(f"on {kernels}" for kernels in report.verdicts))
    lines += ["## Arithmetic on each kernel path", "", *_table(header, paths(report)), ""]
    if report.plan is not None:
        lines += ["## Memory plan", "", *_table(PLAN, report.plan.rows()), ""]
    if report.error is not None:
        for title, header, rows in report.error.tables():
            lines += [f"## {title}", "", *_table(header, rows), ""]
    if report.trace is not None:
        lines += ["## Every tensor", "", *_table(TRACE, report.trace.rows()), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(header, rows) -> list[str]:
    return [
        f"| {' | '.join(header)} |",
        f"|{' --- |' * len(header)}",
        *(f"| {' | '.join(map(_escape, row))} |" for row in rows),
    ]


def _escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    text = plain.printable(text).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*|\[\]~]|(?<!\w)_|_(?!\w))", r"\\\1", text)
