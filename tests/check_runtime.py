"""Runs what the book says of the runtime against another release of it, and prints what differs.

``python tests/check_runtime.py 2.1.5`` makes a virtual environment in a temporary directory,
installs that release of ``ai-edge-litert`` in it, runs the tests of the claims (one for each row of
`book/what-the-documentation-says.md`) and those that hold the simulated operators against the
runtime, and removes the environment. The environment that runs this script stays as it is.

Exit status: 0 when nothing differs, 1 when something does, 2 when the release cannot be tried.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = "tests/test_claims.py"
OPERATORS = (
    "tests/ops/test_conv_2d.py",
    "tests/ops/test_hybrid.py",
    "tests/test_verdict.py::test_the_kernel_is_the_one_that_ran",
)
# with the pins of requirements.txt; NumPy is left to what the release asks for
NEEDED = ("tflite", "flatbuffers", "pytest", "pytest-xdist", "hypothesis")
FIRST_RUN = """
from ai_edge_litert.interpreter import Interpreter
Interpreter("book/models/digits_float.tflite").allocate_tensors()
"""
# in workers: where the runtime crashes, that is one test that fails
PYTEST = ["-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "-W", "ignore"]
PYTEST += [CLAIMS, *OPERATORS]
ERROR = re.compile(r"^(?:E|[ |]+\|)\s+(?:[\w.]+\.)?(\w+(?:Error|Exception): .+)", re.MULTILINE)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("version", help="a release of ai-edge-litert, for example 2.1.5")
    options.add_argument("--draws", default=60, type=int, help="random layers for each test")
    options = options.parse_args()
    if not re.fullmatch(r"\d+(\.\w+)+", options.version):
        print(f"VERSION is {options.version!r}; expected a release like 2.1.6.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="drqsim-runtime-") as directory:
        print(f"Installing ai-edge-litert {options.version} into {directory} ...", flush=True)
        problem = install(Path(directory), options.version)
        if problem:
            print(f"ai-edge-litert {options.version} cannot be tried:\n{problem}", file=sys.stderr)
            return 2
        report = Path(directory) / "report.xml"
        said = run([*PYTEST, f"--junit-xml={report}", f"--draws={options.draws}"], Path(directory))
        if not report.exists():
            print(f"The tests did not run:\n{said.stdout}{said.stderr}", file=sys.stderr)
            return 2
        return tell(options.version, outcomes(report))


def install(directory: Path, version: str) -> str:
    """A virtual environment with that release and what the tests need; says what went wrong."""
    venv.create(directory, with_pip=True)
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line.partition("==")[0] in NEEDED]
    problem = ""
    # early releases ask for any NumPy, and run with 1 only
    for numpy in ("numpy>=1.26", "numpy>=1.26,<2"):
        wanted = [f"ai-edge-litert=={version}", numpy, *pins]
        for command in (["-m", "pip", "install", "-qq", "--no-input", *wanted], ["-c", FIRST_RUN]):
            done = run(command, directory)
            problem = done.stderr.strip()[-2000:] if done.returncode else ""
            if problem:
                break
        else:
            return ""
    return problem


def run(arguments: list, directory: Path) -> subprocess.CompletedProcess:
    """Its Python with these arguments, at the root of the project."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [directory / "bin" / "python", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def outcomes(report: Path) -> dict[tuple[str, str], list[tuple[str, list[str]]]]:
    """(file, test) -> (case, what went wrong) of each of its cases."""
    found = defaultdict(list)
    for case in ElementTree.parse(report).iter("testcase"):
        test, _, parameters = case.get("name").partition("[")
        wrong = []
        for child in case:
            if child.tag in ("failure", "error"):
                errors = ERROR.findall(child.text or "")
                wrong += dict.fromkeys(errors) or [child.get("message") or "no message"]
        file = case.get("classname").rpartition(".")[2].removeprefix("test_")
        found[file, test.removeprefix("test_")].append((parameters.rstrip("]"), wrong))
    return found


def tell(version: str, found: dict) -> int:
    """Print what differs, and how much does not."""
    different = 0
    for title, mine in (("Claims of the book", True), ("Operators, bit for bit", False)):
        tests = {key: cases for key, cases in found.items() if (key[0] == "claims") == mine}
        print(f"\n{title}, with ai-edge-litert {version}:")
        for (file, test), cases in tests.items():
            wrong = {case: why for case, why in cases if why}
            if wrong:
                different += 1
                print(f"  differs: {test if mine else f'{file}, {test}'}")
                print(f"    in {len(wrong)} of {len(cases)} cases {', '.join(filter(None, wrong))}")
                for line in list(dict.fromkeys(sum(wrong.values(), [])))[:3]:
                    print(f"    {' '.join(line.split())[:170]}")
        same = sum(not any(why for _, why in cases) for cases in tests.values())
        print(f"  {same} of {len(tests)} are as they are with the pinned release.")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
