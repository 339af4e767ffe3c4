"""Two operators and the tensor that one hands to the other, followed at one pixel."""

from __future__ import annotations

from html import escape

import numpy as np

from drqsim.errors import InputError
from drqsim.figures.cells import shades, table
from drqsim.figures.figure import Figure, minus, number
from drqsim.trace import Trace

SIDE = 10  # of a pixel in a map, in units of the drawing


def handover(
    trace: Trace, first: str, second: str, pixel: tuple[int, int], channel: int = 0
) -> Figure:
    """Two convolutions in a row, and the float32 tensor in memory between them.

    Parameters
    ----------
    trace : Trace
        Of a model in which ``second`` reads what ``first`` writes; both with int8 weights, a 3x3
        window, stride 1 and padding SAME, ``first`` with one input channel.
    first, second : str
        Their names.
    pixel : (row, column)
        Whose window is shown.
    channel : int
        Of the tensor between them, and of what ``second`` writes.

    Raises
    ------
    InputError
        When the trace does not hold such operators, or no such pixel or channel.
    """
    one, two = _records(trace, first), _records(trace, second)
    row, column = pixel
    height, width, channels = np.minimum(one["output"].shape, two["output"].shape)[1:]
    if not (0 <= row < height and 0 <= column < width and 0 <= channel < channels):
        raise InputError(
            f"pixel is {pixel} and channel {channel}; expected a pixel of {height}x{width} and one "
            f"of {channels} channels."
        )
    here, place = (0, row, column, channel), f"row {row}, column {column}, channel {channel}"
    sums = [records["accumulator"][here] for records in (one, two)]
    floats = [number(records["output"][here]) for records in (one, two)]
    code, between = two["input_quantized"][here], one["output"][0, :, :, channel]
    shown, told = _window(one, here)
    parts = [
        _tensor("the image", one["input"][0, :, :, 0], pixel, window=True),
        _operator(first, [*shown, *_scaled("→", "int32 sum", sums[0], floats[0])]),
        _tensor("its output, the next one's input", between, pixel, note=place),
        _operator(
            second,
            [
                _value("float32", "float32", floats[0]),
                _joined("→", _value("int8", "8-bit code", f"{code}")),
                *_scaled("…", f"sum of {two['filter'][0].size}", sums[1], floats[1]),
            ],
        ),
    ]
    lines = [
        place,
        f"{first}: {told}",
        f"  int32 sum {sums[0]:,}, float32 output {floats[0]}",
        f"{second}: code {code}, int32 sum {sums[1]:,}, float32 output {floats[1]}",
    ]
    alt = (
        f"Two operators. {first} reads a float32 window of the image, makes 8-bit codes of it, "
        f"multiplies them by int8 weights into an int32 sum, {sums[0]:,}, and writes the float32 "
        f"{floats[0]} into memory. {second} reads it and does the same again."
    )
    return Figure(f'<div class="drq-hand">{"".join(parts)}</div>', "\n".join(lines), alt)


def _window(records: dict[str, np.ndarray], here: tuple[int, ...]) -> tuple[list[str], str]:
    """What is multiplied for one pixel, drawn and in words: the window, its codes, the weights."""
    _, row, column, channel = here
    around = (0, slice(row, row + 3), slice(column, column + 3), 0)
    zero_point = records["input_zero_point"][0]
    window = _padded(records["input"], 0)[around]
    codes = _padded(records["input_quantized"], zero_point)[around]
    weights = records["filter"][channel, :, :, 0]
    shown = [
        _numbers(window, "float32", "float32", ".2f"),
        _joined("→", _numbers(codes, "8-bit codes", "int8", "4d", zero_point)),
        _joined("×", _numbers(weights, "int8 weights", "weight", "4d")),
    ]
    told = f"  codes {_listed(codes, 'd')}, weights {_listed(weights, 'd')}"
    return shown, f"window {_listed(window, '.2f')}\n{told}"


def _records(trace: Trace, name: str) -> dict[str, np.ndarray]:
    """The values of one operator's records, if they are what can be drawn."""
    found = {record.name: record.value for record in trace.op(name)}
    wanted = ("input", "input_quantized", "input_zero_point", "filter", "accumulator", "output")
    missing = [record for record in wanted if found.get(record) is None]
    if missing or found["filter"].shape[1:3] != (3, 3):
        raise InputError(f"{name} has no {missing or '3x3 window'}; pass a hybrid 3x3 CONV_2D.")
    return found


def _padded(values: np.ndarray, fill) -> np.ndarray:
    return np.pad(values, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=fill)


def _tensor(
    name: str,
    values: np.ndarray,
    pixel: tuple[int, int],
    window: bool = False,
    note: str = "",
) -> str:
    """A tensor in memory, drawn as a map with a pixel or its window outlined."""
    most = float(np.abs(values).max()) or 1.0
    cells = [
        f'<rect x="{SIDE * x}" y="{SIDE * y}" width="{SIDE}" height="{SIDE}" '
        f'fill-opacity="{abs(float(values[y, x])) / most:.2f}"/>'
        for y, x in np.ndindex(values.shape)
    ]
    (row, column), reach = pixel, 1 if window else 0
    size = SIDE * (1 + 2 * reach)
    height, width = (SIDE * n for n in values.shape)
    return (
        '<div class="drq-tile drq-float32 drq-hand-tensor">'
        f'<svg viewBox="-{SIDE} -{SIDE} {width + 2 * SIDE} {height + 2 * SIDE}" aria-hidden="true">'
        f'<g fill="var(--drq-float32)">{"".join(cells)}</g>'
        f'<rect x="0" y="0" width="{width}" height="{height}" fill="none" '
        'stroke="var(--drq-muted)"/>'
        f'<rect x="{SIDE * (column - reach)}" y="{SIDE * (row - reach)}" width="{size}" '
        f'height="{size}" fill="none" stroke="currentColor" stroke-width="3"/></svg>'
        f"<div><b>{escape(name)}</b><br>float32, in memory"
        + (f"<br>{note}" if note else "")
        + "</div></div>"
    )


def _operator(name: str, steps: list[str]) -> str:
    return (
        f'<div class="drq-hand-op"><b>{escape(name)}</b>'
        f'<div class="drq-hand-steps">{"".join(steps)}</div></div>'
    )


def _numbers(values: np.ndarray, name: str, kind: str, form: str, center: int = 0) -> str:
    texts = [[format(value, form) for value in row] for row in values.tolist()]
    return table(name, texts, shades(values, center, 0), set(), kind)


def _scaled(sign: str, name: str, total: np.int32, output: str) -> list[str]:
    """An int32 sum, and the float32 value that it becomes."""
    return [
        _joined(sign, _value("int32", name, f"{total:,}")),
        _joined("→", _value("float32", "float32", output)),
    ]


def _joined(sign: str, what: str) -> str:
    joined = f'<span class="drq-hand-sign" aria-hidden="true">{sign}</span>{what}'
    return f'<div class="drq-hand-joined">{joined}</div>'


def _value(kind: str, name: str, value: str) -> str:
    return f'<div class="drq-hand-value drq-{kind}"><span>{name}</span><b>{minus(value)}</b></div>'


def _listed(values: np.ndarray, form: str) -> str:
    return " ".join(format(value, form) for value in values.reshape(-1))
