"""Two rulers: real numbers and the codes that stand for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drqsim.arithmetic.rounding import half_away
from drqsim.errors import InputError
from drqsim.figures.figure import Figure, minus, number
from drqsim.figures.svg import INK, LINE, MUTED, colour, draw

INT8 = (-128, 127)


def number_line(
    low: float,
    high: float,
    scale: float,
    zero_point: int,
    values: Sequence[float] | None = None,
    codes: tuple[int, int] = INT8,
    title: str = "",
) -> Figure:
    """Two rulers: the real numbers, and below them the codes that stand for them.

    Parameters
    ----------
    low, high : float
        The range of the data, drawn thick on the upper ruler.
    scale, zero_point
        Code ``q`` stands for ``(q - zero_point) * scale``.
    values : list of float, optional
        Samples that drop from the upper ruler to their codes (halves are rounded away from zero).
    codes : (int, int)
        Smallest and largest code; a short range such as ``(-4, 3)`` makes the rounding visible.
    title : str
    """
    scale, zero_point = np.asarray(scale).item(), np.asarray(zero_point).item()
    if not (scale > 0 and np.isfinite([low, high, scale]).all() and low <= high):
        raise InputError(
            f"low, high and scale are {low}, {high}, {scale}; expected low <= high and a positive "
            "scale."
        )
    values = np.asarray([] if values is None else values, np.float64).reshape(-1)
    taken = quantized(values, scale, zero_point, codes)
    ticks = code_ticks(zero_point, codes)
    title = title or "Real numbers and their codes"

    def paint(axes):
        _rulers(axes, ticks, scale, zero_point, codes)
        axes.plot([low, high], [1, 1], color=colour("float32"), lw=5, solid_capstyle="butt")
        real = (taken - zero_point) * scale
        for value, landing in zip(values, real, strict=True):
            axes.plot([value, landing], [1, 0], color=INK, lw=1.2)
        axes.plot(values, np.ones_like(values), "o", ms=6, color=colour("float32"), mec=INK)
        axes.plot(real, np.zeros_like(real), "s", ms=6, color=colour("int8"), mec=INK)
        axes.set_title(title)

    drops = [
        f"{number(value)} -> {code}"
        for value, code in zip(values.tolist(), taken.tolist(), strict=True)
    ]
    sentence = (
        f"{number(float(low))} to {number(float(high))}, scale {number(scale)}, "
        f"zero point {zero_point}, codes {codes[0]} to {codes[1]}"
    )
    joined = [f"{code} = {number((code - zero_point) * scale)}" for code in ticks]
    lines = [f"{title}: {sentence}", "  codes: " + ", ".join(joined)]
    lines += ["  values: " + ", ".join(drops)] if drops else []
    alt = f"{title}. Two rulers joined by lines: real numbers {sentence}. {', '.join(joined)}."
    alt += f" Samples drop to their codes: {', '.join(drops)}." if drops else ""
    return Figure(draw(paint, 2.3), "\n".join(lines), alt, drawn=True)


def quantized(values: np.ndarray, scale: float, zero_point: int, codes=INT8) -> np.ndarray:
    """The codes of real numbers: round half away from zero, shift, clamp."""
    return np.clip(half_away(values / scale) + zero_point, *codes).astype(int)


def code_ticks(zero_point: int, codes: tuple[int, int], most: int = 9) -> list[int]:
    """Evenly spaced codes to label: both ends and the zero point are among them."""
    low, high = codes
    step = next(2**n for n in range(40) if high - low < most * 2**n)
    ends = [low, high] + [zero_point] * (low <= zero_point <= high)
    inner = range(-(-low // step) * step, high, step)
    return sorted({*ends, *(q for q in inner if min(abs(q - e) for e in ends) > 0.6 * step)})


def _rulers(axes, ticks, scale, zero_point, codes) -> None:
    """Both rulers, a line from each labelled code to its real number, and the two zeros."""
    axes.set_axis_off()
    ends = [(code - zero_point) * scale for code in codes]
    for height in (0, 1):
        axes.plot(ends, [height, height], color=MUTED, lw=1.2)
    if codes[1] - codes[0] <= 32:
        every = (np.arange(codes[0], codes[1] + 1) - zero_point) * scale
        axes.vlines(every, -0.05, 0.05, color=MUTED, lw=1)
    for code in ticks:
        real, zero = (code - zero_point) * scale, code == zero_point
        axes.plot(
            [real, real], [0, 1], color=INK if zero else LINE, lw=1.8 if zero else 1, zorder=0
        )
        look = {"ha": "center", "weight": "bold" if zero else "normal"}
        top = "0.0" if zero else minus(f"{real:.3g}")
        axes.text(real, 1.1, top, va="bottom", color=colour("float32"), **look)
        axes.text(real, -0.12, minus(code), va="top", color=colour("int8"), **look)
    axes.text(ends[0], 1.45, "real numbers (float32)", color=colour("float32"))
    axes.text(ends[0], -0.62, "codes (int8), the zero point in bold", color=colour("int8"))
    axes.set_ylim(-0.7, 1.6)
