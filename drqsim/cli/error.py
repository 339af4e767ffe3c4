"""``drqsim error``: where the error of a quantized model arises."""

from __future__ import annotations

import click

from drqsim.attribution.attribute import attribute_error
from drqsim.attribution.parts import ORDER
from drqsim.cli import app
from drqsim.cli.files import check_output, write_output
from drqsim.cli.inputs import feed, named_files, read_inputs
from drqsim.cli.screen import Screen, table
from drqsim.errors import InputError
from drqsim.model_file.read import load
from drqsim.report import node_data as for_model_explorer
from drqsim.report import plain
from drqsim.report.words import about_the_error


@app.command(
    """
drqsim error float.tflite drq.tflite --input image.npy
drqsim error float.tflite drq.tflite --input random --count 8
drqsim error float.tflite drq.tflite --input random --node-data error.json
"""
)
@app.model_argument("float_model")
@app.model_argument("drq_model")
@app.input_options()
@click.option(
    "--count",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="How many random inputs to draw.",
)
@app.kernels_option("optimized")
@app.nonfinite_option()
@app.processor_option
@app.limits_options
@app.end_to_end_option(True, "it takes long for large models")
@click.option(
    "--node-data", type=click.Path(), help="Write the errors as node data for Model Explorer."
)
@app.force_option()
def error(
    screen: Screen,
    float_model,
    drq_model,
    specs,
    seed,
    count,
    kernels,
    allow_nonfinite,
    end_to_end,
    node_data,
    force,
) -> None:
    """Show where the error of a quantized model arises: parts that add up to it."""
    check_output(node_data, force, (float_model, drq_model, *named_files(specs)))
    screen.gives_way_to(node_data)
    floats, quantized = load(float_model), load(drq_model)
    cases = [feed(screen, floats, specs, seed, many=count == 1)]
    if count > 1 and not any(spec == "random" or spec.endswith("=random") for spec in specs):
        raise InputError(f"--count {count} draws random inputs; pass --input random with it.")
    cases += [read_inputs(floats, specs, seed + at)[0] for at in range(1, count)]
    if count == 1 and len(cases[0]) == 1:
        cases = next(iter(cases[0].values()))  # its first dimension may hold many
    with screen.working("Running both models"):
        found = attribute_error(
            floats,
            quantized,
            cases,
            kernels,
            end_to_end=end_to_end,
            allow_nonfinite=allow_nonfinite,
        )
    if node_data:
        content = plain.as_json(for_model_explorer.of_errors(quantized, found))
        write_output(node_data, content.encode(), force)
    tables = []
    for title, header, rows in found.tables():
        tables += [table(title, header, rows, right=range(1, len(header))), ""]
    lines = about_the_error(found)
    hazards = [f"Beware, {operator}: {text}" for operator, text in found.hazards]
    data = {"summary": lines, "order": ORDER, **plain.of_attribution(found)}
    screen.result(data, *tables, *lines, ORDER, *hazards)
