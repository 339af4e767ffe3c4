"""Sums of int8 products: exact where a float32 sum would round, and as x86 wraps them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drqsim import accumulate

INT8, UINT8 = np.dtype(np.int8), np.dtype(np.uint8)
EXACT_TERMS = accumulate.EXACT_TERMS[INT8]


def int8(random, *shape):
    return random.integers(-128, 128, shape, dtype=np.int8)


@pytest.mark.parametrize("dtype", [INT8, UINT8])
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 5000), st.integers(1, 9))
def test_equal_to_the_integer_product(dtype, seed, n, k, channels):
    random = np.random.default_rng(seed)
    codes, weights = int8(random, n, k).view(dtype), int8(random, channels, k)
    expected = codes.astype(np.int64) @ weights.astype(np.int64).T
    assert np.array_equal(accumulate.exact_matmul(codes, weights), expected)


def test_exact_where_one_float32_sum_is_not():
    k = 4 * EXACT_TERMS + 1
    codes, weights = np.full((1, k), 127, np.int8), np.full((1, k), 127, np.int8)
    codes[0, 0] = 126  # an odd total above 2^24 has no float32
    total = accumulate.exact_matmul(codes, weights)
    assert total.dtype == np.int32
    assert total[0, 0] == 127 * 127 * k - 127
    assert int(np.float32(total[0, 0])) != total[0, 0]


def test_the_largest_product_fills_a_piece_exactly():
    k = EXACT_TERMS
    lowest = np.full((1, k), -128, np.int8)
    assert accumulate.exact_matmul(lowest, lowest)[0, 0] == 2**24


def test_products_of_uint8_codes_are_cut_into_shorter_pieces():
    k = 3 * accumulate.EXACT_TERMS[UINT8]
    codes, weights = np.full((1, k), 255, np.uint8), np.full((1, k), -128, np.int8)
    codes[0, 0], weights[0, 0] = 253, -127  # an odd product in the first piece
    assert accumulate.exact_matmul(codes, weights)[0, 0] == -(253 * 127 + 255 * 128 * (k - 1))
    assert accumulate.EXACT_TERMS[UINT8] * 255 * 128 <= 2**24


@given(st.integers(0, 2**32 - 1), st.integers(1, 70))
def test_lanes_that_do_not_wrap_give_the_plain_row_sums(seed, k):
    weights = int8(np.random.default_rng(seed), 4, k)
    assert np.array_equal(accumulate.row_sums_x86(weights), accumulate.row_sums(weights))


@pytest.mark.parametrize(("k", "lanes"), [(2064, 0), (2071, 0), (2072, 8), (2079, 8), (2080, 8)])
def test_lanes_wrap_past_int16(k, lanes):
    # 2064 weights of 127 put 258 * 127 = 32766 into each of eight lanes; 8 more overflow them all,
    # 7 more are added outside of the lanes
    weights = np.full((1, k), 127, np.int8)
    assert accumulate.row_sums(weights)[0] == 127 * k
    assert accumulate.row_sums_x86(weights)[0] == 127 * k - lanes * 65536


@pytest.mark.parametrize(("k", "wrong"), [(15, 0), (16, 16), (31, 16), (40, 32)])
def test_the_sign_of_the_lowest_weight_is_lost_in_whole_blocks(k, wrong):
    # a code of -1 times -128 is 128; in whole blocks of 16 columns it comes out as -128
    codes, weights = np.full((1, k), -1, np.int8), np.full((1, k), -128, np.int8)
    assert accumulate.dot_x86(codes, weights).tolist() == [[128 * (k - 2 * wrong)]]
    assert accumulate.dot_x86(-codes, weights).tolist() == [[-128 * k]]
    assert accumulate.dot_x86(codes, -(weights + 1)).tolist() == [[-127 * k]]
