"""Errors planted on purpose: one small change of the code each, and the test that turns red."""

import tomllib
from typing import NamedTuple

from tests.kit.places import TESTS

PLACE = TESTS / "mutants"  # a file for each room of drqsim


class Mutant(NamedTuple):
    """``old`` occurs once in ``file`` and becomes ``new``; then ``test`` must fail."""

    name: str
    file: str
    old: str
    new: str
    test: str  # as pytest names it, from the root of the project


def mutants() -> list[Mutant]:
    """All of them, in the order of the files."""
    found = []
    for path in sorted(PLACE.glob("*.toml")):
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        found += [Mutant(f"{path.stem}: {name}", **entry) for name, entry in entries.items()]
    return found
