"""Says at the end of a run, loudly, if the site was not looked at in a browser."""

NO_BROWSER = "no browser on this machine"


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
