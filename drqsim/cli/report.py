"""``drqsim report``: all of it on one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from drqsim.cli import app
from drqsim.cli.files import called, check_output, write_output
from drqsim.cli.inputs import named_files, read_inputs
from drqsim.cli.screen import Screen
from drqsim.cli.wording import for_the_terminal
from drqsim.limits import LAPTOP, current
from drqsim.model_file.read import load
from drqsim.report import as_data, as_html, as_markdown, make, node_data, plain
from drqsim.report.gather import STEPS, Report

FORMATS = ("html", "json", "md", "node-data")


@app.command(
    """
drqsim report model.tflite -o report.html
drqsim report drq.tflite --float float.tflite --input image.npy -o report.html
drqsim report drq.tflite --float float.tflite -o error.json --format node-data
"""
)
@app.model_argument()
@click.option(
    "--float", "float_model", type=click.Path(), help="The float model that it was made from."
)
@app.output_option()
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="html",
    show_default=True,
    help="node-data is for Model Explorer: the errors with --float, else the arithmetic.",
)
@app.input_options(required=False)
@app.kernels_option("optimized")
@app.nonfinite_option()
@app.float_order_option()
@app.processor_option
@app.limits_options
@app.end_to_end_option(None, "by default where it is quick")
@click.option(
    "--max-drawn",
    type=click.IntRange(0),
    default=LAPTOP.drawn,
    show_default=True,
    help="Operators whose codes are drawn.",
)
@app.force_option()
def report(
    screen: Screen,
    model,
    float_model,
    output,
    form,
    specs,
    seed,
    kernels,
    allow_nonfinite,
    float_order,
    end_to_end,
    max_drawn,
    force,
) -> None:
    """Write a report: what is int8, what it costs in memory, where the error arises."""
    check_output(output, force, (model, float_model, *named_files(specs)))
    screen.gives_way_to(output)
    graph = load(model)
    floats = None if float_model is None else load(float_model)
    fed, notes = read_inputs(graph, specs or ("random",), seed)
    for note in notes:
        screen.note(note)
    named = ", ".join(specs) if specs else f"random numbers between -1 and 1 (seed {seed})"
    operators = len(graph.operators) if form == "html" else 0
    with screen.working("Reading", steps=STEPS + operators) as step:
        made = make(
            graph,
            fed,
            floats,
            kernels,
            Path(model).name,
            named,
            end_to_end=end_to_end,
            step=step,
            allow_nonfinite=allow_nonfinite,
            limits=replace(current(), drawn=max_drawn),
            float_order=float_order,
        )
        made.left_out[:] = map(for_the_terminal, made.left_out)
        content = _written(made, form, step)
    write_output(output, content.encode(), force)
    data = {
        "output": output,
        "format": form,
        "bytes": len(content.encode()),
        "left_out": made.left_out,
    }
    screen.result(data, f"{called(output)}: {len(content.encode()):,} bytes.", *made.left_out)


def _written(made: Report, form: str, step) -> str:
    if form == "html":
        return as_html(made, step)
    if form == "md":
        return as_markdown(made)
    if form == "json":
        return plain.as_json(as_data(made))
    if made.error is not None:
        return plain.as_json(node_data.of_errors(made.graph, made.error))
    return plain.as_json(node_data.of_arithmetic(made.graph, made.explanation))
