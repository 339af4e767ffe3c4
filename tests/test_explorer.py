"""The explorer: every state on the page, no kernel and no script needed, the same text anywhere."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import drqsim
from drqsim import figures
from drqsim.explorer import WIDGET, Explorer

EVIL = "<i>&\"'"


def powers(value):
    return figures.grid(np.array([[value, value**2]]), f"powers of {value}", "int32")


@pytest.fixture
def explorer():
    return Explorer(powers, [2, 3, 5], "base", start=1, lines=2)


class Controls(HTMLParser):
    """Radios, labels and panels of an explorer."""

    def __init__(self, html):
        super().__init__()
        self.radios, self.labels, self.panels, self.tags = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        if tag == "input":
            self.radios.append(attrs)
        if tag == "label":
            self.labels.append(attrs["for"])
        if attrs.get("class") == "drq-panel":
            self.panels.append(attrs)


def test_text_has_a_line_for_each_state(explorer):
    assert repr(explorer) == (
        "base = 2: powers of 2  int64[1,2]  2 … 4\n    2  4\n"
        "base = 3: powers of 3  int64[1,2]  3 … 9\n    3  9\n"
        "base = 5: powers of 5  int64[1,2]  5 … 25\n     5  25"
    )
    explorer.lines = 1
    assert repr(explorer).splitlines()[2] == "base = 5: powers of 5  int64[1,2]  5 … 25"


def test_every_state_is_in_the_html(explorer):
    html = explorer._repr_html_()
    for state in explorer.states:
        assert state.body in html
    assert html == Explorer(powers, [2, 3, 5], "base", start=1)._repr_html_()


def test_every_radio_shows_its_panel(explorer):
    html = explorer._repr_html_()
    page = Controls(html)
    ids = [radio["id"] for radio in page.radios]
    assert page.labels == ids
    assert len({radio["name"] for radio in page.radios}) == 1
    assert ["checked" in radio for radio in page.radios] == [False, True, False]
    for radio, panel in zip(ids, page.panels, strict=True):
        assert f"#{radio}:checked~#{panel['id']}" in html
    assert [panel["aria-label"] for panel in page.panels] == ["base = 2", "base = 3", "base = 5"]
    assert page.tags.count("fieldset") == page.tags.count("legend") == 1
    assert "script" not in page.tags
    found = re.findall(r' id="([^"]+)"', html)
    assert len(found) == len(set(found))


def test_markup_in_label_and_values_stays_text():
    html = Explorer(lambda value: value, [EVIL, "b"], EVIL)._repr_html_()
    assert "<i>" not in html
    page = Controls(html)
    assert page.panels[0]["aria-label"] == f"{EVIL} = {EVIL}"
    assert page.tags.count("pre") == 2


@pytest.mark.parametrize("static", ["0", "1"])
def test_the_text_does_not_depend_on_where_it_is_shown(explorer, monkeypatch, static):
    pytest.importorskip("ipywidgets")
    monkeypatch.setenv("DRQSIM_STATIC", static)
    bundle = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == repr(explorer)
    assert bundle["text/html"] == explorer._repr_html_()
    assert (WIDGET in bundle) == (static == "0")


def test_the_slider_redraws(explorer):
    pytest.importorskip("ipywidgets")
    knob, picture = explorer.widget().children
    assert (knob.description, knob.label) == ("base", "3")
    knob.value = 2
    assert picture.value == powers(5)._repr_html_()


def test_the_states_are_formatted():
    explorer = Explorer(powers, [2, 3], "base", format=lambda value: f"{value:.1f}")
    assert [line[:10] for line in repr(explorer).splitlines()] == ["base = 2.0", "base = 3.0"]


@pytest.mark.parametrize(("values", "start"), [([], 0), ([1], 1), ([1], -1)])
def test_start_must_be_a_state(values, start):
    with pytest.raises(drqsim.InputError, match="values"):
        Explorer(powers, values, "base", start=start)
