"""``drqsim memory``: where every tensor lies."""

from __future__ import annotations

import re

import click

from drqsim.cli.app import command, kernels_option, model_argument, processor_option
from drqsim.cli.inputs import listed, split
from drqsim.cli.screen import Screen, table
from drqsim.errors import InputError
from drqsim.graph import Graph
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
drqsim memory model.tflite --input-shape 1,224,224,3
"""
)
@model_argument()
@click.option("--compare", type=click.Path(), help="Another model, such as the float one.")
@kernels_option("optimized")
@processor_option
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True)
@click.option(
    "--input-shape",
    "specs",
    metavar="[NAME=]N,N,...",
    multiple=True,
    help="What an input is fed with, such as 1,224,224,3; with several inputs, NAME=1,224,224,3.",
)
def memory(screen: Screen, model, compare, kernels, threads, specs) -> None:
    """Show where the runtime puts every tensor, and what that takes."""
    graph = load(model)
    other = None if compare is None else load(compare)
    shapes = _shapes(graph, specs)
    plan = plan_memory(graph, kernels, threads, input_shapes=shapes)
    data, parts = plain.of_plan(plan), [table("", PLAN, plan.rows(), right=(4, 5)), ""]
    parts += [f"{note}." if not note.endswith(".") else note for note in plan.notes()]
    if other is not None:
        # by their order: a converter may rename the inputs
        theirs = zip(graph.input_names, other.input_names, strict=False)
        same = {new: shapes[old] for old, new in theirs if old in shapes}
        second = plan_memory(other, kernels, threads, input_shapes=same)
        data["compared_with"] = plain.of_plan(second)
        parts = [table("", ("bytes", "this model", "the other"), _totals(plan, second), (1, 2)), ""]
        parts += about_memory(plan, second)
    screen.result(data, *parts)


def _shapes(graph: Graph, specs: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """``--input-shape``, by the inputs' names."""
    shapes: dict[str, tuple[int, ...]] = {}
    for spec in specs:
        name, source = split(spec, graph.input_names)
        if name is None and len(graph.input_names) != 1:
            raise InputError(
                f"This model has {len(graph.input_names)} inputs; say which one has the shape "
                f"{source!r}: --input-shape 'NAME={source}' with NAME one of "
                f"{listed(graph.input_names)}."
            )
        name = graph.input_names[0] if name is None else name
        if not re.fullmatch(r"[0-9]{1,9}(,[0-9]{1,9})*", source):
            raise InputError(
                f"The shape {source!r} is no list of whole numbers; pass one such as 1,224,224,3."
            )
        if name in shapes:
            raise InputError(f"The input {name!r} is given two shapes; give it one.")
        shapes[name] = tuple(map(int, source.split(",")))
    return shapes


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
