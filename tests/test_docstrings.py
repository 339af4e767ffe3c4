"""Names in double backquotes exist: ``_private``, ``module.name``, ``Class.name``, ``file.py``."""

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

import drqsim

ROOT = Path(__file__).parents[1]
QUOTED = re.compile(r"``([^`]+)``")
PRIVATE = re.compile(r"(_\w+)(?:\(.*\))?")
DOTTED = re.compile(r"([A-Za-z_]\w*(?:\.\w+)+)(?:\(.*\))?", re.DOTALL)
FILE = re.compile(r"(?:\w+/)*\w+\.(?:py|css|js)")
# what the sources of the arithmetic are called; everything else is drqsim's own
FOREIGN_PRIVATE = re.compile(r"_mm_\w+|_M_\w+|__\w+|_expf")
FOREIGN_ROOTS = ("np", "onnxruntime", "tf", "torch", "Conv2DOptions", "Optimize", "QuantType")
FOREIGN_FILES = re.compile(
    r"(?:numpy|torch)/.+|(?:default_policy|naive_min_max_quantize|uniform_quantize_tensor)\.py"
    r"|node_data_builder\.py"
)
FOREIGN_SUFFIX = re.compile(r".+\.(?:cc|cpp|c|h|in|tflite|npy|npz|html|md|txt|json)")


@cache
def parsed():
    """Path -> syntax tree of each file of the package."""
    files = sorted((ROOT / "drqsim").rglob("*.py"))
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}


def docstrings(tree):
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node):
            yield getattr(node, "name", "the head"), ast.get_docstring(node)


def bound(tree):
    """Every name that a tree gives a meaning to, at any depth; attributes of ``self`` too."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[-1]
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(getattr(node, "ctx", None), ast.Store):
            yield getattr(node, "id", getattr(node, "attr", ""))


class Known:
    """The names of drqsim: by file, by module and package, and by class."""

    def __init__(self, trees):
        self.in_file = {path: set(bound(tree)) for path, tree in trees.items()}
        self.inside = {}  # module, package or class -> what it holds
        for path, tree in trees.items():
            package = path.name == "__init__.py"
            name = path.parent.name if package else path.stem
            held = self.inside.setdefault(name, set())
            held |= self.in_file[path]
            if package:
                held |= {p.stem for p in path.parent.iterdir()}
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    self.inside.setdefault(node.name, set()).update(bound(node))
        self.inside["drqsim"] |= set(dir(drqsim))  # the face imports on demand

    def has(self, quoted, path):
        """Whether what a docstring of that file quotes exists, or is no name of this kind."""
        if FILE.fullmatch(quoted):
            return self.has_file(quoted, path) or bool(FOREIGN_FILES.fullmatch(quoted))
        if match := PRIVATE.fullmatch(quoted):
            return match[1] in self.in_file[path] or bool(FOREIGN_PRIVATE.fullmatch(match[1]))
        match = DOTTED.fullmatch(quoted)
        if not match or FOREIGN_SUFFIX.fullmatch(quoted):
            return True
        first, *rest = match[1].split(".")
        if first in FOREIGN_ROOTS or first in sys.stdlib_module_names - self.inside.keys():
            return True
        for name in rest:
            if name not in self.inside.get(first, ()):
                return False
            first = name
        return True

    def has_file(self, quoted, path):
        here = path.parent
        return any((ROOT / top / quoted).is_file() for top in ("", "drqsim", here))


@cache
def known():
    return Known(parsed())


def unknown(trees):
    return [
        f"{path.relative_to(ROOT)}, {where}: ``{quoted}``"
        for path, tree in trees.items()
        for where, text in docstrings(tree)
        for quoted in QUOTED.findall(text)
        if not known().has(quoted, path)
    ]


def test_names_in_docstrings_exist():
    assert unknown(parsed()) == []


@pytest.mark.parametrize(
    "quoted",
    [
        "_round_half_even",
        "_round_half_even(x)",
        "qparams.asymmetric_int4",
        "qparam.asymmetric",
        "drqsim.quantise",
        "Quantized.codez",
        "arithmetic/nan_ranges.py",
        "ops.conv_2d.ran",
    ],
)
def test_a_name_that_does_not_exist_is_found(quoted):
    path = ROOT / "drqsim" / "qparams.py"
    text = f'"""See ``{quoted}`` and ``qparams.asymmetric``."""\n'
    (found,) = unknown({path: ast.parse(text)})
    assert found.endswith(f"``{quoted}``")
