"""Fused sums of a depthwise window: one tap after the other, each added to all pixels at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from drqsim.arithmetic.float_order import one_by_one
from drqsim.arithmetic.float_order.fused_steps import add_products

f32 = np.float32
TOGETHER = 16  # channels in one product of matrices
FEW = 25  # taps of which that holds a copy of every window


def fused(
    pixels: Sequence[np.ndarray],
    filters: Sequence[np.ndarray],
    start: np.ndarray,
    safe: bool,
    flush: bool,
) -> np.ndarray:
    """``start`` plus pixel times filter of every tap, rounded once at every step.

    Parameters
    ----------
    pixels : of float32 arrays [batch, height, width, channels]
        What each tap sees.
    filters : of float32 arrays [channels, multiplier]
        Each tap's weights.
    start : float32 [channels, multiplier]
        The bias, or 0.
    safe : bool
        Whether no value on the way is denormal, as ``fused_steps.are_safe`` says.
    flush : bool
        Whether denormal values become zero, at every step too.

    Returns
    -------
    float32 [batch, height, width, channels, multiplier]
    """
    *sizes, channels = pixels[0].shape
    shape = (*sizes, *start.shape)
    few = len(pixels) <= FEW
    if safe and few and len(pixels) * np.prod(shape) >= one_by_one.MANY:
        made = _by_blas(pixels, np.stack(filters), start)
        if made is not None:
            return made.reshape(shape)
    total = np.empty(shape, f32)
    height = max(1, one_by_one.BLOCK // max(1, total[0, :1].size))
    for image in range(len(total)):
        for top in range(0, shape[1], height):
            at = image, slice(top, top + height)
            pairs = ((x[at][..., None], w) for x, w in zip(pixels, filters, strict=True))
            total[at] = add_products(pairs, np.broadcast_to(start, total[at].shape), safe, flush)
    return total


def _by_blas(pixels, filters: np.ndarray, start: np.ndarray) -> np.ndarray | None:
    """The same as products of matrices that are zero where input and output channel differ.

    Adding a product of 0 changes no sum. Sixteen channels at a time, or most would be zeros.
    """
    taps, channels, multiplier = filters.shape
    parts = []
    for first in range(0, channels, TOGETHER):
        at = slice(first, first + TOGETHER)
        rows = np.stack([x[..., at] for x in pixels], axis=-2)
        own = np.arange(rows.shape[-1])
        matrix = np.zeros((len(own), multiplier, taps, len(own)), f32)
        matrix[own, :, :, own] = filters[:, at].transpose(1, 2, 0)
        depth = taps * len(own)
        made = one_by_one.by_blas(
            rows.reshape(-1, depth), matrix.reshape(-1, depth), start[at].ravel()
        )
        if made is None:
            return None
        parts.append(made)
    return np.concatenate(parts, axis=1)
