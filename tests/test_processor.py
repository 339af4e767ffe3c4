"""Whose kernels are followed, and which instructions this machine's processor has."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import InputError, processor

X86 = """processor\t: 0
model name\t: Some CPU @ 2.00GHz: flags
flags\t\t: fpu avx2 fma avx512f avx512_vnni
vmx flags\t: vnmi

processor\t: 1
flags\t\t: fpu
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n"
ARM += "CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"


def test_the_first_core_s_list_is_read():
    assert processor.named_in(X86) == {"fpu", "avx2", "fma", "avx512f", "avx512_vnni"}
    assert processor.named_in(ARM) == {"fp", "asimd", "asimddp", "i8mm"}
    assert processor.named_in("") == set()
    assert processor.core_in(ARM) == "0xd0c" and processor.core_in(X86) == ""
    assert processor.core_in(ARM.replace("0x41", "0x51")) == ""  # another maker's numbers


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


@pytest.mark.parametrize(
    "machine, flags, core, row",
    [
        ("x86_64", "avx2 fma", "", "x86-64"),
        ("AMD64", "sse4_1", "", "x86-64"),
        ("x86_64", "avx2 avx512f avx512_vnni", "", "x86-64-vnni"),
        ("aarch64", "fp asimd", "0xd03", "arm64"),
        ("arm64", "asimd asimddp", "0xd0c", "arm64-dotprod"),
        ("aarch64", "asimddp i8mm sve", "0xd40", "arm64-i8mm"),
    ],
)
def test_a_machine_is_a_row_of_the_table(machine, flags, core, row):
    has = frozenset(flags.split())
    found = processor.found_in(machine, has, processor.DEFAULT_L1_DATA, core)
    assert replace(found, name=row) == processor.PROCESSORS[row] == processor.of(row)


@pytest.mark.parametrize(
    "flags, uint8_codes, avx512",
    [
        ("avx512f avx512_vnni amx_int8", False, True),
        ("avx512f", False, True),
        ("avx2 avx_vnni", True, False),
        ("avx_vnni amx_int8 avx512f avx512_vnni", False, True),
    ],
)
def test_a_machine_between_the_rows_is_put_together(flags, uint8_codes, avx512):
    found = processor.found_in("x86_64", frozenset(flags.split()), 48 * 1024)
    assert (found.name, found.uint8_codes, found.avx512) == ("native", uint8_codes, avx512)
    assert found.l1_data == 48 * 1024 and not found.neon
    assert found.uint8_int4 == ("amx_int8" not in flags)


def test_native_is_this_machine(monkeypatch):
    here = processor.of("native")
    assert here.name in processor.NAMES
    monkeypatch.setattr(processor.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(processor, "instructions", lambda: frozenset({"asimddp"}))
    monkeypatch.setattr(processor, "_core", lambda: processor.core_in(ARM))
    assert processor.native() == processor.PROCESSORS["arm64-dotprod"]
    monkeypatch.setattr(processor.platform, "machine", lambda: "riscv64")
    with pytest.raises(InputError, match="processor is riscv64.*pass processor= one of x86-64, "):
        processor.native()


def test_the_default_is_the_same_everywhere_and_a_block_may_change_it():
    assert processor.of() == processor.PROCESSORS["x86-64"]
    with processor.using("arm64"):
        assert processor.of().name == "arm64"
        with processor.using(None):
            assert processor.of().name == "arm64"
        assert processor.of("arm64-i8mm").name == "arm64-i8mm"
    assert processor.of().name == "x86-64"


@pytest.mark.parametrize("name", ["arm", "", 3])
def test_an_unknown_name_is_refused_with_those_that_are_known(name):
    with pytest.raises(InputError, match=f"processor is {name!r}; expected one of x86-64, "):
        drqsim.run(small_layer(), np.ones((1, 2, 2, 1), np.float32), processor=name)
    with pytest.raises(InputError, match="expected one of"), processor.using(name):
        pass


def test_a_trace_says_whose_kernels_it_followed():
    x = np.ones((1, 2, 2, 1), np.float32)
    assert drqsim.run(small_layer(), x)[1].processor == "x86-64"
    assert drqsim.run(small_layer(), x, processor="arm64")[1].processor == "arm64"


def test_macos_is_asked_for_what_numpy_has_no_word_for(monkeypatch):
    said = "hw.optional.arm.FEAT_DotProd: 1\nhw.optional.arm.FEAT_I8MM: 1\n"
    done = subprocess.CompletedProcess([], 0, said, "")
    monkeypatch.setattr(processor.subprocess, "run", lambda *_, **__: done)
    assert processor.known_to_macos() == {"asimddp", "i8mm"}
    done.stdout = said.replace("I8MM: 1", "I8MM: 0")
    assert processor.known_to_macos() == {"asimddp"}


def small_layer():
    filters = np.ones((1, 1, 1, 1), np.float32)
    return drqsim.conv_relu(filters, np.zeros(1, np.float32), input_shape=(1, 2, 2, 1))
