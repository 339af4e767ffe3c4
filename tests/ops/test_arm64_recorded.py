"""What the runtime was seen to compute on arm64, on a machine of any kind.

``make check-arm64`` compares with the runtime itself, and takes minutes. Here its outputs are
recorded, so that a broken rule shows at once.
"""

import json

import pytest

import drqsim
from tests.kit import arm64_cases
from tests.kit.places import GOLDEN
from tests.kit.strategies import KERNELS

RECORDED = json.loads((GOLDEN / "arm64.json").read_text(encoding="utf-8"))
CLASSES = RECORDED["outputs"]


@pytest.mark.parametrize("name", arm64_cases.CASES)
def test_outputs_are_those_that_the_runtime_gave(name):
    graph, x = arm64_cases.made(name)
    assert arm64_cases.of_what_is_fed(graph, x) == RECORDED["fed"][name], (
        "The case has changed: run python -m tests.golden.make_arm64."
    )
    for processor in CLASSES:
        outputs = [drqsim.run(graph, x, path, processor=processor)[0] for path in KERNELS]
        digests = [arm64_cases.digest(*y.values())[:16] for y in outputs]
        assert digests == CLASSES[processor][name], (processor, KERNELS)


def test_the_processors_are_not_the_same():
    """Otherwise a record could stand for any of them."""
    assert list(CLASSES) == ["arm64", "arm64-dotprod", "arm64-i8mm"]
    x86 = {}
    for name in arm64_cases.CASES:
        graph, x = arm64_cases.made(name)
        y = [drqsim.run(graph, x, path, processor="x86-64")[0] for path in KERNELS]
        x86[name] = [arm64_cases.digest(*outputs.values())[:16] for outputs in y]
    everyone = [x86, *CLASSES.values()]
    for at, one in enumerate(everyone):
        for other in everyone[at + 1 :]:
            assert one != other
    alike = {name for name in x86 if all(x86[name] == c[name] for c in CLASSES.values())}
    assert alike == {"depthwise 3x3, odd channels"}  # for which the assembly has no room
