"""A figure with a knob: alive in a notebook, alive on a page without a kernel."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from html import escape
from importlib.util import find_spec

from drqsim.errors import InputError
from drqsim.figures.style import STYLE

WIDGET = "application/vnd.jupyter.widget-view+json"


class Explorer:
    """What ``function`` shows, for every value of a knob.

    As text it is a line for each state. As HTML it is a row of buttons, one for each value, and
    the figure that belongs to the chosen one; that needs neither a kernel nor JavaScript. In a
    running notebook it is a slider, and the kernel draws; the environment variable
    ``DRQSIM_STATIC=1`` turns that off (the book's build sets it).

    Parameters
    ----------
    function : callable
        Takes one value; returns a ``Figure``, or anything that a notebook can show.
    values : list
        Every setting of the knob.
    label : str
        What the knob sets.
    format : callable
        How a value is written.
    start : int
        Which of ``values`` is shown first.
    lines : int
        How many lines of each state's text the explorer's text keeps.
    """

    def __init__(
        self,
        function: Callable,
        values: Sequence,
        label: str,
        format: Callable[[object], str] = str,
        start: int = 0,
        lines: int = 1,
    ):
        self.function, self.values, self.label = function, list(values), label
        self.format, self.start, self.lines = format, start, lines
        if not 0 <= start < len(self.values):
            raise InputError(f"start is {start}; the explorer has {len(self.values)} values.")

    @cached_property
    def states(self) -> list:
        """What the function returns for each value."""
        return [self.function(value) for value in self.values]

    @cached_property
    def names(self) -> list[str]:
        """Each value as it is written."""
        return [self.format(value) for value in self.values]

    def __repr__(self) -> str:
        parts = []
        for name, state in zip(self.names, self.states, strict=True):
            text = "\n    ".join(repr(state).splitlines()[: self.lines])
            parts.append(f"{self.label} = {name}: {text}")
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        states = [_html(state).replace(STYLE, "") for state in self.states]
        content = "\0".join([self.label, *self.names, *states, str(self.start)])
        mark = f"drq-{hashlib.sha256(content.encode()).hexdigest()[:10]}"
        knobs, panels, rules = [], [], []
        for at, (name, state) in enumerate(zip(self.names, states, strict=True)):
            checked = " checked" if at == self.start else ""
            knobs.append(
                f'<input type="radio" name="{mark}" id="{mark}-{at}"{checked}>'
                f'<label for="{mark}-{at}">{escape(name)}</label>'
            )
            panels.append(
                f'<div class="drq-panel" id="{mark}-panel-{at}" role="group" '
                f'aria-label="{escape(f"{self.label} = {name}")}">{state}</div>'
            )
            rules.append(f"#{mark}-{at}:checked~#{mark}-panel-{at}")
        return (
            f"{STYLE}{KNOBS}<style>{','.join(rules)}{{display:block}}</style>"
            f'<fieldset class="drq-explorer"><legend>{escape(self.label)}</legend>'
            f"{''.join(knobs)}{''.join(panels)}</fieldset>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        bundle = {"text/plain": repr(self), "text/html": self._repr_html_()}
        if os.environ.get("DRQSIM_STATIC") != "1" and find_spec("ipywidgets"):
            bundle[WIDGET] = self.widget()._repr_mimebundle_()[WIDGET]
        return bundle

    def widget(self):
        """The live version: a slider, and the figure that the kernel draws for it."""
        import ipywidgets

        knob = ipywidgets.SelectionSlider(
            options=[(name, at) for at, name in enumerate(self.names)],
            value=self.start,
            description=self.label,
            tooltip=self.label,
            style={"description_width": "initial"},
            layout={"width": "min(100%, 36rem)"},
        )
        picture = ipywidgets.HTML(_html(self.states[self.start]), layout={"width": "100%"})

        def turn(change):
            picture.value = _html(self.function(self.values[change.new]))

        knob.observe(turn, names="value")
        return ipywidgets.VBox([knob, picture])


def _html(state: object) -> str:
    """The state as HTML; its text where it has no HTML."""
    if hasattr(state, "_repr_html_"):
        return state._repr_html_()
    return f"<pre>{escape(repr(state))}</pre>"


KNOBS = """<style>
.drq-explorer{position:relative;display:flex;flex-wrap:wrap;align-items:stretch;gap:.35rem;
  min-width:0;margin:1rem 0;padding:0;border:0;max-width:100%}
.drq-explorer legend{float:none;width:auto;padding:0;margin:0 0 .4rem;font-weight:600;
  font-size:1rem}
.drq-explorer>input{position:absolute;width:1px;height:1px;margin:0;opacity:0}
.drq-explorer>label{display:flex;align-items:center;justify-content:center;min-width:2.75rem;
  min-height:2.25rem;margin:0;padding:.2rem .7rem;border-radius:.5rem;
  border:1.5px solid var(--drq-muted);cursor:pointer;line-height:1.2;
  font-variant-numeric:tabular-nums}
.drq-explorer>label:hover{background:var(--drq-int8-bg)}
.drq-explorer>input:checked+label{background:var(--drq-int8-bg);color:var(--drq-int8);
  border-color:var(--drq-int8);font-weight:700;
  box-shadow:inset 0 -3px 0 var(--drq-int8);print-color-adjust:exact}
.drq-explorer>input:focus-visible+label{outline:3px solid var(--drq-float32);outline-offset:2px}
.drq-panel{display:none;flex:0 0 100%;max-width:100%;min-width:0}
@media print{.drq-explorer>input:not(:checked)+label{opacity:.6}}
</style>"""
