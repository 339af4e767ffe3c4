"""The bounds of float operators: as wide as their reason, and no wider."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert, processor
from drqsim.arithmetic.functions import glibc
from drqsim.litert.bounds import BOUNDS, OF_ANOTHER_LIBRARY, TINY, UNIT, Fed, bound_of
from drqsim.litert.comparison import Row
from drqsim.litert.equality import part_of_bound, worst
from drqsim.ops.fed import inputs_by_index
from tests.kit import plain_layers as plain
from tests.kit.one_operator import one_operator, with_options
from tests.kit.strategies import KERNELS, float_constant

f32 = np.float32
NONE = {"fused_activation_function": "NONE"}
ONCE = plain.ONCE | {"padding": "VALID"} | NONE


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(f32)


X = values(1, 4, 5, 6)
BIAS = float_constant("bias", values(3, seed=2))


def constant(*shape):
    return float_constant("filter", values(*shape, seed=1))


def sizes(filters):
    """The sums of |x| * |w| + |bias| of a convolution, written as loops."""
    out, height, width, _ = filters.shape
    made = np.zeros((1, 4 - height + 1, 5 - width + 1, out))
    for _, row, col, channel in np.ndindex(*made.shape):
        window = np.abs(X[0, row : row + height, col : col + width].astype(np.float64))
        made[0, row, col, channel] = np.sum(window * np.abs(filters[channel]))
    return made + np.abs(BIAS.value)


# graph, inputs, roundings that a term of the sum meets, sum of the sizes of the terms
W = constant(3, 2, 3, 6)
ROWS, M = values(4, 9), constant(9, 5)
SUMS = {
    "convolution": (
        one_operator("CONV_2D", [X.shape, W, BIAS], [(1, 3, 3, 3)], **ONCE),
        X,
        2 * 3 * 6 + 1,
        lambda: sizes(W.value),
    ),
    "dense": (
        one_operator(
            "FULLY_CONNECTED", [(4, 9), constant(3, 9), BIAS], [(4, 3)], keep_num_dims=False, **NONE
        ),
        ROWS,
        9 + 1,
        lambda: np.abs(ROWS) @ np.abs(constant(3, 9).value).T + np.abs(BIAS.value),
    ),
    "matrix product": (
        one_operator("BATCH_MATMUL", [(4, 9), M], [(4, 5)], adj_x=False, adj_y=False),
        ROWS,
        9,
        lambda: np.abs(ROWS) @ np.abs(M.value),
    ),
}


def fed(graph, x, kernels="xnnpack"):
    (ours,) = drqsim.run(graph, x, kernels)[0].values()
    return Fed(graph, graph.operators[0], inputs_by_index(graph, x), ours)


@pytest.fixture
def elsewhere(monkeypatch):
    """A core of arm64 that no row of the table stands for."""
    monkeypatch.setattr(processor, "native", lambda: processor.Processor("native", neon=True))
    with processor.using("native"):
        yield


@pytest.mark.parametrize("what", SUMS)
def test_the_bound_of_a_sum_is_its_terms_sizes_times_the_roundings_of_two_sums(what, elsewhere):
    graph, x, roundings, size = SUMS[what]
    bound = bound_of(graph, graph.operators[0], "xnnpack")
    allowed = bound.allowed(fed(graph, x))
    assert bound.of == "sum"
    assert np.allclose(allowed, 2 * roundings * (UNIT * size() + TINY), rtol=1e-6, atol=0)


@pytest.mark.parametrize("what", ["convolution", "dense"])
def test_an_activation_leaves_the_bound_as_it_is(what, elsewhere):
    graph, x, *_ = SUMS[what]
    bound = bound_of(graph, graph.operators[0], "optimized")
    for activation in ("RELU6", "RELU_N1_TO_1"):
        cut = with_options(graph, fused_activation_function=activation)
        assert np.array_equal(bound.allowed(fed(cut, x)), bound.allowed(fed(graph, x)))


def test_what_computes_with_codes_has_no_bound():
    drq = drqsim.quantize(SUMS["dense"][0], min_elements=0)
    assert bound_of(drq, drq.operators[0], "optimized") is None
    whole = one_operator(
        "SUM", [drqsim.Tensor("x", (4,), np.dtype(np.int32)), np.array([0], np.int32)],
        [drqsim.Tensor("y", (), np.dtype(np.int32))], keep_dims=False,
    )  # fmt: skip
    assert bound_of(whole, whole.operators[0], "xnnpack") is None
    assert ("RELU", "xnnpack") not in BOUNDS and ("ADD", "optimized") not in BOUNDS


def test_functions_have_a_bound_where_the_c_library_is_another(monkeypatch):
    graph, *_ = SUMS["dense"]
    (op,) = graph.operators
    for code, kernels in OF_ANOTHER_LIBRARY:
        made = replace(graph, operators=(replace(op, code=code),))
        for is_glibc, expected in (True, None), (False, OF_ANOTHER_LIBRARY[code, kernels]):
            monkeypatch.setattr(glibc, "is_here", lambda here=is_glibc: here)
            assert bound_of(made, made.operators[0], kernels) is expected
    assert not set(BOUNDS) & set(OF_ANOTHER_LIBRARY)


def test_roots_have_a_bound_on_x86_alone():
    graph = one_operator("RSQRT", [(3,)], [(3,)])
    for name in processor.PROCESSORS:
        with processor.using(name):
            bound = bound_of(graph, graph.operators[0], "xnnpack")
            assert (bound is None) == name.startswith("arm64")
            assert bound_of(graph, graph.operators[0], "optimized") is None


@pytest.mark.parametrize("name", processor.PROCESSORS)
@pytest.mark.parametrize("what", SUMS)
def test_on_a_processor_of_the_table_a_layer_of_floats_has_no_bound(what, name):
    graph, *_ = SUMS[what]
    with processor.using(name):
        assert all(bound_of(graph, graph.operators[0], kernels) is None for kernels in KERNELS)


def test_the_sign_of_a_zero_may_differ_and_nothing_else():
    graph = SUMS["convolution"][0]
    (op,) = graph.operators
    graph = replace(graph, operators=(replace(op, code="TRANSPOSE_CONV"),))
    bound = bound_of(graph, graph.operators[0], "xnnpack")
    made = Fed(graph, op, {}, np.zeros(4, f32))
    assert part_of_bound(bound, made, -made.ours) == 0
    assert part_of_bound(bound, made, made.ours + f32(1e-45)) > 1


def test_half_of_the_bound_is_within_and_twice_is_different(elsewhere):
    graph, x, *_ = SUMS["convolution"]
    made = fed(graph, x)
    bound = bound_of(graph, graph.operators[0], "xnnpack")
    allowed = bound.allowed(made)
    for by, verdict in ((0.5, "within the bound of the sum"), (2, "different"), (0, "equal")):
        theirs = (made.ours + by * allowed).astype(f32)
        part = part_of_bound(bound, made, theirs)
        assert abs(part - by) < 0.1
        equal = int((theirs == made.ours).sum())
        row = Row("conv_2d_0", "output", made.ours.size, equal, 0.0, bound.of, part)
        assert row.verdict == verdict
    assert part_of_bound(bound, made, np.full_like(made.ours, np.nan)) == np.inf
    assert part_of_bound(None, made, made.ours + 1) == np.inf
    assert worst(["equal", "different", "within the bound of the sum"]) == "different"


def test_without_a_bound_nothing_but_the_bits_will_do():
    graph = one_operator("ADD", [(3,), values(3)], [(3,)], **NONE)
    (row,) = litert.compare(graph, values(3, seed=3), "optimized").rows
    assert row.bound == "" and row.verdict == "equal"
