"""Graphs that no converter would write, in every use: an answer or an error that has a name."""

import resource
from collections import Counter

import numpy as np
import pytest

import drqsim
from drqsim.ops import TABLE
from tests.kit.damaged import mutate, tables
from tests.kit.mutate import choose, mutant
from tests.kit.pool import any_graph, layers, models
from tests.kit.uses import commands, feeds, findings, uses

GIBIBYTE = 2**30
REPORT_EVERY, COMMANDS_EVERY = 30, 50  # which take longer than all others together


@pytest.fixture(scope="module", autouse=True)
def one_gibibyte_more():
    """What asks for more memory gets a MemoryError, which is a finding."""
    layers(), models()
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + GIBIBYTE, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def test_the_pool_has_every_operator():
    codes = {op.code for graph in layers() for op in graph.operators}
    assert codes == set(TABLE)


def test_changed_graphs(request, tmp_path):
    ends: Counter[str] = Counter()
    for at in range(request.config.getoption("--fuzz")):
        random = np.random.default_rng([request.config.getoption("--fuzz-seed"), at])
        first = any_graph(random)
        try:
            graph = mutant(random, first)
        except drqsim.ModelFileError as error:
            assert str(error)
            ends["no graph"] += 1
            continue
        fed = feeds(random, graph)
        found, done = findings(uses(graph, fed, first, at % REPORT_EVERY == 0))
        assert not found, (at, found)
        if at % COMMANDS_EVERY == 0 and "written and read" in done:
            path = tmp_path / "model.tflite"
            drqsim.save(graph, path)
            found, more = findings(commands(str(path)))
            assert not found, (at, found)
            done += more
        ends.update(set(done))
    # the changes leave enough to run, and refuse enough
    assert ends["no graph"] and ends["run optimized"] > ends.total() / 60
    assert ends["run optimized"] < ends["explain optimized"], ends


def test_damaged_bytes(request):
    read, count = 0, request.config.getoption("--fuzz")
    for at in range(count):
        random = np.random.default_rng([request.config.getoption("--fuzz-seed") + 1, at])
        first = choose(random, layers())
        content = drqsim.to_bytes(first)
        damaged = mutate(random, content, tables(content))
        try:
            graph = drqsim.load(damaged)
        except drqsim.DrqsimError as error:
            assert str(error)
            continue
        read += 1
        found, _ = findings(uses(graph, feeds(random, graph), first, report_too=False))
        assert not found, (at, found)
    assert 0 < read < count
