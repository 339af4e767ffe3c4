"""A wrong ``kernels=`` is refused in one sentence, wherever it is passed."""

from pathlib import Path

import numpy as np
import pytest

import drqsim
from drqsim import litert, report
from drqsim.kernels import KERNELS, checked

MODELS = Path(__file__).parent.parent / "book" / "models"
LAYER = drqsim.conv_relu(np.ones((2, 3, 3, 2), np.float32), input_shape=(1, 4, 4, 2))
X = np.ones((1, 4, 4, 2), np.float32)
ENTRANCES = {
    "run": lambda kernels: drqsim.run(LAYER, X, kernels),
    "explain": lambda kernels: drqsim.explain(LAYER, kernels),
    "plan_memory": lambda kernels: drqsim.plan_memory(LAYER, kernels),
    "attribute_error": lambda kernels: drqsim.attribute_error(LAYER, LAYER, X, kernels),
    "compare_schemes": lambda kernels: drqsim.compare_schemes(LAYER, X, kernels=kernels),
    "report.make": lambda kernels: report.make(LAYER, X, kernels=kernels),
    "litert.run": lambda kernels: litert.run(LAYER, X, kernels),
    "litert.compare": lambda kernels: litert.compare(LAYER, X, kernels),
    "litert.compare_model": lambda kernels: litert.compare_model(LAYER, X, kernels),
    "litert.read_memory": lambda kernels: litert.read_memory(LAYER, kernels),
    "litert.compare_memory": lambda kernels: litert.compare_memory(LAYER, kernels),
}


@pytest.mark.parametrize("wrong", ["fast", "", None, ["reference"], np.array(["reference"] * 2)])
@pytest.mark.parametrize("entrance", ENTRANCES)
def test_one_refusal(entrance, wrong):
    with pytest.raises(drqsim.InputError) as refused:
        ENTRANCES[entrance](wrong)
    expected = f"kernels is {wrong!r}; expected one of reference, optimized, xnnpack."
    assert str(refused.value) == expected


def test_the_runtime_has_a_resolver_for_each():
    from drqsim.runtime.native import RESOLVERS

    assert tuple(RESOLVERS) == KERNELS
    assert [checked(name) for name in KERNELS] == list(KERNELS)
