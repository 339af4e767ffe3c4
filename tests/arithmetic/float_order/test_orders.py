"""Orders of float32 sums: each against its loop, written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drqsim.arithmetic.float_order import arm64_product, eigen_product, one_by_one
from drqsim.arithmetic.floats import flush_denormals, fma

f32 = np.float32
SIZES = dict(n=st.integers(1, 9), out=st.integers(1, 17), depth=st.integers(1, 70))
SEED = st.integers(0, 2**32 - 1)


def operands(n, out, depth, seed, spread=1.0):
    random = np.random.default_rng(seed)
    made = (random.normal(size=(rows, depth)) for rows in (n, out))
    return [f32(m * 10.0 ** random.uniform(-spread, spread, m.shape)) for m in made]


def loop(rows, matrix, start, add):
    """One product after the other, in the order of the columns."""
    total = np.zeros((len(rows), len(matrix)), f32) + f32(start)
    for x, w in zip(rows.T, matrix.T, strict=True):
        total = add(x[:, None], w, total)
    return total


def rounds_twice(x, w, total):
    return total + x * w


@given(seed=SEED, **SIZES)
def test_rounded_products_are_added_in_order(n, out, depth, seed):
    rows, matrix = operands(n, out, depth, seed)
    assert np.array_equal(one_by_one.rounded(rows, matrix), loop(rows, matrix, 0, rounds_twice))


def test_blocks_change_nothing(monkeypatch):
    rows, matrix = operands(37, 29, 53, 0)
    whole = one_by_one.rounded(rows, matrix), one_by_one.fused(rows, matrix, f32(1))
    monkeypatch.setattr(one_by_one, "BLOCK", 16)
    assert np.array_equal(one_by_one.rounded(rows, matrix), whole[0])
    assert np.array_equal(one_by_one.fused(rows, matrix, f32(1)), whole[1])


def test_where_einsum_fuses_a_loop_takes_its_place(monkeypatch):
    rows, matrix = operands(5, 7, 40, 1)
    expected = one_by_one.rounded(rows, matrix)
    monkeypatch.setattr(one_by_one, "_einsum_rounds_twice", lambda: False)
    monkeypatch.setattr(np, "einsum", None)
    assert np.array_equal(one_by_one.rounded(rows, matrix), expected)


@given(seed=SEED, spread=st.sampled_from((0, 3)), **SIZES)
def test_fused_products_are_added_in_order(n, out, depth, seed, spread):
    rows, matrix = operands(n, out, depth, seed, spread)
    start = f32(np.arange(out) - 3)
    assert np.array_equal(one_by_one.fused(rows, matrix, start), loop(rows, matrix, start, fma))


def test_a_fused_sum_halfway_between_two_floats_is_rounded_once():
    """In float64 the sum is a tie, of which the lost part of the product decides."""
    x, w, start = f32(1 + 2.0**-12), f32(2.0**-24 * (1 - 2.0**-12)), f32(1)
    (total,) = one_by_one.fused(np.array([[x]]), np.array([[w]]), start).ravel()
    assert total == fma(x, w, start) == 1
    assert f32(np.float64(x) * np.float64(w) + 1) == 1
    below = f32(1 - 2.0**-24)
    (total,) = one_by_one.fused(np.array([[x]]), np.array([[-w]]), below).ravel()
    assert total == fma(x, -w, below)


@given(seed=SEED, **SIZES)
def test_denormals_are_flushed_at_every_step(n, out, depth, seed):
    rows, matrix = operands(n, out, depth, seed)
    rows, start = rows * f32(1e-38), f32(3e-39)

    def flushed(x, w, total):
        return flush_denormals(fma(flush_denormals(x), w, total))

    expected = loop(rows, matrix, 0, flushed)  # the start is a denormal itself
    assert np.array_equal(one_by_one.fused(rows, matrix, start, flush=True), expected)


@pytest.mark.parametrize(
    "depth, l1_data, expected",
    [(680, 32768, 680), (681, 32768, 344), (1360, 32768, 680), (1016, 49152, 1016), (7, 32768, 7)],
)
def test_a_depth_is_cut_where_the_cache_ends(depth, l1_data, expected):
    assert eigen_product.panel(depth, l1_data) == expected


@given(seed=SEED, **SIZES)
def test_every_order_is_a_sum_of_all_products(n, out, depth, seed):
    """Whole numbers are exact in any order, so nothing is left out or taken twice."""
    random = np.random.default_rng(seed)
    rows, matrix = (f32(random.integers(-9, 10, (size, depth))) for size in (n, out))
    bias = f32(random.integers(-9, 10, out))
    exact = rows @ matrix.T
    for made in (
        eigen_product.product(rows, matrix, 32768),
        eigen_product.product(rows, matrix, 1000),
        arm64_product.reference(rows, matrix, depth),
        arm64_product.ruy(rows, matrix, in_order=True),
        arm64_product.ruy(rows, matrix, in_order=False),
    ):
        assert np.array_equal(made, exact)
    for pairs in (True, False):
        made = arm64_product.xnnpack_dense(rows, matrix, bias, pairs)
        assert np.array_equal(made, exact + bias)
    assert np.array_equal(arm64_product.in_pairs(rows, matrix, bias, depth), exact + bias)


HUGE = f32(2.0**40)


def joined_after(product, depth, first, second):
    """How many products of 1 join a sum after these two, of +-2^40, have met in it."""
    rows, matrix = np.ones((8, depth), f32), np.ones((8, depth), f32)
    matrix[:, first], matrix[:, second] = HUGE, -HUGE
    return product(rows, matrix)


def test_the_late_product_of_ruy():
    """Read from the runtime's own sums: the ninth of twelve products is added last."""

    def product(rows, matrix):
        return arm64_product.ruy(rows, matrix, in_order=False)

    assert [joined_after(product, 12, k, k + 1)[0, 0] for k in range(11)] == list(range(10, -1, -1))
    late = [joined_after(product, 12, k, k + 1)[0, 5] for k in range(11)]
    assert late == [10, 9, 8, 7, 6, 5, 4, 0, 0, 2, 1]
    assert joined_after(product, 12, 7, 9)[5, 0] == 3


@pytest.mark.parametrize(
    "out, takes",
    [(1, True), (7, True), (8, False), (9, True), (15, False), (697, True), (705, False)],
)
def test_kernels_of_two_channels_are_taken_where_they_waste_less(out, takes):
    assert arm64_product.takes_two_channels(out) == takes
