"""The page of claims and the tests behind it: each row has a test, each test has a row."""

import ast
import re

from tests.kit.places import ROOT

PAGE = (ROOT / "book/what-the-documentation-says.md").read_text(encoding="utf-8")
TESTS = ast.parse((ROOT / "tests/test_claims.py").read_text(encoding="utf-8"))
HEADER = "* - It says\n  - It does\n  - Verdict\n"
CLAIMS, _, OTHER_RELEASES = PAGE.replace(HEADER, "").partition("## Other releases")
# a row: the sentence and its source, what happens, the test, the verdict
ROW = re.compile(r"^\* - (.+?)^  - (.+?)\n\n    `(\w+)`\n  - \*\*(.+?)\*\*$", re.M | re.S)
ROWS = [tuple(" ".join(cell.split()) for cell in row) for row in ROW.findall(CLAIMS)]


def test_each_row_has_a_test_and_each_test_a_row():
    named = [name for _, _, name, _ in ROWS]
    tests = [f.name for f in TESTS.body if isinstance(f, ast.FunctionDef)]
    assert named == [name.removeprefix("test_") for name in tests if name.startswith("test_")]
    assert len(named) == CLAIMS.count("\n* - ")


def test_each_row_names_a_source_that_has_an_address_and_a_date():
    listed = re.findall(r"^\| ([\w ,]+), (\w[\w ]*) \| \[.+\]\((https://\S+)\) \|$", PAGE, re.M)
    links = re.findall(r"^\[([^\]]+)\]: (https://\S+)$", PAGE, re.M)
    assert dict(links) == {name: address for name, _, address in listed}
    cited = [re.findall(r"\*\[([^\]]+)\], ([^*]+)\*", says) for says, *_ in ROWS]
    assert all(len(sources) == 1 for sources in cited)
    assert {source for (source,) in cited} == {(name, date) for name, date, _ in listed}


def test_other_releases_name_rows_that_exist():
    named = set(re.findall(r"`(\w+_\w+_\w+)`", OTHER_RELEASES))
    assert named and named <= {name for _, _, name, _ in ROWS}
