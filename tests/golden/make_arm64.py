"""Records what the runtime makes of the cases of ``tests/kit/arm64_cases.py`` on arm64.

``python -m tests.golden.make_arm64`` writes ``arm64.json`` beside this file: for every case the
digest of what is fed, and for each class of core and kernel path the digest of the output. It runs
the runtime's arm64 build on an x86-64 machine; ``tests/check_arm64.py`` sets that up.
"""

import json
import sys

from drqsim import litert
from tests import check_arm64
from tests.kit import arm64_cases
from tests.kit.places import GOLDEN
from tests.kit.strategies import KERNELS

FILE = GOLDEN / "arm64.json"


def main():
    if sys.argv[1:] == ["here"]:
        print(json.dumps(recorded()))
        return
    check_arm64.set_up()
    fed = {name: arm64_cases.of_what_is_fed(*arm64_cases.made(name)) for name in arm64_cases.CASES}
    outputs = {}
    for core, name in check_arm64.CORES.items():
        done = check_arm64.emulated(core, "-m", "tests.golden.make_arm64", "here")
        if done.returncode:
            sys.exit(done.stderr)
        outputs[name] = json.loads(done.stdout)
    FILE.write_text(json.dumps({"fed": fed, "outputs": outputs}, indent=1) + "\n", encoding="utf-8")


def recorded():
    """Digests of the outputs on this machine, for each case one for each path."""
    return {name: [output(name, kernels) for kernels in KERNELS] for name in arm64_cases.CASES}


def output(name, kernels):
    graph, x = arm64_cases.made(name)
    (y,) = litert.run(graph, x, kernels, outputs_only=True).outputs.values()
    return arm64_cases.digest(y)[:16]


if __name__ == "__main__":
    main()
