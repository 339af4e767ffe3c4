"""How long a figure takes to answer its knob: on the built page, and in a running notebook.

Run it as ``PYTHONPATH=. python benchmarks/knobs.py`` in the project's environment, after
``make book``. On the page (headless Chromium, no network): from the event until the new picture is
laid out, each setting for the first time and once more. In a notebook: each chapter is run in a
kernel; then every slider goes through its settings and back, from the message that moves it until
the kernel is idle again. The picture has to be the one that the page shows.
Not measured: painting on a screen, and what a front end such as JupyterLab adds.
"""

import json
import os
import shutil
import statistics
import time
from pathlib import Path

os.environ["DRQSIM_STATIC"] = "1"

import nbformat
from nbclient import NotebookClient
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PAGE = """() => {
  const took = [[], []];
  for (const round of took)
    for (const explorer of document.querySelectorAll("drq-explorer"))
      for (const knob of explorer.knobs)
        knob.names.forEach((name, at) => {
          const control = knob.range || knob.radios[at];
          const start = performance.now();
          if (knob.range) knob.range.value = at;
          else control.checked = true;
          control.dispatchEvent(new Event("input", { bubbles: true }));
          explorer.getBoundingClientRect();
          round.push(performance.now() - start);
        });
  return took;
}"""
FIND = """
import gc, json, re
from ipywidgets import SelectionSlider
from drqsim.explorer import Explorer, _html
_found = [x for x in gc.get_objects() if isinstance(x, Explorer) and "states" in vars(x)]
_boxes = [x.widget() for x in _found]
_sliders = [[c for c in b.children if isinstance(c, SelectionSlider)] for b in _boxes]
print(json.dumps([[(k.label, len(k.values)) for k in x.knobs] for x in _found]))
"""
MOVE = "_sliders[{0}][{1}].value = {2}"
SAME = """
_at = 0
for _k, _s in zip(_found[{0}].knobs, _sliders[{0}], strict=True):
    _at = _at * len(_k.values) + _s.value
_plain = lambda html: re.sub("drq-[0-9a-f]+", "", html)
assert _plain(_boxes[{0}].children[-1].value) == _plain(_html(_found[{0}].states[_at]))
"""


def show(label: str, ms: list[float]) -> None:
    """One line: how many moves, their median, 95th percentile and maximum."""
    high = sorted(ms)[int(0.95 * (len(ms) - 1))]
    print(f"{label:<62}{len(ms):>5}{statistics.median(ms):>8.1f}{high:>8.1f}{max(ms):>8.1f}")


def on_the_page() -> None:
    """Every knob of the built site."""
    first, again = [], []
    with sync_playwright() as p:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = p.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        for file in sorted((ROOT / "_build/html/book").glob("*.html")):
            page.goto(file.as_uri())
            page.wait_for_timeout(500)
            one, two = page.evaluate(PAGE)
            first += one
            again += two
        browser.close()
    show("page, a setting's first time", first)
    show("page, once more", again)


def in_a_kernel(path: Path) -> list[float]:
    """Every knob of a chapter."""
    folder = {"metadata": {"path": str(path.parent)}}
    quiet = ["--IPKernelApp.log_level=40"]
    client = NotebookClient(nbformat.read(path, 4), resources=folder, extra_arguments=quiet)
    times = []

    def run(code: str) -> str:
        cell = nbformat.v4.new_code_cell(code)
        client.nb.cells.append(cell)
        client.execute_cell(cell, len(client.nb.cells) - 1)
        return "".join(output.get("text", "") for output in cell.outputs)

    with client.setup_kernel():
        for at, cell in enumerate(client.nb.cells):
            client.execute_cell(cell, at)
        for n, knobs in enumerate(json.loads(run(FIND))):
            for m, (label, settings) in enumerate(knobs):
                taken = []
                for at in [*range(1, settings), *range(settings - 2, -1, -1)] * 2:
                    start = time.perf_counter()
                    run(MOVE.format(n, m, at))
                    taken.append(1e3 * (time.perf_counter() - start))
                    run(SAME.format(n))
                if taken:
                    show(f"{path.stem}: {label}"[:60], taken)
                times += taken
    return times


def main() -> None:
    """Print a table."""
    print(f"{'milliseconds':<62}{'moves':>5}{'median':>8}{'p95':>8}{'max':>8}")
    on_the_page()
    chapters = sorted((ROOT / "book").glob("*.ipynb"))
    times = [in_a_kernel(p) for p in chapters if "Explorer(" in p.read_text(encoding="utf-8")]
    show("all chapters, live", [ms for chapter in times for ms in chapter])


if __name__ == "__main__":
    main()
