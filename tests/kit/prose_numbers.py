"""Which numbers of a paragraph of the book stand on something, and which do not.

A number stands on the first of these that speaks of it: the list of what is told
(`tests.kit.prose_told`), arithmetic that the text itself does, the words around it
(`tests.kit.prose_facts`), or a cell, a test, a file or an address nearby that has it.
"""

import ast
import re
from dataclasses import replace
from functools import cache, lru_cache
from itertools import permutations

from tests.kit.numbers import Evidence, folded, numbers_in
from tests.kit.places import ROOT
from tests.kit.prose import anchor, pages
from tests.kit.prose_facts import FACTS, FORMATS, LIMITS, PINNED, PINS
from tests.kit.prose_told import ALSO, TOLD

SQUARE = r"(?:filter|convolution|window|depthwise|layer|pixel)s?"
CHAPTER = re.compile(r"(?:chapter|ch\.) $", re.IGNORECASE)
MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
DATE = re.compile(rf"(?:(\d{{1,2}}) )?({MONTHS})[a-z]* (20\d\d)")
ORDINAL = re.compile(r"(?:#+ |\*\*)(\d+)\. ")
FILE = re.compile(r"`((?:tests|benchmarks)/[\w/]+\.py)`")
TERM = r"\(*-?\d(?:[\d,]*\d)?(?:\.\d+)?(?:\^\{-?\d+\})?\)*"
SIDE = rf"{TERM}(?:\s*(?:[·×*/+−-]|times|plus|minus)\s*{TERM})*"
CHAIN = re.compile(rf"(?<![\w^}}·=≈+/*−-]){SIDE}(?:\s*[=≈]\s*{SIDE})+(?![\d.,]*\d|\s*[·×*/^])")
SIGNS = {"times": "*", "plus": "+", "minus": "-", "·": "*", "×": "*", "−": "-"}
SIGNS |= {"^{": "**", "}": ""}


def unheld(paragraph, text=None):
    """The numbers of a paragraph that nothing holds.

    Parameters
    ----------
    paragraph : tests.kit.prose.Paragraph
    text : str, optional
        What to read in its place.

    Returns
    -------
    list of tests.kit.numbers.Number
    """
    text = paragraph.text if text is None else text
    true, false = arithmetic(text)
    told, altered = told_in(paragraph, text)
    held, doubtful, wrong = [], [], []
    for number in numbers_in(text):
        if inside(number, told):
            answer = True
        elif inside(number, false + altered):
            answer = False
        else:
            answer = by_its_words(number, text, paragraph)
        if answer is None and (inside(number, true) or in_evidence(number, paragraph)):
            answer = True
        {True: held, False: wrong, None: doubtful}[answer].append(number)
    return wrong + [number for number in doubtful if not from_two(number, held)]


def inside(number, spans):
    return any(start <= number.start < end for start, end in spans)


def told_in(paragraph, text):
    """Where a text has a phrase that is listed as told, and where one with other numbers."""
    exact, alike = told_on(paragraph.page)
    told = [found.span() for words in exact for found in words.finditer(text)]
    return told, [found.span() for words in alike for found in words.finditer(text)]


@cache
def told_on(page):
    """The phrases of a page that are listed as told, and the longer ones without their numbers."""
    exact, alike = [], []
    for phrase in (phrase for listed in TOLD.get(page, {}).values() for phrase in lines(listed)):
        exact.append(re.compile(rf"(?<![\w.,]){re.escape(phrase)}(?!\w|[.,]\d)"))
        parts, end = [], 0
        for number in numbers_in(phrase):
            parts.append(phrase[end : number.start])
            end = number.end
        parts.append(phrase[end:])
        if len(re.findall("[A-Za-z]", "".join(parts))) >= 8:
            blank = r"[^\s|]+?".join(map(re.escape, parts))
            alike.append(re.compile(rf"(?<![\w.,]){blank}(?!\w|[.,]\d)"))
    return exact, alike


def lines(listed):
    """The phrases of an entry, one a line."""
    return [" ".join(line.split()) for line in listed.splitlines() if line.strip()]


def arithmetic(text):
    """Where a text computes with numbers alone, as in ``2 · 3 · 4 = 24``.

    Returns
    -------
    true, false : lists of spans
    """
    spans = {True: [], False: []}
    for found in CHAIN.finditer(text.replace("$", " ")):
        sides = re.split(r"[=≈]", found[0])
        values = [value_of(side) for side in sides]
        if None in values or not any(re.search(r"[\d)] *\S*[^\d\s.,()]", side) for side in sides):
            continue
        decimals = len(sides[-1].strip().partition(".")[2])
        half = 10.0**-decimals / 2 if decimals or "≈" in found[0] else 0
        apart = max(values) - min(values)
        spans[apart <= half * (1 + 1e-9) + 1e-12 * abs(values[0])].append(found.span())
    return spans[True], spans[False]


def value_of(text):
    """What an expression of numbers is worth, or None."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    for word, sign in SIGNS.items():
        text = text.replace(word, sign)
    try:
        return folded(ast.parse(text.strip(), mode="eval").body)
    except SyntaxError:
        return None


def by_its_words(number, text, paragraph):
    """Whether the words around a number allow it; None if they do not tell what it is."""
    for values, strict in named(text).get(number.start, ()):
        if number.value in values and not isinstance(values, range):
            return True
        if strict and number.value not in values:
            return False
    before, after = text[: number.start], text[number.end :]
    ordinal = ORDINAL.match(text)
    if ordinal and ordinal.start(1) == number.start:
        return follows(number.value, paragraph)
    for date in DATE.finditer(text):
        if date.start() <= number.start < date.end():
            return date.groups() in dates_beside(paragraph)
    for name, pin in PINS.items():
        if before.endswith(name):
            return bool(re.search(rf"{pin}[=>]={re.escape(number.text)}(?!\d)", PINNED))
    if before.endswith("#"):
        links = (link for p in pages()[paragraph.page].paragraphs for link in p.links)
        return any(link.endswith(f"/{number.text}") for link in links)
    if CHAPTER.search(before) and number.kind == "number":
        return any(link.startswith(f"{number.value:02}-") for link in paragraph.links)
    if before.lower().endswith("the other ") and number.kind == "number":
        return in_evidence(replace(number, sides=(number.value + 1,)), paragraph)
    beside = re.match(rf" {SQUARE}\b|:", after) or re.search(rf"\b{SQUARE} $", before)
    if number.kind == "size" and beside:  # the book has no other filters and images
        return len(set(number.sides)) == 1 and (number.sides[0] in (1, 3) or None)
    return (number.kind == "range" and number.sides in FORMATS) or None


@lru_cache(maxsize=1)
def named(text):
    """By where a number starts: what the words around it let it be, and whether nothing else."""
    asked = {}
    for phrases, strict in ((LIMITS, True), (FACTS, False)):
        for words, values in phrases:
            for found in words.finditer(text):
                for group in range(words.groups):
                    asked.setdefault(found.start(group + 1), []).append((values, strict))
    return asked


def follows(ordinal, paragraph):
    """Whether a heading's number is the next one of its page."""
    page = pages()[paragraph.page].paragraphs
    before = (ORDINAL.match(other.text) for other in page[: page.index(paragraph)])
    return ordinal == 1 or [int(found[1]) for found in before if found][-1:] == [ordinal - 1]


@cache
def dates_beside(paragraph):
    """The dates in the other paragraphs of a page."""
    others = (p for p in pages()[paragraph.page].paragraphs if p is not paragraph)
    return {date.groups() for other in others for date in DATE.finditer(other.text)}


def in_evidence(number, paragraph):
    """Whether a cell, a test, a file or an address has the number.

    What has three digits or more is looked for in the whole page, what has fewer only near.
    """
    near, far = evidence_of(paragraph)
    if number.digits >= 3 or number.kind in ("size", "power") or number.unit_name:
        near = near + far
    if any(evidence.says(number) for evidence in near):
        return True
    known = re.compile(rf"(?<!\d){re.escape(number.text)}(?!\d)")
    links = [paragraph.links] if number.digits >= 2 else []
    if number.digits >= 4:
        links += [other.links for other in pages()[paragraph.page].paragraphs]
    return any(known.search(link) for group in links for link in group)


@cache
def evidence_of(paragraph):
    """What may hold the numbers of a paragraph: near it, and far.

    Near are the cells of its section, the last one before it and the next one after it, the cells
    of a section that it links to, and the tests and files that it names. Far are the other cells of
    its page and of the pages that it links to. A page without cells has its links and names by the
    section: there the proof of an answer stands under it.
    """
    page = pages()[paragraph.page]
    before = [cell for cell in page.cells if cell.position < paragraph.position][-1:]
    after = [cell for cell in page.cells if cell.position > paragraph.position][:1]
    near = before + after + [c for c in page.cells if c.section == paragraph.section]
    far = page.cells + [cell for name in ALSO.get(page.name, ()) for cell in pages()[name].cells]
    beside = [paragraph]
    if not page.cells:
        beside = [p for p in page.paragraphs if p.section == paragraph.section]
    for link in sorted({link for p in beside for link in p.links}):
        file, _, section = link.partition("#")
        cells = pages()[file].cells if file in pages() else []
        near += [cell for cell in cells if section and anchor(cell.section) == section]
        far = far + cells
    files = {name for p in beside for name in FILE.findall(p.text)}
    near = [cell.evidence for cell in dict.fromkeys(near)]
    near += [file_evidence(name) for name in sorted(files)]
    near += [claim_evidence(name) for name in claims_of(paragraph)]
    return near, [cell.evidence for cell in dict.fromkeys(far)]


@cache
def file_evidence(name):
    return Evidence(sources=[(ROOT / name).read_text(encoding="utf-8")])


@cache
def claim_evidence(name):
    return Evidence(sources=[claims()[name]])


@lru_cache(maxsize=1)
def claims():
    """The tests of the claims by name, each with the helpers and tables that it uses."""
    files = [ROOT / "tests/test_claims.py", ROOT / "tests/kit/plain_layers.py"]
    nodes = {}
    for node in (n for file in files for n in ast.parse(file.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.FunctionDef):
            nodes[node.name] = node
        elif isinstance(node, ast.Assign):
            nodes |= {name.id: node for name in node.targets if isinstance(name, ast.Name)}
    sources = {}
    for test in (name for name in nodes if name.startswith("test_")):
        used = {node.id for node in ast.walk(nodes[test]) if isinstance(node, ast.Name)}
        parts = [test, *sorted(used & set(nodes))]
        sources[test.removeprefix("test_")] = "\n".join(ast.unparse(nodes[n]) for n in parts)
    return sources


def claims_of(paragraph):
    """The claims that it names, or the one whose name stands under its row of the table."""
    page = pages()[paragraph.page]
    rows = [paragraph]
    if not page.cells:
        after = page.paragraphs[page.paragraphs.index(paragraph) + 1 :][:3]
        rows += [p for p in after if re.fullmatch(r"`\w+`", p.text)][:1]
    return [name for p in rows for name in re.findall(r"`(\w+)`", p.text) if name in claims()]


def from_two(number, held):
    """Whether it is the product, quotient, sum or difference of two others of its paragraph."""
    if number.kind != "number" or number.digits < 2:
        return False
    values = [n.value for n in held if n.kind in ("number", "word", "power")]
    half = number.place * number.unit / 2 * (1 + 1e-9) + 1e-12 * abs(number.value)
    sought = {number.value, number.value * number.unit}
    for a, b in permutations([value for value in values if value not in (0, 1, -1)], 2):
        made = [a * b, a / b] + ([a + b, a - b] if abs(b) > 9 else [])
        if any(abs(value - other) <= half for value in made for other in sought):
            return True
    return False
