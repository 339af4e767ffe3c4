"""The built site in a real browser: the knobs turn, the numbers are Python's, everybody can read.

The pages are opened as files, without a network. The browser is the machine's own Chromium; a
machine that has none skips these tests and says so, unless ``DRQSIM_BROWSER=required``.
"""

import numpy as np
import pytest

from tests.kit.browsing import PAGES, TOC, disagreements, printed, violations
from tests.kit.places import ROOT, SITE

# Turns every knob of a page through all its settings; what `look` returns for each.
TURN_ALL = """async look => {
  const seen = [];
  for (const explorer of document.querySelectorAll("drq-explorer"))
    for (const knob of explorer.knobs)
      for (let at = 0; at < knob.names.length; at++) {
        const control = knob.range || knob.radios[at];
        const start = performance.now();
        if (knob.range) knob.range.value = at;
        else control.checked = true;
        control.dispatchEvent(new Event("input", { bubbles: true }));
        explorer.getBoundingClientRect();
        const took = performance.now() - start;
        seen.push([took, document.scrollingElement.scrollWidth]);
      }
  return seen;
}"""


@pytest.fixture(scope="module", params=PAGES)
def page(visit, request):
    """Each page of the site in turn, opened once for all the tests."""
    if not (ROOT / "_build/.built").exists():
        pytest.fail("The site has not been built: run `make book` first.", pytrace=False)
    page = visit(SITE / f"{request.param}.html")
    page.name = request.param
    yield page
    page.close()


def test_every_page_of_the_site_is_visited():
    files = [f for f in SITE.rglob("*.html") if "_static" not in f.parts]
    names = {f.relative_to(SITE).with_suffix("").as_posix() for f in files}
    assert names - {"index"} == set(PAGES)  # index.html only sends the reader on


def test_explorers_show_what_python_computed(page):
    source = ROOT / f"{page.name}.ipynb"
    made = source.exists() and source.read_text(encoding="utf-8").count("\nExplorer(")
    assert len(page.query_selector_all("drq-explorer")) >= bool(made)
    assert disagreements(page, printed(page.name)) == []


def test_a_knob_answers_at_once(page):
    took = [milliseconds for milliseconds, _ in page.evaluate(TURN_ALL)]
    # a few milliseconds, well within a frame; the rest is for machines that do other things too
    assert np.median(took or [0]) < 100


def test_everybody_can_use_the_page(page):
    assert violations(page, rules={"region": {"enabled": False}}) == []  # slow, never serious


def test_everybody_can_read_the_dark_page(page):
    # only the colours differ from those of the light page
    assert violations(page, "dark", runOnly=["color-contrast"]) == []


def test_current_state_is_printed(page):
    page.emulate_media(media="print")
    for explorer in page.query_selector_all("drq-explorer"):
        legends = explorer.query_selector_all(":scope > .drq-knob > legend")
        panel = explorer.query_selector(".drq-panel")
        settings = ", ".join(legend.inner_text() for legend in legends)
        assert settings == panel.get_attribute("aria-label")
        assert panel.is_visible() and panel.bounding_box()["height"] > 20
        knobs = explorer.query_selector_all("label, input")
        assert knobs and not any(knob.is_visible() for knob in knobs)
    page.emulate_media(media="screen")


HIDDEN = """() => [...document.querySelectorAll("drq-explorer > .drq-panel *")]
    .filter(e => getComputedStyle(e).display === "none").map(e => e.outerHTML)"""


def test_a_panel_hides_nothing(page):
    assert page.evaluate(HIDDEN) == []


CUT_OFF = """() => {
    const edge = document.querySelector("main").getBoundingClientRect().right + 1;
    const cut = ({ right, height }, tag) => right > edge || (tag === "svg" && height > 1009);
    return [...document.querySelectorAll("article :is(table, pre, svg, .drq-figure)")]
        .filter(e => e.checkVisibility() && cut(e.getBoundingClientRect(), e.tagName))
        .map(e => e.tagName + ": " + e.textContent.slice(0, 60));
}"""


def test_nothing_is_cut_off_on_paper(page):
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 between its margins
    assert page.evaluate(CUT_OFF) == []
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(media="screen")


def test_phone_does_not_scroll_sideways(page):
    page.set_viewport_size({"width": 390, "height": 844})
    widths = [page.evaluate("document.scrollingElement.scrollWidth")]
    widths += [width for _, width in page.evaluate(TURN_ALL)]
    assert max(widths) <= 390
    page.set_viewport_size({"width": 1280, "height": 900})


def test_nothing_went_wrong_and_nothing_left_the_site(page):
    assert page.errors == []
    inside = (SITE.as_uri(), "data:", "blob:")
    assert [url for url in page.asked if not url.startswith(inside)] == []


def test_phone_has_a_menu_and_one_search_box(visit):
    page = visit(SITE / f"{TOC[0]}.html")
    page.set_viewport_size({"width": 390, "height": 844})
    page.click("button.primary-toggle >> visible=true")
    page.wait_for_selector("#pst-primary-sidebar-modal a.internal >> visible=true")
    assert len(page.query_selector_all("button.search-button-field >> visible=true")) <= 1
    page.close()
