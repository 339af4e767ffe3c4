"""XNNPACK takes operators that move values under these conditions.

How to read them is told in ``site.py``.
"""

from __future__ import annotations

import numpy as np

from drqsim.ops.delegate.site import (
    FLOAT32,
    INT8,
    INT32,
    INT64,
    MOST_DIMENSIONS,
    UINT8,
    Reasons,
    Site,
    codes,
    dimensions,
    is_vector,
    kind,
    of_kind,
)
from drqsim.ops.operand_checks import whole


def _concatenation(site: Site) -> Reasons:
    yield site.counts(2, 5)
    yield site.present(*range(len(site.reads)))
    (y,) = site.writes
    yield codes(y)
    if any(site.options["axis"] >= len(x.shape) for x in site.reads):
        yield f"XNNPACK refuses the new dimension {site.options['axis']}"
    yield codes(*site.reads)
    if kind(y) == UINT8 and any(whole(x) != whole(y) for x in site.reads):
        yield "XNNPACK refuses uint8 inputs with scales of their own"


def _pad(site: Site) -> Reasons:
    yield site.counts(2)
    (x, borders), (y,) = site.reads, site.writes
    yield codes(x)
    yield dimensions(x, 1, MOST_DIMENSIONS)
    yield of_kind(borders, INT32)
    if borders.shape != (len(x.shape), 2):
        yield f"its borders are {borders} for {len(x.shape)} dimensions"
    yield site.in_file(1, "borders")
    yield codes(y)
    yield dimensions(y, 1, MOST_DIMENSIONS)
    if (borders.value < 0).any():
        yield "XNNPACK refuses a negative border"


def _reshape(site: Site) -> Reasons:
    yield site.counts(1, 2)
    yield site.present(*range(len(site.reads)))
    x, (y,) = site.reads[0], site.writes
    for tensor in (x, y):
        yield codes(tensor)
        yield dimensions(tensor, 0, MOST_DIMENSIONS)
    if kind(y) in (INT8, UINT8) and whole(x) != whole(y):
        yield "XNNPACK refuses another scale behind it"
    if len(site.reads) == 2:
        yield of_kind(site.reads[1], INT32)
        yield is_vector(site.reads[1], "shape", squeezed=True)
        yield site.in_file(1, "shape")
        shape = site.reads[1].value.reshape(-1)
    else:
        shape = np.array(site.options["new_shape"])
    if shape.size == 1 and shape[0] in (0, -1):
        yield f"XNNPACK refuses the shape [{shape[0]}]"


def _slice(site: Site) -> Reasons:
    yield site.present(0, 1, 2)
    x, begin, size = site.reads[:3]
    for at, tensor in ((1, begin), (2, size)):
        yield is_vector(tensor, "begin and size")
        yield site.in_file(at, "begin and size")
        yield of_kind(tensor, INT32, INT64)
    if begin.shape != size.shape:
        yield "its begin and its size have not the same length"
    yield codes(x, site.writes[0])
    if (size.value <= 0).any():
        yield "XNNPACK refuses a size that reaches to the end"


def _strided_slice(site: Site) -> Reasons:
    masks = ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    given = [name for name in masks if site.options[name]]
    if given:
        yield f"XNNPACK knows no {given[0]}"
    yield site.present(0, 1, 2, 3)
    x = site.reads[0]
    for at in (3, 1, 2):
        yield is_vector(site.reads[at], "begin, end and strides")
        yield site.in_file(at, "begin, end and strides")
        yield of_kind(site.reads[at], INT32)
    if (site.reads[3].value != 1).any():
        yield "XNNPACK refuses strides other than 1"
    if any(site.reads[at].shape != (len(x.shape),) for at in (1, 2, 3)):
        yield "XNNPACK wants a begin, an end and a stride for every dimension"
    yield codes(x, site.writes[0])


def _depth_to_space(site: Site) -> Reasons:
    yield site.counts(1)
    yield codes(*site.reads, *site.writes)
    if site.options["block_size"] <= 1:
        yield f"XNNPACK refuses the block size {site.options['block_size']}"


def _space_to_depth(site: Site) -> Reasons:
    yield site.counts(1)
    (x,) = site.reads
    yield codes(x, also=(FLOAT32,))
    yield codes(*site.writes)
    block = site.options["block_size"]
    if block <= 1 or len(x.shape) < 3 or x.shape[1] % block or x.shape[2] % block:
        yield f"XNNPACK refuses the block size {block} for {x}"


def _split(site: Site) -> Reasons:
    if site.options["num_splits"] != len(site.writes):
        yield f"it has {len(site.writes)} outputs for {site.options['num_splits']} parts"
    yield site.counts(2, outputs=(2, 4))
    axis, x = site.reads
    yield of_kind(axis, INT32)
    yield site.in_file(0, "axis")
    yield codes(x, *site.writes)


def _transpose(site: Site) -> Reasons:
    yield site.counts(2)
    x, _ = site.reads
    yield codes(x)
    yield dimensions(x, 1, MOST_DIMENSIONS)
    yield site.in_file(1, "order of dimensions")


RULES = {
    "CONCATENATION": _concatenation,
    "DEPTH_TO_SPACE": _depth_to_space,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "SLICE": _slice,
    "SPACE_TO_DEPTH": _space_to_depth,
    "SPLIT": _split,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
}
