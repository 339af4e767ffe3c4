"""The browser of the machine; a run says at its end, loudly, if there was none."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

from tests.kit.browsing import DRAWN_TWICE

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_BROWSER = f"no browser on this machine: none of {', '.join(BROWSERS)} is on the PATH"


@pytest.fixture(scope="module")  # left open, its event loop would disturb the chapters' kernels
def browser():
    """Chromium, which the machine must have if ``DRQSIM_BROWSER=required``."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found and os.environ.get("DRQSIM_BROWSER") == "required":
        pytest.fail(NO_BROWSER, pytrace=False)
    if not found:
        pytest.skip(NO_BROWSER)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found)
        yield browser
        browser.close()


def pytest_terminal_summary(terminalreporter):
    skipped = [
        r for r in terminalreporter.stats.get("skipped", []) if NO_BROWSER in str(r.longrepr)
    ]
    if skipped:
        terminalreporter.write_line(
            f"THE BUILT SITE WAS NOT TESTED IN A BROWSER: {len(skipped)} tests did not run "
            f"({NO_BROWSER}; install Chromium)",
            yellow=True,
            bold=True,
        )


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
