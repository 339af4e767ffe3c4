"""``drqsim check``: drqsim held against the installed runtime."""

from __future__ import annotations

from typing import NamedTuple

from drqsim.cli.app import (
    REFUSED,
    command,
    input_options,
    kernels_option,
    model_argument,
    nonfinite_option,
)
from drqsim.cli.inputs import feed
from drqsim.cli.screen import Screen, table
from drqsim.errors import UnsupportedOperatorError
from drqsim.model_file.read import load
from drqsim.report import plain
from drqsim.verdict import FLOAT, explain

# A float operator is close when it is apart by less than this part of its output's range: its sums
# are added up in another order than the runtime's.
CLOSE = 2.0**-18


class Checked(NamedTuple):
    """One operator held against the runtime: a row of the table, an object of the JSON."""

    operator: str
    arithmetic: str
    tensors: int
    elements: int
    equal: int
    apart: float  # of the output, in parts of its range
    passed: bool


# of each field in turn: the head of its column, and how a cell is written
COLUMNS = {
    "operator": str,
    "arithmetic": str,
    "tensors": str,
    "elements": "{:,}".format,
    "equal bits": "{:,}".format,
    "apart": "{:.2g}".format,
    "agrees": {True: "yes", False: "NO"}.get,
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
def check(screen: Screen, model, specs, seed, kernels, allow_nonfinite) -> int:
    """Hold our trace against the installed runtime; exit status 1 where it differs.

    Each operator gets the input that the runtime gave it. An operator with int8 weights must have
    the runtime's bits in every tensor that can be read; a float operator must be close.

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
    rows = _checked(each, whole, {v.operator: v.arithmetic for v in verdicts})
    passed = bool(rows) and all(row.passed for row in rows)
    verdict = (
        f"{'Passed' if passed else 'FAILED'}: {sum(row.passed for row in rows)} of {len(rows)} "
        f"operators agree with the runtime {litert.version()} on the {kernels} kernels."
    )
    failed = [row.operator for row in rows if not row.passed]
    beware = [f"Beware, {at}: {text}" for at in failed for text in verdicts[at].hazards]
    notes = list(dict.fromkeys([*beware, *each.notes, *(whole.notes if whole else why)]))
    cells = [
        tuple(write(value) for write, value in zip(COLUMNS.values(), row, strict=True))
        for row in rows
    ]
    data = {
        "passed": passed,
        "runtime": litert.version(),
        "kernels": kernels,
        "operators": [row._asdict() | {"apart": plain.finite(row.apart)} for row in rows],
        "codes": whole and whole.codes,
        "flipped": whole and whole.flipped,
        "output_apart": whole and plain.finite(whole.difference),
        "notes": notes,
    }
    lines = [verdict]
    if whole is not None:
        lines.append(
            f"From end to end {whole.flipped:,} of {whole.codes:,} codes differ, and the output is "
            f"{whole.difference:.2g} apart."
        )
    screen.result(data, table("", tuple(COLUMNS), cells, right=(2, 3, 4, 5)), "", *lines, *notes)
    return 0 if passed else REFUSED


def _checked(each, whole, arithmetic: dict[str, str]) -> list[Checked]:
    """A row for every operator of which something was compared."""
    apart = {row.operator: row.fed for row in whole or () if row.elements}
    by_operator: dict[str, list] = {}
    for row in each.rows:
        by_operator.setdefault(row.operator, []).append(row)
    checked = []
    for operator, rows in by_operator.items():
        elements, equal = sum(r.elements for r in rows), sum(r.equal for r in rows)
        far = apart.get(operator, max(r.largest_difference for r in rows))
        close = arithmetic[operator] == FLOAT and far <= CLOSE
        passed = bool(elements == equal or close)
        checked.append(
            Checked(operator, arithmetic[operator], len(rows), elements, equal, far, passed)
        )
    return checked
