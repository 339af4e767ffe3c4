"""``drqsim explain``: int8 or float32, in which kernel, and why."""

from __future__ import annotations

import click

from drqsim.cli.app import command, force_option, kernels_option, model_argument
from drqsim.cli.files import check_output, write_output
from drqsim.cli.screen import Screen, table
from drqsim.graph import Graph
from drqsim.model_file.read import load
from drqsim.processor import NAMES
from drqsim.report import node_data, plain
from drqsim.report.words import about_the_arithmetic
from drqsim.verdict import explain as verdicts


@command(
    """
drqsim explain model.tflite
drqsim explain model.tflite --kernels optimized
drqsim explain model.tflite --processor arm64-dotprod
drqsim explain model.tflite --node-data arithmetic.json
"""
)
@model_argument()
@kernels_option("xnnpack")
@click.option(
    "--processor", type=click.Choice(NAMES), help="Name the family of kernels that it picks, too."
)
@click.option(
    "--node-data", type=click.Path(), help="Write the arithmetic as node data for Model Explorer."
)
@force_option()
def explain(
    screen: Screen,
    model: str,
    kernels: str,
    processor: str | None,
    node_data: str | None,
    force: bool,
) -> None:
    """Say which arithmetic each operator gets, and why."""
    check_output(node_data, force, (model,))
    screen.gives_way_to(node_data)
    graph = load(model)
    found = verdicts(graph, kernels, processor)
    if node_data:
        _write_arithmetic(node_data, graph, found, force)
    hazards = [f"Beware, {v.operator}: {text}" for v in found for text in v.hazards]
    lines = about_the_arithmetic(found)
    screen.result(
        {"summary": lines, **plain.of_explanation(found)},
        table("", found.header(), found.rows()),
        "",
        *lines,
        *hazards,
    )


def _write_arithmetic(path: str, graph: Graph, found, force: bool) -> None:
    content = plain.as_json(node_data.of_arithmetic(graph, found))
    write_output(path, content.encode(), force)
