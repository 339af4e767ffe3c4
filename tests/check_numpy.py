"""Runs the core of drqsim on the oldest NumPy that `pyproject.toml` allows, as on today's.

``python tests/check_numpy.py`` makes a virtual environment in a temporary directory, installs that
NumPy in it and nothing else, lets both environments quantize, run, explain and plan the same
layers, compares every byte, and removes the environment. Where this Python has no wheel of the
oldest, it takes the oldest with one.

Exit status: 0 when all is equal, 1 when something is not, 2 when it cannot be tried, as without
a package index. With ``DRQSIM_NUMPY=required`` in the environment that counts as 1.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# the first NumPy with a wheel for a Python that is younger than what pyproject.toml names
FIRST_WITH_A_WHEEL = {(3, 13): "2.1.0", (3, 14): "2.3.2"}


def main() -> int:
    if sys.argv[1:] == ["--core"]:
        core()
        return 0
    version = oldest()
    with tempfile.TemporaryDirectory(prefix="drqsim-numpy-") as directory:
        problem = install(Path(directory), version)
        if problem:
            print(f"NOT TRIED: drqsim on NumPy {version}, since {problem}", file=sys.stderr)
            return 1 if os.environ.get("DRQSIM_NUMPY") == "required" else 2
        then, now = (run(python) for python in (Path(directory) / "bin" / "python", sys.executable))
    for what, done in ((f"NumPy {version}", then), ("this environment's NumPy", now)):
        if done.returncode:
            print(f"drqsim's core fails on {what}:\n{done.stderr[-3000:]}", file=sys.stderr)
            return 1
    (used, *old), (current, *new) = then.stdout.splitlines(), now.stdout.splitlines()
    differing = [line for line in old if line not in new]
    if differing or len(old) != len(new) or used != version:
        print(f"NumPy {used} (asked for: {version}) and {current} differ:", file=sys.stderr)
        print(*differing, sep="\n", file=sys.stderr)
        return 1
    print(f"The core has the same bytes on NumPy {used} as on {current}: {len(old)} results.")
    return 0


def oldest() -> str:
    """The oldest NumPy that pyproject.toml allows and that this Python can have."""
    (named,) = re.findall(r'"numpy>=([\d.]+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    newest_known = min(sys.version_info[:2], max(FIRST_WITH_A_WHEEL))
    version = FIRST_WITH_A_WHEEL.get(newest_known, named)
    return version if version.count(".") == 2 else f"{version}.0"


def install(directory: Path, version: str) -> str:
    """A virtual environment with that NumPy; says in half a sentence what went wrong."""
    venv.create(directory, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", directory / "bin" / "python", "install", "-qq"]
    pip += ["--no-input", "--only-binary", ":all:", "--retries", "1", f"numpy=={version}"]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    return f"pip cannot install it:\n{done.stderr.strip()[-1500:]}" if done.returncode else ""


def run(python) -> subprocess.CompletedProcess:
    """What ``core`` prints under that Python."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [python, "-W", "error", __file__, "--core"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def core() -> None:
    """Print NumPy's version, then a line for each result with a hash of its bytes."""
    import numpy as np

    import drqsim
    from drqsim import in_short

    print(np.__version__)
    for name, model, x in layers(np, drqsim):
        for min_elements in (0, 10**9):
            graph = drqsim.quantize(model, min_elements=min_elements)
            for kernels in ("reference", "optimized", "xnnpack"):
                at = f"{name} {min_elements} {kernels}"
                _, trace = drqsim.run(graph, x, kernels=kernels)
                if not min_elements:  # float weights are added up in the order of NumPy's own BLAS
                    for record in trace:
                        tell(f"{at} {record.name}", record.value, record)
                    tell(f"{at} trace", None, trace)
                for verdict in drqsim.explain(graph, kernels=kernels):
                    tell(f"{at} {verdict.operator}", None, verdict)
                partition = () if kernels == "xnnpack" else None
                plan = drqsim.plan_memory(graph, kernels=kernels, partition=partition)
                tell(f"{at} plan", None, plan)
        if name in ("3x3 normal", "3x3 one-sided", "3x3 zeros"):
            weights, bias = (t.value for t in model.tensors[1:3])
            y = in_short.conv_relu(x[0], *in_short.quantize_weights(weights), bias)
            tell(f"{name} in short", y, None)
    refused(np, drqsim)


def layers(np, drqsim):
    """(name, float model, input) of convolutions that take each kernel, window and rounding."""
    random = np.random.default_rng(0)
    for name, shape, window in (
        ("3x3", (8, 3, 3, 4), {}),
        ("1x1", (8, 1, 1, 4), {}),
        ("groups", (8, 3, 2, 2), dict(dilation=2)),
        ("stride", (3, 2, 2, 4), dict(stride=(2, 1))),
    ):
        w = random.normal(size=shape).astype(np.float32)
        b = random.normal(size=len(w)).astype(np.float32)
        model = drqsim.conv_relu(w, b, input_shape=(1, 9, 7, 4), **window)
        for kind, x in (
            ("normal", random.normal(size=(1, 9, 7, 4))),
            ("one-sided", random.random((1, 9, 7, 4)) + 1),
            ("zeros", np.zeros((1, 9, 7, 4))),
            ("tiny", random.normal(size=(1, 9, 7, 4)) * 1e-38),
        ):
            yield f"{name} {kind}", model, x.astype(np.float32)


def refused(np, drqsim):
    """What a wrong input and a wrong option are told."""
    model = drqsim.conv_relu(np.ones((1, 1, 1, 1), np.float32), input_shape=(1, 2, 2, 1))
    for x, kernels in ((np.ones((1, 2, 2, 3), np.float32), "optimized"), (np.ones(1), "fast")):
        try:
            drqsim.run(model, x, kernels=kernels)
        except drqsim.DrqsimError as error:
            tell("refusal", None, error)


def tell(what, array, other) -> None:
    """One line: what it is, type and hash of the array, hash of what the other prints."""
    text = "" if other is None else str(other)
    content = text.encode() + (b"" if array is None else array.tobytes())
    kind = "" if array is None else f"{array.dtype}{list(array.shape)} "
    print(f"{what}: {kind}{hashlib.sha256(content).hexdigest()[:16]}")


if __name__ == "__main__":
    sys.exit(main())
