"""What a report tells: its questions and answers, and the rows of its tables."""

from __future__ import annotations

from drqsim.model_file.operands import weights_of
from drqsim.report import plain
from drqsim.report.gather import Report
from drqsim.report.words import (
    about_memory,
    about_the_arithmetic,
    about_the_error,
    about_the_file,
)
from drqsim.verdict import Verdict

OPERATORS = ("operator", "arithmetic", "weights", "bytes", "output", "SNR in dB", "why")


def summary(report: Report) -> list[tuple[str, list[str]]]:
    """The questions of a report and the sentences that answer them."""
    sections = [
        ("What is int8, and what is float?", about_the_file(report.graph)),
        ("Which operator computes in what?", about_the_arithmetic(report.explanation)),
    ]
    if report.plan is not None:
        memory = about_memory(report.plan, report.float_plan)
        sections.append(("What does it cost in memory?", memory))
    if report.error is not None:
        sections.append(("Where does the error arise?", about_the_error(report.error)))
    if report.left_out:
        sections.append(("What is missing here?", report.left_out))
    return sections


def beware(report: Report) -> list[tuple[str, str]]:
    """(operator, sentence): defects of the runtime, and inputs that quantize badly."""
    found = [(v.operator, text) for v in report.explanation for text in v.hazards]
    found += report.trace.hazards if report.trace is not None else []
    found += report.error.hazards if report.error is not None else []
    return list(dict.fromkeys(found))


def operators(report: Report) -> list[tuple[str, ...]]:
    """A row for each operator, under ``OPERATORS``."""
    rows = []
    for op in report.graph.operators:
        verdict = report.explanation[op.name]
        weights = weights_of(report.graph, op)
        weights = weights if weights is not None and weights.value is not None else None
        rows.append(
            (
                op.name,
                verdict.arithmetic,
                str(weights or ""),
                f"{weights.nbytes:,}" if weights is not None else "",
                ", ".join(str(report.graph.tensors[i]) for i in op.outputs),
                _snr(report, op.name),
                verdict.why,
            )
        )
    return rows


def _snr(report: Report, operator: str) -> str:
    """Of its worst output; empty where nothing is known, ``none`` where there is no error."""
    if report.error is None:
        return ""
    rows = [r.error.snr for r in report.error.rows if r.operator.partition("/")[0] == operator]
    if not rows:
        return ""
    return "none" if min(rows) == float("inf") else f"{min(rows):.1f}"


def paths(report: Report) -> list[tuple[str, ...]]:
    """A row for each operator: its arithmetic, and in which kernel, on every kernel path."""
    rows = []
    for op in report.graph.operators:
        each = [verdicts[op.name] for verdicts in report.verdicts.values()]
        rows.append((op.name, *map(_kernel, each)))
    return rows


def _kernel(verdict: Verdict) -> str:
    """``int8, XNNPACK: KleidiAI``."""
    kernel = f"{verdict.kernel}: {verdict.family}" if verdict.family else verdict.kernel
    return f"{verdict.arithmetic}, {kernel}" if kernel else verdict.arithmetic


def as_data(report: Report) -> dict:
    """The report as dicts, lists, numbers and strings."""
    return {
        "name": report.name,
        "kernels": report.kernels,
        "processor": report.processor,
        "fed": report.fed,
        "summary": [{"question": q, "answer": lines} for q, lines in summary(report)],
        "hazards": [{"operator": operator, "text": text} for operator, text in beware(report)],
        "model": plain.of_graph(report.graph),
        "verdicts": [plain.of_explanation(each) for each in report.verdicts.values()],
        "memory": None if report.plan is None else plain.of_plan(report.plan),
        "float_memory": None if report.float_plan is None else plain.of_plan(report.float_plan),
        "error": None if report.error is None else plain.of_attribution(report.error),
        "trace": None if report.trace is None else plain.of_trace(report.trace),
        "left_out": report.left_out,
    }
