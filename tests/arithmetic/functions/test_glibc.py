"""The C library's functions: every bit as in the library itself."""

import ctypes

import numpy as np
import pytest

from drqsim import processor
from drqsim.arithmetic.functions import glibc

f32 = np.float32
SPECIAL = f32([0, -0.0, 1, -1, 1e-40, -1e-40, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan])
ONE = ("expf", "logf", "sinf", "cosf", "tanhf")
ARM64 = processor.native().neon

pytestmark = pytest.mark.skipif(
    not glibc.is_here(), reason="only glibc 2.27 to 2.40 has these functions"
)


def any_bits(random, n):
    return random.integers(0, 2**32, n, dtype=np.uint64).astype(np.uint32).view(f32)


def spread(seed=0, n=6000):
    """Values of every size: what a model holds, what wraps around, and any bits at all."""
    random = np.random.default_rng(seed)
    usual = [random.normal(size=n) * scale for scale in (1e-3, 0.1, 1, 4, 20, 1e5)]
    return np.concatenate([*(part.astype(f32) for part in usual), any_bits(random, n), SPECIAL])


def of_the_library(name, *arguments):
    function = getattr(ctypes.CDLL("libm.so.6"), name)
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float] * len(arguments)
    return f32([function(*values) for values in zip(*(a.tolist() for a in arguments), strict=True)])


def assert_same_bits(ours, theirs):
    same = (ours.view(np.uint32) == theirs.view(np.uint32)) | np.isnan(ours) & np.isnan(theirs)
    assert same.all(), np.flatnonzero(~same)[:5]


@pytest.mark.parametrize("name", ONE)
def test_one_argument(name):
    x, how = spread(), {"fused": ARM64} if name == "tanhf" else {}
    assert_same_bits(getattr(glibc, name)(x, **how), of_the_library(name, x))


def test_the_rest_of_expf_is_computed_as_with_a_fused_multiply_add():
    x = f32([float.fromhex("-0x1.f8cbb2p+5")])  # the one float32 that goes wrong without
    ours, theirs = glibc.expf(x), of_the_library("expf", x)
    assert ours == theirs or ARM64  # which has an instruction to round in between


def test_expm1f_of_what_is_not_positive():
    x = -np.abs(spread(1))
    assert_same_bits(glibc.expm1f(x, ARM64), of_the_library("expm1f", x))


def test_powers_with_their_signs_and_special_cases():
    random = np.random.default_rng(2)
    usual, exponents = np.abs(random.normal(size=9000)) * 3, random.normal(size=9000) * 4
    whole = random.integers(-6, 7, 4000)
    few = np.append(SPECIAL, f32([2, -2, 0.5, 3, -3]))
    pairs = np.meshgrid(few, few)
    bits = any_bits(random, 9000)
    x = [usual, random.normal(size=4000), bits, np.abs(bits), pairs[0].ravel()]
    y = [exponents, whole, bits[::-1], random.normal(size=9000), pairs[1].ravel()]
    x, y = (np.concatenate([part.astype(f32) for part in parts]) for parts in (x, y))
    assert_same_bits(glibc.powf(x, y), of_the_library("powf", x, y))
