"""How often each value occurs: one histogram, or two on a common axis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from drqsim.errors import InputError
from drqsim.figures.figure import Figure, check_kind, minus, number
from drqsim.figures.ruler import code_ticks
from drqsim.figures.svg import INK, MUTED, arrange, colour, draw, tick


def histogram(
    values: np.ndarray,
    title: str,
    kind: str,
    bins: int = 40,
    marks: Mapping[str, float] | None = None,
) -> Figure:
    """How often each value occurs.

    Parameters
    ----------
    values : array
    title : str
    kind : {"float32", "int8", "int32", "weight"}
    bins : int
        How many bars at most; whole numbers get the same number of values in every bar. A bar holds
        its left end and not its right one, and 0 is the left end of one.
    marks : dict of label to value, optional
        Vertical lines.
    """
    values = _flat(values, title)
    marks = dict(marks or {})
    edges = bin_edges(values, bins)

    def paint(axes):
        _bars(axes, values, edges, check_kind(kind), title)
        _marks(axes, marks)
        arrange(axes, top=0.28, bottom=0.25)

    return Figure(
        draw(paint, 2.6),
        "\n".join([*_numbers(title, values, values, edges), *_mark_lines(marks)]),
        f"Histogram of {title}: {_sentence(values)}." + _marks_spoken(marks),
        drawn=True,
    )


def two_histograms(
    upper: np.ndarray,
    lower: np.ndarray,
    titles: tuple[str, str],
    kinds: tuple[str, str],
    scale: float | None = None,
    zero_point: int = 0,
    bins: int = 40,
    marks: Mapping[str, float] | None = None,
) -> Figure:
    """Two histograms, one above the other, on one x axis.

    They share the y axis too, unless the counts are too far apart; the lower label then says so.
    The x axis is of codes where the lower values are int8 or uint8, else of values.

    Parameters
    ----------
    upper, lower : array
        Values in the same unit; or, with ``scale``, real numbers above and codes below, each code
        under the real number that it stands for.
    titles, kinds : pair of str
    scale, zero_point : optional
        What the codes of ``lower`` mean.
    bins, marks
        As for ``histogram``; marks are drawn through both.
    """
    upper, lower = _flat(upper, titles[0]), _flat(lower, titles[1])
    marks = dict(marks or {})
    both = [upper, lower]
    if scale is None:
        shown, edges = lower, bin_edges(np.concatenate(both), bins)
    else:
        scale, zero_point = np.asarray(scale).item(), np.asarray(zero_point).item()
        shown = (lower.astype(np.float64) - zero_point) * scale
        whole = np.concatenate([upper.astype(np.float64) / scale + zero_point, lower])
        edges = (bin_edges(np.rint(whole).astype(int), bins, zero_point) - zero_point) * scale

    def paint(top, bottom):
        for axes, values, kind, title in zip(
            (top, bottom), (upper, shown), kinds, titles, strict=True
        ):
            _bars(axes, values, edges, check_kind(kind), title)
        tallest = [axes.get_ylim()[1] for axes in (top, bottom)]
        alike = max(tallest) <= 1.5 * min(tallest)
        if alike:
            top.set_ylim(top=max(tallest))
        else:
            bottom.set_ylabel("how many\n(other scale)")
        _marks(top, marks)
        _marks(bottom, marks, labels=False)
        if alike:
            bottom.set_ylim(top.get_ylim())
        top.tick_params(labelbottom=True)
        if scale is not None:
            codes = int(lower.min()), int(lower.max())
            ticks = code_ticks(zero_point, codes, most=7)
            below = bottom.secondary_xaxis("bottom")
            below.set_xticks([(q - zero_point) * scale for q in ticks], map(minus, ticks))
            bottom.tick_params(labelbottom=False)
            _name(top, "value")
        _name(bottom, "code" if lower.dtype in (np.int8, np.uint8) else "value")
        arrange(top, bottom, top=0.28, bottom=0.44, hspace=0.37 if scale is None else 0.48)

    lines, spoken = [], []
    for title, values, at in zip(titles, both, (upper, shown), strict=True):
        lines += _numbers(title, values, at, edges)
        spoken.append(f"{title}: {_sentence(values)}.")
    return Figure(
        draw(paint, 4.4, panels=2),
        "\n".join(lines + _mark_lines(marks)),
        "Two histograms, one above the other. " + " ".join(spoken) + _marks_spoken(marks),
        drawn=True,
    )


def bin_edges(values: np.ndarray, bins: int, zero: int = 0) -> np.ndarray:
    """Edges of at most ``bins`` equal bins; between whole numbers, and equally many to a bin.

    Where 0 (of whole numbers, ``zero``) lies inside the range, a bin begins there.
    """
    low, high = values.min(), values.max()
    if values.dtype.kind in "iu":
        low, high = int(low), int(high)
        width = -(-(high - low + 1) // bins)
        start = low
        if low < zero <= high:
            while -((low - zero) // width) + (high - zero) // width + 1 > max(bins, 2):
                width += 1
            start = zero + (low - zero) // width * width
        return np.arange(start, high + 1 + width, width) - 0.5
    if low == high:
        return np.array([low - 0.5, high + 0.5], np.float64)
    low, high = float(low), float(high)
    if not low < 0 < high:
        return np.linspace(low, high, bins + 1)
    width = (high - low) / max(bins - 1, 1)
    edges = width * np.arange(np.floor(low / width), np.ceil(high / width) + 1)
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    return edges


def _bars(axes, values, edges, kind: str, title: str) -> None:
    from matplotlib.collections import PolyCollection

    gap = 0.05 * np.diff(edges)
    left, right, height = edges[:-1] + gap, edges[1:] - gap, np.histogram(values, edges)[0]
    corners = [(left, 0 * height), (left, height), (right, height), (right, 0 * height)]
    boxes = np.moveaxis(np.array(corners), -1, 0)[height > 0]  # one artist, drawn at once
    axes.add_collection(PolyCollection(boxes, color=colour(kind), lw=0))
    axes.set_xlim(left[0] - 0.05 * np.ptp(edges), right[-1] + 0.05 * np.ptp(edges))
    axes.set_ylim(0, 1.05 * height.max())
    axes.set_title(title, y=1)  # else the ticks are measured for it
    axes.set_ylabel("how many")
    axes.grid(False, axis="x")
    axes.tick_params(length=0)
    axes.locator_params(axis="x", nbins=4 if np.abs(edges).max() >= 1e4 else 7)
    axes.locator_params(axis="y", nbins=5, integer=True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(tick)


def _name(axes, label: str) -> None:
    """What the x axis is of; at a fixed place, which matplotlib need not search for."""
    place = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(label, (0.5, 0), (0, -18), ha="center", va="top", color=MUTED, **place)


def _marks(axes, marks: Mapping[str, float], labels: bool = True) -> None:
    """Vertical lines, their labels above the bars."""
    floors = min(len(marks), 3) if labels else 0
    axes.set_ylim(top=axes.get_ylim()[1] / (1 - 0.11 * floors))
    for level, (label, at) in enumerate(marks.items()):
        axes.axvline(at, color=INK, lw=1.4, ls=(0, (4, 2)))
        if labels:
            top = 1 - 0.11 * (level % 3)
            right = at > np.mean(axes.get_xlim())
            axes.annotate(
                label,
                (at, top),
                xycoords=("data", "axes fraction"),
                xytext=(-4 if right else 4, 0),
                textcoords="offset points",
                ha="right" if right else "left",
                va="top",
            )


def _flat(values: np.ndarray, title: str) -> np.ndarray:
    flat = np.asarray(values).reshape(-1)
    if flat.size == 0 or not np.isfinite(flat).all():
        raise InputError(f"{title}: a histogram needs finite values, and at least one.")
    return flat


def _sentence(values: np.ndarray) -> str:
    wide = values.astype(np.float64)
    return (
        f"{values.size:,} values from {number(values.min())} to {number(values.max())}, "
        f"mean {number(wide.mean())}, standard deviation {number(wide.std())}"
    )


def _numbers(title: str, values: np.ndarray, at: np.ndarray, edges: np.ndarray) -> list[str]:
    """A histogram as text: counts of the bars, taken together until there are ten or fewer."""
    counts = np.histogram(at, edges)[0]
    each = -(-counts.size // 10)
    sums = np.add.reduceat(counts, np.arange(0, counts.size, each))
    listed = " ".join(f"{count:,}" for count in sums)
    return [f"{title}: {_sentence(values)}", f"  counts from left to right: {listed}"]


def _mark_lines(marks: Mapping[str, float]) -> list[str]:
    listed = ", ".join(f"{label} = {number(at)}" for label, at in marks.items())
    return [f"  marks: {listed}"] if listed else []


def _marks_spoken(marks: Mapping[str, float]) -> str:
    listed = ", ".join(f"{label} at {number(at)}" for label, at in marks.items())
    return f" Marked: {listed}." if listed else ""
