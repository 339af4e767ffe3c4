"""The words and formulas of the walk: patterns that Python fills, and walk.js in the same way.

``{name}`` stands for one of the ``Numbers`` of an output; ``{name!}`` puts a negative one in
brackets.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from drqsim.figures.flow import PLACES
from drqsim.trace import TensorRecord
from drqsim.walk.numbers import Layer, Numbers

TITLE = "output row {row}, column {column}, channel {channel}"
SLOT = re.compile(r"\{(\w+)(!?)\}")

# in words and in numbers, for each way to multiply
FACTOR = {
    "scales together": (
        "accumulator × (filter scale × input scale)",
        "{accumulator} × ({filter_scale} × {scale}) = {accumulator} × {factor}",
    ),
    "filter scale first": (
        "(accumulator × filter scale) × input scale",
        "({accumulator} × {filter_scale}) × {scale} = {factor} × {scale}",
    ),
    "input scale first": (
        "(accumulator × input scale) × filter scale",
        "({accumulator} × {scale}) × {filter_scale} = {factor} × {filter_scale}",
    ),
}
# name, formula, what happens
CLAMP = {
    "NONE": ("no activation function", "{pre_activation}", "No activation function is fused"),
    "RELU": ("ReLU", "max({pre_activation}, 0)", "ReLU turns negative values into 0"),
    "RELU6": ("ReLU6", "min(max({pre_activation}, 0), 6)", "ReLU6 clamps the value to 0 … 6"),
    "RELU_N1_TO_1": (
        "ReLU N1 to 1",
        "min(max({pre_activation}, -1), 1)",
        "The activation clamps the value to -1 … 1",
    ),
}


class Stage(NamedTuple):
    """One stage of the walk.

    ``name`` and ``kind`` say what tensor it makes, ``place`` where that is kept (``products`` are
    never a tensor), ``says`` what happens in a sentence or two, ``words`` and
    ``sum`` are its line of the sum, in words and in numbers.
    """

    name: str
    kind: str
    dtype: str
    place: str
    says: str
    words: str
    sum: str


def decimal(value: np.float32) -> str:
    """The fewest digits that give this float32 back, laid out as JavaScript does."""
    value = np.float32(value)
    if value == 0:
        return "-0" if np.signbit(value) else "0"
    if 1e-6 <= abs(value) < 1e21:
        return np.format_float_positional(value, unique=True, trim="-")
    return np.format_float_scientific(value, unique=True, trim="-", exp_digits=1)


def write(value: object) -> str:
    """One of the ``Numbers``: whole ones with commas, others as ``decimal``."""
    if isinstance(value, np.floating):
        return decimal(value)
    return f"{int(value):,}"


def fill(pattern: str, numbers: Numbers) -> str:
    """The pattern with its numbers written in."""

    def slot(match: re.Match) -> str:
        text = write(getattr(numbers, match[1]))
        return f"({text})" if match[2] and text.startswith("-") else text

    return SLOT.sub(slot, pattern)


def stages(layer: Layer) -> list[Stage]:
    """The eight stages, with what this kernel path does."""
    return [*_integers(layer), _accumulator(layer), *_floats(layer)]


def _integers(layer: Layer) -> list[Stage]:
    """From the float input to the products of codes and weights."""
    records = layer.records
    tall, wide, depth = layer.w.shape[1:]
    codes = layer.q.dtype.name
    every = "every pixel has" if layer.scale.size > 1 else "the whole image has"
    if layer.symmetric:
        quantize = (
            "round(x × 127 / largest magnitude); one scale serves the whole image, and the zero "
            "point is 0"
        )
    else:
        quantize = f"round(x × 1/scale) + zero point; {every} one scale and one zero point"
    return [
        Stage(
            "input",
            "float32",
            "float32",
            place(records["input"]),
            "What the operator before this one wrote, in float32. The window is what this output "
            f"pixel sees: {tall} by {wide} pixels, {depth} channels deep, one of them shown. "
            "Hatched cells are padding and hold 0.",
            "",
            "",
        ),
        Stage(
            "input_quantized",
            "int8",
            codes,
            place(records["input_quantized"]),
            f"The kernel copies the input into {codes}: {quantize}. The padding holds the zero "
            "point, which is the code of 0.",
            "",
            "scale {scale}, zero point {zero_point}",
        ),
        Stage(
            "filter",
            "weight",
            "int8",
            place(records["filter"]),
            "The int8 weights, as the file holds them: quantized once, when the file was made. "
            "They are not turned back into floats.",
            "",
            "scale {filter_scale}",
        ),
        Stage(
            "products",
            "int32",
            "int32",
            "not stored",
            f"Code times weight, {codes} × int8: whole numbers, exact. "
            f"{layer.w[0, ..., 0].size} for the input channel shown, {layer.terms} in all. "
            "No product is ever a tensor.",
            "codes × weights",
            "their sum {part}",
        ),
    ]


def _accumulator(layer: Layer) -> Stage:
    """The sum and its correction, which the kernel paths arrange differently."""
    kept = layer.records.get("accumulator_raw")
    says = f"All {layer.terms} products are added up in int32, so nothing is rounded"
    if layer.symmetric:
        says += ". The zero point is 0, so nothing is left to correct."
        words, line = "raw sum, zero point 0", "{raw} = {accumulator}"
    else:
        words = "raw sum - zero point × sum of the weights"
        line = "{raw} - {zero_point!} × {row_sum!} = {raw} - {correction!} = {accumulator}"
        says += "; zero point × the sum of the weights is taken off, because a code counts from "
        says += "its zero point."
        if not kept:
            says += " This kernel arranges the same sum in its own way: " + (
                "it takes the zero point off each code first."
                if layer.order == "filter scale first"
                else "it starts from the correction."
            )
    where = place(layer.records["accumulator"])
    if kept:
        where = f"raw sum: {place(kept)}, corrected: {where}"
    return Stage("accumulator", "int32", "int32", where, says, words, line)


def _floats(layer: Layer) -> list[Stage]:
    """From the finished sum to the output."""
    records = layer.records
    words, factor = FACTOR[layer.order]
    clamp, result, clamps = CLAMP[layer.activation]
    bare = layer.activation == "NONE"
    fma = layer.order == "input scale first"
    return [
        Stage(
            "dequantized",
            "float32",
            "float32",
            place(records["dequantized"]),
            "The finished sum becomes float32 and is multiplied by two scales, that of the filter "
            "and that of the input. This is the first float "
            "since the codes were made; every result is rounded to float32.",
            words,
            f"{factor} = {{dequantized}}",
        ),
        Stage(
            "pre_activation",
            "float32",
            "float32",
            place(records["pre_activation"]),
            "The float32 bias is added"
            + (", by XNNPACK in one instruction with the last product (fma)" if fma else "")
            + ". This is the convolution's output before the activation function: float32"
            + ("." if bare else ", and never a tensor."),
            "product × filter scale + bias, rounded once" if fma else "dequantized + bias",
            "fma({factor}, {filter_scale}, {bias}) = {pre_activation}"
            if fma
            else "{dequantized} + {bias!} = {pre_activation}",
        ),
        Stage(
            "output",
            "float32",
            "float32",
            place(records["output"]),
            f"{clamps}. The result is stored as float32, for the next operator to read.",
            clamp,
            f"{result} = {{output}}",
        ),
    ]


def place(record: TensorRecord) -> str:
    """Where the values of a record are kept, in a word or two."""
    where = PLACES.get(record.stored, record.stored)
    if record.role == "scratch" and record.stored == "arena":
        return f"scratch in the {where}"
    return where


def spoken(layer: Layer) -> str:
    """The sum in words, for those who hear it."""
    raw = f"The sum of {layer.terms} products of {layer.q.dtype} codes and int8 weights is "
    raw += "{raw}. "
    if not layer.symmetric:
        raw += "Minus zero point {zero_point} times weight sum {row_sum} makes {accumulator}. "
    after, *_ = CLAMP[layer.activation]
    return (
        "Output row {row}, column {column}, channel {channel}. "
        + raw
        + "Times filter scale {filter_scale} and input scale {scale}: {dequantized}, float32. "
        f"Plus bias {{bias}}: {{pre_activation}}. After {after}: {{output}}."
    )


def written_out(layer: Layer, numbers: Numbers) -> str:
    """The sum behind one output number as plain text."""
    lines = [
        f"{layer.op}, {layer.kernels} kernels: " + fill(TITLE, numbers),
        f"input channel {numbers.k}: codes, weights, products",
    ]
    wide = layer.w.shape[2]
    for at in range(0, len(numbers.q), wide):
        row = slice(at, at + wide)
        columns = (("q", 5), ("w", 5), ("products", 8))
        parts = ["".join(f"{v:>{n},}" for v in getattr(numbers, key)[row]) for key, n in columns]
        lines.append("  " + "   ".join(parts))
    sums = [write(part) for part in numbers.parts]
    lines += [
        fill("their sum: {part}", numbers),
        f"the sums of the {len(sums)} input channels:",
        *("  " + "".join(f"{v:>10}" for v in sums[at : at + 8]) for at in range(0, len(sums), 8)),
        fill(f"all {layer.terms} products: {{raw}}", numbers),
    ]
    for stage in stages(layer)[4:]:
        lines.append(f"{stage.name}: {fill(stage.sum, numbers)}")
    return "\n".join(lines)
