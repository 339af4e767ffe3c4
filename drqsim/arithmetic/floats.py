"""float32 arithmetic that NumPy does not offer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

f32 = np.float32
f64 = np.float64


def fma(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Fused multiply-add in float32: ``a * b + c`` rounded once.

    Parameters
    ----------
    a, b, c : float32 arrays
        Broadcast against each other.

    Returns
    -------
    float32 array

    Notes
    -----
    The product of two float32 values is exact in float64. Its sum with ``c`` may not be; rounding
    that to float64 and then to float32 rounds twice. The two differ from one rounding only where
    the float64 sum lies halfway between two float32 values; there it is rounded to odd instead.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.asarray(np.multiply(a, b, dtype=f64) + c)
        once = total.astype(f32)
        # float64 has 29 bits more; denormal results have fewer bits, and are always looked at
        halfway = (total.view(np.int64) & (2**29 - 1)) == 2**28
        halfway |= (np.abs(once) <= np.finfo(f32).tiny) & (total != 0)
        if halfway.any():
            a, b, c = (np.broadcast_to(v, total.shape)[halfway] for v in (a, b, c))
            once[halfway] = _sum_to_odd(np.multiply(a, b, dtype=f64), c).astype(f32)
        return once


def _sum_to_odd(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a + b`` in float64, rounded to odd: if anything was lost, the last bit is set.

    That keeps a second rounding, to fewer bits, on the right side of a tie (Boldo and Melquiond
    2008). The loss is the error term of Knuth's two-sum.
    """
    total = a + b
    of_b = total - a
    lost = (a - (total - of_b)) + (b - of_b)
    bits = total.view(np.int64)
    towards = np.where((lost > 0) == (total > 0), 1, -1)
    odd = bits + np.where((lost != 0) & np.isfinite(total) & (bits & 1 == 0), towards, 0)
    return odd.view(f64)


def running_sum(x: np.ndarray) -> np.ndarray:
    """Sum over the first axis, one value after another, as a plain loop adds them up.

    ``np.sum`` adds contiguous values pairwise, which rounds differently. Adding whole rows keeps
    the order; a single column is accumulated.
    """
    rows = np.ascontiguousarray(x).reshape(len(x), -1)
    if rows.shape[1] == 1:
        total = np.add.accumulate(rows, axis=0, dtype=rows.dtype)[-1]
    else:
        # NumPy starts from 0, which would turn a sum of negative zeros into 0
        start = rows.dtype.type(-0.0)
        total = np.add.reduce(rows, axis=0, dtype=rows.dtype, initial=start)
    return total.reshape(x.shape[1:])


def flush_denormals(x: np.ndarray) -> np.ndarray:
    """Denormal float32 values become zero with their sign: the mode that XNNPACK computes in."""
    tiny = (np.abs(x) < np.finfo(f32).tiny) & (x != 0)
    return np.where(tiny, np.copysign(f32(0), x), x) if tiny.any() else x


def multiply_add(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """``a * b + c`` in float32, each rounded: what stands for ``fma`` where nothing is fused."""
    return a * b + c


def horner(x: np.ndarray, *coefficients: float, add: Callable = multiply_add) -> np.ndarray:
    """A polynomial in float32 from its highest coefficient down, each step an ``add``."""
    total = f32(coefficients[0])
    for coefficient in coefficients[1:]:
        total = add(total, x, f32(coefficient))
    return total


horner_fused = partial(horner, add=fma)


def is_normal(scale: np.ndarray) -> bool:
    """Whether all are positive and finite, and none is a denormal: what XNNPACK asks of a scale."""
    return bool(((scale >= np.finfo(f32).tiny) & np.isfinite(scale)).all())
