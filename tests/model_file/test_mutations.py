"""Damaged and hostile files: a clear error or a graph, within bounded time and memory."""

import resource
import time

import numpy as np
import pytest

import drqsim
from tests.kit import places

MODELS = sorted(places.MODELS.glob("*.tflite"))
SECONDS = 5  # for one file, whatever is in it
GIBIBYTE = 2**30


def tables(content: bytes) -> np.ndarray:
    """Positions of the bytes that are not weights: that is where damage does something."""
    import tflite

    model = tflite.Model.GetRootAs(content, 0)
    free = np.ones(len(content), bool)
    for at in range(model.BuffersLength()):
        data = model.Buffers(at).DataAsNumpy()
        if isinstance(data, np.ndarray):
            start = content.find(data.tobytes()) if data.size > 64 else -1
            if start >= 0:
                free[start : start + data.size] = False
    return np.flatnonzero(free)


def mutate(random: np.random.Generator, content: bytes, places: np.ndarray) -> bytes:
    """A few bytes changed, mostly in the tables; sometimes a number of 32 bits, or the end lost."""
    damaged = bytearray(content)
    for _ in range(random.integers(1, 6)):
        at = int(random.choice(places) if random.random() < 0.9 else random.integers(len(content)))
        kind = random.integers(4)
        if kind == 0:
            damaged[at] = random.integers(256)
        elif kind == 1:
            damaged[at] ^= 1 << random.integers(8)
        else:
            extreme = random.choice([0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, 1 << 24])
            at -= at % 4
            damaged[at : at + 4] = int(extreme).to_bytes(4, "little")
    if random.random() < 0.05:
        damaged = damaged[: random.integers(len(damaged))]
    return bytes(damaged)


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
    places = tables(content)
    random = np.random.default_rng(len(content))
    ends = {"refused": 0, "loaded": 0, "ran": 0}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(pytestconfig.getoption("--mutations")):
        damaged = mutate(random, content, places)
        start = time.process_time()
        ends[use(damaged)] += 1
        assert time.process_time() - start < SECONDS
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < GIBIBYTE
    assert ends["refused"] and ends["ran"], ends
