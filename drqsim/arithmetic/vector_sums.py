"""Sums along a dimension in the order of the kernels' vectors.

Values that lie next to each other in memory are added up register by register, so a sum of n values
is several sums, one for each lane, that are joined at the end. How many lanes, how many registers
in turn, and what happens to values that fill no register decides the last bit.

Sources: Eigen ``Core/Redux.h``; XNNPACK ``src/f32-rsum``, ``src/f32-raddstoreexpminusmax``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from drqsim.arithmetic.floats import flush_denormals, running_sum

f32 = np.float32
LANES = 4  # float32 values in an SSE register, for which Eigen is built
SAFE = f32(2.0**-102)  # sums of values from here on are whole multiples of 2^-125: never denormal


def eigen_sum(x: np.ndarray, start: int = 0, neon: bool = False) -> np.ndarray:
    """Eigen's sum over the last dimension: two registers in turn, from the first boundary on.

    Then come what lies before the boundary and what remains, value by value. Fewer than four values
    after the boundary are summed in order.

    Parameters
    ----------
    x : float32 array
    start : int
        How many values lie between the last 16-byte boundary and the first value.
    neon : bool
        On arm64 neighbors join first, on x86 halves.
    """
    n = x.shape[-1]
    first = min(-start % LANES, n)
    count = (n - first) // LANES
    if not count:
        return np.add.accumulate(x, axis=-1, dtype=f32)[..., -1]
    end = first + count * LANES
    registers = np.moveaxis(x[..., first:end].reshape(*x.shape[:-1], count, LANES), -2, 0)
    even = count - count % 2 or 1
    total = running_sum(registers[0:even:2])
    if count > 1:
        total = total + running_sum(registers[1:count:2])
        total = total + registers[-1] if count % 2 else total
    total = pairs(total) if neon else halves(total)
    for at in (*range(first), *range(end, n)):
        total = total + x[..., at]
    return total


def eigen_sum_of_rows(x: np.ndarray, neon: bool = False) -> np.ndarray:
    """The same of every row of an array that starts on a boundary."""
    n = x.shape[-1]
    rows = x.reshape(-1, n)
    total = np.empty(len(rows), f32)
    for turn in range(LANES):  # these rows begin equally far from a boundary
        total[turn::LANES] = eigen_sum(rows[turn::LANES], turn * n % LANES, neon)
    return total.reshape(x.shape[:-1])


class Loop(NamedTuple):
    """A loop of XNNPACK's that adds up values that lie next to each other."""

    lanes: int  # values in a register
    sums: int  # registers that hold a sum, used in turn
    turn: int  # registers read at a time
    late: bool  # whether whole registers that remain are added after the sums are joined


def xnnpack_sum(x: np.ndarray, loop: Loop) -> np.ndarray:
    """The sum over the last dimension, each lane from 0 on; what fills no register comes last."""
    lanes = loop.lanes
    missing = np.zeros((*x.shape[:-1], -x.shape[-1] % lanes), f32)
    total, rest = _lanes(np.concatenate([x, missing], axis=-1), loop, x.shape[-1] // lanes)
    for register in rest:
        total = flush_denormals(total + register)
    return halves(total, flush_denormals)


def _lanes(x: np.ndarray, loop: Loop, whole: int) -> tuple[np.ndarray, np.ndarray]:
    """The sum of each lane over ``whole`` registers, and the registers that are left."""
    # counted, as -1 has no meaning for an array of nothing
    registers = x.reshape(*x.shape[:-1], x.shape[-1] // loop.lanes, loop.lanes)
    registers = np.moveaxis(registers, -2, 0)
    early = whole - whole % loop.turn if loop.late else whole
    sums = [flushed_sum(registers[at : early : loop.sums]) for at in range(loop.sums)]
    while len(sums) > 1:
        half = len(sums) // 2
        sums = [flush_denormals(a + b) for a, b in zip(sums[:half], sums[half:], strict=True)]
    (total,) = sums
    for register in registers[early:whole]:
        total = flush_denormals(total + register)
    return total, registers[whole:]


SUM_AVX512 = partial(xnnpack_sum, loop=Loop(16, 2, 2, late=False))
SUM_AVX = partial(xnnpack_sum, loop=Loop(8, 4, 4, late=False))
SOFTMAX_AVX512 = partial(xnnpack_sum, loop=Loop(16, 2, 4, late=True))
SOFTMAX_AVX2 = partial(xnnpack_sum, loop=Loop(8, 2, 4, late=True))


def sum_neon(x: np.ndarray) -> np.ndarray:
    """arm64's: the halves are joined, then come two more values and the last one."""
    whole = x.shape[-1] // 4
    total, _ = _lanes(x[..., : 4 * whole], Loop(4, 4, 4, late=False), whole)
    total = flush_denormals(total[..., :2] + total[..., 2:])
    rest = x[..., 4 * whole :]
    if rest.shape[-1] >= 2:
        total = flush_denormals(total + rest[..., :2])
    total = flush_denormals(total[..., 0] + total[..., 1])
    return flush_denormals(total + rest[..., -1]) if rest.shape[-1] % 2 else total


def softmax_neon(x: np.ndarray) -> np.ndarray:
    """arm64's in softmax: one register in turn, its pairs joined, then a pair and the last one."""
    whole = x.shape[-1] // 4
    total, _ = _lanes(x[..., : 4 * whole], Loop(4, 1, 1, late=False), whole)
    total, rest = pairs(total, flush_denormals), x[..., 4 * whole :]
    if rest.shape[-1] >= 2:
        total = flush_denormals(total + flush_denormals(rest[..., 0] + rest[..., 1]))
    return flush_denormals(total + rest[..., -1]) if rest.shape[-1] % 2 else total


def flushed_sum(x: np.ndarray) -> np.ndarray:
    """The sum over the first axis from 0 on, one after another, denormal sums taken for zero."""
    size = np.abs(x)
    if not ((size > 0) & (size < SAFE)).any():
        return (running_sum(x) if len(x) else np.zeros(x.shape[1:], f32)) + f32(0)
    total = np.zeros(x.shape[1:], f32)
    for row in x:
        total = flush_denormals(total + row)
    return total


def _as_it_is(x: np.ndarray) -> np.ndarray:
    return x


def halves(register: np.ndarray, flush: Callable = _as_it_is) -> np.ndarray:
    """The sum of a register's lanes: its halves are added until one value is left."""
    while register.shape[-1] > 1:
        register = flush(np.add(*np.split(register, 2, axis=-1)))
    return register[..., 0]


def pairs(register: np.ndarray, flush: Callable = _as_it_is) -> np.ndarray:
    """The same, neighbors added: arm64's instruction."""
    while register.shape[-1] > 1:
        register = flush(register[..., ::2] + register[..., 1::2])
    return register[..., 0]
