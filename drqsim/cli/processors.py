"""``drqsim processors``: what the same file computes on two processors."""

from __future__ import annotations

import click

from drqsim.across_processors import compare_processors
from drqsim.across_processors.differences import USUAL
from drqsim.cli import app
from drqsim.cli.inputs import feed
from drqsim.cli.screen import Screen, table
from drqsim.model_file.read import load
from drqsim.processor import NAMES
from drqsim.report import plain

MOST_SHOWN = 10  # flipped codes


@app.command(
    """
drqsim processors model.tflite --input image.npy
drqsim processors model.tflite --input random --processors arm64 arm64-i8mm
drqsim processors model.tflite --input image.npy --kernels optimized --json
"""
)
@app.model_argument()
@app.input_options()
@click.option(
    "--processors",
    "names",
    type=click.Choice(NAMES),
    nargs=2,
    default=USUAL,
    show_default=True,
    help="Which two to hold against each other.",
)
@app.kernels_option("xnnpack")
@app.nonfinite_option()
@app.limits_options
def processors(screen: Screen, model, specs, seed, names, kernels, allow_nonfinite) -> None:
    """Show which operators differ between two processors, by how much, and which codes flip."""
    graph = load(model)
    fed = feed(screen, graph, specs, seed)
    with screen.working("Running the model on both"):
        found = compare_processors(graph, fed, kernels, names, allow_nonfinite)
    parts = []
    for each in found.tables():
        parts += [table(each.title, each.header, each.rows, right=each.right), ""]
    flips = [(row.operator, flip) for row in found for flip in row.flips]
    told = [
        f"{operator}/{flip.tensor}{list(flip.position)}: {flip.first} and {flip.second} steps."
        for operator, flip in flips[:MOST_SHOWN]
    ]
    told += ["..."] if len(flips) > MOST_SHOWN else []
    screen.result(plain.of_processors(found), *parts, *found.summary(), *told)
