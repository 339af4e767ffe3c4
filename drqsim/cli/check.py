"""``drqsim check``: drqsim held against the installed runtime."""

from __future__ import annotations

from dataclasses import asdict
from typing import NamedTuple

from drqsim.cli.app import (
    INCOMPLETE,
    REFUSED,
    command,
    input_options,
    kernels_option,
    limits_options,
    model_argument,
    nonfinite_option,
)
from drqsim.cli.inputs import feed
from drqsim.cli.screen import Screen, table
from drqsim.errors import UnsupportedOperatorError
from drqsim.graph import Graph, shorten
from drqsim.litert.equality import DIFFERENT, EQUAL, worst
from drqsim.model_file.read import load
from drqsim.report import plain
from drqsim.trace import kind_of
from drqsim.verdict import explain


class Checked(NamedTuple):
    """One operator held against the runtime: a row of the table, an object of the JSON."""

    operator: str
    arithmetic: str
    tensors: int
    elements: int
    equal: int
    difference: float  # the largest of its outputs
    of_bound: float  # the largest in parts of what the bound allows
    verdict: str


# of each field in turn: the head of its column, and how a cell is written
COLUMNS = {
    "operator": str,
    "arithmetic": str,
    "tensors": str,
    "elements": "{:,}".format,
    "equal bits": "{:,}".format,
    "difference": "{:.2g}".format,
    "of its bound": "{:.2g}".format,
    "verdict": str,
}


@command(
    """
drqsim check model.tflite --input random
drqsim check model.tflite --input image.npy --kernels xnnpack --json
"""
)
@model_argument()
@input_options()
@kernels_option("optimized")
@nonfinite_option()
@limits_options
def check(screen: Screen, model, specs, seed, kernels, allow_nonfinite) -> int:
    """Hold our trace against the installed runtime, operator by operator and from end to end.

    Each operator gets the input that the runtime gave it. An operator with int8 weights must have
    the runtime's bits in every tensor that can be read: equal. So must a float operator, but where
    it adds in another order than the runtime, or where a function is not the runtime's own: then
    each element must lie within the bound of the sum, (n - 1) * 2^-24 * the sum of the terms' sizes
    for each of the two sums of n terms, or within the bound of the function. All else is different.

    An output of the model must be equal where all operators that lead to it are. The exit status is
    1 where something differs (FAILED), and 3 where nothing does but an operator could not be
    compared (INCOMPLETE).

    The function drqsim.check is another thing: it judges an answer to an exercise of the book.
    """
    from drqsim import litert

    graph = load(model)
    fed = feed(screen, graph, specs, seed)
    with screen.working("Comparing", steps=2) as step:
        step("Comparing every tensor with the runtime's memory")
        each = litert.compare(model, fed, kernels, allow_nonfinite)
        step("Comparing the model from end to end")
        whole, why = None, []
        try:
            whole = litert.compare_model(model, fed, kernels, allow_nonfinite)
        except UnsupportedOperatorError as error:
            why = [f"From end to end nothing was compared: {error}"]
    verdicts = explain(graph, kernels)
    rows = _checked(each, {v.operator: v.arithmetic for v in verdicts})
    beside = dict.fromkeys(_beside(graph), "a run of the first subgraph does not reach it.")
    left_out = _left_out(graph, each) | beside
    outputs = [] if whole is None else whole.outputs
    failed = [row.operator for row in rows if row.verdict == DIFFERENT]
    complete = bool(rows or outputs) and whole is not None and not left_out
    status = 0 if complete else INCOMPLETE
    if failed or any(output.verdict == DIFFERENT for output in outputs):
        status = REFUSED
    count = len(graph.operators) + len(beside)
    lines = [
        f"{VERDICTS[status]}: {count - len(left_out) - len(failed)} of {count} operators agree "
        f"with the runtime {litert.version()} on the {kernels} kernels.",
        f"Different: {', '.join(failed)}." if failed else "",
        f"Not compared: {', '.join(left_out)}." if left_out else "",
        _codes(whole) if whole is not None and whole.codes else "",
        *(_end_to_end(output) for output in outputs),
    ]
    beware = [f"Beware, {at}: {text}" for at in failed for text in verdicts[at].hazards]
    not_run = [f"{at}: not compared, {reason}" for at, reason in beside.items()]
    notes = list(
        dict.fromkeys([*beware, *each.notes, *not_run, *(why if whole is None else whole.notes)])
    )
    data = {
        "passed": status == 0,
        "verdict": VERDICTS[status],
        "runtime": litert.version(),
        "kernels": kernels,
        "operators": [_plain(row._asdict()) for row in rows],
        "not_compared": left_out,
        "outputs": [_plain(asdict(output) | {"verdict": output.verdict}) for output in outputs],
        "codes": None if whole is None else whole.codes,
        "flipped": None if whole is None else whole.flipped,
        "notes": notes,
    }
    cells = [
        tuple(write(value) for write, value in zip(COLUMNS.values(), row, strict=True))
        for row in rows
    ]
    shown = table("", tuple(COLUMNS), cells, right=(2, 3, 4, 5, 6))
    screen.result(data, shown, "", *filter(None, lines), *notes)
    return status


VERDICTS = {0: "Passed", REFUSED: "FAILED", INCOMPLETE: "INCOMPLETE"}


def _plain(row: dict) -> dict:
    """A row for JSON, which has no infinity."""
    return {k: plain.finite(v) if isinstance(v, float) else v for k, v in row.items()}


def _checked(each, arithmetic: dict[str, str]) -> list[Checked]:
    """A row for every operator of which something was compared."""
    by_operator: dict[str, list] = {}
    for row in each.rows:
        by_operator.setdefault(row.operator, []).append(row)
    return [
        Checked(
            operator,
            arithmetic[operator],
            len(rows),
            sum(row.elements for row in rows),
            sum(row.equal for row in rows),
            max((r.largest_difference for r in rows if kind_of(r.tensor) == "output"), default=0.0),
            max(row.of_bound for row in rows),
            worst(row.verdict for row in rows),
        )
        for operator, rows in by_operator.items()
    ]


def _left_out(graph: Graph, each) -> dict[str, str]:
    """Operators that nothing judges, and why.

    What makes weights out of constants (a DEQUANTIZE) runs again with every operator that reads
    them, and is judged by its output.
    """
    compared = {row.operator for row in each.rows}
    makers = {op.name for op in graph.makers}
    left_out = {}
    for op in graph.operators:
        readers = {o.name for o in graph.operators if set(o.inputs) & set(op.outputs)}
        with_readers = op.name in makers and readers and readers <= compared
        if op.name not in compared and not with_readers:
            left_out[op.name] = each.left_out.get(op.name, "none of its tensors can be read.")
    return left_out


def _beside(graph: Graph) -> list[str]:
    """The operators of the subgraphs that a run of the first does not reach: of other signatures.

    What a WHILE or an IF runs is a part of that operator.
    """
    reached, waiting = {0}, [0]
    while waiting:
        for op in graph.subgraphs[waiting.pop()].operators:
            waiting += set(op.runs) - reached
            reached |= set(op.runs)
    named = enumerate(zip(graph.subgraph_names, graph.subgraphs, strict=True))
    return [
        f"{name}/{op.name}"
        for at, (name, each) in named
        if at not in reached
        for op in each.operators
    ]


def _codes(whole) -> str:
    return f"From end to end {whole.flipped:,} of {whole.codes:,} codes differ."


def _end_to_end(output) -> str:
    """One output of the model in a sentence."""
    name = f"Output {shorten(output.name)!r}"
    if output.verdict == EQUAL:
        return f"{name} is equal from end to end, in every element."
    said = (
        f"{name} differs from end to end in {output.elements - output.equal:,} of "
        f"{output.elements:,} elements, by {output.difference:.2g} at most; the runtime's lie from "
        f"{output.low:.3g} to {output.high:.3g}."
    )
    if output.verdict == DIFFERENT:
        return f"{said} Nothing explains that: every operator that leads to it is equal."
    first, *more = output.after
    more = f" and {len(more)} more" * bool(more)
    return f"{said} Not equal on the way to it: {first}{more}."
