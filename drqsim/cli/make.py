"""Commands that write a file: ``quantize``, ``report``."""

from __future__ import annotations

from pathlib import Path

import click

from drqsim import node_data, plain
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
from drqsim.errors import InputError
from drqsim.graph import Graph, shorten
from drqsim.quantize import RULES
from drqsim.quantize import quantize as quantized
from drqsim.report.words import about_the_file, weigh
from drqsim.tflite_file import load, read_bytes
from drqsim.tflite_write import to_bytes

FORMATS = ("html", "json", "md", "node-data")


@command(
    """
drqsim quantize float.tflite -o drq.tflite
drqsim quantize float.tflite -o drq.tflite --min-elements 0
drqsim quantize float.tflite -o drq.tflite --rules litert-quantizer
"""
)
@model_argument()
@click.option("-o", "--output", type=click.Path(), required=True, help="The file to write.")
@click.option("--per-tensor", is_flag=True, help="One scale for all channels of a constant.")
@click.option(
    "--min-elements", type=click.IntRange(0), help="Smaller constants stay float32; 1024 as a rule."
)
@click.option(
    "--rules",
    type=click.Choice(list(RULES)),
    default="tensorflow",
    show_default=True,
    help="The tool whose rules to follow.",
)
@force_option()
def quantize(screen: Screen, model, output, per_tensor, min_elements, rules, force) -> None:
    """Write the model with int8 weights, bit for bit as a converter would choose them.

    Signatures and metadata of the file are not kept.
    """
    check_free(output, force)
    before = load(model)
    after = quantized(before, not per_tensor, min_elements, rules)
    content = to_bytes(after)
    changed = _changed(before, after)
    if not changed:
        halves = "; its float16 weights would have to be float32" if weigh(before).halves else ""
        raise InputError(
            f"Nothing in {Path(model).name!r} is to be quantized by these rules (no float32 "
            f"weights of an operator that they know, or all of them too small{halves}), so nothing "
            "is written; see --min-elements and --rules."
        )
    write_whole(output, content, force)
    rows = [
        (at, str(old), str(new), f"{new.quantization.scale.size}", shorten(new.name, 60))
        for at, old, new in changed
    ]
    before_bytes, after_bytes = len(read_bytes(model)[0]), len(content)
    lines = [
        f"{output}: {after_bytes:,} bytes; {Path(model).name} has {before_bytes:,}.",
        *about_the_file(after),
    ]
    data = {
        "output": output,
        "bytes": after_bytes,
        "bytes_before": before_bytes,
        "quantized": [
            {"operator": at, **plain.of_tensor(new, after.tensors.index(new))}
            for at, _, new in changed
        ],
        "weights": weigh(after)._asdict(),
        "summary": lines,
    }
    header = ("read by", "before", "after", "scales", "name")
    screen.result(data, table("", header, rows, right=(3,)), "", *lines)


def _changed(before: Graph, after: Graph) -> list[tuple]:
    """(operator, tensor before, tensor after) for every constant that became int8."""
    rows = {}
    old = {t.name: t for t in before.tensors}
    known = {id(t) for t in before.tensors}
    for op in after.operators:
        for index in op.inputs:
            tensor = after.tensors[index] if index >= 0 else None
            if tensor is None or tensor.quantization is None or id(tensor) in known:
                continue
            if tensor.value is not None:
                name = tensor.name.rpartition("/int8_")[0] or tensor.name
                rows.setdefault(index, (op.name, old.get(name, old.get(tensor.name)), tensor))
    return list(rows.values())


@command(
    """
drqsim report model.tflite -o report.html
drqsim report drq.tflite --float float.tflite --input image.npy -o report.html
drqsim report drq.tflite --float float.tflite -o error.json --format node-data
"""
)
@model_argument()
@click.option(
    "--float", "float_model", type=click.Path(), help="The float model that it was made from."
)
@click.option("-o", "--output", type=click.Path(), required=True, help="The file to write.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="html",
    show_default=True,
    help="node-data is for Model Explorer: the errors with --float, else the arithmetic.",
)
@input_options(required=False)
@kernels_option("optimized")
@click.option(
    "--end-to-end/--no-end-to-end",
    default=None,
    help="Whether to split the error of the final output, too; by default where it is quick.",
)
@force_option()
def report(
    screen: Screen, model, float_model, output, form, specs, seed, kernels, end_to_end, force
) -> None:
    """Write a report: what is int8, what it costs in memory, where the error arises."""
    from drqsim.report.gather import STEPS, make

    check_free(output, force)
    graph = load(model)
    floats = None if float_model is None else load(float_model)
    fed, notes = read_inputs(graph, specs or ("random",), seed)
    for note in notes:
        screen.note(note)
    named = ", ".join(specs) if specs else f"random numbers between -1 and 1 (seed {seed})"
    operators = len(graph.operators) if form == "html" else 0
    with screen.working("Reading", steps=STEPS + operators) as step:
        made = make(
            graph, fed, floats, kernels, Path(model).name, named, end_to_end=end_to_end, step=step
        )
        content = _written(made, form, step)
    write_whole(output, content.encode(), force)
    data = {
        "output": output,
        "format": form,
        "bytes": len(content.encode()),
        "left_out": made.left_out,
    }
    screen.result(data, f"{output}: {len(content.encode()):,} bytes.", *made.left_out)


def _written(made, form: str, step) -> str:
    if form == "html":
        return made.html(step)
    if form == "md":
        return made.markdown()
    if form == "json":
        return plain.as_json(made.data())
    if made.error is not None:
        return plain.as_json(node_data.of_errors(made.graph, made.error))
    return plain.as_json(node_data.of_arithmetic(made.graph, made.explanation))
