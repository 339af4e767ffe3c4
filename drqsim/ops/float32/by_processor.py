"""Which of XNNPACK's float kernels a processor runs, side by side.

Most operators are the same on all of them. A row here has those that are not: their formulas, and
the order of the sums, which follows the width of the vectors.

Sources, XNNPACK at the version of ai-edge-litert 2.3.0: ``src/configs/unary-elementwise-config.c``,
``src/configs/raddstoreexpminusmax-config.c``, ``src/configs/reduce-config.c``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from drqsim.arithmetic import vector_sums
from drqsim.arithmetic.floats import flush_denormals, fma
from drqsim.arithmetic.functions import exponentials, quotients, roots
from drqsim.processor import Processor

f32 = np.float32


class Kernels(NamedTuple):
    """What differs. Who calls takes denormals for zero before and after, but for ``sum``s."""

    logistic: Callable
    elu: Callable
    exp: Callable
    log: Callable
    sqrt: Callable
    rsqrt: Callable
    softmax_power: Callable
    softmax_sum: Callable  # over the last dimension
    sum: Callable  # over the last dimension
    scale: Callable  # (sum, scale, total) -> total + sum * scale
    larger: Callable
    smaller: Callable
    sign_bit: bool  # PRELU and LEAKY_RELU take -0 for negative


def scale_and_add(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """``a * b + c``, not fused."""
    return c + flush_denormals(a * b)


def _one_by_root(x: np.ndarray) -> np.ndarray:
    return f32(1) / np.sqrt(x)


def larger(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The larger one; of two equal ones (0 and -0), and of NaN and any, the second."""
    return np.where(a > b, a, b)


def smaller(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smaller one; of two equal ones (0 and -0), and of NaN and any, the second."""
    return np.where(a < b, a, b)


def larger_neon(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The larger one; 0 is larger than -0."""
    return np.where((a == 0) & (b == 0), a + b, np.maximum(a, b))


def smaller_neon(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smaller one; -0 is smaller than 0."""
    return -larger_neon(-a, -b)


AVX512 = Kernels(
    logistic=exponentials.logistic_avx512,
    elu=exponentials.elu_avx512,
    exp=quotients.exp,
    log=partial(quotients.log, avx512=True),
    sqrt=roots.sqrt_avx512,
    rsqrt=roots.rsqrt_avx512,
    softmax_power=exponentials.softmax_power_avx,
    softmax_sum=vector_sums.SOFTMAX_AVX512,
    sum=vector_sums.SUM_AVX512,
    scale=fma,
    larger=larger,
    smaller=smaller,
    sign_bit=False,
)
AVX2 = Kernels(
    logistic=exponentials.logistic_avx2,
    elu=exponentials.elu_avx2,
    exp=quotients.exp,
    log=partial(quotients.log, avx512=False),
    sqrt=roots.sqrt_avx2,
    rsqrt=roots.rsqrt_avx2,
    softmax_power=exponentials.softmax_power_avx,
    softmax_sum=vector_sums.SOFTMAX_AVX2,
    sum=vector_sums.SUM_AVX,
    scale=scale_and_add,
    larger=larger,
    smaller=smaller,
    sign_bit=True,
)
NEON = Kernels(
    logistic=exponentials.logistic_neon,
    elu=exponentials.elu_neon,
    exp=partial(quotients.exp, keeps_nan=True),
    log=partial(quotients.log, avx512=False),
    sqrt=np.sqrt,
    rsqrt=_one_by_root,
    softmax_power=exponentials.softmax_power_neon,
    softmax_sum=vector_sums.softmax_neon,
    sum=vector_sums.sum_neon,
    scale=fma,
    larger=larger_neon,
    smaller=smaller_neon,
    sign_bit=True,
)


def kernels(processor: Processor) -> Kernels:
    """The row of a processor."""
    if processor.neon:
        return NEON
    return AVX512 if processor.avx512 else AVX2
