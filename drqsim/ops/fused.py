"""Fused activations: the clamp that a kernel applies before it stores its output."""

from __future__ import annotations

import numpy as np

from drqsim.ops.call import Call

f32 = np.float32
FLT_MAX = np.finfo(f32).max

# CalculateActivationRange in tflite/kernels/kernel_util.h
RANGES = {
    "NONE": (-FLT_MAX, FLT_MAX),
    "RELU": (f32(0), FLT_MAX),
    "RELU6": (f32(0), f32(6)),
    "RELU_N1_TO_1": (f32(-1), f32(1)),
}


def apply(x: np.ndarray, activation: str, unbounded: bool = False) -> np.ndarray:
    """Clamp float32 ``x`` to the activation's range.

    The builtin kernels have no infinity: NONE and RELU end at the largest float32. With
    ``unbounded`` (XNNPACK) they do not end.
    """
    low, high = bounds(activation, unbounded)
    clamped = np.maximum(x, low)
    return np.minimum(clamped, high, out=clamped)


def lower_nan(x: np.ndarray, activation: str) -> None:
    """Where ``x`` is NaN, put the lower end: a clamp in which the bound, not the value, survives.

    ``_mm_max_ps(x, low)`` and ``std::max(low, x)`` are such clamps, ``std::max(x, low)`` is not.
    """
    x[np.isnan(x)] = bounds(activation)[0]


def clamp(
    x: np.ndarray, activation: str, unbounded: bool = False, zero: bool = False
) -> np.ndarray:
    """The same by comparisons, as in the kernels without weights: a negative zero passes.

    With ``zero`` (XNNPACK on arm64) it does not: there -0 is smaller than 0.
    """
    low, high = bounds(activation, unbounded)
    below = x <= low if zero else x < low
    return np.where(below, low, np.where(x > high, high, x))


def bounds(activation: str, unbounded: bool = False) -> tuple[np.float32, np.float32]:
    """The ends of the activation's range, infinite where they are if ``unbounded``."""
    low, high = RANGES[activation]
    if unbounded:
        low, high = (-np.inf if low == -FLT_MAX else low), (np.inf if high == FLT_MAX else high)
    return f32(low), f32(high)


# CalculateActivationRange knows no range for these: convolutions leave them out without a word
WITHOUT_RANGE = ("TANH", "SIGN_BIT")


def check(call: Call, activation: str) -> str:
    """The activation that this operator's kernels really apply."""
    if activation in WITHOUT_RANGE:
        return "NONE"
    if activation not in RANGES:
        raise call.refuse(
            f"the fused activation {activation} is not simulated; expected one of "
            f"{', '.join((*RANGES, *WITHOUT_RANGE))}."
        )
    return activation
