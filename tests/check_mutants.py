"""Plants the errors of ``tests/mutants`` one by one, and runs the test that must see each.

``python -m tests.check_mutants`` works on copies of the project in a temporary directory. First all
those tests must pass there as the code is. Then, for one error after the other, the code is changed
and the one test that the list names is run: it must fail. ``python -m tests.check_mutants memory``
takes only the errors whose name has that word.

Exit status: 0 when every error is seen, 1 when one is not, 2 when the tests fail without an error.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.kit.mutants import Mutant, mutants
from tests.kit.places import ROOT

COPIED = ("drqsim", "tests")  # the rest of the project is linked to
DRAWS = 30  # random cases for each property test: the same ones in every run
SECONDS = 120  # for one test
PASSED, FAILED = 0, 1  # what pytest ends with
# bytecode is told to be stale by its source's hash: two changes may fall into one second
COMPILE = ["-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "drqsim"]
# the plugins that the environment has take longer to load than most of the tests to run
SETTINGS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
PYTEST = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=line"]
PYTEST += [f"--draws={DRAWS}", "--no-shrinking"]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("words", nargs="*", help="only errors whose name has one of these words")
    options.add_argument("--jobs", default=2, type=int, help="how many tests run at a time")
    options = options.parse_args()
    wanted = [
        m for m in mutants() if not options.words or any(word in m.name for word in options.words)
    ]
    with tempfile.TemporaryDirectory(prefix="drqsim-mutants-") as directory:
        trees = [copy_of_the_project(Path(directory) / str(n)) for n in range(options.jobs)]
        tests = dict.fromkeys(mutant.test for mutant in wanted)
        ended, said = pytest(trees[0], tests, 20 * SECONDS)
        if ended != PASSED:
            print(f"The tests do not pass as the code is:\n{said}", file=sys.stderr)
            return 2
        survivors = plant_all(wanted, trees)
    print(f"{len(wanted) - len(survivors)} of {len(wanted)} planted errors are seen.")
    return 1 if survivors else 0


def copy_of_the_project(tree: Path) -> Path:
    """A tree whose code can be changed."""
    tree.mkdir()
    for path in ROOT.iterdir():
        if path.name in COPIED:
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, tree / path.name, ignore=unwanted)
        elif not path.name.startswith("."):
            (tree / path.name).symlink_to(path)
    run(tree, COMPILE, SECONDS)
    return tree


def plant_all(wanted: list[Mutant], trees: list[Path]) -> list[Mutant]:
    """Plant every error, as many at a time as there are trees; returns those that nobody saw."""
    free: SimpleQueue[Path] = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def plant_in_a_free_tree(mutant: Mutant) -> bool:
        tree = free.get()
        try:
            return is_seen(mutant, tree)
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        seen = list(pool.map(plant_in_a_free_tree, wanted))
    return [mutant for mutant, caught in zip(wanted, seen, strict=True) if not caught]


def is_seen(mutant: Mutant, tree: Path) -> bool:
    """Plant one error, run its test, and take the error out again."""
    start, file = time.monotonic(), tree / mutant.file
    source = file.read_text(encoding="utf-8")
    file.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
    ended, said = pytest(tree, [mutant.test], SECONDS)
    file.write_text(source, encoding="utf-8")
    word = {PASSED: "SURVIVED", FAILED: "seen"}.get(ended, "NOT TRIED")
    print(f"{word:9}  {mutant.name}  ({time.monotonic() - start:.0f} s)", flush=True)
    if ended != FAILED:
        print(f"{'':9}  {mutant.file}: {mutant.old!r} -> {mutant.new!r}")
        print(f"{'':9}  {mutant.test}")
    if ended not in (PASSED, FAILED):
        print(said)
    return ended == FAILED


def pytest(tree: Path, tests, seconds: int) -> tuple[int, str]:
    """What pytest ends with, and the end of what it says."""
    done = run(tree, [*PYTEST, *tests], seconds)
    return done.returncode, (done.stdout + done.stderr)[-3000:]


def run(tree: Path, arguments: list, seconds: int) -> subprocess.CompletedProcess:
    """This Python in a tree, on the code of the tree."""
    environment = os.environ | SETTINGS | {"PYTHONPATH": str(tree)}
    command = [sys.executable, *arguments]
    try:
        return subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, -1, "", f"It did not end in {seconds} s.")


if __name__ == "__main__":
    sys.exit(main())
