"""The reader of the book's English sees sentences, and nothing else."""

import importlib.util

import pytest

from tests.kit.places import ROOT

spec = importlib.util.spec_from_file_location("prose", ROOT / "book/_ext/prose.py")
prose = importlib.util.module_from_spec(spec)
spec.loader.exec_module(prose)


def seen(tmp_path, text):
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    return prose.prose(path)


@pytest.mark.parametrize(
    "text",
    ["It stands behind the filter.", "All\nis lost\nbut for this.", "A convolution of ours."],
)
def test_a_word_that_this_book_does_not_use_is_named_with_its_line(tmp_path, text):
    (found,) = prose.own_words("page", seen(tmp_path, text))
    assert found.startswith(f"page:{text.count(chr(10)) + 1}: ")


@pytest.mark.parametrize(
    "text",
    [
        "`behind` is code.",
        "```python\nprint('behind')\n```\n",
        "```{note}\n:class: behind\nFine.\n```\n\n```sh\nbehind\n```\n",
        "A [link](behind.md) and $behind$.",
    ],
)
def test_code_and_addresses_are_not_read(tmp_path, text):
    assert list(prose.own_words("page", seen(tmp_path, text))) == []


def test_the_linter_is_asked(tmp_path):
    text = seen(tmp_path, "This is very unique, and it is is wrong.")
    assert any("is is" in found for found in prose.linter({"page.txt": text}))
    assert list(prose.linter({"page.txt": "A short sentence.\n"})) == []
