"""Which instructions the processor has: read from Linux or NumPy, and only when asked."""

import subprocess
import sys

from drqsim import processor

X86 = """processor\t: 0
model name\t: Some CPU @ 2.00GHz: flags
flags\t\t: fpu avx2 fma avx512f avx512_vnni
vmx flags\t: vnmi

processor\t: 1
flags\t\t: fpu
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\nCPU part\t: 0xd0c\n"


def test_the_first_core_s_list_is_read():
    assert processor.named_in(X86) == {"fpu", "avx2", "fma", "avx512f", "avx512_vnni"}
    assert processor.named_in(ARM) == {"fp", "asimd", "asimddp", "i8mm"}
    assert processor.named_in("") == set()


def test_numpy_names_the_same_ones():
    named = processor.instructions()
    for name in ("avx2", "fma", "avx512f", "avx512_vnni", "asimddp"):
        assert (name in processor.known_to_numpy()) == (name in named) == processor.has(name)


def test_numpy_stands_in_where_there_is_no_list(monkeypatch, tmp_path):
    for place in (tmp_path / "none", tmp_path / "empty"):
        monkeypatch.setattr(processor, "CPUINFO", place)
        assert processor.instructions.__wrapped__() == processor.known_to_numpy() != set()
        (tmp_path / "empty").touch()


def test_nothing_is_looked_at_on_import():
    asks = "import drqsim, drqsim.ops; from drqsim import processor as p; "
    code = asks + "print(p.instructions.cache_info().misses)"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout == "0\n"
