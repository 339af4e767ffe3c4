"""The estimate of 1 / sqrt(x) and what a Newton step makes of it."""

from pathlib import Path

import numpy as np
import pytest

from drqsim import litert, processor
from drqsim.arithmetic.functions import roots
from tests.kit.one_operator import one_operator

f32 = np.float32
CPUINFO = Path("/proc/cpuinfo")
# every estimate of two octaves: it looks at 15 bits below the exponent
OCTAVES = (np.arange(127 << 15, 129 << 15, dtype=np.uint32) << 8 | 1).view(f32)


def test_an_estimate_is_good_to_14_bits_and_falls():
    """What the instruction's description promises."""
    y = roots.estimate(OCTAVES).astype(np.float64)
    assert np.abs(y * np.sqrt(OCTAVES.astype(np.float64)) - 1).max() < 2.0**-14
    assert (np.diff(y) <= 0).all() and np.diff(y).min() < 0


def test_estimates_of_zero_infinity_and_powers_of_four():
    x = f32([0, -0.0, np.inf, -1, 1, 4, 0.25, 2.0**100])
    expected = f32([np.inf, -np.inf, 0, np.nan, 1, 0.5, 2, 2.0**-50])
    assert np.array_equal(roots.estimate(x), expected, equal_nan=True)


def is_known():
    """The lines were measured on a processor of AMD's."""
    text = CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else ""
    return processor.native().avx512 and "AuthenticAMD" in text


@pytest.mark.parametrize("code", ["SQRT", "RSQRT"])
def test_the_runtime_has_the_same_bits_where_the_estimate_is_known(code):
    """Elsewhere it is within two units in the last place."""
    random = np.random.default_rng(0)
    bits = random.integers(2**23, 255 << 23, 60_000, dtype=np.int64).astype(np.uint32).view(f32)
    x = np.append(np.concatenate([bits, OCTAVES]), f32([0, -0.0, 1e-40, 3.4e38]))
    comparison = litert.compare(one_operator(code, [x.shape], [x.shape]), x, "xnnpack")
    assert len(comparison.rows) == 1
    allowed = {"equal"} if is_known() else {"equal", "within the bound of the function"}
    assert comparison.rows[0].verdict in allowed, comparison
