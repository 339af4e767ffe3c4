"""How a process of the command line ends when its surroundings fail it: one sentence at most."""

import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import drqsim
from drqsim.runtime import child
from tests.kit.places import MODELS, ROOT

DRQ = str(MODELS / "digits_drq.tflite")
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


def start(*arguments, **more) -> subprocess.Popen:
    call = [sys.executable, "-m", "drqsim", *arguments]
    return subprocess.Popen(call, env=ENV, stderr=subprocess.PIPE, text=True, **more)


def test_a_full_disk_is_one_sentence(tmp_path):
    calls = (["--help"], ["inspect", DRQ, "--json"])
    with open("/dev/full", "w") as full:
        processes = [start(*arguments, stdout=full) for arguments in calls]
        # the command that tells stderr about its output, and both are full
        both = [sys.executable, "-m", "drqsim", "explain", DRQ, "--node-data", "-"]
        silent = subprocess.run(both, env=ENV, stdout=full, stderr=full)
    for process in processes:
        _, error = process.communicate()
        says = "Error: Cannot write to standard output: No space left on device.\n"
        assert (process.returncode, error) == (1, says)
    assert silent.returncode == 1


def test_a_closed_stdout_and_a_pipe_whose_reader_left():
    closing = f'"{sys.executable}" -m drqsim --help >&-'
    closed = subprocess.run(closing, shell=True, env=ENV, capture_output=True)
    assert (closed.returncode, closed.stderr) == (0, b"")
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as pipe:
        arguments = ["report", DRQ, "-o", "-", "--format", "node-data"]
        assert start(*arguments, stdout=pipe).communicate()[1] == ""


@pytest.mark.parametrize("module", ["numpy", "click", "rich.table", "drqsim.graph", "tflite.Model"])
def test_ctrl_c_while_modules_are_imported(module):
    """Before the command line is known, and (the last) after that."""
    code = f"""
import signal, sys
import drqsim.cli
def interrupts(event, what):
    if event == "import" and what[0] == {module!r}:
        signal.raise_signal(signal.SIGINT)
sys.addaudithook(interrupts)
drqsim.cli.main()
"""
    call = [sys.executable, "-c", code, "inspect", DRQ]
    done = subprocess.run(call, env=ENV, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "Stopped.")


def test_ctrl_c_where_exceptions_go_nowhere():
    """In a destructor Python prints an exception and goes on; the command stops all the same."""
    code = """
import signal, sys
import drqsim.cli
class Lost:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
def commands():
    return lambda prog_name: Lost() and print("went on")
drqsim.cli._commands = commands
drqsim.cli.main()
"""
    done = subprocess.run([sys.executable, "-c", code], env=ENV, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Stopped.\n")


def test_an_editable_install_runs_nothing_when_python_starts(tmp_path):
    """What the installer runs there comes before anything of drqsim that could expect Ctrl-C."""
    for name in ("pyproject.toml", "README.md", "LICENSE", "drqsim/cli/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "drqsim" / "__init__.py").touch()
    (tmp_path / "tests").mkdir()
    code = "from setuptools import build_meta; build_meta.build_editable('.')"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        (path,) = (files.read(n).decode() for n in files.namelist() if n.endswith(".pth"))
        assert not [n for n in files.namelist() if n.endswith(".py")]
    assert path.split() == [str(tmp_path)]


def test_nothing_of_the_library_but_its_names_is_imported_before_ctrl_c_is_expected():
    code = (
        "import os, signal, sys; known = {*sys.modules}; import drqsim.cli; "
        "print(*{*sys.modules} - known)"
    )
    call = [sys.executable, "-S", "-c", code]  # of the site's packages some import much
    told = subprocess.run(call, env=ENV, capture_output=True, text=True).stdout
    assert sorted(told.split()) == ["drqsim", "drqsim.cli"]
    assert {"run", "load", "litert", "figures", "report", "Explorer"} <= set(dir(drqsim))
    assert all(getattr(drqsim, name) for name in drqsim.__all__)
    with pytest.raises(AttributeError, match="no attribute 'ran'"):
        drqsim.ran  # noqa: B018


@pytest.mark.parametrize("name", ["tflite", "flatbuffers", "ai_edge_litert"])
def test_a_missing_package_is_named_with_what_installs_it(name, monkeypatch):
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    child.stop()  # one that runs already has the package
    model = drqsim.conv_relu(np.ones((1, 1, 1, 1), np.float32), input_shape=(1, 1, 1, 1))
    calls = {
        "tflite": lambda: drqsim.load(DRQ),
        "flatbuffers": lambda: drqsim.to_bytes(model),
        "ai_edge_litert": lambda: drqsim.litert.run(DRQ, np.zeros((1, 8, 8, 1), np.float32)),
    }
    extra = {"ai_edge_litert": "runtime"}.get(name, "tflite")
    with pytest.raises(drqsim.MissingPackageError, match=rf"'{name}'.*'drqsim\[{extra}\]'"):
        calls[name]()


def test_a_path_or_bytes_in_the_place_of_a_graph():
    model, x = drqsim.load(DRQ), np.zeros((1, 8, 8, 1), np.float32)
    with open(DRQ, "rb") as file:
        assert len(drqsim.load(file).tensors) == len(model.tensors)
    for wrong in (DRQ, MODELS / "digits_drq.tflite", b"TFL3", None):
        for call in (
            lambda wrong: drqsim.run(wrong, x),
            drqsim.explain,
            drqsim.plan_memory,
            drqsim.quantize,
            drqsim.to_bytes,
            lambda wrong: drqsim.save(wrong, "never.tflite"),
            lambda wrong: drqsim.attribute_error(wrong, model, x),
            lambda wrong: drqsim.attribute_error(model, wrong, x),
            lambda wrong: drqsim.compare_schemes(wrong, x),
            lambda wrong: drqsim.report.gather.make(wrong, x),
        ):
            with pytest.raises(drqsim.InputError, match="with drqsim.load first"):
                call(wrong)
    for wrong in (None, 3, model):
        with pytest.raises(drqsim.InputError, match="the path of a .tflite file, its bytes or"):
            drqsim.load(wrong)
    with open(ROOT / "README.md") as text, pytest.raises(drqsim.ModelFileError, match="mode 'rb'"):
        drqsim.load(text)
