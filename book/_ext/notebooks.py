"""Run, clean and check the chapters.

    python book/_ext/notebooks.py run   [FILES]   run in place, then clean
    python book/_ext/notebooks.py clean [FILES]   keep source and text outputs, drop the rest
    python book/_ext/notebooks.py check [FILES]   say what is not clean; exit 1 if anything

Git holds a chapter with its text outputs, which the tests compare with a fresh run. Images, HTML
and widgets are made when the site is built, so a second run leaves no difference behind.
"""

import argparse
import ast
import copy
import re
import symtable
import sys
from pathlib import Path

import nbformat

BOOK = Path(__file__).resolve().parents[1]
KEPT_MIME_TYPES = {"text/plain", "text/markdown", "text/latex"}
KEPT_CELL_METADATA = {"tags", "mystnb", "jupyter"}
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
MACHINE = re.compile(r"/(?:home|root|tmp|Users)/\w|[A-Z]:\\Users|\b0x[0-9a-f]{8,}\b")


def chapters():
    """Every chapter, in order."""
    return sorted(BOOK.glob("*.ipynb"))


def run(path):
    """Run a chapter as the book build does, and return it."""
    from drqsim_book import kernel_environment, run_what_can_be_run
    from nbclient import NotebookClient

    kernel_environment()
    run_what_can_be_run()
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=40"],  # else it warns about TCP
        resources={"metadata": {"path": str(BOOK)}},
    )
    return client.execute()


def clean(notebook):
    """A copy with text outputs only, counts from 1, and no trace of where it was run."""
    notebook = copy.deepcopy(notebook)
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    notebook.nbformat_minor = 5
    count = 0
    for position, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{position}")
        kept = {k: v for k, v in cell.metadata.items() if k in KEPT_CELL_METADATA}
        cell.metadata = nbformat.from_dict(kept)
        if cell.cell_type != "code":
            continue
        if cell.execution_count is not None:
            count += 1
            cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = cell.execution_count
            if "data" in output:
                kept = {k: v for k, v in output.data.items() if k in KEPT_MIME_TYPES}
                output.data = nbformat.from_dict(kept)
                output.metadata = nbformat.from_dict({})
    return notebook


def check(path):
    """What is wrong with a chapter, one sentence each."""
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    problems = []
    if text != nbformat.writes(clean(notebook)) + "\n":
        problems.append("is not clean: run `make notebooks`")
    for position, cell in enumerate(notebook.cells, start=1):
        problems += [f"cell {position} {problem}" for problem in check_cell(cell)]
    return problems + list(check_knobs(notebook)) + list(check_reads_memory(notebook))


def check_reads_memory(notebook):
    """Which cells need a name that only a cell has that is not run on every system."""
    cells = {False: [], True: []}
    for position, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code" and "%" not in cell.source[:1]:
            cells["reads-memory" in cell.metadata.get("tags", ())].append((position, cell.source))
    everywhere = set().union(*(_bound(source) for _, source in cells[False]))
    for position, source in cells[True]:
        for other, needs in cells[False]:
            for name in sorted((_bound(source) - everywhere) & _read(needs)):
                yield f"cell {other} needs {name} from cell {position}, which not every system runs"


def check_knobs(notebook):
    """Which explorers compute something else once the whole chapter has run, in sentences.

    In a running notebook a knob is turned after the last cell, so nothing that its function reads
    may have got another meaning by then.
    """
    cells = {
        position: cell.source
        for position, cell in enumerate(notebook.cells, start=1)
        if cell.cell_type == "code" and "%" not in cell.source[:1]
    }
    reads = {}
    for source in cells.values():
        for function in symtable.symtable(source, "cell", "exec").get_children():
            reads.setdefault(function.get_name(), set()).update(_globals(function))
    for position, source in cells.items():
        needed = set()
        for call in ast.walk(ast.parse(source)):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Explorer":
                names = [name.id for name in ast.walk(call.args[0]) if isinstance(name, ast.Name)]
                needed.update(names)
        found = list(needed)
        while found:
            more = reads.get(found.pop(), set()) - needed
            needed |= more
            found += more
        for later, other in cells.items():
            if later > position and (changed := needed & _bound(other)):
                names = ", ".join(sorted(changed))
                yield f"cell {later} gives another meaning to {names}, read by a knob above"


def _globals(scope):
    """The names that a function reads from the notebook, and those that it calls its own inside."""
    names = {s.get_name() for s in scope.get_symbols() if s.is_global()}
    return names.union(*map(_globals, scope.get_children()))


def _bound(source):
    """The names that a cell gives a meaning to."""
    top = symtable.symtable(source, "cell", "exec")
    return {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}


def _read(source):
    """The names that stand in a cell."""
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def check_cell(cell):
    """What is wrong with one cell, each as the rest of a sentence."""
    if not cell.source.strip():
        yield "is empty"
    if cell.cell_type != "code":
        return
    if cell.execution_count is None:
        yield "was never run"
    for output in cell.outputs:
        printed = output.get("text", "") + "".join(map(str, output.get("data", {}).values()))
        if output.output_type == "error":
            yield f"ends in {output.ename}: catch the error and print it"
        if output.get("name") == "stderr":
            yield f"writes to stderr: {printed.strip().splitlines()[0]}"
        if found := MACHINE.search(printed):
            yield f"shows a path or an address of this machine: {found.group()}..."
        if "<Figure size" in printed:
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            if len(alt.split()) < 4:
                yield "shows a figure, so it needs metadata mystnb.image.alt of some words"


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["run", "clean", "check"])
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args(arguments)
    failed = False
    for path in options.files or chapters():
        if options.command != "check":
            print(path.name, flush=True)
            notebook = run(path) if options.command == "run" else nbformat.read(path, 4)
            nbformat.validate(cleaned := clean(notebook))
            path.write_text(nbformat.writes(cleaned) + "\n", encoding="utf-8")
        for problem in check(path):
            failed = True
            print(f"{path.name}: {problem}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
