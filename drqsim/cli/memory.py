"""``drqsim memory``: where every tensor lies."""

from __future__ import annotations

import click

from drqsim.cli.app import command, kernels_option, model_argument
from drqsim.cli.screen import Screen, table
from drqsim.memory import plan_memory
from drqsim.memory.plan import HEADER as PLAN
from drqsim.model_file.read import load
from drqsim.report import plain
from drqsim.report.words import about_memory


@command(
    """
drqsim memory model.tflite
drqsim memory drq.tflite --compare float.tflite
drqsim memory model.tflite --kernels xnnpack --threads 4
"""
)
@model_argument()
@click.option("--compare", type=click.Path(), help="Another model, such as the float one.")
@kernels_option("optimized")
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True)
def memory(screen: Screen, model: str, compare: str | None, kernels: str, threads: int) -> None:
    """Show where the runtime puts every tensor, and what that takes."""
    graph = load(model)
    other = None if compare is None else load(compare)
    plan = plan_memory(graph, kernels, threads)
    data, parts = plain.of_plan(plan), [table("", PLAN, plan.rows(), right=(4, 5)), ""]
    parts += [f"{note}." if not note.endswith(".") else note for note in plan.notes()]
    if other is not None:
        second = plan_memory(other, kernels, threads)
        data["compared_with"] = plain.of_plan(second)
        parts = [table("", ("bytes", "this model", "the other"), _totals(plan, second), (1, 2)), ""]
        parts += about_memory(plan, second)
    screen.result(data, *parts)


def _totals(plan, second) -> list[tuple[str, ...]]:
    names = {
        "arena": "arena_bytes",
        "of it alive at once, at most": "lower_bound",
        "persistent arena": "persistent_bytes",
        "heap": "heap_bytes",
        "read from the file": "file_bytes",
    }
    return [
        (name, *(f"{getattr(each, field):,}" for each in (plan, second)))
        for name, field in names.items()
    ]
