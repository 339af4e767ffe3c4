"""Arrows point down: who may import whom in ``drqsim``, and that nothing imports in a circle.

Imports inside functions count: they break a circle for Python, not for a reader.
"""

import ast
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "drqsim"
# from the ground up; what stands on one line does not know its neighbors
LAYERS = (
    "contradictions errors in_short names",
    "kernels tables graph arithmetic limits processor",
    "qparams accumulate trace model_file lesson",
    "ops converter other_runtimes",
    "hazards",
    "interpreter verdict",
    "runtime schemes exercises attribution across_processors",
    "memory",
    "litert figures",
    "explorer walk report",
    "cli",
)
FLOOR = {room: floor for floor, line in enumerate(LAYERS) for room in line.split()}
FACES = ("__init__", "__main__")  # of the package: they may import anything
MOST_LOOSE_MODULES = 14


def sources():
    """Module name, without ``drqsim.`` before it, -> its text."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts)] = path.read_text(encoding="utf-8")
    return found


@cache
def imported(text):
    """The names that a text imports, in full."""
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"a relative import in line {node.lineno} of\n{text}"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name.split(".") for name in names]


def file_of(parts, modules):
    """The file that a name leads to: that of the module, or of the folder, where it is defined."""
    while ".".join(parts) not in modules and ".".join([*parts, "__init__"]) not in modules:
        parts = parts[:-1]
    return ".".join(parts) if ".".join(parts) in modules else ".".join([*parts, "__init__"])


def arrows(modules):
    """Each module -> the modules that it imports, all as files."""
    return {
        module: {file_of(name[1:], modules) for name in imported(text) if name[0] == "drqsim"}
        for module, text in modules.items()
    }


def room(module):
    return module.split(".")[0]


def arrows_up(modules):
    return [
        f"{module} -> {target}"
        for module, targets in arrows(modules).items()
        for target in sorted(targets)
        if room(module) not in (*FACES, room(target))
        and FLOOR.get(room(target), len(LAYERS)) >= FLOOR[room(module)]
    ]


def folders_of(target, module, modules):
    """The folders of a file, which Python runs first, without those of the importing module."""
    parts = target.split(".")[:-1]
    folders = (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))
    outside = (folder for folder in folders if not module.startswith(f"{folder}."))
    return {f"{folder}.__init__" for folder in outside} & modules.keys()


def circle(modules):
    """One circle of modules, first and last the same, or nothing."""
    graph = {
        module: targets.union(*(folders_of(target, module, modules) for target in targets))
        for module, targets in arrows(modules).items()
        if module not in FACES
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_every_room_has_a_floor():
    rooms = {room(module) for module in sources()} - set(FACES)
    assert rooms == set(FLOOR)


def test_arrows_point_down():
    assert arrows_up(sources()) == []


def test_there_is_no_circle():
    assert circle(sources()) == []


def test_few_modules_stand_loose():
    loose = [module for module in sources() if "." not in module and module not in FACES]
    assert len(loose) <= MOST_LOOSE_MODULES, loose


def test_the_map_in_the_readme_names_every_room():
    readme = (ROOT.parent / "README.md").read_text(encoding="utf-8")
    (tree,) = re.findall(r"```\ndrqsim/\n(.*?)\nbook/", readme, re.DOTALL)
    named = re.findall(r"^  (\w+(?:/|\.py)) ", tree, re.MULTILINE)
    there = {room: f"{room}/" if (ROOT / room).is_dir() else f"{room}.py" for room in FLOOR}
    assert sorted(named) == sorted(there.values())


UP = {
    "qparams -> ops.call": "from drqsim.ops import call",
    "graph -> trace": "def f():\n    import drqsim.trace",
    "figures.style -> litert.__init__": "from drqsim import litert",
    "errors -> __init__": "from drqsim import run",
}


@pytest.mark.parametrize("arrow", UP)
def test_an_arrow_that_points_up_is_found(arrow):
    module, line = arrow.partition(" -> ")[0], UP[arrow]
    modules = sources()
    before = set(arrows_up(modules))
    modules[module] += f"\n{line}\n"
    assert set(arrows_up(modules)) - before == {arrow}


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("errors", "from drqsim.graph import Graph"),
        ("cli.app", "from drqsim.cli import trace"),
        ("ops.operand_checks", "from drqsim.ops.delegate.site import kind"),
        ("arithmetic.window", "def f():\n    from drqsim.arithmetic import window"),
    ],
)
def test_a_circle_is_found(module, line):
    modules = sources()
    modules[module] += f"\n{line}\n"
    found = circle(modules)
    assert module in found and found[0] == found[-1]
