"""The figures of one operator: how its codes are spread, and some of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from drqsim import figures
from drqsim.figures import Figure
from drqsim.trace import TensorRecord

WIDE, HIGH = 12, 8  # codes of a tensor that are shown
# the same weights once more, in the kernel's own order
COPIES = ("filter_unpacked", "filter_packed", "im2col")


def of_operator(records: list[TensorRecord]) -> Iterator[Figure]:
    """Histograms and codes of what an operator has in 8 bits; nothing for a float operator.

    Parameters
    ----------
    records : list of TensorRecord
        Of the operator; those without values are passed over.
    """
    values = {r.name: r.value for r in records if r.value is not None and r.value.size}
    roles = {r.name: r.role for r in records}
    corners = []
    for name, codes in values.items():
        if not _are_codes(name, codes.dtype) or name in COPIES:
            continue
        kind = "weight" if roles[name] == "constant" else "int8"
        source = name.removesuffix("_quantized")
        scale, zero_point = values.get(f"{source}_scale"), values.get(f"{source}_zero_point", 0)
        zero_point = np.asarray(zero_point)
        single = scale is not None and scale.size == 1 and np.isfinite(scale).all()
        if kind == "int8" and single and source in values and _finite(values[source]):
            titles = (f"{source}, as it is read", f"{name}: its codes")
            at = int(zero_point.ravel()[0])
            both = values[source], codes
            kinds = "float32", "int8"
            yield figures.two_histograms(*both, titles, kinds, scale=scale, zero_point=at)
        else:
            yield figures.histogram(codes, f"{name}: codes", kind)
        center = int(zero_point.ravel()[0]) if kind == "int8" else 0
        corners.append(figures.grid(corner(codes), f"{name}, a corner", kind, center=center))
    if corners:
        yield figures.grids(corners)


def _are_codes(name: str, dtype: np.dtype) -> bool:
    """int8; or uint8, where that is made of a float input and no image that is fed."""
    return dtype == np.int8 or (dtype == np.uint8 and name.endswith("_quantized"))


def _finite(values: np.ndarray) -> bool:
    return values.dtype.kind == "f" and bool(np.isfinite(values).all())


def corner(values: np.ndarray) -> np.ndarray:
    """A few elements in two dimensions: of a picture its first channel, else the last two."""
    if values.ndim == 4 and values.shape[1] > 1 and values.shape[2] > 1:
        values = values[0, :, :, 0]
    values = values.reshape(-1, values.shape[-1]) if values.ndim else values.reshape(1, 1)
    return values[:HIGH, :WIDE]
