"""``drqsim inspect``: the tensors of a file."""

from __future__ import annotations

from drqsim.cli.app import command, model_argument
from drqsim.cli.screen import Screen, table
from drqsim.figures.figure import number
from drqsim.graph import Graph, Tensor, shorten
from drqsim.model_file.read import load
from drqsim.report import plain
from drqsim.report.words import about_the_file, weigh


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
