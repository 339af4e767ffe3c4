"""The arena over time: where every tensor lies, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from drqsim.errors import InputError
from drqsim.figures.figure import KIND_NAMES, Figure, byte_count
from drqsim.figures.svg import COLOURS, INK, MUTED, arrange, colour, draw, tick
from drqsim.graph import shorten
from drqsim.memory import Block, MemoryPlan

ROW, LETTER = 11.0, 5.2  # points: what a line of a label needs, and a letter of it
MARGIN = 6.0  # points of a label that stay free, so that it keeps clear of its block's frame
HIGH, WIDE = 165.0, 285.0  # points: the axes of a panel
HEAD, LEGEND, FOOT = 0.3, 0.35, 0.35  # inches: a panel's title, the legend, the x axis' label
LABEL = {"fontsize": 9, "color": INK}
DASHES = (0, (4, 2))
NAMED_STEPS = 26  # more operators than this are numbered


def memory_map(
    plans: MemoryPlan | Mapping[str, MemoryPlan], table: bool = True, top: int = 0
) -> Figure:
    """Every tensor of the arena as a block: from left to right the operators, upwards the bytes.

    A block begins at the operator that writes the tensor and ends at its last reader; its colour is
    the dtype, hatching says scratch. Its label is the operator whose output it is, or the name of
    the scratch, where that fits. Blocks above one another exist at the same time, blocks beside
    one another use the same bytes one after the other.

    Parameters
    ----------
    plans : MemoryPlan, or dict of title to MemoryPlan
        One panel each, all on the same scale.
    table : bool
        Whether to add the plans as tables, folded.
    top : int
        Bytes that the scale reaches at least: one scale for the figures of a knob.
    """
    plans = dict(plans) if isinstance(plans, Mapping) else {_title(plans): plans}
    plans = {title: plan for title, plan in plans.items() if is_drawable(plan)}
    if not plans:
        raise InputError("memory_map needs a plan with a tensor in the arena, and an operator.")
    top = max(top, *(plan.arena_bytes for plan in plans.values()))
    most = max(len(plan.steps) for plan in plans.values())

    longest = max(len(name) for plan in plans.values() for name in plan.steps)
    names = 0.08 * longest if most <= NAMED_STEPS else 0.2
    below = names + FOOT

    def paint(*axes):
        for axis, (title, plan) in zip(axes, plans.items(), strict=True):
            _panel(axis, title, plan, top, most)
        axes[-1].set_xlabel("operators in order")
        _legend(axes[0].figure, plans)
        arrange(*axes, top=HEAD + LEGEND, bottom=below, hspace=HEAD * 72 / HIGH)

    high = len(plans) * (HEAD + HIGH / 72)
    svg = draw(paint, LEGEND + high + below, panels=len(plans))
    folded = "".join(
        f"<details><summary>{escape(title)}: the plan as a table</summary>"
        f"{plan._repr_html_()}</details>"
        for title, plan in plans.items()
        if table
    )
    lines = [line for title, plan in plans.items() for line in _text(title, plan)]
    alt = " ".join(_alt(title, plan) for title, plan in plans.items())
    return Figure(svg + folded, "\n".join(lines), f"Memory map. {alt}", drawn=not table)


def is_drawable(plan: MemoryPlan) -> bool:
    """Whether there is something to see: an operator, and bytes in the arena."""
    return bool(plan.steps and _own(plan))


def _title(plan: MemoryPlan) -> str:
    threads = "" if plan.threads == 1 else f", {plan.threads} threads"
    return f"{plan.kernels} kernels{threads}"


def _own(plan: MemoryPlan) -> list[Block]:
    """The blocks with bytes of their own; one that works in place is part of another's."""
    return [block for block in plan.of("arena") if block.shares is None and block.nbytes]


def _kind(block: Block) -> str:
    return block.dtype.name if block.dtype.name in COLOURS else "muted"


def _panel(axes, title: str, plan: MemoryPlan, top: int, most: int) -> None:
    from matplotlib.collections import PolyCollection

    boxes: dict[tuple[str, bool], list] = {}  # an artist draws all that look alike at once
    for block in _own(plan):
        left, right = block.first - 0.5, min(block.last, len(plan.steps) - 1) + 0.5
        low, high = block.offset, block.offset + block.nbytes
        corners = [(left, low), (left, high), (right, high), (right, low)]
        boxes.setdefault((_kind(block), block.role == "scratch"), []).append(corners)
        size = WIDE * (right - left) / most, HIGH * block.nbytes / top
        # a name costs a look at every other block
        label, turned = _label(_called(plan, block), *size) if min(size) >= ROW else ("", 0)
        middle = ((left + right) / 2, (low + high) / 2)
        if label:
            axes.annotate(label, middle, ha="center", va="center", rotation=turned, **LABEL)
    for (kind, scratch), corners in boxes.items():
        # two, because an SVG's opacity would fade the hatching with the tint
        tint = {"color": colour(kind), "alpha": 0.22, "lw": 0}
        frame = {"facecolor": "none", "edgecolor": colour(kind), "lw": 0.9}
        axes.add_collection(PolyCollection(corners, **tint), autolim=False)
        hatch = "//" if scratch else None
        axes.add_collection(PolyCollection(corners, hatch=hatch, **frame), autolim=False)
    axes.axhline(plan.arena_bytes, color=INK, lw=1, ls=DASHES)
    axes.set(xlim=(-0.5, most - 0.5), ylim=(0, 1.04 * top), ylabel="bytes in the arena")
    axes.set_title(f"{title}: {byte_count(plan.arena_bytes)}", color=INK, y=1)
    axes.yaxis.set_major_formatter(tick)
    axes.grid(False)
    if most <= NAMED_STEPS:
        axes.set_xticks(range(len(plan.steps)), plan.steps, rotation=90)
    axes.tick_params(axis="x", colors=MUTED, length=0)


def _called(plan: MemoryPlan, block: Block) -> str:
    """Scratch by its own name, an output by its operators: those that write it, one after another.

    More than one write where an operator works in place.
    """
    if block.role == "scratch":
        return block.name
    later = [b.op for b in plan.of("arena") if b.shares == block.index]
    return ", then ".join([block.op or block.name, *later])


def _label(name: str, width: float, height: float) -> tuple[str, int]:
    """The name, in one line or two, and its angle if it fits into a block; sizes in points."""
    for lines in ([name], _halves(name)):
        long, thick = max(map(len, lines)) * LETTER + MARGIN, len(lines) * ROW
        for angle, along, across in ((0, width, height), (90, height, width)):
            if long <= along and thick <= across:
                return "\n".join(lines), angle
    return "", 0


def _halves(name: str) -> list[str]:
    """Two lines, broken where the name can be: behind a comma, else the middlemost underscore."""
    if ", " in name:
        first, _, rest = name.partition(", ")
        return [f"{first},", rest]
    breaks = [at for at, letter in enumerate(name, 1) if letter == "_"]
    at = min(breaks, key=lambda at: abs(2 * at - len(name)), default=len(name))
    return [name[:at], name[at:]] if breaks else [name]


def _legend(figure, plans: Mapping[str, MemoryPlan]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    own = [block for plan in plans.values() for block in _own(plan)]
    kinds = set(map(_kind, own))
    handles = []
    for kind in sorted(kinds, key=list(COLOURS).index):
        known = kind if kind != "muted" else "another type"
        handles.append(Patch(facecolor=colour(kind), alpha=0.5, label=known))
    if any(block.role == "scratch" for block in own):
        handles.append(Patch(facecolor="none", edgecolor=INK, hatch="//", label="scratch"))
    handles.append(Line2D([], [], color=INK, lw=1, ls=DASHES, label="end of the arena"))
    options = {"columnspacing": 1.2, "handlelength": 1.6, "handletextpad": 0.5}
    options |= {"borderaxespad": 0.2, "frameon": False}
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), **options)


def _fullest(plan: MemoryPlan) -> tuple[str, list[Block]]:
    """The step with the most bytes alive, and its blocks."""
    at = plan.timeline.index(plan.lower_bound)
    return plan.steps[at], sorted(plan.alive(at), key=lambda block: -block.nbytes)


def _text(title: str, plan: MemoryPlan) -> list[str]:
    step, blocks = _fullest(plan)
    rows = [(shorten(block.key), block) for block in blocks if block.nbytes]
    width = max(len(name) for name, _ in rows)
    return [
        f"{title}: arena {byte_count(plan.arena_bytes)}, at most {plan.lower_bound:,} alive,",
        f"  during {step}:",
        *(
            f"  {name:<{width}}  {b!s:<19} {b.nbytes:>9,} bytes at {b.offset:>7,}  {b.role}"
            for name, b in rows
        ),
    ]


def _alt(title: str, plan: MemoryPlan) -> str:
    step, blocks = _fullest(plan)
    scratch = sum(b.nbytes for b in blocks if b.role == "scratch")
    return (
        f"{title}: {len(_own(plan))} tensors in an arena of {byte_count(plan.arena_bytes)}; it is "
        f"fullest during {step} with {plan.lower_bound:,} bytes, {scratch:,} of them scratch."
    )


def memory_bars(plans: MemoryPlan | Mapping[str, MemoryPlan]) -> Figure:
    """Bars for what a model needs: the file's values, and what is alive at the fullest step.

    Plans can be fullest at different steps, so each bar names its own.

    Parameters
    ----------
    plans : MemoryPlan, or dict of title to MemoryPlan
    """
    from drqsim.figures.charts import bars

    plans = dict(plans) if isinstance(plans, Mapping) else {_title(plans): plans}
    if not all(plan.steps for plan in plans.values()):
        raise InputError("memory_bars needs plans of models with an operator.")
    rows = []
    for title, plan in plans.items():
        step, blocks = _fullest(plan)
        activations = [b for b in blocks if b.role == "activation"]
        scratch = [b for b in blocks if b.role == "scratch"]
        rows += [
            (f"{title}: constants in the file", plan.file_bytes, "weight"),
            *_by_dtype(f"{title}, {step}: activations", activations),
            *_by_dtype(f"{title}, {step}: scratch", scratch),
            *_by_dtype(f"{title}: persistent arena", plan.of("persistent")),
        ]
    return bars(rows, "Memory at the fullest operator of each plan", "bytes")


def _by_dtype(label: str, blocks: list[Block]) -> list[tuple[str, int, str]]:
    """A bar for each dtype, in its colour; int64 and others, which have none, in that of int32."""
    sizes: dict[str, int] = {}
    for block in blocks:
        sizes[block.dtype.name] = sizes.get(block.dtype.name, 0) + block.nbytes
    return [
        (f"{label}, {name}", sizes[name], name if name in KIND_NAMES else "int32")
        for name in sorted(sizes)
        if sizes[name]
    ]
