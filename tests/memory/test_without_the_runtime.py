"""What the plan of the default path says where the runtime is not installed."""

import sys

import numpy as np

import drqsim

FILTER = np.ones((4, 1, 1, 8), np.int8)
LAYER = drqsim.conv_relu(FILTER, input_shape=(1, 4, 4, 8), filter_scale=np.float32([0.1]))


def test_the_partition_is_known(monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    given = drqsim.plan_memory(LAYER, "xnnpack", partition=["conv_2d_0"])
    ours = drqsim.plan_memory(LAYER, "xnnpack")
    assert ours.partition == given.partition == (("conv_2d_0",),)
