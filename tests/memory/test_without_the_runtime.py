"""The plan of the default path needs no runtime."""

import sys

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.runtime import child

FILTER = np.ones((4, 1, 1, 8), np.int8)
LAYER = drqsim.conv_relu(FILTER, input_shape=(1, 4, 4, 8), filter_scale=np.float32([0.1]))


def test_what_xnnpack_takes_is_not_asked(monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    child.stop()  # one that runs already has it
    with pytest.raises(ImportError):
        litert.delegated(LAYER)
    plan = drqsim.plan_memory(LAYER, "xnnpack")
    monkeypatch.undo()
    assert plan.partition == (("conv_2d_0",),) and litert.delegated(LAYER) == {"conv_2d_0"}
