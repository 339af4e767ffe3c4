"""The tests of the site see what is wrong, on a sample and on an altered page."""

import numpy as np
import pytest

from drqsim import figures
from drqsim.explorer import Explorer
from tests.kit.browsing import disagreements, printed, violations
from tests.kit.places import SITE


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
    name = "book/to-the-last-bit-sums"
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
