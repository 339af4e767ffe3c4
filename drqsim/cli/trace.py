"""``drqsim trace``: every tensor of a run."""

from __future__ import annotations

import io

import click
import numpy as np

from drqsim.cli import app
from drqsim.cli.files import check_output, write_output
from drqsim.cli.inputs import feed, named_files
from drqsim.cli.screen import Screen, table
from drqsim.cli.wording import for_the_terminal
from drqsim.figures.figure import number
from drqsim.interpreter import run
from drqsim.model_file.read import load
from drqsim.report import plain
from drqsim.trace import HEADER, TensorRecord, Trace


@app.command(
    """
drqsim trace model.tflite --input random
drqsim trace model.tflite --input digits.npz:images[3] --op conv_2d_3
drqsim trace model.tflite --input image.npy --save trace.npz
""",
)
@app.model_argument()
@app.input_options()
@click.option("--op", help="One operator alone, with its values.")
@click.option("--save", type=click.Path(), help="Write the values as a .npz file.")
@app.kernels_option("optimized")
@app.nonfinite_option()
@app.float_order_option()
@app.processor_option
@app.limits_options
@app.force_option()
def trace(
    screen: Screen, model, specs, seed, op, save, kernels, allow_nonfinite, float_order, force
) -> None:
    """Run a model and show every tensor of every operator."""
    check_output(save, force, (model, *named_files(specs)), streams=False)
    graph = load(model)
    if op is not None:
        graph.operator(op)
    fed = feed(screen, graph, specs, seed)
    record = "values" if save else "shapes"
    with screen.working("Running the model"):
        kept = [f"{op}/*"] if op else record
        _, found = run(graph, fed, kernels, kept, allow_nonfinite, float_order=float_order)
    if op is not None:
        hazards = [pair for pair in found.hazards if pair[0] == op]
        found = Trace(found.op(op), found.kernels, hazards, processor=found.processor)
    if save:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{r.key: r.value for r in found if r.value is not None})
        write_output(save, buffer.getvalue(), force)
    hazards = [f"Beware, {at}: {for_the_terminal(text)}" for at, text in found.hazards]
    if op is None:
        parts = [table("", HEADER, found.rows(), right=(4,))]
    else:
        rows = [(*row, *_extremes(record)) for row, record in zip(found.rows(), found, strict=True)]
        parts = [table("", (*HEADER, "lowest", "highest"), rows, right=(4, 6, 7)), ""]
        parts += [_values(record) for record in found]
    screen.result(plain.of_trace(found), *parts, "", f"On the {found.followed}.", *hazards)


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
