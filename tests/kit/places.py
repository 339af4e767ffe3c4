"""Where the tests find what is not theirs."""

from pathlib import Path

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
GOLDEN = TESTS / "golden"
CASES = TESTS / "cases"  # files of others that went wrong once
MODELS = ROOT / "book" / "models"
SITE = ROOT / "_build" / "html"
