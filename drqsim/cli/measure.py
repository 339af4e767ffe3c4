"""Commands that run a model: ``trace``, ``error``."""

from __future__ import annotations

import io

import click
import numpy as np

from drqsim import node_data as for_model_explorer
from drqsim import plain
from drqsim.attribution import attribute_error
from drqsim.cli.commands import (
    command,
    force_option,
    input_options,
    kernels_option,
    model_argument,
)
from drqsim.cli.files import check_free, write_whole
from drqsim.cli.inputs import read_inputs
from drqsim.cli.screen import Screen, table
from drqsim.error_parts import ORDER
from drqsim.errors import InputError
from drqsim.figures.figure import number
from drqsim.graph import Graph
from drqsim.interpreter import run
from drqsim.report.words import about_the_error
from drqsim.tflite_file import load
from drqsim.trace import HEADER, TensorRecord, Trace


@command(
    """
drqsim trace model.tflite --input random
drqsim trace model.tflite --input digits.npz:images[3] --op conv_2d_3
drqsim trace model.tflite --input image.npy --save trace.npz
""",
)
@model_argument()
@input_options()
@click.option("--op", help="One operator alone, with its values.")
@click.option("--save", type=click.Path(), help="Write the values as a .npz file.")
@kernels_option("optimized")
@force_option()
def trace(screen: Screen, model, specs, seed, op, save, kernels, force) -> None:
    """Run a model and show every tensor of every operator."""
    check_free(save, force)
    graph = load(model)
    if op is not None:
        graph.operator(op)
    fed = feed(screen, graph, specs, seed)
    record = "values" if save else "shapes"
    with screen.working("Running the model"):
        _, found = run(graph, fed, kernels, record=[f"{op}/*"] if op else record)
    if op is not None:
        hazards = [pair for pair in found.hazards if pair[0] == op]
        found = Trace(found.op(op), found.kernels, hazards)
    if save:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{r.key: r.value for r in found if r.value is not None})
        write_whole(save, buffer.getvalue(), force)
    hazards = [f"Beware, {operator}: {text}" for operator, text in found.hazards]
    if op is None:
        parts = [table("", HEADER, found.rows(), right=(4,))]
    else:
        rows = [(*row, *_extremes(record)) for row, record in zip(found.rows(), found, strict=True)]
        parts = [table("", (*HEADER, "lowest", "highest"), rows, right=(4, 6, 7)), ""]
        parts += [_values(record) for record in found]
    screen.result(plain.of_trace(found), *parts, *hazards)


def _extremes(record: TensorRecord) -> tuple[str, str]:
    lowest, highest = plain.extremes(record)
    return ("", "") if lowest is None else (number(lowest), number(highest))


def _values(record: TensorRecord) -> str:
    """The first values on one line."""
    if record.value is None:
        return f"{record.name}: not kept"
    flat = record.value.ravel()
    first = " ".join(number(value) for value in flat[:12])
    return f"{record.name}: {first}" + (" ..." if flat.size > 12 else "")


@command(
    """
drqsim error float.tflite drq.tflite --input image.npy
drqsim error float.tflite drq.tflite --input random --count 8
drqsim error float.tflite drq.tflite --input random --node-data error.json
"""
)
@model_argument("float_model")
@model_argument("drq_model")
@input_options()
@click.option(
    "--count",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="How many random inputs to draw.",
)
@kernels_option("optimized")
@click.option(
    "--end-to-end/--no-end-to-end",
    default=True,
    help="Whether to split the error of the final output, too; it takes long for large models.",
)
@click.option(
    "--node-data", type=click.Path(), help="Write the errors as node data for Model Explorer."
)
@force_option()
def error(
    screen: Screen,
    float_model,
    drq_model,
    specs,
    seed,
    count,
    kernels,
    end_to_end,
    node_data,
    force,
) -> None:
    """Show where the error of a quantized model arises: parts that add up to it."""
    check_free(node_data, force)
    floats, quantized = load(float_model), load(drq_model)
    cases = [feed(screen, floats, specs, seed)]
    if count > 1 and not any(spec == "random" or spec.endswith("=random") for spec in specs):
        raise InputError(f"--count {count} draws random inputs; pass --input random with it.")
    cases += [read_inputs(floats, specs, seed + at)[0] for at in range(1, count)]
    if count == 1 and len(cases[0]) == 1:
        cases = next(iter(cases[0].values()))  # its first dimension may hold many
    with screen.working("Running both models"):
        found = attribute_error(floats, quantized, cases, kernels, end_to_end=end_to_end)
    if node_data:
        content = plain.as_json(for_model_explorer.of_errors(quantized, found))
        write_whole(node_data, content.encode(), force)
    tables = []
    for title, header, rows in found.tables():
        tables += [table(title, header, rows, right=range(1, len(header))), ""]
    lines = about_the_error(found)
    hazards = [f"Beware, {operator}: {text}" for operator, text in found.hazards]
    data = {"summary": lines, "order": ORDER, **plain.of_attribution(found)}
    screen.result(data, *tables, *lines, ORDER, *hazards)


def feed(screen: Screen, graph: Graph, specs: tuple[str, ...], seed: int) -> dict:
    """The inputs by name; what was done to them is said on stderr."""
    fed, notes = read_inputs(graph, specs, seed)
    for note in notes:
        screen.note(note)
    return fed
