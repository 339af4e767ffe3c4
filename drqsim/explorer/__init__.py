"""A figure with one or two knobs: alive in a notebook, alive on a page without a kernel."""

from __future__ import annotations

import gc
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from itertools import product
from numbers import Integral, Real

from drqsim.errors import InputError
from drqsim.figures.style import STYLE

WIDGET = "application/vnd.jupyter.widget-view+json"
MOST_BUTTONS = 6  # a knob with more numbers than this is a slider
_HERE = files("drqsim.explorer")
CSS = f"<style>{_HERE.joinpath('explorer.css').read_text(encoding='utf-8')}</style>"
SCRIPT = f"<script>{_HERE.joinpath('explorer.js').read_text(encoding='utf-8')}</script>"
MARKS = Counter()  # how many explorers of this process have the same content


@dataclass(frozen=True)
class Knob:
    """One thing that can be set.

    Attributes
    ----------
    label : str
        What it sets.
    values : list
        Every setting.
    names : list of str
        Each setting as it is written.
    start : int
        Which of them comes first.
    between : bool
        True if a number between two settings means something as well.
    """

    label: str
    values: list
    names: list[str]
    start: int
    between: bool

    def __post_init__(self):
        if not 0 <= self.start < len(self.values):
            raise InputError(
                f"start is {self.start}; the knob {self.label!r} has {len(self.values)} values."
            )
        if self.between and not self.numeric:
            raise InputError(f"between is True; the values of {self.label!r} are not numbers.")

    @property
    def numeric(self) -> bool:
        """Are the settings numbers?"""
        return all(isinstance(v, Real) and not isinstance(v, bool) for v in self.values)


class Explorer:
    """What ``function`` shows, for every setting of one knob or of two.

    As text it is a line for each state. As HTML it is the first state, drawn, the others packed
    up, and a row of buttons or a slider that unpacks them: the element ``<drq-explorer>`` does
    that without a kernel, and without JavaScript the buttons still do it. In a running notebook
    it is a slider, and the kernel computes; the environment variable ``DRQSIM_STATIC=1`` turns
    that off (the book's build sets it).

    Parameters
    ----------
    function : callable
        Takes one value for each knob; returns a ``Figure``, or anything that a notebook shows.
    values : list, or dict of lists
        Every setting of the knob; or, by what it sets, those of each of two knobs.
    label : str
        What the knob sets, where ``values`` is a list.
    format : callable, or one for each knob
        How a value is written.
    start : int, or one for each knob
        Which of its values a knob begins with.
    lines : int
        How many lines of each state's text the explorer's text keeps.
    caption : str
        What to look for; stands below the knobs, in every state.
    between : bool, or one for each knob
        True if ``function`` takes any number between the smallest and the largest value: a
        running notebook then has a field to type it in.

    Raises
    ------
    InputError
        If there is not one knob or two, or an option does not fit them.
    """

    def __init__(
        self,
        function: Callable,
        values: Sequence | Mapping[str, Sequence],
        label: str | None = None,
        format: Callable[[object], str] | Sequence[Callable] = str,
        start: int | Sequence[int] = 0,
        lines: int = 1,
        caption: str = "",
        between: bool | Sequence[bool] = False,
    ):
        self.function, self.lines, self.caption = function, lines, caption
        if isinstance(values, Mapping) == (label is not None):
            raise InputError("Pass a list of values and a label, or a dict of label to values.")
        settings = dict(values) if label is None else {label: values}
        if len(settings) not in (1, 2):
            raise InputError(f"An explorer has one knob or two; {len(settings)} were passed.")
        options = zip(
            settings.items(),
            _each("format", format, settings),
            _each("start", start, settings),
            _each("between", between, settings),
            strict=True,
        )
        self.knobs = [
            Knob(label, list(values), [write(value) for value in values], at, free)
            for (label, values), write, at, free in options
        ]

    @cached_property
    def states(self) -> list:
        """What the function returns for each setting; the last knob turns fastest."""
        return [self.function(*values) for values in product(*(k.values for k in self.knobs))]

    @cached_property
    def names(self) -> list[str]:
        """The setting of each state: ``base = 2``."""
        return [
            ", ".join(f"{k.label} = {name}" for k, name in zip(self.knobs, names, strict=True))
            for names in product(*(k.names for k in self.knobs))
        ]

    @property
    def start(self) -> int:
        """Which of the states is shown first."""
        at = 0
        for knob in self.knobs:
            at = at * len(knob.values) + knob.start
        return at

    def _kept(self, state: object) -> list[str]:
        return repr(state).splitlines()[: self.lines]

    @cached_property
    def said(self) -> list[str]:
        """What is read aloud of each state: of its kept text, the lines that not all states have.

        Of a figure, only the first such line.
        """
        kept = [[" ".join(line.split()) for line in self._kept(state)] for state in self.states]
        same = set(kept[0]).intersection(*kept)
        said = []
        for state, lines in zip(self.states, kept, strict=True):
            own = [line for line in lines if line not in same] or lines[:1]
            said.append(" ".join(own[:1] if hasattr(state, "alt") else own))
        return said

    def __repr__(self) -> str:
        return "\n".join(
            f"{name}: " + "\n    ".join(self._kept(state))
            for name, state in zip(self.names, self.states, strict=True)
        )

    @cached_property
    def _panels(self) -> list[str]:
        return [_html(state).replace(STYLE, "") for state in self.states]

    @cached_property
    def _mark(self) -> str:
        """What all ids begin with; two explorers of one page have different ones."""
        content = "\0".join([*self.names, *self._panels, self.caption, str(self.start)])
        mark = f"drq-{hashlib.sha256(content.encode()).hexdigest()[:10]}"
        MARKS[mark] += 1
        return mark if MARKS[mark] == 1 else f"{mark}x{MARKS[mark]}"

    def _repr_html_(self) -> str:
        states, mark = self._panels, self._mark
        knobs = "".join(_buttons(knob, f"{mark}-{n}") for n, knob in enumerate(self.knobs))
        panels, rules = [], []
        settings = product(*(range(len(k.values)) for k in self.knobs))
        for at, setting in enumerate(settings):
            panel = (
                f'<div class="drq-panel" id="{mark}-panel-{at}" role="group" '
                f'aria-label="{escape(self.names[at])}" '
                f'data-said="{escape(self.said[at])}">{states[at]}</div>'
            )
            # Where scripts run, what is inside <noscript> stays text until the script parses it.
            panels.append(
                panel if at == self.start else f'<noscript class="drq-packed">{panel}</noscript>'
            )
            chosen = "".join(f":has(#{mark}-{n}-{i}:checked)" for n, i in enumerate(setting))
            rules.append(f"#{mark}{chosen} #{mark}-panel-{at}")
        caption = f'<p class="drq-look">{escape(self.caption)}</p>' if self.caption else ""
        return (
            f'{STYLE}{CSS}<drq-explorer class="drq-explorer" id="{mark}">{knobs}{caption}'
            f"<noscript><style>#{mark} .drq-panel{{display:none}}"
            f"{','.join(rules)}{{display:block}}</style></noscript>"
            f'{"".join(panels)}<p class="drq-hidden drq-said" role="status"></p></drq-explorer>'
            f"{SCRIPT}"
        )

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        bundle = {"text/plain": repr(self), "text/html": self._repr_html_()}
        if os.environ.get("DRQSIM_STATIC") != "1" and find_spec("ipywidgets"):
            bundle[WIDGET] = self.widget()._repr_mimebundle_()[WIDGET]
        return bundle

    def widget(self):
        """The live version: sliders, and the figure that the kernel computes for them.

        Returns
        -------
        ipywidgets.VBox
            A slider for each knob, below it the field for numbers between where that was asked
            for; the caption, if any; the picture.
        """
        import ipywidgets

        picture = ipywidgets.HTML(_html(self.states[self.start]), layout={"width": "100%"})
        setting = [knob.values[knob.start] for knob in self.knobs]

        def turn(n, value):
            setting[n] = value
            collects = gc.isenabled()
            gc.disable()  # a collection takes as long as a picture: first the picture is sent
            try:
                picture.value = _html(self.function(*setting))
            except Exception as error:  # the old picture would be a lie
                picture.value = f"<pre>{escape(f'{type(error).__name__}: {error}')}</pre>"
            finally:
                if collects:
                    gc.enable()

        children = []
        for n, knob in enumerate(self.knobs):
            children += _controls(knob, lambda value, n=n: turn(n, value))
        if self.caption:
            children.append(ipywidgets.HTML(f"<p>{escape(self.caption)}</p>"))
        return ipywidgets.VBox([*children, picture])


def _each(what: str, option: object, knobs: Mapping) -> list:
    """The option of each knob."""
    each = list(option) if isinstance(option, (list, tuple)) else [option] * len(knobs)
    if len(each) != len(knobs):
        raise InputError(f"{what} has {len(each)} entries; expected one for each knob.")
    return each


def _buttons(knob: Knob, mark: str) -> str:
    """A row of radio buttons; the script makes a slider of it where ``data-slide`` stands."""
    slide = " data-slide" if knob.numeric and len(knob.values) > MOST_BUTTONS else ""
    buttons = "".join(
        f'<input type="radio" name="{mark}" id="{mark}-{at}" autocomplete="off"'
        f'{" checked" if at == knob.start else ""}><label for="{mark}-{at}">{escape(name)}</label>'
        for at, name in enumerate(knob.names)
    )
    return (
        f'<fieldset class="drq-knob"{slide}><legend>{escape(knob.label)}</legend>'
        f"{buttons}</fieldset>"
    )


def _controls(knob: Knob, turn: Callable[[object], None]) -> list:
    """The widgets of a knob, which call ``turn`` with each new value."""
    import ipywidgets

    look = dict(style={"description_width": "initial"}, layout={"width": "min(100%, 36rem)"})
    slider = ipywidgets.SelectionSlider(
        options=[(name, at) for at, name in enumerate(knob.names)],
        value=knob.start,
        description=knob.label,
        tooltip=knob.label,
        **look,
    )
    if not knob.between:
        slider.observe(lambda change: turn(knob.values[change.new]), names="value")
        return [slider]
    whole = all(isinstance(value, Integral) for value in knob.values)
    field = (ipywidgets.BoundedIntText if whole else ipywidgets.BoundedFloatText)(
        min=min(knob.values),
        max=max(knob.values),
        value=knob.values[knob.start],
        description=f"or any value from {min(knob.values):,} to {max(knob.values):,}",
        tooltip=knob.label,
        **look,
    )

    def move(change):
        field.value = knob.values[change.new]

    def compute(change):
        # a setting is handed on as it was passed, not as the number type of the field
        turn(next((value for value in knob.values if value == change.new), change.new))

    slider.observe(move, names="value")
    field.observe(compute, names="value")
    return [slider, field]


def _html(state: object) -> str:
    """The state as HTML; its text where it has no HTML."""
    if hasattr(state, "_repr_html_"):
        # one <noscript> cannot stand inside another
        return re.sub(r"(?i)<(/?)noscript\b", r"<\1template", state._repr_html_())
    return f"<pre>{escape(repr(state))}</pre>"
