"""Numbers as prose writes them and as a program prints them, and when the one says the other.

``8,192`` and ``8192``, ``0.0051`` and ``5.1e-3``, ``12 %`` and ``0.1234``, ``3x3`` and ``[3, 3]``,
``2^{24}`` and ``2**24``, ``seven`` and ``7``. The word "two" is not one of them: it says "both".
"""

import ast
import math
import re
from bisect import bisect_left
from dataclasses import dataclass

COUNTED = "three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
VALUE_OF = {word: value for value, word in enumerate(COUNTED, start=3)}
SIGN = r"(?:(?<![\w.)\]}])[-−])?"
TOKEN = re.compile(
    r"(?P<place>\brow \d+,? (?:and )?column \d+)"
    r"|(?P<shape>\[\d+(?:, ?\d+)+\])"
    # a letter or an underscore begins a name, and what stands in a name is no number: int8, x86-64
    rf"|\b(?P<word>{'|'.join(COUNTED)})\b"
    r"|[^\W\d]\w*(?:-(?:to-)?\d\w*)*"
    r"|(?P<release>\d+(?:\.\d+){2,}|20\d\d-\d\d-\d\d)"
    r"|(?P<size>\d+(?:(?:x| by )\d+)+\b)"
    r"|(?P<factor>\d+x\b)"
    r"|(?P<power>\d+\^\{-?\d+\})"
    rf"|(?P<range>{SIGN}(?:0|1|12[78])(?:\.\.| to )-?\d+(?![\d.,]*\d))"
    rf"|(?P<number>{SIGN}(?:\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?))"
    r"(?P<unit>\s?%|\s(?:percent|dB|[kKMG]i?B)\b)?",
    re.IGNORECASE,
)
UNITS = {
    "%": 1e-2,
    "percent": 1e-2,
    "kb": 1e3,
    "mb": 1e6,
    "gb": 1e9,
    "kib": 2**10,
    "mib": 2**20,
    "db": 1,
}
HEDGED = re.compile(
    r"(?:about|nearly|almost|some|roughly|around|than|over|under|to|up to|within|most|least|by|only"
    r"|≈)\W+$"
)


@dataclass(frozen=True)
class Number:
    """A number of a text: what is written and where, what it is worth, and how finely."""

    text: str
    start: int
    kind: str  # the name of its group in TOKEN
    sides: tuple  # of a size, a range, a release; of anything else its value alone
    place: float = 0  # what one more in the last digit adds, where it may be rounded
    unit: float = 1
    unit_name: str = ""

    @property
    def value(self):
        return self.sides[0]

    @property
    def end(self):
        return self.start + len(self.text)

    @property
    def digits(self):
        """How many digits are written, without leading zeros and the exponent."""
        if self.kind == "word":
            return 1
        return len(re.sub(r"\D", "", re.split("[eE]", self.text)[0]).lstrip("0"))


def numbers_in(text):
    """Every number of a text, in order."""
    return [_number(text, match) for match in TOKEN.finditer(text) if match.lastgroup]


def _number(text, match):
    kind = "number" if match.lastgroup == "unit" else match.lastgroup
    written, start = match[kind], match.start()
    if kind == "word":
        return Number(written, start, kind, (VALUE_OF[written.lower()],))
    if kind == "power":
        base, exponent = map(int, re.findall(r"-?\d+", written))
        return Number(written, start, kind, (base**exponent if abs(exponent) < 1000 else math.inf,))
    if kind != "number":
        sign = "-?" if kind == "range" else ""
        return Number(written, start, kind, tuple(map(int, re.findall(sign + r"\d+", written))))
    plain = written.replace(",", "").replace("−", "-").lower()
    mantissa, _, exponent = plain.partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    name = (match["unit"] or "").strip().lower()
    unit = UNITS.get(name, 1)
    whole = "." not in plain and "e" not in plain
    hedged = HEDGED.search(text[max(0, start - 12) : start])
    digits = len(re.sub(r"\D", "", mantissa).lstrip("0"))
    rounded = hedged or name or (digits > 1 and not whole)
    value = int(plain) if whole else float(plain)
    return Number(written, start, kind, (value,), 10.0**-decimals if rounded else 0, unit, name)


class Evidence:
    """Numbers to look up: those that texts print, and those that pieces of Python compute with."""

    def __init__(self, texts=(), sources=()):
        values, counts = set(), set()
        for source in sources:
            constants, counting, strings = values_of(source)
            values |= constants
            counts |= counting
            texts = [*texts, *strings]
        for text in texts:
            text = re.sub(r"\[[\d,]+\]", lambda shape: shape[0].replace(",", ", "), text)
            for number in numbers_in(text):
                values.update(number.sides)
                counts.update(number.sides)
                values.add(number.value * number.unit)
        self.values, self.counts = sorted(values), counts
        self.text = "\n".join([*texts, *sources])

    def says(self, number):
        """Whether one of the numbers, rounded as finely as this one is written, is this one."""
        if number.kind in ("size", "range", "shape", "place"):
            sides = r"\s*(?:x|×|,|by|to|\.\.)\s*".join(map(str, number.sides))
            return bool(re.search(rf"(?<![\d.-]){sides}(?![\d.])", self.text))
        if number.kind in ("release", "factor"):
            return bool(re.search(rf"(?<![\d.]){re.escape(number.text)}(?!\.?\d|\w)", self.text))
        if number.digits < 2 and not number.place and number.value == int(number.value):
            return number.value in self.counts
        for unit in {1, number.unit}:
            value = number.value * unit
            if number.kind == "power" and value < 1:  # as a factor or as a divisor
                value = 1 / value
            half = number.place * unit / 2 * (1 + 1e-9) + abs(value) * 1e-12
            at = bisect_left(self.values, value - half)
            if at < len(self.values) and self.values[at] <= value + half:
                return True
        return False


def values_of(source):
    """What a piece of Python computes with, without its comments.

    Returns
    -------
    constants : set of numbers
        Also what operators make of constants: ``2**31``, ``-128``, ``64 * 4``.
    counts : set of numbers
        Those of them that an assertion holds, without indices, axes and the bounds of loops.
    strings : list of str
    """
    source = "\n".join("" if re.match(r"\s*[%!]", line) else line for line in source.splitlines())
    constants, counts, strings = set(), set(), []

    def gather(node, asserted):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.append(node.value)
        elif isinstance(node, ast.BinOp | ast.UnaryOp | ast.Constant):
            value = folded(node)
            if value is not None:
                constants.add(value)
                if asserted:
                    counts.add(value)
        asserted = asserted or isinstance(node, ast.Assert)
        places = _places(node)
        for child in ast.iter_child_nodes(node):
            gather(child, asserted and child not in places)

    gather(ast.parse(source), asserted=False)
    return constants, counts, strings


def _places(node):
    """The parts of a node whose numbers say where, and not how many."""
    if isinstance(node, ast.Subscript):
        return [node.slice]
    if isinstance(node, ast.keyword) and node.arg == "axis":
        return [node.value]
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("range", "enumerate"):
        return node.args
    return []


OPERATORS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b if b else None,
    ast.Pow: lambda a, b: a**b if abs(b) <= 64 and 0 < abs(a) <= 2**16 else None,
}


def folded(node):
    """The value of an expression of constants, or None."""
    if isinstance(node, ast.Constant):
        number = isinstance(node.value, int | float) and not isinstance(node.value, bool)
        return node.value if number and math.isfinite(node.value) else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = folded(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        sides = folded(node.left), folded(node.right)
        return None if None in sides else OPERATORS[type(node.op)](*sides)
    return None
