"""Damaged and hostile files: a clear error or a graph, within bounded time and memory."""

import resource
import time

import numpy as np
import pytest

import drqsim
from tests.kit import pace, places
from tests.kit.damaged import mutate, tables

MODELS = sorted(places.MODELS.glob("*.tflite"))
SECONDS = pace.seconds(5)  # for one file, whatever is in it
GIBIBYTE = 2**30


def use(content: bytes) -> str:
    """What a user would do with a file; returns how far it went."""
    try:
        graph = drqsim.load(content)
        repr(graph)
        repr(drqsim.explain(graph))
        drqsim.quantize(graph)
    except drqsim.DrqsimError as error:
        assert len(str(error)) < 600
        return "refused"
    reached = "loaded"
    try:
        for kernels in ("reference", "optimized"):
            repr(drqsim.plan_memory(graph, kernels))
        taken = [op.name for op in graph.operators[::2]]
        repr(drqsim.plan_memory(graph, "xnnpack", partition=taken))
    except drqsim.DrqsimError as error:
        assert len(str(error)) < 600
    for op in graph.operators:
        try:
            alone = graph.extract(op.name)
            feeds = {alone.tensors[i].name: alone.tensors[i] for i in alone.inputs}
            if any(t.nbytes > 1e6 for t in feeds.values()):
                continue
            x = {name: np.ones(t.shape, t.dtype) for name, t in feeds.items()}
            for kernels in ("optimized", "xnnpack"):
                drqsim.run(alone, x, kernels, record="shapes")
            reached = "ran"
        except drqsim.DrqsimError as error:
            assert len(str(error)) < 600
    return reached


@pytest.mark.parametrize("file", MODELS, ids=lambda f: f.stem)
def test_mutated_files(file, pytestconfig):
    content = file.read_bytes()
    where = tables(content)
    random = np.random.default_rng(len(content))
    ends = {"refused": 0, "loaded": 0, "ran": 0}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(pytestconfig.getoption("--mutations")):
        damaged = mutate(random, content, where)
        start = time.process_time()
        ends[use(damaged)] += 1
        assert time.process_time() - start < SECONDS
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < GIBIBYTE
    assert ends["refused"] and ends["ran"], ends
