"""A layer as a flow diagram, drawn from what a run recorded."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

import numpy as np

from drqsim.figures.figure import Figure, byte_count, minus, number
from drqsim.graph import Operator
from drqsim.processor import DEFAULT
from drqsim.trace import TensorRecord, Trace, kind_class

# constants enter at the first of these records that the kernel path has
ENTERS_AT = {
    "filter": ("accumulator_raw", "accumulator", "pre_activation"),
    "filter_unpacked": ("accumulator_raw", "accumulator"),
    "filter_packed": ("accumulator_raw",),
    "filter_row_sums": ("accumulator",),
    "filter_scale": ("dequantized",),
    "bias": ("pre_activation",),
}
# records that come into being together
TOGETHER = {"input_zero_point": "input_scale"}
# results that are used a second time, further down
AGAIN = {
    "input_quantized": "input",  # the scale, above, was made of it; the codes are made of both
    "accumulator": "input_zero_point",
    "dequantized": "input_scale",
}
MEANINGS = {
    "input": "what the layer reads",
    "filter": "the weights",
    "filter_scale": "size of one weight step",
    "bias": "added to every sum",
    "filter_unpacked": "the weights as int8, made in every run",
    "filter_packed": "the weights plus 7, made once",
    "offset_correction": "takes the 7 off the sums",
    "offset_dequantized": "the same as a real number",
    "filter_row_sums": "sum of each output's weights",
    "input_scale": "size of one code step",
    "input_zero_point": "the code of 0.0",
    "input_quantized": "the input as 8-bit codes",
    "im2col": "one row of codes per window",
    "accumulator_raw": "sums of code × weight",
    "accumulator": "the exact sums",
    "dequantized": "the sums as real numbers",
    "pre_activation": "before the activation",
    "output": "what the next layer reads",
}
SLOTS = {"input_scale": "scales", "input_zero_point": "zero points"}
PLACES = {
    "file": "model file (offline)",
    "arena": "arena",
    "persistent": "persistent arena",
    "heap": "outside the arenas",
    "delegate": "inside XNNPACK",
}
ACTIVATIONS = {
    "NONE": "no activation",
    "RELU": "ReLU: negative numbers become 0",
    "RELU6": "ReLU6: clamped to 0 … 6",
    "RELU_N1_TO_1": "ReLU N1 to 1: clamped to −1 … 1",
}
LEGEND = (
    ("drq-weight", "constant from the model file, any type"),
    ("drq-float32", "float32, real numbers"),
    ("drq-int8", "int8 and uint8, 8-bit codes"),
    ("drq-int32", "int32, whole numbers"),
    ("", "solid frame: stored in memory"),
    ("drq-passing", "dashed frame: not stored"),
)


class Step(NamedTuple):
    """One arrow: what is done, what it takes besides the card above, and what comes out."""

    operation: str
    constants: list[TensorRecord]
    again: TensorRecord | None
    results: list[TensorRecord]


def layer(trace: Trace, op: str | Operator | None = None) -> Figure:
    """The picture of one operator: every recorded tensor a card, in the order of the computation.

    Parameters
    ----------
    trace : Trace
        Of any kernel path.
    op : str or Operator, optional
        Which operator; by default the first that the trace has. The name is enough; an
        ``Operator`` also says what its fused activation is, which is otherwise seen from what it
        did to the values.
    """
    name = getattr(op, "name", op) or next(iter(trace)).op
    records = trace.op(name)
    fused = op.options.get("fused_activation_function") if isinstance(op, Operator) else None
    steps = _steps(records, fused)
    title = f"{name}, {_followed(trace)}"
    offline = sum(record.stage == "offline" for record in records)
    first, last = steps[0].results[0], steps[-1].results[-1]
    alt = (
        f"Flow diagram of the layer {title}: {len(records)} tensors, {offline} of them from the "
        f"model file, from {first.name} {first} to {last.name} {last}."
    )
    return Figure(_html(title, steps), _text(title, steps), alt)


def _followed(trace: Trace) -> str:
    """Whose kernels these are, with the processor unless it is the usual one."""
    return trace.followed if trace.processor != DEFAULT else f"{trace.kernels} kernels"


def _steps(records: list[TensorRecord], fused: str | None) -> list[Step]:
    """The chain of results, each with the operation that leads to it."""
    names = {record.name: record for record in records}
    constants: dict[str, list[TensorRecord]] = {}
    for record in records:
        if record.stage == "offline" or record.name in ENTERS_AT:
            targets = [name for name in ENTERS_AT.get(record.name, ()) if name in names]
            constants.setdefault((targets or [records[-1].name])[0], []).append(record)
    beside = {id(record) for group in constants.values() for record in group}
    steps: list[Step] = []
    for record in records:
        if id(record) in beside:
            continue
        if TOGETHER.get(record.name) in names and steps:
            steps[-1].results.append(record)
            continue
        operation = _operation(record.name, names, fused) if steps else ""
        again = names.get(AGAIN.get(record.name))
        steps.append(Step(operation, constants.get(record.name, []), again, [record]))
    return steps


def _operation(name: str, names: dict[str, TensorRecord], fused: str | None) -> str:
    """What is written on the arrow that leads to the record ``name``."""
    shifted = "input_zero_point" in names
    if name == "input_scale":
        return "find smallest and largest value" if shifted else "find the largest magnitude"
    if name == "input_quantized":
        return "round(x × 1/scale) + zero point" if shifted else "round(x × 127/largest magnitude)"
    if name == "im2col":
        return "copy every window into a row"
    if name == "offset_correction":
        return "−7 × sum of a row's codes"
    if name == "offset_dequantized":
        return "× input scale × filter scale"
    if name == "accumulator_raw" and "filter_packed" in names:
        return "sum of code × (weight + 7) → int32"
    if name == "accumulator_raw":
        return "sum of products, int8 × int8 → int32"
    if name == "accumulator" and "accumulator_raw" in names:
        return "− zero point × row sums"
    if name == "accumulator":
        if "filter_row_sums" in names:
            return "sum of products − zero point × row sums → int32"
        factors = "(code − zero point) × weight" if shifted else "products, int8 × int8"
        return f"sum of {factors} → int32"
    if name == "dequantized":
        return "× input scale × filter scale"
    if name == "pre_activation" and "offset_dequantized" in names:
        return "offset_dequantized + bias + dequantized"
    if name == "pre_activation":
        return "+ bias" if "dequantized" in names else "sum of products + bias"
    if name == "output":
        return _activation(names, fused)
    return ""


def _activation(names: dict[str, TensorRecord], fused: str | None) -> str:
    """The name of the fused activation: told, or seen from what it did."""
    if "pre_activation" not in names:
        return names["output"].op.rpartition("_")[0]
    before, after = names["pre_activation"].value, names["output"].value
    if fused is None and before is not None and after is not None:
        fused = activation_seen(before, after)
    return ACTIVATIONS.get(fused, fused or "activation")


def activation_seen(before: np.ndarray, after: np.ndarray) -> str | None:
    """The activation whose limits the changed values were set to."""
    limits = set(np.unique(after[before != after]).tolist())
    if not limits:
        return "activation: changed nothing here"
    known = (({0.0}, "RELU"), ({0.0, 6.0}, "RELU6"), ({-1.0, 1.0}, "RELU_N1_TO_1"))
    return next((name for allowed, name in known if limits <= allowed), None)


def _place(record: TensorRecord) -> str:
    """Where the values are, and what the runtime sets aside beyond them."""
    place = PLACES.get(record.stored, record.stored)
    if record.stored == "not stored" and record.reserved:
        return f"{place} ({byte_count(record.reserved)} set aside, never written)"
    if record.reserved > record.nbytes:
        slots = record.reserved * 8 // (record.bits or 8 * record.dtype.itemsize)
        return f"{place} (room for {slots:,} {SLOTS.get(record.name, 'values')})"
    return place


def _meaning(record: TensorRecord) -> str:
    """What the record is, and when it is made if that is not now."""
    meaning = MEANINGS.get(record.name, "")
    if record.name == "filter_row_sums":
        meaning += ", made once"
        meaning += ", on the first run" if record.stored == "persistent" else ""
    return meaning


def _stored_bytes(record: TensorRecord) -> int:
    """How many bytes of memory the values take: none where they are not stored."""
    return 0 if record.stored == "not stored" else record.nbytes


def _values(record: TensorRecord) -> str:
    """The value, or the range of the values; nothing where the run kept shapes only."""
    if record.value is None or record.value.size == 0:
        return ""
    if record.value.size == 1:
        return f"= {number(record.value.reshape(-1)[0])}"
    return f"{number(record.value.min())} … {number(record.value.max())}"


def _html(title: str, steps: list[Step]) -> str:
    largest = max(_stored_bytes(r) for step in steps for r in step.constants + step.results) or 1
    rows = [_row("drq-flow-heads", "", "New for every input, on the device")]
    panel = None  # the row beside which the panel of the constants begins
    for at, step in enumerate(steps):
        if at:
            rows.append(_arrow(step, largest))
        heading = ""
        if panel is None and at + 1 < len(steps) and steps[at + 1].constants:
            heading, panel = '<div class="drq-flow-head">The same for every input</div>', len(rows)
        results = "".join(_card(record, largest) for record in step.results)
        rows.append(_row("", heading, f'<div class="drq-flow-cards">{results}</div>'))
    flow = "".join(rows[:panel])
    if panel is not None:
        flow += f'<div class="drq-flow-panel">{"".join(rows[panel:])}</div>'
    legend = "".join(f'<li><i class="{look}"></i>{text}</li>' for look, text in LEGEND)
    return (
        f'<div class="drq-flow-title">{escape(title)}</div>'
        f'<div class="drq-flow">{flow}</div><ul class="drq-legend">{legend}'
        '<li><i class="drq-flow-size"></i>bar: bytes, against the largest tensor</li></ul>'
    )


def _row(look: str, constants: str, chain: str) -> str:
    return (
        f'<div class="drq-flow-row {look}"><div class="drq-flow-file">{constants}</div>'
        f'<div class="drq-flow-join"></div><div class="drq-flow-chain">{chain}</div></div>'
    )


def _arrow(step: Step, largest: int) -> str:
    """The arrow that leads to a step's results, with the constants that join it."""
    constants = "".join(_card(record, largest) for record in step.constants)
    looks, label = ["drq-flow-joins"] * bool(constants), ""
    if step.again:
        looks.append("drq-flow-late")
        value = f" {minus(_values(step.again))}" if step.again.shape == (1,) else ""
        label += (
            f'<span class="drq-flow-again drq-{escape(kind_class(step.again))}">'
            f"<span>{escape(step.again.name)}{value}</span></span>"
        )
    if step.operation:
        label += f'<span class="drq-flow-op">{escape(step.operation)}</span>'
    return _row(" ".join(looks), constants, f'<div class="drq-flow-arrow">{label}</div>')


def _card(record: TensorRecord, largest: int) -> str:
    nbytes, values = _stored_bytes(record), minus(_values(record))
    passing, stored = ("", "") if nbytes else (" drq-passing", " stored")
    lines = [
        f'<div class="drq-tile-line"><b>{escape(record.name)}</b>'
        f'<span class="drq-short">{escape(str(record))}</span></div>',
        f"<div>{_meaning(record)}</div>",
        f'<div class="drq-value">{values}</div>' if values else "",
        f'<div class="drq-tile-line drq-muted"><span>{byte_count(nbytes)}{stored}</span>'
        f"<span>{escape(_place(record))}</span></div>",
        f'<i class="drq-tile-size" style="width:{100 * nbytes / largest:.2f}%"></i>'
        if nbytes
        else "",
    ]
    kind = escape(kind_class(record))
    return f'<div class="drq-tile drq-{kind}{passing}">{"".join(lines)}</div>'


def _text(title: str, steps: list[Step]) -> str:
    """One line for each card, one for each arrow; constants come with a plus."""
    lines = [title]
    for step in steps:
        lines += [f"    | {step.operation}"] if step.operation else []
        lines += [_line("  + ", record) for record in step.constants]
        lines += [_line("", record) for record in step.results]
    return "\n".join(lines)


def _line(lead: str, record: TensorRecord) -> str:
    start = f"{lead + record.name:<20} {record!s:<18} {byte_count(_stored_bytes(record)):>12}"
    return f"{start}  {_place(record)}  {_values(record)}".rstrip()
