"""Curves: one number against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from drqsim.errors import InputError
from drqsim.figures.figure import KIND_NAMES, Figure, check_kind, number
from drqsim.figures.svg import colour, draw, tick

DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))


def lines(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    kinds: Sequence[str] = KIND_NAMES,
    log: bool = False,
) -> Figure:
    """Curves over a common x.

    Parameters
    ----------
    x : list of float
    series : dict of label to list of float
        At most four curves, each with a colour and a dash of its own.
    title, x_label, y_label : str
    kinds : list of str
        The colour of each curve.
    log : bool
        A logarithmic y axis.
    """
    x = np.asarray(x)
    ys = {label: np.asarray(y) for label, y in series.items()}
    if not 0 < len(ys) <= min(len(DASHES), len(kinds)) or x.ndim != 1 or x.size == 0:
        raise InputError("lines needs one to four series, a kind for each, and a flat x.")
    if any(y.shape != x.shape for y in ys.values()):
        raise InputError(f"Every series needs {x.size} values, as many as x.")

    def paint(axes):
        for (label, y), kind, dash in zip(ys.items(), kinds, DASHES, strict=False):
            dots = "o" if x.size <= 20 else None
            axes.plot(
                x, y, ls=dash, color=colour(check_kind(kind)), lw=2, marker=dots, ms=4, label=label
            )
        if log:
            axes.set_yscale("log")
            axes.yaxis.set_minor_formatter(lambda *_: "")
        else:
            axes.locator_params(axis="y", nbins=6)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(tick)
        axes.set(xlabel=x_label, ylabel=y_label)
        columns = 2 if sum(map(len, ys)) < 40 else 1
        axes.figure.legend(
            loc="outside upper left",
            ncols=columns,
            title=title,
            alignment="left",
            frameon=False,
            handlelength=3,
        )

    shown = np.unique(np.linspace(0, x.size - 1, min(x.size, 12)).astype(int))
    head = [x_label or "x", *ys]
    rows = [[number(x[at]), *(number(y[at]) for y in ys.values())] for at in shown]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    table = [
        "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in (head, *rows)
    ]
    curves = "; ".join(
        f"{label} goes from {number(y[0])} to {number(y[-1])}" for label, y in ys.items()
    )
    alt = (
        f"Curves{', ' if title else ''}{title}: over {x_label or 'x'} from {number(x[0])} to "
        f"{number(x[-1])}, {y_label or 'y'}: {curves}."
    )
    return Figure(draw(paint, 3.2), "\n".join([title] * bool(title) + table), alt, drawn=True)
