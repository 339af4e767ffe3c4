"""Small graphs of every operator that drqsim runs, and whole ones: what a fuzzer starts from."""

from dataclasses import replace
from functools import cache

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

import drqsim
from drqsim.graph import Graph, Tensor
from tests.kit import full_integer, networks, recurrent, strategies
from tests.kit.float_cases import GENERATORS, cases
from tests.kit.memory_graphs import random_graph
from tests.kit.one_operator import graph, one_operator
from tests.kit.places import CASES, MODELS
from tests.kit.plain_layers import weights

BY_ITS_SHAPE = "ELU GELU HARD_SWISH LEAKY_RELU LOGISTIC RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 SOFTMAX"
BY_ITS_SHAPE += " TANH"


def drawn(strategy, count: int, seed: int | None = None) -> list:
    """The first examples of a strategy, the same ones each time; others for each ``seed``."""
    found = []

    @settings(
        max_examples=count,
        derandomize=seed is None,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example):
        found.append(example)

    if seed is not None:
        collect = hypothesis.seed(seed)(collect)
    collect()
    return found


def sized(bare: Graph, feeds) -> Graph:
    """The graph with the shapes that its outputs get."""
    outputs, _ = drqsim.run(bare, feeds)
    tensors = list(bare.tensors)
    for at, value in zip(bare.outputs, outputs.values(), strict=True):
        tensors[at] = replace(tensors[at], shape=value.shape)
    return replace(bare, tensors=tuple(tensors))


@cache
def layers() -> tuple[Graph, ...]:
    """One operator each: float, hybrid, int4, full-integer and recurrent ones."""
    found = [sized(*graph(case)) for code in GENERATORS for case in drawn(cases(code), 2)]
    found += [one_operator(code, [(2, 3)], [(2, 3)]) for code in BY_ITS_SHAPE.split()]
    slopes = np.array([0.1, -0.2, 0.3], np.float32)
    found.append(one_operator("PRELU", [(2, 3), slopes], [(2, 3)]))
    rows = Tensor("rows", (4,), np.dtype(np.int32))
    found.append(one_operator("EMBEDDING_LOOKUP", [rows, weights(5, 3, scales=5)], [(4, 3)]))
    hybrid = (
        strategies.hybrid_convolutions,
        strategies.hybrid_depthwise,
        strategies.hybrid_dense,
        strategies.hybrid_batch_matmul,
        strategies.hybrid_transpose_conv,
    )
    found += [each[0] for make in hybrid for each in drawn(make("optimized"), 4)]
    codes = (full_integer.convolutions, full_integer.dense, full_integer.depthwise)
    found += [each[0] for make in codes for each in drawn(make(), 2)]
    states = (recurrent.hybrid_lstm, recurrent.hybrid_rnn, recurrent.hybrid_svdf)
    found += [each[0] for make in states for each in drawn(make(), 3)]
    return tuple(found)


@cache
def models() -> tuple[Graph, ...]:
    """Whole models: those of the book, networks of the tests, files that went wrong once."""
    small = (*networks.SMALL, networks.mlp, networks.embedding)
    found = [drqsim.load(file) for file in sorted(MODELS.glob("*.tflite"))]
    found += [drqsim.load(file) for file in sorted(CASES.glob("*.tflite"))]
    return (*found, *(each for make in small for each in (make(), drqsim.quantize(make()))))


def any_graph(random: np.random.Generator) -> Graph:
    """A graph of the pool, or a chain of random operators."""
    kind = random.random()
    if kind < 0.6:
        pool = layers()
        return pool[random.integers(len(pool))]
    if kind < 0.9:
        return random_graph(int(random.integers(2**31)), int(random.integers(1, 7)))
    pool = models()
    return pool[random.integers(len(pool))]
