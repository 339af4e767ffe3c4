"""The built site in a real browser: the knobs turn, the numbers are Python's, everybody can read.

The pages are opened as files, without a network. The browser is the machine's own Chromium; a
machine that has none skips these tests and says so, unless ``DRQSIM_BROWSER=required``.
"""

import re
from collections import Counter
from pathlib import Path

import nbformat
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from drqsim import figures
from drqsim.explorer import Explorer

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build/html"
TOC = re.findall(r"(?:root|file): (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [*TOC, "search", "genindex"]

NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
# In the text only: the picture shows these as so many bars, and as their heights.
DRAWN = re.compile(r"\d+ bars?\b|counts from left to right:.*")

FOCUS_BEFORE = """explorer => {
  const all = [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")];
  const before = all.filter(e => e.checkVisibility({visibilityProperty: true}) && !e.disabled
    && explorer.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_PRECEDING);
  (before.at(-1) || document.body).focus();
}"""
SHOWN = """explorer => {
  const panels = [...explorer.querySelectorAll(":scope > .drq-panel")];
  const words = [...panels[0].querySelectorAll("[aria-label]")].map(e => e.ariaLabel);
  const texts = document.createTreeWalker(panels[0], NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) words.push(texts.currentNode.data);
  return {
    panels: panels.length,
    visible: panels[0].checkVisibility(),
    name: panels[0].getAttribute("aria-label"),
    text: words.join(" "),
    said: explorer.querySelector("[role=status]").textContent,
    focus: explorer.querySelector(".drq-knob:focus-within legend")?.firstChild.data,
  };
}"""
# A key that is pressed before the first frame was drawn may be lost.
DRAWN_TWICE = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
READY = "explorer => explorer.knobs?.length > 0"
FOCUSED = "([e, n]) => e.querySelectorAll(':scope > .drq-knob')[n].matches(':focus-within')"
# Of the texts that look the same, axe-core computes the contrast of the first only.
ONE_OF_EACH_LOOK = """() => {
  const looks = new Set(), grounds = new Map([[null, ""]]);
  const ground = e => {
    if (!grounds.has(e)) {
      const { backgroundColor, backgroundImage, opacity } = getComputedStyle(e);
      const own = [backgroundColor, backgroundImage, opacity];
      grounds.set(e, ground(e.parentElement) + own);
    }
    return grounds.get(e);
  };
  for (const e of document.body.querySelectorAll("*")) {
    e.removeAttribute("data-look");
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const { color, fontSize, fontWeight } = getComputedStyle(e);
    const look = [color, fontSize, fontWeight, ground(e)].join();
    if (!looks.has(look)) e.dataset.look = "";
    looks.add(look);
  }
  axe.configure({ rules: [{ id: "color-contrast", selector: "[data-look]" }] });
  return looks.size;
}"""
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


@pytest.fixture(scope="module")
def visit(browser):
    """A function that opens a file, as a browser without a network does."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)

    def open_(path):
        page = context.new_page()
        page.errors, page.asked = [], []
        page.on("console", lambda m: m.type == "error" and page.errors.append(m.text))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.as_uri())
        page.add_style_tag(content="* { transition: none !important; }")
        page.evaluate("window.MathJax?.startup?.promise")
        page.evaluate(DRAWN_TWICE)
        return page

    yield open_
    context.close()


@pytest.fixture(scope="module", params=PAGES)
def page(visit, request):
    """Each page of the site in turn, opened once for all the tests."""
    if not (ROOT / "_build/.built").exists():
        pytest.fail("The site has not been built: run `make book` first.", pytrace=False)
    page = visit(SITE / f"{request.param}.html")
    page.name = request.param
    yield page
    page.close()


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A page with a slider, two knobs at once, and labels that look like markup."""

    def grid(left, right):
        return figures.grid(np.array([[left, right, left * right]]), "<b>product</b>", "int32")

    explorers = [
        Explorer(lambda n: grid(n, n), range(3, 12), "<i>n</i>", start=4),
        Explorer(
            grid, {"left": [2, 3], "<i>right</i>": [50, 70, 90]}, start=(1, 1), caption="&lt;"
        ),
        Explorer(lambda s: s, ["</noscript><i>a</i>", "&amp;"], "\"'", caption="<i>look</i>"),
    ]
    file = tmp_path_factory.mktemp("sample") / "sample.html"
    html = "".join(f"<p><a href='#'>x</a></p>{explorer._repr_html_()}" for explorer in explorers)
    file.write_text(f"<!doctype html><html lang=en><title>x</title>{html}", encoding="utf-8")
    return file, [repr(explorer) for explorer in explorers]


def printed(name):
    """What the explorers of a page print, by the label and the setting of their first state."""
    file = ROOT / f"{name}.ipynb"
    cells = nbformat.read(file, as_version=4).cells if file.exists() else []
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return [o.data["text/plain"] for o in outputs if "text/plain" in o.get("data", {})]


def numbers(text):
    text = DRAWN.sub("", text)
    return Counter(n.replace("−", "-").replace(",", "") for n in NUMBER.findall(text))


def walk(page, explorer):
    """What an explorer shows, for every state, as one walks through them with the arrow keys.

    From the first setting to the last; with two knobs, there and back again.
    """

    def focus(n, key):
        page.keyboard.press(key)
        page.wait_for_function(FOCUSED, arg=[explorer, n], timeout=5000)

    page.wait_for_function(READY, arg=explorer, timeout=5000)
    explorer.evaluate(FOCUS_BEFORE)
    focus(0, "Tab")
    counts, starts = explorer.evaluate(
        "e => [e.knobs.map(k => k.names.length), e.knobs.map(k => k.at())]"
    )
    for n, start in enumerate(starts):
        if n:
            focus(n, "Tab")
        for _ in range(start):
            page.keyboard.press("ArrowLeft")
    seen = [explorer.evaluate(SHOWN)]
    for row in range(counts[0] if len(counts) == 2 else 1):
        if row:
            focus(0, "Shift+Tab")
            page.keyboard.press("ArrowRight")
            focus(1, "Tab")
            seen.append(explorer.evaluate(SHOWN))
        for _ in range(counts[-1] - 1):
            page.keyboard.press("ArrowLeft" if row % 2 else "ArrowRight")
            seen.append(explorer.evaluate(SHOWN))
    return seen


def disagreements(page, texts):
    """Where what the explorers of a page show is not what they print."""
    found = []
    for explorer in page.query_selector_all("drq-explorer"):
        seen = walk(page, explorer)
        states = {state["name"]: state for state in seen}
        first = f"{seen[0]['name']}: "
        text = next((text for text in texts if text.startswith(first)), None)
        if text is None:
            found.append(f"no text starts with {first!r}")
            continue
        blocks = re.split(r"\n(?! {4})", text)
        if len(blocks) != len(states):
            found.append(f"{first}{len(blocks)} states in the text, {len(states)} on the page")
        for name, state in states.items():
            block = next((b for b in blocks if b.startswith(f"{name}: ")), None)
            if block is None:
                found.append(f"no line of the text starts with {name!r}")
                continue
            block = block.removeprefix(f"{name}: ")
            if missing := numbers(block) - numbers(state["text"]):
                found.append(f"{name}: the panel does not show {sorted(missing)}")
            words = iter(block.split())
            if not all(word in words for word in state["said"].split()):
                found.append(f"{name}: said {state['said']!r}")
            if (state["panels"], state["visible"]) != (1, True) or not state["focus"]:
                found.append(f"{name}: {state}")
        if not all(state["said"] for state in seen[1:]):
            found.append(f"{first}the status line is empty")
    return found


def violations(page, theme="light", **options):
    """What axe-core finds serious or critical."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    assert page.evaluate(ONE_OF_EACH_LOOK) > 5
    options |= {"preload": False, "resultTypes": ["violations"]}
    rules = page.evaluate("options => axe.run(options)", options)["violations"]
    return [
        f"{rule['id']}: {node['target']}: {node['html'][:120]}"
        for rule in rules
        for node in rule["nodes"]
        if rule["impact"] in ("serious", "critical")
    ]


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


def test_sample_shows_what_python_computed(visit, sample):
    file, texts = sample
    page = visit(file)
    assert disagreements(page, texts) == []
    assert page.errors == []
    assert page.query_selector_all("i:not(.drq-ticks i)") == []
    assert violations(page) == []
    page.evaluate("document.body.innerHTML += '<button></button><p style=color:#ccc>pale</p>'")
    found = " ".join(violations(page))
    assert "button-name" in found and "color-contrast" in found
    page.close()


def test_knobs_turn_without_javascript(browser, sample):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(sample[0].as_uri())
    two = page.query_selector_all("drq-explorer")[1]
    for left in ("2", "3"):
        for right in ("50", "70", "90"):
            for label in two.query_selector_all("label"):
                if label.inner_text() in (left, right):
                    label.click()
            (panel,) = (p for p in two.query_selector_all(".drq-panel") if p.is_visible())
            expected = f"left = {left}, <i>right</i> = {right}"
            assert panel.get_attribute("aria-label") == expected
    context.close()


@pytest.mark.parametrize("place", ["panel", "status"])
def test_an_altered_number_is_found(visit, tmp_path, place):
    name = "book/05-accumulator"
    source = (SITE / f"{name}.html").read_text(encoding="utf-8")
    begin = source.rindex('aria-label="products in a sum, K = 132,105"')
    end = source.index("</noscript>", begin)
    said, panel = source[begin:end].split(">", 1)
    if place == "panel":
        panel = panel.replace("4,278,220,425", "4,278,220,435")
    else:
        said = said.replace("4,278,220,425", "4,278,220,435")
    altered = f"{source[:begin]}{said}>{panel}{source[end:]}"
    assert altered != source
    base = f'<head><base href="{(SITE / "book").as_uri()}/">'
    file = tmp_path / "altered.html"
    file.write_text(altered.replace("<head>", base, 1), encoding="utf-8")
    page = visit(file)
    (complaint,) = disagreements(page, printed(name))
    assert complaint.startswith("products in a sum, K = 132,105: ")
    page.close()
