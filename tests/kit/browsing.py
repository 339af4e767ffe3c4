"""Pages in a browser: walking through their explorers, and what they show."""

import re
from collections import Counter

import nbformat
from axe_playwright_python.sync_playwright import Axe

from tests.kit.places import ROOT

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
