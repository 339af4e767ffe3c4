"""The explorer: every state on the page, no kernel and no script needed, the same text anywhere."""

import gc
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import drqsim
from drqsim import figures
from drqsim.explorer import MOST_BUTTONS, SCRIPT, WIDGET, Explorer

EVIL = "<i>&\"'</noscript></script>"


class Shown:
    """Something that is not a figure."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text


def powers(value):
    return figures.grid(np.array([[value, value**2]]), f"powers of {value}", "int32")


def product(left, right):
    return f"{left} times {right} is {left * right}"


@pytest.fixture
def explorer():
    return Explorer(powers, [2, 3, 5], "base", start=1, lines=2)


@pytest.fixture
def table():
    return Explorer(product, {"left": [2, 3], "right": [5, 7, 9]}, start=(1, 2))


def unmarked(html):
    """The HTML of an explorer without what sets it apart from an equal one."""
    return re.sub(r"drq-[0-9a-f]{10}(x\d+)?", "mark", html)


class Controls(HTMLParser):
    """Knobs, radios, labels and panels of an explorer; what of it is packed up."""

    def __init__(self, html):
        super().__init__()
        self.knobs, self.radios, self.labels, self.panels, self.tags = [], [], [], [], []
        self.packed, self._open = [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        if tag == "fieldset":
            self.knobs.append(attrs)
        if tag == "input":
            self.radios.append(attrs)
        if tag == "label":
            self.labels.append(attrs["for"])
        if tag == "noscript":
            self._open = True
        if attrs.get("class") == "drq-panel":
            self.panels.append(attrs)
            self.packed.append(self._open)

    def handle_endtag(self, tag):
        if tag == "noscript":
            self._open = False


def test_text_has_a_line_for_each_state(explorer):
    assert repr(explorer) == (
        "base = 2: powers of 2  int64[1,2]  2 … 4\n    2  4\n"
        "base = 3: powers of 3  int64[1,2]  3 … 9\n    3  9\n"
        "base = 5: powers of 5  int64[1,2]  5 … 25\n     5  25"
    )
    explorer.lines = 1
    assert repr(explorer).splitlines()[2] == "base = 5: powers of 5  int64[1,2]  5 … 25"


def test_two_knobs_have_a_line_for_each_pair(table):
    assert repr(table).splitlines() == [
        f"left = {left}, right = {right}: '{product(left, right)}'"
        for left in (2, 3)
        for right in (5, 7, 9)
    ]
    assert (table.start, table.names[table.start]) == (5, "left = 3, right = 9")


def test_every_state_is_in_the_html(explorer):
    html = explorer._repr_html_()
    for state in explorer.states:
        assert state.body in html
    assert html == explorer._repr_html_()
    assert unmarked(html) == unmarked(Explorer(powers, [2, 3, 5], "base", start=1)._repr_html_())


def test_equal_explorers_do_not_share_their_knobs():
    first, second = (Controls(Explorer(powers, [4, 6], "base")._repr_html_()) for _ in range(2))
    for of_first, of_second in zip(first.radios, second.radios, strict=True):
        assert of_first["id"] != of_second["id"] and of_first["name"] != of_second["name"]
    assert not {panel["id"] for panel in first.panels} & {panel["id"] for panel in second.panels}


def test_every_radio_shows_its_panel_without_a_script(explorer):
    html = explorer._repr_html_()
    page = Controls(html)
    ids = [radio["id"] for radio in page.radios]
    assert page.labels == ids
    assert len({radio["name"] for radio in page.radios}) == 1
    assert ["checked" in radio for radio in page.radios] == [False, True, False]
    assert page.packed == [True, False, True]
    for radio, panel in zip(ids, page.panels, strict=True):
        assert f":has(#{radio}:checked) #{panel['id']}" in html
    assert [panel["aria-label"] for panel in page.panels] == ["base = 2", "base = 3", "base = 5"]
    assert page.panels[0]["data-said"] == "powers of 2 int64[1,2] 2 … 4"
    assert page.tags.count("fieldset") == page.tags.count("legend") == 1
    found = re.findall(r' id="([^"]+)"', html)
    assert len(found) == len(set(found))


def test_every_pair_of_radios_shows_its_panel_without_a_script(table):
    html = table._repr_html_()
    page = Controls(html)
    assert len(page.knobs) == 2 and len({radio["name"] for radio in page.radios}) == 2
    left, right = (
        [r["id"] for r in page.radios if r["name"] == name]
        for name in sorted({r["name"] for r in page.radios})
    )
    pairs = [(a, b) for a in left for b in right]
    for (a, b), panel in zip(pairs, page.panels, strict=True):
        assert f":has(#{a}:checked):has(#{b}:checked) #{panel['id']}" in html
    assert page.packed == [True] * 5 + [False]


def test_what_is_said_is_what_changes():
    shown = {"a": "head  er\n1  2\nlast", "b": "header\nhead er\n1 3\nlast", "c": "head er\nlast"}
    table = Explorer(lambda key: Shown(shown[key]), list(shown), "key", lines=9)
    assert table.said == ["1 2", "header 1 3", "head er"]
    two = figures.grids(powers(2) for _ in range(2))
    pair = Explorer(lambda n: figures.grids([powers(2), powers(n)]), [3, 5], "n", lines=9)
    assert pair.said == ["powers of 3 int64[1,2] 3 … 9", "powers of 5 int64[1,2] 5 … 25"]
    assert Explorer(lambda n: two, [3, 5], "n", lines=9).said[1].startswith("powers of 2 int64")


def test_a_knob_with_many_numbers_becomes_a_slider():
    many = range(MOST_BUTTONS + 1)
    for values, slides in ((many, True), (many[1:], False), ([str(v) for v in many], False)):
        (knob,) = Controls(Explorer(lambda value: value, values, "n")._repr_html_()).knobs
        assert ("data-slide" in knob) == slides


def test_markup_stays_text():
    html = Explorer(lambda value: value, [EVIL, "b"], EVIL, caption=EVIL)._repr_html_()
    assert "<i>" not in html.replace(SCRIPT, "")
    page = Controls(html)
    assert page.panels[0]["aria-label"] == f"{EVIL} = {EVIL}"
    assert page.tags.count("pre") == 2
    assert html.count("</noscript>") == 2 and html.count("</script>") == 1


def test_a_state_cannot_unpack_itself():
    class Sly:
        def _repr_html_(self):
            return "<NOSCRIPT>a</noscript >b"

    html = Explorer(lambda value: Sly(), [1, 2], "n")._repr_html_()
    assert html.count("</noscript") == 2 and "<template>a</template >b" in html


def test_the_script_is_small():
    assert len(SCRIPT.encode()) < 4096
    assert SCRIPT.count("</script") == 1


@pytest.mark.parametrize("static", ["0", "1"])
def test_the_text_does_not_depend_on_where_it_is_shown(explorer, monkeypatch, static):
    pytest.importorskip("ipywidgets")
    monkeypatch.setenv("DRQSIM_STATIC", static)
    bundle = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == repr(explorer)
    assert bundle["text/html"] == explorer._repr_html_()
    assert (WIDGET in bundle) == (static == "0")


def test_the_slider_computes(explorer):
    pytest.importorskip("ipywidgets")
    knob, picture = explorer.widget().children
    assert (knob.description, knob.label) == ("base", "3")
    knob.value = 2
    assert picture.value == powers(5)._repr_html_()


def test_two_sliders_compute(table):
    pytest.importorskip("ipywidgets")
    left, right, picture = table.widget().children
    assert "3 times 9 is 27" in picture.value
    right.value = 0
    left.value = 0
    assert "2 times 5 is 10" in picture.value


def test_values_between_are_computed():
    pytest.importorskip("ipywidgets")
    explorer = Explorer(
        product, {"left": [1, 9], "right": [0.5, 1.5]}, between=True, caption=f"Look {EVIL}"
    )
    _, whole, _, real, caption, picture = explorer.widget().children
    whole.value, real.value = 7, 1.25
    assert "7 times 1.25 is 8.75" in picture.value
    assert (whole.min, whole.max, real.min, real.max) == (1, 9, 0.5, 1.5)
    assert caption.value.startswith("<p>Look &lt;i&gt;")


def test_the_field_follows_the_slider():
    pytest.importorskip("ipywidgets")
    explorer = Explorer(lambda n: f"is {n}", [1, 2.5, 4], "n", "{}x".format, between=True)
    slider, field, picture = explorer.widget().children
    slider.value = 2
    assert field.value == 4 and "is 4&" in picture.value
    field.value = 3.5
    assert "is 3.5&" in picture.value
    slider.value = 1
    assert field.value == 2.5 and "is 2.5&" in picture.value


def test_an_error_takes_the_place_of_the_picture():
    pytest.importorskip("ipywidgets")
    explorer = Explorer(lambda n: {1: "one", 3: "three"}[n], [1, 3], "n", between=True)
    _, field, picture = explorer.widget().children
    field.value = 2
    assert picture.value == "<pre>KeyError: 2</pre>"


def test_garbage_is_collected_after_the_picture():
    pytest.importorskip("ipywidgets")

    def collects(n):
        if n == 3:
            raise ValueError
        return gc.isenabled()

    knob, picture = Explorer(collects, [1, 2, 4], "n", between=True).widget().children[1:]
    for value, shown in ((2, "False"), (3, "ValueError"), (4, "False")):
        knob.value = value
        assert shown in picture.value and gc.isenabled()


def test_the_states_are_formatted():
    explorer = Explorer(powers, [2, 3], "base", format=lambda value: f"{value:.1f}")
    assert [line[:10] for line in repr(explorer).splitlines()] == ["base = 2.0", "base = 3.0"]
    pair = Explorer(product, {"a": [1], "b": [2]}, format=["{}x".format, "{:.1f}".format])
    assert pair.names == ["a = 1x, b = 2.0"]


def test_drqsim_has_it():
    assert drqsim.Explorer is Explorer


@pytest.mark.parametrize(("values", "start"), [([], 0), ([1], 1), ([1], -1)])
def test_start_must_be_a_state(values, start):
    with pytest.raises(drqsim.InputError, match="values"):
        Explorer(powers, values, "base", start=start)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (dict(values=[1, 2]), "label"),
        (dict(values={"a": [1]}, label="a"), "label"),
        (dict(values={}), "0 were passed"),
        (dict(values={"a": [1], "b": [1], "c": [1]}), "3 were passed"),
        (dict(values={"a": [1], "b": [1]}, start=(0,)), "start has 1 entries"),
        (dict(values={"a": [1], "b": [1]}, start=(0, 1)), "'b' has 1 values"),
        (dict(values=["x"], label="a", between=True), "not numbers"),
    ],
)
def test_what_is_refused(arguments, complaint):
    with pytest.raises(drqsim.InputError, match=complaint):
        Explorer(powers, **arguments)
