"""The package's face: what it shows, what importing it takes, and names that stand twice."""

import subprocess
import sys

from click.testing import CliRunner

import drqsim
from drqsim.cli.commands import drqsim as commands

ON_DEMAND = ["Explorer", "figures", "in_short", "litert", "report"]
# refuses whatever is neither Python's own nor NumPy's
NUMPY_ALONE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in {"drqsim", "numpy", *sys.stdlib_module_names}:
            raise ImportError(f"{name} is not NumPy")

import numpy
sys.meta_path.insert(0, Refuse())
import drqsim
print(*dir(drqsim))
before = set(sys.modules)
for name in drqsim.__all__:
    getattr(drqsim, name)
print(*(name for name in sys.modules if name.startswith("drqsim.")))
print(*(name for name in before if name.startswith("drqsim.")))
"""


def test_dir_shows_what_is_imported_on_demand():
    shown = dir(drqsim)
    assert {*drqsim.__all__, *ON_DEMAND} <= set(shown) and shown == sorted(set(shown))
    assert all(getattr(drqsim, name) is not None for name in shown if name in ON_DEMAND)
    assert "check" in shown and not hasattr(drqsim, "checks")


def test_importing_takes_numpy_alone_and_dir_imports_nothing():
    command = [sys.executable, "-c", NUMPY_ALONE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown, used, by_dir = (line.split() for line in done.stdout.split("\n")[:3])
    assert set(ON_DEMAND) <= set(shown)
    assert "drqsim.interpreter" in used
    for imported in (used, by_dir):
        rooms = {name.split(".")[1] for name in imported}
        assert not rooms & {"cli", "explorer", *ON_DEMAND}


def test_the_two_checks_name_each_other():
    help_of_the_command = CliRunner().invoke(commands, ["check", "--help"]).output
    assert "drqsim.check is another thing" in " ".join(help_of_the_command.split())
    assert "``drqsim check`` is another thing" in " ".join(drqsim.check.__doc__.split())


def test_each_command_has_the_file_of_its_name():
    written_in = {name: each.callback.__module__ for name, each in commands.commands.items()}
    assert written_in == {name: f"drqsim.cli.{name}" for name in written_in} != {}
