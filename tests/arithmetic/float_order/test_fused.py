"""Every way to fused sums, against the loop of ``fma``, on values that are made to part them.

Midpoints between two float32 values, of which float64 loses the side; denormals; what overflows.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drqsim.arithmetic.float_order import blas_in_order, by_taps, one_by_one
from drqsim.arithmetic.float_order.fused_steps import add_products, are_safe
from drqsim.arithmetic.floats import flush_denormals, fma
from tests.kit.one_operator import same_bits

f32 = np.float32
SEED = st.integers(0, 2**32 - 1)
# 24929 * 673 = 2^24 + 1: the product of the first two is halfway between two float32 values, and so
# are 1 and the product of the next two, but for 2^-64, which float64 loses; ``FAR`` from a sum of 1
MIDPOINTS = [24929, 673 / 2**24, 1 + 2.0**-20, 2.0**-24 * (1 - 2.0**-20), 1, 1 + 2.0**-23]
FAR = f32(2.0**-54)
ORDINARY = [0.0, -0.0, 3, -1 / 3, 1e-9, -(2.0**-30), 5e7]
TINY = [2.0**-126, 2.0**-149, -(2.0**-130), 411849 * 2.0**-100, 20857 * 2.0**-83, 2.0**-127]
ENDLESS = [np.inf, -np.inf, np.nan, 3e38, -3e38]
KINDS = {
    "midpoints": MIDPOINTS,
    "midpoints among others": MIDPOINTS + ORDINARY,
    "denormals": MIDPOINTS + TINY,
    "infinities": ORDINARY + ENDLESS,
    "all": MIDPOINTS + ORDINARY + TINY + ENDLESS,
}


def drawn(random, kind, *shape):
    """Of these values, or close to them, of either sign."""
    values = f32(random.choice(KINDS[kind], shape) * random.choice([1, 1, -1], shape))
    return np.where(random.random(shape) < 0.1, np.nextafter(values, f32(0)), values)


def loop(pairs, start, flush):
    flushed = flush_denormals if flush else np.copy
    total = flushed(start)
    for x, w in pairs:
        total = flushed(fma(flushed(x), flushed(w), total))
    return total


@pytest.mark.parametrize("flush", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@given(seed=SEED, n=st.integers(1, 9), out=st.integers(1, 17), depth=st.integers(1, 40))
def test_fused_sums_have_the_bits_of_the_loop(kind, flush, seed, n, out, depth):
    random = np.random.default_rng(seed)
    rows, matrix = (drawn(random, kind, size, depth) for size in (n, out))
    start = drawn(random, kind, out) * random.choice([f32(1), FAR], out)
    pairs = zip(rows.T[:, :, None], matrix.T, strict=True)
    expected = loop(pairs, np.broadcast_to(start, (n, out)), flush)
    assert same_bits(one_by_one.fused(rows, matrix, start, flush), expected)


def test_midpoints_are_met():
    """The values above do what they are for: rounded twice, sums of them are other ones."""
    random = np.random.default_rng(0)
    x, w, start = (drawn(random, "midpoints", 4096) for _ in range(3))
    start *= random.choice([f32(1), FAR], 4096)
    assert are_safe(x, w, start)
    once, exact = add_products([(x, w)], start, True, False), fma(x, w, start)
    twice = (x.astype(np.float64) * w + start).astype(f32)
    assert same_bits(once, exact) and (twice != exact).sum() > 20


def test_denormal_sums_are_rounded_once():
    a, b, c = f32([411849 * 2.0**-100]), f32([20857 * 2.0**-83]), f32([2.0**-127])
    assert not are_safe(a, b, c)
    made = one_by_one.fused(a[None], b[None], c)
    assert made == fma(a, b, c) != c


# rows, columns, products of a sum: what convolutions have, what no library does in one way, and
# more than BLAS's blocks hold
LARGE = [(3000, 32, 27), (49, 500, 64), (1, 300, 250), (70, 3, 500), (20, 33, 1024), (17, 16, 4000)]


@pytest.mark.parametrize("n, out, depth", LARGE)
def test_large_products_have_the_bits_of_the_steps(n, out, depth, monkeypatch):
    random = np.random.default_rng(depth)
    rows, matrix = (f32(random.normal(size=(size, depth))) for size in (n, out))
    rows[random.random(rows.shape) < 0.4] = 0  # as RELU leaves them
    start = f32(random.normal(size=out))
    assert rows.size * out >= one_by_one.MANY
    made = one_by_one.fused(rows, matrix, start, flush=True)
    monkeypatch.setattr(one_by_one, "MANY", np.inf)
    assert same_bits(made, one_by_one.fused(rows, matrix, start, flush=True))


SHAPES = [(16, 32, 28), (16, 16, 2), (64, 16, 513), (16, 48, 1025), (160, 64, 96)]
REMAINDERS = [(1, 300, 250), (5, 1, 30), (3, 3, 700), (2, 1000, 300), (64, 64, 3000)]


@pytest.mark.parametrize("height, width, depth", SHAPES + REMAINDERS)
def test_blas_is_taken_just_where_it_adds_in_order(height, width, depth):
    """With other values than those that the shape is tried with."""
    random = np.random.default_rng(99)
    rows, columns = (
        f32(random.normal(size=(height, depth))),
        f32(random.normal(size=(depth, width))),
    )
    pairs = zip(rows.T[:, :, None], columns, strict=True)
    sums = add_products(pairs, np.zeros((height, width), f32), True, False)
    in_order = np.array_equal(rows @ columns, sums)
    assert blas_in_order.adds_in_order(height, width, depth) == in_order


@given(n=st.integers(1, 20000), out=st.integers(1, 3000), depth=st.integers(2, 9000))
def test_blocks_are_small_and_cover_all(n, out, depth):
    height, width = blas_in_order.block(n, out, depth)
    if depth * 16 * 16 > 10**6:
        assert 0 in (height, width)
        return
    assert height % 16 == width % 16 == 0 and height * width * depth <= 10**6
    for size, piece in ((n, height), (out, width)):
        assert piece * -(-size // piece) - size < 16 * -(-size // piece)


@pytest.mark.parametrize("what", ["negative zeros", "an infinity", "an overflow", "a denormal"])
def test_what_blas_does_in_its_own_way_is_done_step_by_step(what):
    random = np.random.default_rng(5)
    rows, matrix = f32(random.normal(size=(400, 9))), f32(random.normal(size=(32, 9)))
    start = f32(random.normal(size=32))
    if what == "negative zeros":
        start[:], rows[:50] = -0.0, -0.0
        matrix = np.abs(matrix)
    elif what == "an infinity":
        rows[7, 3] = np.inf
    elif what == "an overflow":
        rows[7] = f32(3e38)
    else:
        rows[7], matrix[1] = f32(1e-30), f32(1e-9)
        start[1] = 0
    assert rows.size * 32 >= one_by_one.MANY
    pairs = zip(rows.T[:, :, None], matrix.T, strict=True)
    expected = loop(pairs, np.broadcast_to(start, (400, 32)), True)
    assert same_bits(one_by_one.fused(rows, matrix, start, flush=True), expected)


@pytest.mark.parametrize("kind", KINDS)
@given(
    seed=SEED,
    sizes=st.tuples(st.integers(1, 2), st.integers(1, 5), st.integers(1, 5), st.integers(1, 19)),
    multiplier=st.integers(1, 3),
    taps=st.integers(1, 9),
    flush=st.booleans(),
)
def test_taps_have_the_bits_of_the_loop(kind, seed, sizes, multiplier, taps, flush):
    random = np.random.default_rng(seed)
    x, w = drawn(random, kind, taps, *sizes), drawn(random, kind, taps, sizes[3], multiplier)
    start = drawn(random, kind, sizes[3], multiplier) * random.choice([f32(1), FAR])
    if flush:
        x, w, start = (flush_denormals(v) for v in (x, w, start))
    safe = are_safe(x, w, start)
    pairs = zip(x[..., None], w, strict=True)
    expected = loop(pairs, np.broadcast_to(start, (*sizes, multiplier)), flush)
    assert same_bits(by_taps.fused(list(x), list(w), start, safe, flush), expected)


@pytest.mark.parametrize("special", [None, np.inf, -0.0])
@pytest.mark.parametrize("channels, multiplier", [(16, 1), (40, 1), (5, 3), (1, 9)])
def test_large_windows_have_the_bits_of_the_loop(channels, multiplier, special):
    random = np.random.default_rng(channels)
    x = f32(random.normal(size=(9, 1, 40, 40, channels)))
    w, start = f32(random.normal(size=(9, channels, multiplier))), np.ones((channels, multiplier))
    start = f32(start * (special if special == 0 else 1))
    if special is not None:
        x[:, 0, 3, 5] = special
        w = np.abs(w)
    pairs = zip(x[..., None], w, strict=True)
    expected = loop(pairs, np.broadcast_to(start, (*x.shape[1:], multiplier)), False)
    safe = are_safe(x, w, start)
    assert safe and x.size * multiplier >= one_by_one.MANY
    assert same_bits(by_taps.fused(list(x), list(w), start, safe, False), expected)
