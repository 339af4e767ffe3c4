"""Each number in the prose of the book stands on something, and a change of one is noticed.

Authors: a number is held by a cell of its section that prints or asserts it (with three digits or
more, by any cell of the page, or of a page that the paragraph links to), by arithmetic written out
in the text, or by what the words beside it say it is (`tests/kit/prose_facts.py`). A number that
none of these can hold is listed with its reason in `tests/kit/prose_told.py`.
"""

import re
from collections import Counter

import pytest

from tests.kit.numbers import COUNTED, Evidence, numbers_in
from tests.kit.prose import pages, plain, without_code
from tests.kit.prose_numbers import arithmetic, from_two, inside, lines, told_in, unheld
from tests.kit.prose_told import ALSO, TOLD

WHAT_TO_DO = (
    "Print or assert it in a cell of this section, write out how it is computed (2 · 3 = 6), link "
    "to the section that has it, or list the phrase with a reason in tests/kit/prose_told.py. Of "
    "some words tests/kit/prose_facts.py says what number may stand beside them."
)
PARAGRAPHS = [paragraph for page in pages().values() for paragraph in page.paragraphs]


@pytest.mark.parametrize("page", pages())
def test_every_number_of_the_prose_is_held(page):
    found = [complaint for p in pages()[page].paragraphs for complaint in complaints(p, p.text)]
    assert not found, "\n".join([*found, WHAT_TO_DO])


def complaints(paragraph, text):
    """What nothing holds in a paragraph, one sentence each."""
    for number in unheld(paragraph, text):
        around = text[max(0, number.start - 60) : number.start + 40]
        where = f"book/{paragraph.page}, section {paragraph.section!r}"
        yield f"{where}: nothing holds {number.text!r} in '...{around}...'"


def test_a_complaint_names_page_section_and_number():
    (paragraph,) = (p for p in PARAGRAPHS if "147,456 + 256 = 147,712" in p.text)
    assert not list(complaints(paragraph, paragraph.text))
    wrong = paragraph.text.replace("147,712", "147,713")
    found = list(complaints(paragraph, wrong))
    assert len(found) == 3  # all that the false sum adds up
    for word in ("book/the-layer-in-question.ipynb", "Check yourself", "'147,713'"):
        assert word in found[-1]


def test_what_is_told_is_on_its_page_and_is_a_quarter_at_most():
    told = []
    for page, entries in TOLD.items():
        texts = [paragraph.text for paragraph in pages()[page].paragraphs]
        for phrase in (phrase for listed in entries.values() for phrase in lines(listed)):
            assert any(phrase in text for text in texts), f"{page} does not say {phrase!r} any more"
            assert numbers_in(phrase), f"no number in {phrase!r}"
    for paragraph in PARAGRAPHS:
        told += [is_told(number, paragraph) for number in numbers_in(paragraph.text)]
    print(f"{sum(told)} of {len(told)} numbers are told")
    assert sum(told) <= len(told) / 4
    assert set(pages()) >= {*ALSO, *(page for also in ALSO.values() for page in also)}


def is_told(number, paragraph):
    return inside(number, told_in(paragraph, paragraph.text)[0])


def test_a_changed_number_is_noticed():
    """One more in the last digit of each number in turn, and the next number word."""
    planted, noticed = Counter(), Counter()
    for paragraph in PARAGRAPHS:
        for number in numbers_in(paragraph.text):
            kinds = ["written in digits"] if number.kind != "word" else ["written as a word"]
            kinds += ["three digits or more"] if number.digits >= 3 else []
            if number.kind != "word" and not is_told(number, paragraph):
                kinds.append("written in digits and not told")
            head, tail = paragraph.text[: number.start], paragraph.text[number.end :]
            planted.update(kinds)
            if unheld(paragraph, head + one_more(number) + tail):
                noticed.update(kinds)
    share = {kind: noticed[kind] / planted[kind] for kind in planted}
    print(*(f"{kind}: {noticed[kind]} of {planted[kind]} noticed" for kind in planted), sep="\n")
    assert planted["written in digits"] > 200
    assert share["three digits or more"] > 0.97
    assert share["written in digits"] > 0.9
    assert share["written as a word"] > 0.6  # "six" for "five": a table prints both


def one_more(number):
    """The same number with one more in its last digit."""
    if number.kind == "word":
        return COUNTED[(COUNTED.index(number.text.lower()) + 1) % len(COUNTED)]
    written, exponent = re.fullmatch(r"(.*?\d)([eE].*|\D*)", number.text).groups()
    head, digits = re.fullmatch(r"(.*?)([\d,.]*\d)", written).groups()
    places = [place for place, digit in enumerate(digits) if digit.isdigit()]
    value = str(int("".join(digits[place] for place in places)) + 1).zfill(len(places))
    changed = dict(zip(reversed(places), reversed(value), strict=False))
    more = "".join(changed.get(place, digit) for place, digit in enumerate(digits))
    return head + value[: len(value) - len(places)] + more + exponent


@pytest.mark.parametrize(
    ("written", "more"),
    [
        ("1,099", "1,100"),
        ("0.29", "0.30"),
        ("9", "10"),
        ("5e-7", "6e-7"),
        ("2^{24}", "2^{25}"),
        ("3x3", "3x4"),
        ("-128 to 127", "-128 to 128"),
        ("seven", "eight"),
    ],
)
def test_one_more(written, more):
    (number,) = numbers_in(written)
    assert one_more(number) == more


@pytest.mark.parametrize(
    ("written", "printed", "held"),
    [
        ("8,192 bytes", "  8192", True),
        ("8,192 bytes", "  8193", False),
        ("0.0051", "error 5.13e-03", True),
        ("0.0051", "error 5.17e-03", False),
        ("12 % of it", "a share of 0.1234", True),
        ("13 % of it", "a share of 0.1234", False),
        ("12 %", "12.3%", True),
        ("about 12", "12.3", True),
        ("12 rows", "12.3", False),
        ("1.2 MB", "1,234,567", True),
        ("1.3 MB", "1,234,567", False),
        ("a 3x3 filter", "int8[32,3,3,16]", True),
        ("a 3x4 filter", "int8[32,3,3,16]", False),
        ("seven layers", "7 layers", True),
        ("-5", "5", False),
        ("int8, conv_2d_1 and x86-64", "nothing", True),
    ],
)
def test_what_is_printed_holds_what_is_written(written, printed, held):
    evidence = Evidence([printed])
    assert all(evidence.says(number) for number in numbers_in(written)) == held


def test_a_cell_holds_what_it_asserts_but_not_its_indices():
    source = "values[:7].sum(axis=5)  # 11\nassert size == 2**31 and count == 9, '13 words'"
    evidence = Evidence(sources=[source])
    text = "7, 5, 11, $2^{31}$, 9, 13"
    assert [n.text for n in numbers_in(text) if evidence.says(n)] == ["2^{31}", "9", "13"]


def test_arithmetic_of_the_text():
    true, false = arithmetic("$64 · 9 = 576$, 1/3 ≈ 0.333, x = 3, and 2^{5} · 2 = 64")
    assert (len(true), len(false)) == (3, 0)
    true, false = arithmetic("$64 · 9 = 577$, 1/3 ≈ 0.334, $2^{6}$ = 65, 6 = 7")
    assert (len(true), len(false)) == (0, 3)
    half, six, product = numbers_in("0.5 times 60 is 30")
    assert from_two(product, [half, six])
    assert not from_two(product, [six])


def test_prose_is_what_a_reader_sees():
    text = "\n".join(
        [
            "```{admonition} 1 answer",
            ":class: tip-2",
            "3 [words](file-4.md)",
            "```",
            "5 {cite:p}`six7`",
            "```sh",
            "run 8",
            "```",
            "::::{grid} 9 9",
            "10",
            "::::",
        ]
    )
    seen = [number.text for number in numbers_in(plain(without_code(text)))]
    assert seen == ["1", "3", "5", "10"]
