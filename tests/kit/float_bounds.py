"""How far a float operator may be from the runtime: what is not listed is exact."""

import numpy as np

import drqsim
from tests.kit.layer_cases import LAYERS
from tests.kit.one_operator import (
    UNIT,
    f32,
    graph,
)
from tests.kit.strategies import KERNELS

# The runtime's exp, tanh and erf are polynomials of its own on each kernel path. Their distance
# from the true value, measured on [-20, 20] for 2.3.0, is at most 5e-7 of the larger of 1 and |y|;
# the bound is twice that.
APPROXIMATE = ("ELU", "TANH", "LOGISTIC", "GELU", "SOFTMAX")
BOUND = 1e-6


f64 = np.float64
TINY = np.finfo(f32).tiny


def steps(count):
    """A bound of ``count`` float32 steps at the result."""

    def bound(case, ours):
        with np.errstate(invalid="ignore"):
            return count * np.spacing(np.abs(ours)).astype(f64) + TINY

    return bound


def exp_xnnpack(case, ours):
    # the argument is split into a power of two and a rest in float32: its error grows with |x|
    x = case.operands[0].value.astype(f64)
    return (np.abs(x) + 4) * 2 * UNIT * ours + TINY


def sine_xnnpack(case, ours):
    # whole turns are taken off, a turn being known to 33 bits; four roundings of an angle up to pi
    # (a unit there is twice that of 1), then a quotient of polynomials
    x = np.abs(case.operands[0].value.astype(f64))
    return 12 * UNIT + x * 2.0**-33


def sums(case, ours):
    # either sum of n terms is within n units of the sum of their sizes
    x, axes = case.operands[0].value, tuple(case.operands[1].value)
    keep = case.options["keep_dims"]
    count = np.prod([x.shape[a] for a in axes])
    size = np.abs(x.astype(f64)).sum(axis=axes, keepdims=keep)
    size = np.where(size < np.finfo(f32).max, size, np.inf)  # a part of the sum may overflow
    if case.code == "MEAN":
        size = size / count
    return 2 * (count + 1) * (UNIT * size + TINY)


def log_softmax(case, ours):
    # every rounding on the way: x - max, n powers and their sum, its logarithm, the result
    x = case.operands[0].value.astype(f64)
    shifted = x.max(axis=-1, keepdims=True) - x
    return 2 * UNIT * (shifted + np.abs(ours) + x.shape[-1] + 5)


def layer(case, ours):
    # the sum of the sizes of all n terms is what the operator gives for absolute values
    wider = [o._replace(value=_absolute(o.value)) for o in case.operands]
    options = case.options | {"fused_activation_function": "NONE"}
    bare, feeds = graph(case._replace(operands=wider, options=options))
    (size,) = drqsim.run(bare, feeds)[0].values()
    weights = case.operands[1].value
    terms = weights.shape[-1] if case.code == "FULLY_CONNECTED" else weights.size
    return 2 * (terms + 2) * UNIT * size.astype(f64)


def _absolute(value):
    return np.abs(value) if value is not None and value.dtype == f32 else value


# what is not listed is exact on every kernel path
BOUNDS = {
    # the C library's functions against the true value, rounded
    ("EXP", "reference"): steps(1),
    ("EXP", "optimized"): steps(1),
    **{(code, k): steps(1) for code in ("LOG", "SIN", "COS") for k in ("reference", "optimized")},
    ("POW", "reference"): steps(1),
    ("POW", "optimized"): steps(1),
    ("POW", "xnnpack"): steps(1),
    # XNNPACK's polynomials and Newton steps, which differ between CPUs
    ("EXP", "xnnpack"): exp_xnnpack,
    ("SIN", "xnnpack"): sine_xnnpack,
    ("COS", "xnnpack"): sine_xnnpack,
    ("SQRT", "xnnpack"): steps(2),
    ("RSQRT", "xnnpack"): steps(2),
    # the order of summation: vectors of the CPU's width, where it runs along the last dimension
    ("MEAN", "optimized"): sums,
    ("MEAN", "xnnpack"): sums,
    ("SUM", "xnnpack"): sums,
    **{("LOG_SOFTMAX", kernels): log_softmax for kernels in KERNELS},
    **{(code, kernels): layer for code in LAYERS for kernels in KERNELS},
}
# the reference kernel adds tap after tap, as drqsim does
del BOUNDS["DEPTHWISE_CONV_2D", "reference"]
