"""How far two arrays are apart: bit for bit, and in numbers."""

from __future__ import annotations

import numpy as np

BLOCK = 2**20  # elements


def same_bits(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Which elements have the same bits; any NaN equals any other, as their payloads differ."""
    bits = np.dtype(f"u{ours.dtype.itemsize}")
    equal = np.ascontiguousarray(ours).view(bits) == np.ascontiguousarray(theirs).view(bits)
    return equal | (ours != ours) & (theirs != theirs)  # NaN


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference of two elements; none where their bits are the same."""
    pairs = zip(_blocks(ours), _blocks(theirs), strict=True)
    return max((_difference(*pair) for pair in pairs), default=0.0)


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    with np.errstate(invalid="ignore"):  # infinity minus infinity, in a model that overflows
        apart = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    return float(np.where(same_bits(ours, theirs), 0, apart).max(initial=0))


def _blocks(values: np.ndarray) -> list[np.ndarray]:
    """The elements in pieces: in float64 the whole would take twice its own memory."""
    flat = values.reshape(-1)
    return [flat[at : at + BLOCK] for at in range(0, flat.size, BLOCK)]


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, divided by the range of ``theirs``, zero included."""
    with np.errstate(invalid="ignore"):  # infinite values on both sides
        span = np.float64(theirs.max(initial=0)) - np.float64(theirs.min(initial=0))
        return difference(ours, theirs) / (span or 1.0)
