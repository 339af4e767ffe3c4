"""Commands that look at a file: ``inspect``, ``explain``, ``memory``."""

from __future__ import annotations

import click

from drqsim import node_data, plain
from drqsim.cli.commands import command, force_option, kernels_option, model_argument
from drqsim.cli.files import check_free, write_whole
from drqsim.cli.screen import Screen, table
from drqsim.figures.figure import number
from drqsim.graph import Graph, Tensor, shorten
from drqsim.memory import plan_memory
from drqsim.memory.plan import HEADER as PLAN
from drqsim.report.words import about_memory, about_the_arithmetic, about_the_file, weigh
from drqsim.tflite_file import load
from drqsim.verdict import explain as verdicts


@command(
    """
drqsim inspect model.tflite
drqsim inspect model.tflite --json | jq .summary
"""
)
@model_argument()
def inspect(screen: Screen, model: str) -> None:
    """List the tensors of a file, and say what quantization did to it."""
    graph = load(model)
    weights = weigh(graph)._asdict()
    lines = about_the_file(graph)
    rows = [_tensor_row(graph, at, tensor) for at, tensor in enumerate(graph.tensors)]
    header = ("index", "type", "bytes", "kind", "scales", "written by", "name")
    screen.result(
        {"summary": lines, "weights": weights, **plain.of_graph(graph)},
        table("", header, rows, right=(0, 2)),
        "",
        *lines,
    )


def _tensor_row(graph: Graph, at: int, tensor: Tensor) -> tuple[str, ...]:
    kind = plain.of_tensor(tensor, at)["kind"]
    writer = next((op.name for op in graph.operators if at in op.outputs), "")
    kind = "input" if at in graph.inputs else kind
    kind = f"{kind}, output" if at in graph.outputs else kind
    name = shorten(tensor.name, 60)
    return str(at), str(tensor), f"{tensor.nbytes:,}", kind, _scales(tensor), writer, name


def _scales(tensor: Tensor) -> str:
    if tensor.quantization is None or tensor.quantization.scale.size == 0:
        return ""
    scale = tensor.quantization.scale
    if scale.size == 1:
        return f"1: {number(scale[0])}"
    return f"{scale.size}: {number(scale.min())} to {number(scale.max())}"


@command(
    """
drqsim explain model.tflite
drqsim explain model.tflite --kernels optimized
drqsim explain model.tflite --node-data arithmetic.json
"""
)
@model_argument()
@kernels_option("xnnpack")
@click.option(
    "--node-data", type=click.Path(), help="Write the arithmetic as node data for Model Explorer."
)
@force_option()
def explain(screen: Screen, model: str, kernels: str, node_data: str | None, force: bool) -> None:
    """Say which arithmetic each operator gets, and why."""
    check_free(node_data, force)
    graph = load(model)
    found = verdicts(graph, kernels)
    rows = [(v.operator, v.arithmetic, v.kernel, v.why) for v in found]
    if node_data:
        _write_arithmetic(node_data, graph, found, force)
    hazards = [f"Beware, {v.operator}: {text}" for v in found for text in v.hazards]
    lines = about_the_arithmetic(found)
    screen.result(
        {"summary": lines, **plain.of_explanation(found)},
        table("", ("operator", "arithmetic", "kernel", "why"), rows),
        "",
        *lines,
        *hazards,
    )


def _write_arithmetic(path: str, graph: Graph, found, force: bool) -> None:
    content = plain.as_json(node_data.of_arithmetic(graph, found))
    write_whole(path, content.encode(), force)


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
