"""A link to the glossary says what its word means: to the pointer, the keyboard, without script."""

import re

import pytest

from tests.kit.places import ROOT, SITE

LINK = re.compile(r'<a class="reference internal" href="[^"]*#(term-[^"]+)"([^>]*)>')


@pytest.fixture(scope="module")
def page(visit):
    if not (ROOT / "_build/.built").exists():
        pytest.fail("The site has not been built: run `make book` first.", pytrace=False)
    page = visit(SITE / "book/what-is-quantization.html")
    yield page
    page.close()


def test_every_link_to_the_glossary_carries_a_sentence():
    links = {
        (path.stem, term): rest
        for path in (SITE / "book").glob("*.html")
        for term, rest in LINK.findall(path.read_text(encoding="utf-8"))
    }
    assert len(links) > 200
    assert [at for at, rest in links.items() if not re.search(r' title="[^"]{10,}\."', rest)] == []


def test_a_word_is_explained_beside_its_link(page):
    note, link = page.locator("#drq-term"), page.locator("a[href$='#term-Zero-point']").first
    said = "The code that stands for exactly 0."
    assert note.is_hidden() and link.get_attribute("title") is None
    link.hover()
    assert note.is_visible() and note.inner_text() == said
    page.mouse.move(0, 0)
    assert note.is_hidden()
    link.focus()
    assert note.is_visible() and link.get_attribute("aria-describedby") == "drq-term"
    page.keyboard.press("Escape")
    assert note.is_hidden()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_note_stays_on_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 844})
    for link in page.locator("a[href*='#term-']").all():
        link.scroll_into_view_if_needed()
        link.focus()
        box = page.locator("#drq-term").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844
    page.set_viewport_size({"width": 1280, "height": 900})
