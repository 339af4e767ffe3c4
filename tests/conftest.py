"""How many random cases to draw, and whose kernels a test follows.

Few cases by default, ``--draws 2000`` for a long run.

The runtime computes with the kernels of the machine that it runs on. So every module of tests that
speaks of ``litert``, the judge, follows this machine's processor: what it holds against the runtime
is equal on each kind. A module of fixed numbers follows ``x86-64``, as ``drqsim.run`` does, and
gives the same numbers everywhere; a fixed number among judged ones asks for a processor by name.
"""

import re

import pytest
from hypothesis import HealthCheck, Phase, settings

from drqsim import processor


def pytest_addoption(parser):
    parser.addoption(
        "--draws", type=int, default=80, help="random cases for each property test (default 80)"
    )
    parser.addoption(
        "--no-shrinking", action="store_true", help="do not look for the smallest case that fails"
    )
    parser.addoption(
        "--mutations", type=int, default=60, help="damaged files made of each model (default 60)"
    )
    parser.addoption(
        "--fuzz", type=int, default=120, help="graphs that are changed at random (default 120)"
    )
    parser.addoption(
        "--fuzz-seed", type=int, default=2025, help="another number changes other graphs and bytes"
    )
    parser.addoption(
        "--generated", type=int, default=330, help="files held against the runtime (default 330)"
    )
    parser.addoption(
        "--hostile", type=int, default=80, help="hostile .npy, .npz and .png files (default 80)"
    )


def pytest_configure(config):
    settings.register_profile(
        "drqsim",
        phases=set(Phase) - ({Phase.shrink} if config.getoption("--no-shrinking") else set()),
        max_examples=config.getoption("--draws"),
        deadline=None,  # the first case of a test loads the runtime
        print_blob=True,
        derandomize=True,  # the same cases on every machine; --hypothesis-seed draws others
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    settings.load_profile("drqsim")


@pytest.fixture(autouse=True, scope="module")
def followed(request):
    """This machine's processor, where the runtime is the judge."""
    judged = re.search(r"\blitert\b", request.path.read_text(encoding="utf-8"))
    with processor.using("native" if judged else None):
        yield
