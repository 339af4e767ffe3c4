"""The report's page in a real browser: no request, no complaint, sorted, searched, printed."""

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

import drqsim
from drqsim.report import as_html, make
from tests.kit.places import MODELS

EVIL = "<img src=x onerror=\"document.title='taken'\">"
FIRST = "#list tbody tr:not([hidden]) th"
ONE_OF_EACH = "details:not(.op), #op-conv_2d_1, #op-softmax_0"
UNFOLD = "which => document.querySelectorAll(which).forEach(fold => fold.open = true)"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    model, floats = (drqsim.load(MODELS / f"digits_{name}.tflite") for name in ("drq", "float"))
    with np.load(MODELS / "digits_inputs.npz") as inputs:
        report = make(model, inputs["images"][:1], floats, name=EVIL, fed=EVIL)
    made = tmp_path_factory.mktemp("report") / "report.html"
    made.write_text(as_html(report), encoding="utf-8")
    return made


@pytest.fixture
def visit(browser, file):
    """A function that opens the page; what went wrong is in ``page.wrong``."""
    contexts = []

    def open_(at="", **options):
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.wrong = []
        page.on("console", lambda message: page.wrong.append(message.text))
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.on("request", lambda r: r.url.startswith(file.as_uri()) or page.wrong.append(r.url))
        page.goto(file.as_uri() + at)
        return page

    yield open_
    for context in contexts:
        context.close()


def names(page) -> list[str]:
    return page.locator(FIRST).all_inner_texts()


def test_nothing_is_asked_for_and_names_are_text(visit):
    page = visit()
    assert page.wrong == [] and page.title().startswith("<img src=x")
    assert page.locator("h1").inner_text() == EVIL and page.locator("img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(visit, scheme):
    page = visit(color_scheme=scheme)
    page.evaluate(UNFOLD, ONE_OF_EACH)  # the others are the same in kind
    page.evaluate(Axe().axe_script)
    options = {"preload": False, "resultTypes": ["violations"]}
    if scheme == "dark":  # only the colors differ
        options["runOnly"] = ["color-contrast"]
    found = page.evaluate("options => axe.run(options)", options)["violations"]
    assert [(rule["id"], node["html"][:100]) for rule in found for node in rule["nodes"]] == []
    page.evaluate("document.querySelector('main').innerHTML = '<p style=color:#777>pale</p>'")
    found = page.evaluate("options => axe.run(options)", options)["violations"]
    assert "color-contrast" in {rule["id"] for rule in found}


def test_sorted_and_searched(visit):
    page = visit()
    order = names(page)
    assert len(order) == 12
    page.get_by_role("button", name="bytes").click()
    sizes = page.locator("#list tbody td:nth-child(4)").all_inner_texts()
    numbers = [int(text.replace(",", "")) for text in sizes if text]
    assert numbers == sorted(numbers) and sizes[len(numbers) :] == [""] * (12 - len(numbers))
    page.get_by_role("button", name="bytes").click()
    assert names(page)[0] == "conv_2d_4"
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("bytes")
    page.get_by_role("button", name="SNR").click()
    assert names(page)[-1] == "conv_2d_0"  # no error at all
    page.get_by_role("button", name="operator").click()
    assert names(page) == sorted(order)
    page.get_by_label("Search the operators").fill("INT8 depthwise")
    assert names(page) == ["depthwise_conv_2d_1"]
    assert page.get_by_role("status").inner_text() == "1 of 12 operators"
    assert page.locator("details.op:visible").count() == 1
    page.get_by_label("Search the operators").fill("")
    assert len(names(page)) == 12 and page.wrong == []


def test_a_link_unfolds_its_operator(visit):
    page = visit("#op-conv_2d_2")
    assert page.locator("details.op[open]").get_attribute("id") == "op-conv_2d_2"
    page.locator("#list a", has_text="fully_connected_0").click()
    assert page.locator("#op-fully_connected_0[open] figure").count() == 3


def test_without_a_script_and_on_a_phone(visit):
    page = visit(java_script_enabled=False, viewport={"width": 390, "height": 844})
    assert len(names(page)) == 12 and not page.get_by_label("Search the operators").is_visible()
    page.locator("#op-conv_2d_1 summary").click()
    assert page.locator("#op-conv_2d_1 figure").first.is_visible()
    page = visit(viewport={"width": 390, "height": 844})
    page.evaluate(UNFOLD, "details")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390


def test_on_paper_everything_is_unfolded(visit):
    page = visit()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert not page.locator("nav").is_visible() and page.locator("#op-conv_2d_1 svg").count() >= 2
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
