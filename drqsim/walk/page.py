"""The walk as HTML: its first state drawn in full, and the numbers that walk.js redraws it from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from html import escape
from importlib.resources import files

import numpy as np

from drqsim.figures.figure import minus
from drqsim.figures.style import STYLE
from drqsim.walk import text
from drqsim.walk.grids import GRIDS, grid
from drqsim.walk.numbers import Layer, Numbers, Pixel

HERE = files("drqsim.walk")


def html(layer: Layer, start: Pixel, caption: str = "") -> str:
    """The whole walk; without JavaScript it shows the pixel it starts with."""
    stages = text.stages(layer)
    data = _data(layer, start)
    mark = f"drq-walk-{hashlib.sha256(data.encode()).hexdigest()[:10]}"
    numbers = layer.numbers(start)
    name = f"{layer.op}, {layer.kernels} kernels"
    grids = [
        grid(layer, stage, at, numbers) for at, stage in enumerate(stages, 1) if stage.name in GRIDS
    ]
    # cells of a row, beyond those that fit below the filter's name
    columns = 2 * layer.padded[1] + 3 * layer.output.shape[1] + max(layer.w.shape[2] - 6, 0)
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return (
        f"{STYLE}<style>{_source('walk.css')}</style>"
        f'<drq-walk id="{mark}" data-walk="{escape(data)}">'
        f'<figure class="drq drq-figure drq-walk" aria-label="{escape(f"Tensor walk: {name}")}">'
        f'<div class="drq-walk-head"><div class="drq-flow-title">{escape(name)}</div>'
        f"{_choices(layer, start, mark)}</div>"
        f'<div class="drq-walk-grids" style="--row:{columns}">{"".join(grids)}</div>'
        f'<div class="drq-walk-title">{_slot(text.TITLE + ": {output}", numbers)}</div>'
        f"{_stepper()}"
        '<ol class="drq-walk-steps" aria-label="The sum, step by step">'
        f"{''.join(_steps(layer, stages, numbers, start[3]))}</ol>"
        '<div class="drq-hidden" aria-live="polite" data-spoken="'
        f'{escape(text.spoken(layer))}"></div>{below}</figure></drq-walk>'
        f'<script type="module">{_source("walk.js")}</script>'
    )


def _source(name: str) -> str:
    return HERE.joinpath(name).read_text(encoding="utf-8")


def _data(layer: Layer, start: Pixel) -> str:
    """What walk.js looks numbers up in, as JSON; each float in the fewest digits that are exact."""
    rows, cols = layer.rows, layer.cols
    parts = {
        "start": start,
        "input_shape": layer.x.shape,
        "filter_shape": layer.w.shape,
        "output_shape": layer.output.shape,
        "stride": (rows.stride, cols.stride),
        "dilation": (rows.dilation, cols.dilation),
        "before": (rows.before, cols.before),
        "first": [layer.first_channel(channel) for channel in range(len(layer.w))],
        "input": layer.x,
        "input_quantized": layer.q,
        "filter": layer.w,
    }
    parts["row_sum"] = layer.row_sums
    for name in (
        "scale",
        "zero_point",
        "filter_scale",
        "bias",
        "factor",
        "accumulator",
        "dequantized",
        "pre_activation",
        "output",
    ):
        parts[name] = getattr(layer, name)
    return "{" + ",".join(f'"{key}":{_array(value)}' for key, value in parts.items()) + "}"


def _array(values) -> str:
    values = np.asarray(values).reshape(-1)
    item = text.decimal if values.dtype.kind == "f" else str
    return "[" + ",".join(item(value) for value in values) + "]"


def _slot(pattern: str, numbers: Numbers, tag: str = "span") -> str:
    """An element with a filled pattern, which walk.js fills anew."""
    filled = minus(text.fill(pattern, numbers))
    return f'<{tag} data-text="{escape(pattern)}">{escape(filled)}</{tag}>'


def _choices(layer: Layer, start: Pixel, mark: str) -> str:
    """The two selects: which output channel, and which input channel to look into."""
    first = layer.first_channel(start[2])
    chosen = (
        ("channel", "output channel", range(len(layer.w)), start[2]),
        ("k", "input channel", range(first, first + layer.w.shape[3]), first + start[3]),
    )
    return (
        '<div class="drq-walk-live drq-walk-choices">'
        + "".join(
            f'<div><label for="{mark}-{name}">{label}</label> <select id="{mark}-{name}" '
            f'data-choose="{name}" autocomplete="off">'
            + "".join(f"<option{' selected' * (at == now)}>{at}</option>" for at in options)
            + "</select></div>"
            for name, label, options, now in chosen
        )
        + "</div>"
    )


def _stepper() -> str:
    return (
        '<div class="drq-walk-live drq-walk-stepper" role="group" aria-label="Stages">'
        '<button type="button" data-go="-1">Back</button>'
        '<button type="button" data-go="1">Next</button>'
        '<p aria-live="polite" data-says><b></b> <span></span></p></div>'
    )


def _steps(layer: Layer, stages: list[text.Stage], numbers: Numbers, k: int) -> Iterable[str]:
    """Each stage with its numbers: four windows, then the sum line by line."""
    for at, stage in enumerate(stages, 1):
        body = ""
        if at <= 4:
            body = _window(layer, numbers, ("x", "q", "w", "products")[at - 1])
        elif stage.name == "accumulator":
            body = _parts(layer, numbers, k)
        line = _slot(stage.sum, numbers, "div") if stage.sum else ""
        words = f": {escape(minus(stage.words))}" if stage.words else ""
        if stage.name == "accumulator":  # its words stand below the sums that they are about
            line, words = f'<div class="drq-muted">{words[2:]}</div>{line}', ""
            if (
                "accumulator_raw" in layer.records
            ):  # the raw sum is stored, the corrected one is not
                line = f'<div class="drq-corrected">{line}</div>'
        passing = " drq-passing" if stage.place == "not stored" else ""
        name = stage.name.replace("_", "_<wbr>")  # where it may break
        yield (
            f'<li class="drq-step drq-{stage.kind}{passing}" data-stage="{at}">'
            f'<div class="drq-step-head"><b>{at} <span data-told>{name}</span></b> '
            f'<span class="drq-muted"><span data-told>{stage.dtype}, {escape(stage.place)}</span>'
            f"{words}</span></div>{body}{line}<p data-told>{escape(minus(stage.says))}</p></li>"
        )


def _window(layer: Layer, numbers: Numbers, which: str) -> str:
    """The taps of one input channel as a small table; padding is marked."""
    tall, wide = layer.w.shape[1:3]
    places = layer.window(numbers.row, numbers.column)
    cells = [
        f"<td{_class('drq-pad' * (which in 'xq' and not layer.inside(*place)))}>"
        f"{minus(text.write(value))}</td>"
        for place, value in zip(places, getattr(numbers, which), strict=True)
    ]
    rows = "".join(f"<tr>{''.join(cells[i * wide : (i + 1) * wide])}</tr>" for i in range(tall))
    return (
        f'<div class="drq-window" role="group" aria-label="{which}, {tall} by {wide}">'
        f'<table class="drq-taps" data-window="{which}"><tbody>{rows}</tbody></table></div>'
    )


def _parts(layer: Layer, numbers: Numbers, k: int) -> str:
    """The sum of products of every input channel: these add up to the raw sum."""
    first = layer.first_channel(numbers.channel)
    items = "".join(
        f"<li{_class('drq-on' * (at == k))}><span>{first + at}</span> "
        f"<b>{minus(text.write(part))}</b></li>"
        for at, part in enumerate(numbers.parts)
    )
    raw = _slot("{raw}", numbers, "b")
    return (
        f"<div>The sums of products of the {len(numbers.parts)} input channels:</div>"
        f'<ul class="drq-parts">{items}</ul><div>All {layer.terms} products: {raw}</div>'
    )


def _class(names: str) -> str:
    return f' class="{names}"' if names else ""
