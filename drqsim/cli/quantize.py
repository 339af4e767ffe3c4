"""``drqsim quantize``: write a model with int8 weights."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from drqsim.cli.app import (
    command,
    force_option,
    model_argument,
    output_option,
)
from drqsim.cli.files import called, check_output, is_terminal, write_output
from drqsim.cli.screen import Screen, table
from drqsim.converter.quantize import RULES
from drqsim.converter.quantize import quantize as quantized
from drqsim.errors import InputError
from drqsim.graph import Graph, shorten
from drqsim.model_file.read import load, read_bytes
from drqsim.model_file.write import to_bytes
from drqsim.report import plain
from drqsim.report.words import about_the_file, weigh


@command(
    """
drqsim quantize float.tflite -o drq.tflite
drqsim quantize float.tflite -o drq.tflite --min-elements 0
drqsim quantize float.tflite -o drq.tflite --rules litert-quantizer
"""
)
@model_argument()
@output_option()
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

    The file's metadata and its one signature are not kept; a file with several signatures or
    subgraphs is refused.
    """
    check_output(output, force, (model,), streams=not is_terminal(sys.stdout))
    screen.gives_way_to(output)
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
    write_output(output, content, force)
    rows = [
        (at, str(old), str(new), f"{new.quantization.scale.size}", shorten(new.name, 60))
        for at, old, new in changed
    ]
    before_bytes, after_bytes = len(read_bytes(model)[0]), len(content)
    lines = [
        f"{called(output)}: {after_bytes:,} bytes; {Path(model).name} has {before_bytes:,}.",
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
