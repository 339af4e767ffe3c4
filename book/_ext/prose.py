"""The English of the book: a prose linter, and words that this book does not use.

    python book/_ext/prose.py

reads every page, without its code, formulas and addresses, and prints what the linter (proselint)
and the list below complain of: page, line, sentence. Exit status 1 where there is something.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BOOK = Path(__file__).resolve().parents[1]
# what a reader has to read twice -> what to write instead
WORDS = {
    r"\bbehind\b": "say before, after or below: it was used for all three",
    r"\bbut for\b": "except for, or without",
    r"\bon on\b|\bthat that\b": "one of the two goes",
    r"\bof ours\b": "our, or drqsim's",
    r"\b(?:any|no)body can ask\b": "say what cannot be read, and why",
    r"\bfrom how many\b|\belements on\b|\bchannels on\b": "at least so many",
    r"\bhas not\b\?": "does not have",
    r"\bby the alphabet\b": "in alphabetical order",
    r"\bof no more use\b": "no longer needed",
    r"\ba register\b|\bin registers\b|\bregister only\b": "not stored",
    r"\bWhat of\b": "which parts of",
    r"\bof it is told\b|\bholds it against\b": "compares it with",
}
# checks of the linter whose taste is not this book's: straight quotes, 3x3, multiply-add
NOT_ASKED = ("typography", "weasel_words", "misc.preferred_forms", "misc.phrasal_adjectives.ly")
# of no sentence: code, formulas, addresses, directives with their options, tables' rulers
NO_PROSE = re.compile(
    r"^(```+|:::+)(?:\{code[^}]*\}|[a-z]+$).*?^\1\s*$|^[ \t]*(?:```|:::).*?$|^:[\w-]+:.*?$"
    r"|^\(.+\)=$|^\|[-:| ]+\|$|\$\$.*?\$\$|\$[^$\n]+\$|`[^`\n]+`"
    r"|\]\([^)\s]+\)|\{[\w:]+\}|<[^>\n]+>",
    re.MULTILINE | re.DOTALL,
)


def prose(path: Path) -> str:
    """The sentences of a page, line for line."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return NO_PROSE.sub(_blank, text)


def _blank(found: re.Match) -> str:
    """A word of its own in place of a piece of code in a sentence, and no lines lost."""
    in_sentence = found[0][0] in "`$]{<" and "\n" not in found[0] and "```" not in found[0]
    return f"Q{found.start()}" if in_sentence else "\n" * found[0].count("\n")


def own_words(page: str, text: str):
    """What the list complains of."""
    for words, instead in WORDS.items():
        for found in re.finditer(words, text, re.IGNORECASE):
            line = text.count("\n", 0, found.start()) + 1
            yield f"{page}:{line}: {found[0]!r}: {instead}."


def linter(pages: dict[str, str]):
    """What proselint complains of."""
    with tempfile.TemporaryDirectory() as folder:
        for page, text in pages.items():
            Path(folder, page).write_text(text, encoding="utf-8")
        files = [Path(folder, page) for page in pages]
        command = [sys.executable, "-m", "proselint", "check", *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            found = line.removeprefix(f"{folder}/")
            asked = found != line and not found.split(": ")[1].startswith(NOT_ASKED)
            # a word repeated after a heading or in the next paragraph: the quotation is not ended
            if asked and not ("illusion" in found and found.count("'") < 3):
                yield found
        if done.stderr or done.returncode not in (0, 1):
            yield f"proselint: {done.stderr or done.returncode}"


def main() -> int:
    """Print all complaints."""
    paths = [*BOOK.glob("*.ipynb"), *BOOK.glob("*.md")]
    pages = {f"{path.name}.txt": prose(path) for path in sorted(paths)}
    found = list(linter(pages))
    for page, text in pages.items():
        found += own_words(page, text)
    print(*found, sep="\n", end="\n" * bool(found))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
