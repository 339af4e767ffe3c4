"""What the command line shows: tables for people, JSON for programs, a bar while it works."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from drqsim.report.plain import as_json, printable
from drqsim.tables import text_table

# the palette of the book, as near as a terminal comes
STYLES = {"int32": "magenta", "float32": "cyan"}
STYLES |= dict.fromkeys(("int4", "int8", "uint8"), "yellow")
UNBOUNDED = 100_000  # columns of a pipe: nothing is cut or wrapped there
MOST_FITTED = 3_000  # rows of a table that is colored and wrapped: half a millisecond for each


def console(stderr: bool = False) -> Console:
    """A terminal as wide as it is and in color; a pipe without either; NO_COLOR is heeded.

    In a notebook's own process it is what it is elsewhere.
    """
    colors = None if os.environ.get("NO_COLOR") else "auto"
    plain = {"highlight": False, "markup": False, "emoji": False, "force_jupyter": False}
    made = Console(stderr=stderr, color_system=colors, **plain)
    if not made.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        made.width = UNBOUNDED
    return made


class Screen:
    """Where a command shows its result: as text, or as JSON if asked."""

    def __init__(self, json: bool):
        self.json, self.aside = json, False
        if hasattr(sys.stdout, "reconfigure"):  # a terminal that lacks a letter gets its number
            sys.stdout.reconfigure(errors="backslashreplace")

    def gives_way_to(self, output: str | None) -> None:
        """Where the output of a command is ``-``, what else it shows goes to stderr."""
        self.aside = output == "-"
        if self.aside and self.json:
            raise click.UsageError("'-' and --json both write to standard output; choose one")

    def result(self, data: dict, *parts: Table | LongTable | str) -> None:
        """Show a result; ``data`` is all of it, ``parts`` are what people read."""
        if self.json:
            click.echo(as_json(data), nl=False)
            return
        out, texts = console(stderr=self.aside), []
        for part in parts:
            if isinstance(part, LongTable):
                texts.append(f"{part.text}\n")
                continue
            with out.capture() as captured:
                out.print(Text(printable(part)) if isinstance(part, str) else part)
            texts.append(captured.get())
        text = "".join(texts)
        if not out.is_terminal:  # a table pads its cells
            text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
        click.echo(text, nl=False, color=True, err=self.aside)

    def note(self, text: str) -> None:
        """One line beside the result, on stderr."""
        click.echo(printable(text), err=True)

    @contextmanager
    def working(self, what: str, steps: int | None = None) -> Iterator[Callable[[str], None]]:
        """A bar on stderr, if that is a terminal; gives a function that is told each step."""
        err = console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
        bar = Progress(
            *columns,
            *([BarColumn()] if steps else []),
            TimeElapsedColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        with bar:
            task = bar.add_task(what, total=steps, start=True)
            begun = False

            def step(now: str) -> None:
                nonlocal begun
                bar.update(task, advance=int(begun), description=printable(now))
                begun = True

            yield step


class LongTable(NamedTuple):
    """A table of so many rows that it is not fitted to the screen, which would take minutes."""

    text: str


def table(title: str, header, rows, right=()) -> Table | LongTable:
    """A table; every cell is text and nothing but text."""
    if len(rows) > MOST_FITTED:
        cells = [tuple(map(printable, row)) for row in rows]
        return LongTable(text_table(tuple(header), cells, right))
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, title_justify="left")
    made.title = Text(printable(title), style="bold") if title else None
    for at, name in enumerate(header):
        made.add_column(Text(name), justify="right" if at in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(printable(cell), style=_style(cell)) for cell in row))
    return made


def _style(cell: str) -> str:
    return STYLES.get(cell.partition("[")[0], "")
