"""Holds drqsim against the runtime's arm64 build, on an x86-64 machine: the processor is emulated.

``python tests/check_arm64.py`` makes in `.arm64/`, once and without root rights, what looks like a
virtual environment of an arm64 machine: Debian's CPython for arm64, and every package that
`requirements.txt` pins, as its arm64 wheel. Its `bin/python` is a script that starts that Python in
QEMU's user-mode emulator, so a process that Python starts in turn, as the runtime's own, is
emulated too. Then the property tests run on a core of each class: without dot product, with it,
and with int8 matrix products as well. There drqsim follows the emulated processor, as it does on
a machine of that kind.

``python tests/check_arm64.py --core neoverse-n1 tests/memory`` runs other tests, and
``--nbval book/accumulator.ipynb`` chapters; what it does not know goes to pytest. Any other
program runs with ``.arm64/bin/python``; QEMU_CPU names the core.

What is fetched is checked: Debian's packages by apt, against the archive's signature, and wheels by
pip, against the sums that the index names.

Exit status: 0 when every test passes, 1 when one does not, 2 when it cannot be tried, as without a
network or without Debian's apt. With ``DRQSIM_ARM64=required`` in the environment that counts as 1.
"""

import argparse
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ARM64 = ROOT / ".arm64"
PYTHON = ARM64 / "bin" / "python"
READY = ARM64 / ".ready"
SITE = ARM64 / "lib" / "python3.11" / "site-packages"

# QEMU's name of a core -> drqsim's name of its class
CORES = {
    "cortex-a53": "arm64",
    "neoverse-n1": "arm64-dotprod",
    "neoverse-v1": "arm64-i8mm",
}
TESTS = (
    "tests/ops/test_conv_2d.py",
    "tests/ops/test_hybrid.py",
    "tests/ops/test_int4_own_kernel.py::test_the_own_kernel_with_every_activation",
    "tests/ops/test_parameters.py",
    "tests/ops/test_lookups.py",
    "tests/ops/test_nonfinite.py",
    "tests/ops/recurrent/test_recurrent.py",
    "tests/ops/recurrent/test_lstm.py::test_every_readable_tensor_has_the_bits_of_the_runtime",
    "tests/memory/test_planner.py::test_the_plan_of_one_layer_is_the_runtimes",
    "tests/litert/test_proven.py",
    "tests/test_cases.py",
)

KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
FALLBACK = "http://deb.debian.org/debian"
# CPython 3.11, and what it and the wheels load
OF_ARM64 = (
    "python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 libstdc++6 libgcc-s1 "
    "libatomic1 zlib1g libexpat1 libffi8 libssl3 libbz2-1.0 liblzma5 libsqlite3-0 libuuid1 "
    "libcrypt1"
).split()
# release, architecture and packages of Debian; the emulator of bookworm, QEMU 7.2, executes the
# int8 matrix products wrongly, that of trixie does not
DEBIAN = (
    ("root", "bookworm", "arm64", OF_ARM64),
    ("qemu", "trixie", "amd64", ["qemu-user"]),
)
ELF = b"\x7fELF"
GLIBC = (17, 24, 26, 27, 28, 34)  # of manylinux wheels; bookworm has 2.36

SLOWER = 15  # times as much CPU time takes drqsim under emulation: 10 to 14, measured
LAUNCHER = """#!/bin/sh
# A program for arm64, emulated; QEMU_CPU names the core. CPython takes bin/python for its own
# program (-0), so that it finds pyvenv.cfg, and a process that it starts is emulated as well.
export QEMU_CPU="${{QEMU_CPU:-neoverse-n1}}" OPENBLAS_NUM_THREADS=1 DRQSIM_SLOWER={slower}
exec {qemu} -0 {name} -L {root} {program} "$@"
"""


class NotTried(Exception):
    """Why there is no arm64 environment."""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--draws", default=8, type=int, help="random cases of each property test")
    options.add_argument("--set-up", action="store_true", help="make the environment, no more")
    options.add_argument("--core", action="append", choices=CORES, help="not on all")
    options, tests = options.parse_known_args()
    try:
        set_up()
    except NotTried as reason:
        print(f"NOT TRIED: drqsim on arm64, since {reason}", file=sys.stderr)
        return 1 if os.environ.get("DRQSIM_ARM64") == "required" else 2
    if options.set_up:
        return 0
    pytest = ["-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "--no-shrinking"]
    pytest += [f"--draws={options.draws}", *(tests or TESTS)]
    cores = options.core or CORES
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = dict(zip(cores, pool.map(lambda core: check(core, pytest), cores), strict=True))
    for core, (passed, said) in done.items():
        print(f"{core} ({CORES[core]}): {said if passed else 'FAILED'}")
        if not passed:
            print(said, file=sys.stderr)
    return not all(passed for passed, _ in done.values())


def check(core: str, pytest: list[str]) -> tuple[bool, str]:
    """Whether all tests pass on a core, and pytest's last line; all that it said where not."""
    asked = "from drqsim import processor; print(processor.native().name)"
    name = emulated(core, "-c", asked)
    if name.stdout.strip() != CORES[core]:
        return False, f"drqsim takes it for {name.stdout.strip()!r}\n{name.stderr}"
    done = emulated(core, *pytest)
    said = done.stdout.strip()
    return not done.returncode, said[-20_000:] + done.stderr if done.returncode else (
        said.rpartition("\n")[2]
    )


def emulated(core: str, *arguments: str) -> subprocess.CompletedProcess:
    """The arm64 Python with these arguments, on that core, at the root of the project."""
    environment = os.environ | {"QEMU_CPU": core, "PYTHONDONTWRITEBYTECODE": "1"}
    return run([PYTHON, *arguments], cwd=ROOT, env=environment)


def run(command: list, **how) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, check=False, **how)


def set_up() -> None:
    """Make `.arm64/`, unless it is there as this file and the requirements would make it."""
    made_of = [bytes(ROOT), Path(__file__).read_bytes(), (ROOT / "requirements.txt").read_bytes()]
    recipe = hashlib.sha256(b"".join(made_of)).hexdigest()
    if READY.exists() and READY.read_text(encoding="utf-8") == recipe:
        return
    if platform.machine() != "x86_64":
        raise NotTried("this is no x86-64 machine; on an arm64 one `make test` does the same.")
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb") and KEYS.exists()):
        raise NotTried("it takes Debian's apt-get, dpkg-deb and debian-archive-keyring.")
    shutil.rmtree(ARM64, ignore_errors=True)
    print("Setting up an arm64 environment in .arm64 (a minute) ...", flush=True)
    try:
        for folder, release, architecture, packages in DEBIAN:
            debian(ARM64 / folder, release, architecture, packages)
        wheels()
        launchers()
    except BaseException:
        shutil.rmtree(ARM64, ignore_errors=True)
        raise
    READY.write_text(recipe, encoding="utf-8")


def debian(folder: Path, release: str, architecture: str, packages: list[str]) -> None:
    """Fetch packages of Debian and unpack them, with lists of apt's own that are gone then."""
    apt = ARM64 / "apt"
    for place in ("lists/partial", "cache/archives/partial"):
        (apt / place).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={KEYS}] {mirror()} {release} main\n")
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "",
        "APT::Update::Error-Mode": "any",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Acquire::http::Timeout": "20",
        "Dir::Etc::SourceList": apt / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": apt,
        "Dir::State::Lists": apt / "lists",
        "Dir::State::Status": apt / "status",
        "Dir::Cache": apt / "cache",
    }
    command = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in settings.items())]
    fetched(run([*command, "update"]), "Debian's packages")
    fetched(run([*command, "download", *packages], cwd=apt), "Debian's packages")
    for package in apt.glob("*.deb"):
        fetched(run(["dpkg-deb", "-x", package, folder]), package.name)
    for emulator in folder.glob("usr/bin/qemu-*"):
        if emulator.name != "qemu-aarch64":  # the others are of 400 MB
            emulator.unlink()
    shutil.rmtree(apt)


def mirror() -> str:
    """The mirror of Debian that this machine uses."""
    lists = run(["apt-get", "--print-uris", "update"]).stdout
    return (re.findall(r"^'(\S+/debian)/dists/", lists, re.MULTILINE) or [FALLBACK])[0]


def wheels() -> None:
    """Install what requirements.txt pins, and the project itself as it lies here."""
    glibc = (f"--platform=manylinux_2_{minor}_aarch64" for minor in GLIBC)
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-input", "--no-compile", "--no-deps"]
    pip += ["--only-binary=:all:", "--implementation=cp", "--python-version=3.11", *glibc]
    pip += ["--platform=manylinux2014_aarch64", f"--target={SITE}"]
    fetched(run([*pip, "-r", ROOT / "requirements.txt"]), "the arm64 wheels")
    (SITE / "drqsim.pth").write_text(f"{ROOT}\n", encoding="utf-8")


def launchers() -> None:
    """Let `bin/python`, and what the wheels bring to be started, begin in the emulator."""
    root = ARM64 / "root"
    python = root / "usr/bin/python3.11"
    (ARM64 / "pyvenv.cfg").write_text(f"home = {python.parent}\n", encoding="utf-8")
    launcher(PYTHON, PYTHON, python)
    for program in (SITE / "bin").iterdir():
        if program.read_bytes().startswith(ELF):
            launcher(PYTHON.with_name(program.name), program, program)
        else:  # a script in Python
            launcher(PYTHON.with_name(program.name), PYTHON, python, program)
    node = SITE / "playwright/driver/node"
    compiled = node.rename(node.with_name("node.arm64"))
    launcher(node, node, compiled)


def launcher(path: Path, name: Path, *program: Path) -> None:
    """Write a script that starts a program under the name that it is to take for its own."""
    path.parent.mkdir(exist_ok=True)
    qemu, root = ARM64 / "qemu/usr/bin/qemu-aarch64", ARM64 / "root"
    qemu, root, name = (shlex.quote(str(part)) for part in (qemu, root, name))
    program = shlex.join(map(str, program))
    words = {"qemu": qemu, "root": root, "name": name, "program": program, "slower": SLOWER}
    path.write_text(LAUNCHER.format(**words), encoding="utf-8")
    path.chmod(0o755)


def fetched(done: subprocess.CompletedProcess, what: str) -> None:
    if done.returncode:
        raise NotTried(f"{what} cannot be had:\n{done.stderr.strip()[-1500:]}")


if __name__ == "__main__":
    sys.exit(main())
