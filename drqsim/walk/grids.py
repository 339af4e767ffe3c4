"""One channel of a tensor as coloured cells; those that the sum reads are outlined."""

from __future__ import annotations

from html import escape

import numpy as np

from drqsim.figures.figure import byte_count, minus
from drqsim.walk import text
from drqsim.walk.numbers import Layer, Numbers

# what each grid's name says of the channel that it shows
GRIDS = {
    "input": "input channel {k}",
    "input_quantized": "input channel {k}",
    "filter": "output channel {channel}, input channel {k}",
    "accumulator": "output channel {channel}",
    "pre_activation": "output channel {channel}",
    "output": "output channel {channel}",
}
WHERE = {
    "file": "in the model file",
    "arena": "in the arena",
    "persistent": "in the persistent arena",
    "delegate": "inside XNNPACK",
}


def grid(layer: Layer, stage: text.Stage, number: int, numbers: Numbers) -> str:
    """The grid of a stage, padding and all, with its name, type, bytes and place."""
    name, record = stage.name, layer.records[stage.name]
    tensor, center = _tensor(layer, name, numbers)
    distances = tensor.astype(np.float64) - center
    largest = np.abs(distances).max()
    (height, width), (top, left, tall, wide) = _size(layer, name)
    plane = _plane(name, distances, numbers)
    lit = _lit(layer, name, numbers)
    lines = []
    for i in range(-top, tall - top):
        cells = []
        for j in range(-left, wide - left):
            inside = 0 <= i < height and 0 <= j < width
            distance = plane[i, j] if inside else 0
            classes = ["drq-pad"] * (not inside) + ["drq-below"] * bool(distance < 0)
            classes += ["drq-on"] * ((i, j) in lit)
            look = f' class="{" ".join(classes)}"' if classes else ""
            shade = int(abs(distance) / largest * 100 + 0.5) if largest else 0
            style = f' style="--shade:{shade}%"' if shade else ""
            cells.append(f"<i{look}{style}{_cell_label(layer, name, i, j, numbers)}></i>")
        line = "".join(cells)
        lines.append(f'<div role="row">{line}</div>' if name == "output" else line)
    label = f"{name}, {GRIDS[name]}: {height} by {width} values as colors"
    # what is not stored has a dashed frame, as in the flow diagram
    passing = " drq-passing" if record.stored == "not stored" else ""
    kept = "not stored"
    if not passing:
        kept = f"{byte_count(record.nbytes)} {WHERE[record.stored]}"
    raw = layer.records.get("accumulator_raw")
    if name == "accumulator" and raw:  # the card of this stage says the same
        kept += f"; raw sums {WHERE[raw.stored]}"
    short = escape(str(record)).replace("[", "<wbr>[")  # where it may break
    heading = name.replace("_", "_<wbr>")
    return (
        f'<div class="drq-walk-grid drq-{stage.kind}{passing}" data-stage="{number}" '
        f'style="--cols:{wide}"><div class="drq-walk-name"><b>{number} {heading}</b>'
        f'<span class="drq-short">{short}</span>'
        f"<span>{kept}</span></div>"
        f'<div class="drq-cells" role="{"grid" if name == "output" else "img"}" '
        f'data-cells="{name}" data-label="{escape(label)}" '
        f'aria-label="{escape(text.fill(label, numbers))}">{"".join(lines)}</div></div>'
    )


def _tensor(layer: Layer, name: str, numbers: Numbers) -> tuple[np.ndarray, int]:
    """The whole tensor, and the value without colour: codes are centred on what stands for 0."""
    center = int(layer.zero_point[0]) if name == "input_quantized" else 0
    names = {"input": "x", "input_quantized": "q", "filter": "w"}
    return getattr(layer, names.get(name, name)), center


def _plane(name: str, values: np.ndarray, numbers: Numbers) -> np.ndarray:
    """The channel of ``values`` that is shown."""
    if name == "filter":
        return values[numbers.channel, :, :, numbers.k - numbers.first]
    return values[..., numbers.k if name.startswith("input") else numbers.channel]


def _size(layer: Layer, name: str) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
    """Height and width; then the padding above and to the left, and both sizes with padding."""
    if name == "filter":
        size = layer.w.shape[1:3]
    elif name.startswith("input"):
        size = layer.x.shape[:2]
        return size, (layer.rows.before, layer.cols.before, *layer.padded)
    else:
        size = layer.output.shape[:2]
    return size, (0, 0, *size)


def _lit(layer: Layer, name: str, numbers: Numbers) -> set[tuple[int, int]]:
    """Which cells belong to the sum."""
    if name == "filter":
        return set(np.ndindex(layer.w.shape[1:3]))
    pixel = numbers.row, numbers.column
    return set(layer.window(*pixel)) if name.startswith("input") else {pixel}


def _cell_label(layer: Layer, name: str, row: int, column: int, numbers: Numbers) -> str:
    """The cells of the output can be chosen, so each has a name."""
    if name != "output":
        return ""
    value = minus(text.decimal(layer.output[row, column, numbers.channel]))
    chosen = "true" if (row, column) == (numbers.row, numbers.column) else "false"
    label = f"row {row}, column {column}: {value}"
    return f' role="gridcell" aria-selected="{chosen}" aria-label="{label}"'
