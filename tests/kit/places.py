"""Where the tests find what is not theirs."""

from pathlib import Path

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
GOLDEN = TESTS / "golden"
MODELS = ROOT / "book" / "models"
SITE = ROOT / "_build" / "html"
