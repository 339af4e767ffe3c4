"""When two arrays are equal, how far they are apart, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from drqsim.arithmetic.apart import same_bits
from drqsim.errors import DrqsimError
from drqsim.litert.bounds import Bound, Fed
from drqsim.runtime import version

EQUAL = "equal"
WITHIN = {"sum": "within the bound of the sum", "function": "within the bound of the function"}
DIFFERENT = "different"
VERDICTS = (EQUAL, *WITHIN.values(), DIFFERENT)  # from best to worst


def verdict_of(row) -> str:
    """The verdict on a row with the fields ``elements``, ``equal``, ``bound`` and ``of_bound``."""
    if row.equal == row.elements:
        return EQUAL
    return WITHIN[row.bound] if row.bound and row.of_bound <= 1 else DIFFERENT


def worst(verdicts: Iterable[str]) -> str:
    """Of several verdicts the worst."""
    return max(verdicts, key=VERDICTS.index)


def check_kind(who: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Refuse to compare tensors of different shape or type."""
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        raise DrqsimError(
            f"{who} is {ours.dtype}{list(ours.shape)} here and "
            f"{theirs.dtype}{list(theirs.shape)} in the runtime {version()}; drqsim is proven "
            "against the version pinned in requirements.txt."
        )


def part_of_bound(bound: Bound | None, fed: Fed, theirs: np.ndarray) -> float:
    """The largest difference of an output, in parts of what its bound allows; infinite without."""
    equal = same_bits(fed.ours, theirs)
    if equal.all():
        return 0.0
    if bound is None:
        return float("inf")
    allowed = np.broadcast_to(bound.allowed(fed), fed.ours.shape)
    with np.errstate(invalid="ignore", divide="ignore"):  # infinite or undefined on either side
        apart = np.abs(fed.ours.astype(np.float64) - theirs.astype(np.float64)) / allowed
    apart = np.where(np.isnan(apart), np.inf, apart)
    apart = np.where(np.isinf(allowed), 1, apart)  # a part of the sum may overflow: nothing is said
    return float(np.where(equal, 0, apart).max())
