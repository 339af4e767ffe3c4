"""The browser of the machine; a run says at its end, loudly, if there was none."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

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
