"""Matplotlib drawings as SVG that takes its colours and its font from the page."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable
from io import StringIO

from drqsim.errors import package
from drqsim.figures.figure import minus

# Matplotlib wants colours, the page has variables: each stands for the other
COLOURS = {
    "float32": ("#f0f001", "var(--drq-float32, #0a66d8)"),
    "int8": ("#f0f002", "var(--drq-int8, #a23b00)"),
    "int32": ("#f0f003", "var(--drq-int32, #751379)"),
    "weight": ("#f0f004", "var(--drq-weight, #0b5145)"),
    "ink": ("#f0f005", "currentColor"),
    "muted": ("#f0f006", "var(--drq-muted, #48566b)"),
    "line": ("#f0f007", "var(--drq-line, #c9ced6)"),
}
INK, MUTED, LINE = (COLOURS[name][0] for name in ("ink", "muted", "line"))
WIDTH = 5.0  # inches, at 72 units each: on a phone 10-point text is still 9 pixels high
SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "drqsim",
    "text.parse_math": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 10,
    "legend.title_fontsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.titlelocation": "left",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": LINE,
    "axes.grid": True,
    "hatch.linewidth": 0.6,
    "axes.axisbelow": True,
}


def colour(kind: str) -> str:
    """The colour to hand to matplotlib for a kind."""
    return COLOURS[kind][0]


def tick(value: float, position: int) -> str:
    """How matplotlib is to write the number at a tick."""
    whole = 1e6 <= abs(value) < 1e12
    return minus(f"{value:,.0f}" if whole else f"{value:,.6g}")


def draw(paint: Callable, height: float, panels: int = 1) -> str:
    """An SVG picture of what ``paint(axes, ...)`` draws.

    Parameters
    ----------
    paint : callable
        Gets ``panels`` axes, one above the other with a common x axis.
    height : float
        In inches; the width is the same for every figure.
    panels : int
        How many axes.
    """
    matplotlib = package("matplotlib")
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page's font draws it
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        canvas = FigureCanvasSVG(figure)
        paint(*figure.subplots(panels, sharex=True, squeeze=False)[:, 0])
        buffer = StringIO()
        canvas.print_svg(buffer, metadata={"Date": None})  # savefig would draw everything twice
    return _for_the_page(buffer.getvalue())


def arrange(*panels, top: float, bottom: float, hspace: float = 0) -> None:
    """Leave room for the widest label; matplotlib's own layout takes as long as the drawing.

    Parameters
    ----------
    panels : axes
        From the upper one to the lower one.
    top, bottom : float
        Inches above and below all of them.
    hspace : float
        What is free between two, as a part of the height of one.
    """
    figure = panels[0].figure
    width, height = figure.get_size_inches()
    digits = max(len(f"{axes.get_ylim()[1]:,.0f}") for axes in panels)
    lines = max(axes.get_ylabel().count("\n") for axes in panels)
    figure.set_layout_engine(None)
    figure.subplots_adjust(
        left=(0.3 + 0.085 * digits + 0.17 * lines) / width,
        right=1 - 0.1 / width,
        top=1 - top / height,
        bottom=bottom / height,
        hspace=hspace,
    )


def _for_the_page(svg: str) -> str:
    """Matplotlib's SVG without what cannot stand in the middle of a page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.S)
    # the page's font; which of the two ways to name one depends on matplotlib's version
    svg = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", svg)
    svg = re.sub(r"; font-family: [^;\"]*", "", svg)
    view = re.search(r'viewBox="[^"]*"', svg)[0]
    svg = re.sub(r"^<svg[^>]*>", f'<svg {view} aria-hidden="true">', svg)
    for sentinel, value in COLOURS.values():
        svg = svg.replace(sentinel, value)
    svg = _own_ids(svg.replace("xlink:href", "href"))
    return re.sub(r"\n\s*", "\n", svg).strip()


def _own_ids(svg: str) -> str:
    """Only the ids that are referred to, renamed so that no two figures of a page share one."""
    used = dict.fromkeys(re.findall(r'(?:href="|url\()#(\w+)', svg))
    new = {old: f"drq-@-{at}" for at, old in enumerate(used)}
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{new[m[1]]}"' if m[1] in new else "", svg)
    svg = re.sub(r'(href="|url\()#(\w+)', lambda m: f"{m[1]}#{new[m[2]]}", svg)
    return svg.replace("drq-@-", f"drq-{hashlib.sha256(svg.encode()).hexdigest()[:8]}-")
