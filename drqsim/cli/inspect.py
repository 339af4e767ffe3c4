"""``drqsim inspect``: the tensors of a file."""

from __future__ import annotations

from collections.abc import Iterator

from drqsim.cli.app import command, model_argument
from drqsim.cli.screen import Screen, table
from drqsim.figures.figure import number
from drqsim.graph import Graph, Tensor, shorten
from drqsim.model_file.read import load
from drqsim.report import plain
from drqsim.report.words import about_the_file, weigh

HEADER = ("index", "type", "bytes", "kind", "scales", "written by", "name")


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
    rows = list(_rows(graph, ""))
    for name, other in zip(graph.subgraph_names[1:], graph.others, strict=True):
        rows += _rows(other, f"{name}/")
    screen.result(
        {"summary": lines, "weights": weights, **plain.of_graph(graph)},
        table("", HEADER, rows, right=(0, 2)),
        "",
        *lines,
    )


def _rows(graph: Graph, of: str) -> Iterator[tuple[str, ...]]:
    """A row for each tensor, under ``HEADER``; ``of`` stands before what the file numbers."""
    writers = {at: op.name for op in reversed(graph.operators) for at in op.outputs}
    inputs, outputs = set(graph.inputs), set(graph.outputs)
    for at, tensor in enumerate(graph.tensors):
        kind = "input" if at in inputs else plain.kind_of(tensor)
        kind = f"{kind}, output" if at in outputs else kind
        size, name = f"{tensor.nbytes:,}", shorten(tensor.name, 60)
        writer = f"{of}{writers[at]}" if at in writers else ""
        yield f"{of}{at}", str(tensor), size, kind, _scales(tensor), writer, name


def _scales(tensor: Tensor) -> str:
    if tensor.quantization is None or tensor.quantization.scale.size == 0:
        return ""
    scale = tensor.quantization.scale
    if scale.size == 1:
        return f"1: {number(scale[0])}"
    return f"{scale.size}: {number(scale.min())} to {number(scale.max())}"
