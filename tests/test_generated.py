"""Generated files, right ones and changed ones: what runs here runs in the runtime, to its bits."""

from collections import Counter

import numpy as np
import pytest

from tests.kit import generated
from tests.kit.generated import files, judge
from tests.kit.strategies import KERNELS


def test_generated_files(request):
    ends: Counter[str] = Counter()
    for at, (graph, fed) in enumerate(files(request.config.getoption("--generated"), seed=21)):
        for kernels in KERNELS:
            outcome = judge(graph, fed, kernels)
            assert outcome.what not in generated.FINDINGS, (at, kernels, graph, outcome)
            ends[outcome.what] += 1
    assert ends[generated.EQUAL] > ends.total() / 2
    assert ends[generated.BOTH_REFUSE] > ends.total() / 20
    assert ends[generated.NAMED_THERE], ends


@pytest.mark.parametrize("kernels", KERNELS)
def test_a_wrong_bit_and_a_wrong_refusal_are_found(kernels, monkeypatch):
    graph, fed = next(files(1, seed=1))
    assert judge(graph, fed, kernels).what in generated.OUTCOMES
    run = generated.drqsim.run

    def wrong(*given):
        outputs, trace = run(*given)
        return {name: value + np.float32(1) for name, value in outputs.items()}, trace

    monkeypatch.setattr(generated.drqsim, "run", wrong)
    assert judge(graph, fed, kernels).what == generated.DIFFERENT

    def refusing(*_, **__):
        raise generated.drqsim.ModelFileError("the runtime refuses the model")

    monkeypatch.setattr(generated.drqsim, "run", refusing)
    assert judge(graph, fed, kernels).what == generated.ONLY_THERE
    monkeypatch.setattr(generated.drqsim, "run", run)
    monkeypatch.setattr(generated.litert, "run", refusing)
    assert judge(graph, fed, kernels).what == generated.ONLY_HERE
