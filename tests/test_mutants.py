"""The planted errors can still be planted, and the tests that must see them exist.

``make mutants`` plants them and runs those tests.
"""

import ast
from functools import cache

import pytest

from tests.kit.mutants import mutants
from tests.kit.places import ROOT

MUTANTS = mutants()
parsed = cache(ast.parse)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_an_error_has_one_place_and_a_test(mutant):
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert source.count(mutant.old) == 1
    assert ast.parse(source.replace(mutant.old, mutant.new))
    assert mutant.old.split() != mutant.new.split()  # no mere change of layout
    file, _, name = mutant.test.partition("::")
    tests = parsed((ROOT / file).read_text(encoding="utf-8")).body
    assert name.partition("[")[0] in {t.name for t in tests if isinstance(t, ast.FunctionDef)}


def test_every_error_is_another_one():
    assert len({mutant[1:4] for mutant in MUTANTS}) == len({m.name for m in MUTANTS})
