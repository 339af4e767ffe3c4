"""The pages of the book as paragraphs of prose, each with the cells around it and its links."""

import json
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from tests.kit.numbers import Evidence
from tests.kit.places import ROOT

BOOK = ROOT / "book"
FENCE = re.compile(r"\s*(`{3,}|:{3,})(\{[\w:-]+\})?(.*)")
OPTION = re.compile(r"^\s*:[\w-]+:[^\n]*$|<!--.*?-->", re.M | re.S)
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])+)\]\(([^()\s]+)\)")
DEFINED = re.compile(r"^\[([^\]]+)\]: (\S+)$", re.M)
CITED = re.compile(r"\{(?:cite|doc|ref|numref)[\w:]*\}`[^`]*`")
TERM = re.compile(r"\{\w+\}`([^`<]*?)(?:\s*<[^`]*>)?`")
ADDRESS = re.compile(r"<(?:https?|/?\w)[^>]*>|https?://\S+")
PARAGRAPH = re.compile(r"(?:^[^\n]*\S[^\n]*\n?)+", re.M)
ITEM = re.compile(r"^(?=\s*(?:[-*]|\d+\.)\s|\|)", re.M)
LATEX = {
    r"\{,\}": ",",
    r"\\(?:cdot|times)(?![a-z])": "·",
    r"\\approx": "≈",
    r"\\[,;! ]": " ",
    r"\\[td]?frac\{([^{}]*)\}\{([^{}]*)\}": r"(\1)/(\2)",
    r"_\{[^{}]*\}|_\w(?=\W)": "",
    r"\\%": "%",
}


@dataclass(frozen=True)
class Cell:
    """A code cell: where it stands among the cells, what it says, what it printed."""

    position: int
    section: str
    source: str
    printed: str

    @cached_property
    def evidence(self):
        return Evidence([self.printed], [self.source])


@dataclass(frozen=True)
class Paragraph:
    """A piece of prose: of which section, in which cell, and where its links lead."""

    page: str
    position: int
    section: str
    text: str
    links: tuple


class Page:
    """A page of the book: paragraphs, and code cells if it is a notebook."""

    def __init__(self, path):
        self.name, self.cells, self.paragraphs = path.name, [], []
        text, section = path.read_text(encoding="utf-8"), ""
        self.addresses = dict(DEFINED.findall(text))
        cells = [{"cell_type": "markdown", "source": DEFINED.sub("", text)}]
        if path.suffix == ".ipynb":
            cells = json.loads(text)["cells"]
        for position, cell in enumerate(cells):
            source = "".join(cell["source"])
            if cell["cell_type"] == "code":
                self.cells.append(Cell(position, section, source, printed(cell)))
            else:
                section = self._read(position, source, section)

    def _read(self, position, source, section):
        """Add the paragraphs of some Markdown; returns the section in which it ends."""
        for found in PARAGRAPH.finditer(without_code(source)):
            if heading := re.match(r"#+ (.+)", found[0]):
                section = heading[1].strip()
            for piece in filter(str.strip, ITEM.split(found[0])):
                links = [address for _, address in LINK.findall(piece)]
                links += [self.addresses[n] for n in self.addresses if f"[{n}]" in piece]
                text = plain(re.sub(r"^\s*\d+\.\s", "", piece))
                self.paragraphs.append(Paragraph(self.name, position, section, text, tuple(links)))
        return section


def without_code(text):
    """Markdown without its blocks of code, and without the fences of its directives."""
    lines, open_ = [], []  # of each open fence: what closes it, and whether it holds prose
    for line in text.splitlines():
        fence = FENCE.fullmatch(line)
        if fence and open_ and not fence[2] and not fence[3].strip() and fence[1] == open_[-1][0]:
            open_.pop()
        elif fence and (not open_ or open_[-1][1]):
            open_.append((fence[1], bool(fence[2]) and fence[2] != "{code-block}"))
            # the argument of an admonition is its title, that of any other directive a setting
            lines += ["", fence[3] if fence[2] == "{admonition}" else "", ""]
        elif not open_ or open_[-1][1]:
            lines.append(line)
    return "\n".join(lines)


def plain(text):
    """Markdown as a reader sees it, near enough: no directives, addresses and citations."""
    text = CITED.sub("", OPTION.sub("", text))
    text = ADDRESS.sub("", TERM.sub(r"\1", LINK.sub(r"\1", text)))
    for _ in range(2):  # a fraction may hold others
        for latex, reads in LATEX.items():
            text = re.sub(latex, reads, text)
    return " ".join(text.split())


def printed(cell):
    """The text outputs of a cell."""
    outputs = cell["outputs"]
    texts = [part for o in outputs for part in (o.get("text", ""), *o.get("data", {}).values())]
    return "\n".join("".join(text) for text in texts)


def anchor(section):
    """The end of the address that leads to a section."""
    return re.sub(r"[^\w -]", "", section.lower()).replace(" ", "-")


@lru_cache(maxsize=1)
def pages():
    """Every page, by its file's name."""
    files = [path for path in BOOK.iterdir() if path.suffix in (".ipynb", ".md")]
    return {path.name: Page(path) for path in sorted(files)}
