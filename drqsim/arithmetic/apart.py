"""How far two arrays are apart: bit for bit, and in numbers."""

from __future__ import annotations

import numpy as np


def same_bits(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Which elements have the same bits; any NaN equals any other, as their payloads differ."""
    bits = np.dtype(f"u{ours.dtype.itemsize}")
    equal = np.ascontiguousarray(ours).view(bits) == np.ascontiguousarray(theirs).view(bits)
    return equal | (ours != ours) & (theirs != theirs)  # NaN


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference of two elements; none where their bits are the same."""
    with np.errstate(invalid="ignore"):  # infinity minus infinity, in a model that overflows
        apart = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    return float(np.where(same_bits(ours, theirs), 0, apart).max(initial=0))


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, divided by the range of ``theirs``, zero included."""
    wide = theirs.astype(np.float64)
    span = wide.max(initial=0) - wide.min(initial=0)
    with np.errstate(invalid="ignore"):  # infinite values on both sides
        return difference(ours, theirs) / (span or 1.0)
