"""Sums along a dimension in the order of the kernels' vectors.

Values that lie next to each other in memory are added up register by register, so a sum of n values
is several sums, one for each lane, that are joined at the end. How many lanes, how many registers
in turn, and what happens to values that fill no register decides the last bit.

Sources: Eigen ``Core/Redux.h``; XNNPACK ``src/f32-rsum``, ``src/f32-raddstoreexpminusmax``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drqsim.arithmetic.floats import flush_denormals, running_sum

f32 = np.float32
LANES = 4  # float32 values in an SSE register, for which Eigen is built
SAFE = f32(2.0**-102)  # sums of values from here on are whole multiples of 2^-125: never denormal


def eigen_sum(x: np.ndarray, start: int = 0) -> np.ndarray:
    """Eigen's sum over the last dimension: two registers in turn, from the first boundary on.

    Then come what lies before the boundary and what remains, value by value. Fewer than four values
    after the boundary are summed in order.

    Parameters
    ----------
    x : float32 array
    start : int
        How many values lie between the last 16-byte boundary and the first value.
    """
    n = x.shape[-1]
    first = min(-start % LANES, n)
    count = (n - first) // LANES
    if not count:
        return np.add.accumulate(x, axis=-1, dtype=f32)[..., -1]
    end = first + count * LANES
    registers = np.moveaxis(x[..., first:end].reshape(*x.shape[:-1], count, LANES), -2, 0)
    pairs = count - count % 2 or 1
    total = running_sum(registers[0:pairs:2])
    if count > 1:
        total = total + running_sum(registers[1:count:2])
        total = total + registers[-1] if count % 2 else total
    total = halves(total)
    for at in (*range(first), *range(end, n)):
        total = total + x[..., at]
    return total


def eigen_sum_of_rows(x: np.ndarray) -> np.ndarray:
    """The same of every row of an array that starts on a boundary."""
    n = x.shape[-1]
    rows = x.reshape(-1, n)
    total = np.empty(len(rows), f32)
    for turn in range(LANES):  # these rows begin equally far from a boundary
        total[turn::LANES] = eigen_sum(rows[turn::LANES], turn * n % LANES)
    return total.reshape(x.shape[:-1])


class Vectors(NamedTuple):
    """A loop of XNNPACK's that adds up values that lie next to each other."""

    lanes: int  # values in a register
    sums: int  # registers that hold a sum, used in turn
    turn: int  # registers read at a time
    late: bool  # whether whole registers that remain are added after the sums are joined


SUM_AVX512, SUM_AVX = Vectors(16, 2, 2, late=False), Vectors(8, 4, 4, late=False)
SOFTMAX_AVX512, SOFTMAX_AVX2 = Vectors(16, 2, 4, late=True), Vectors(8, 2, 4, late=True)


def xnnpack_sum(x: np.ndarray, by: Vectors) -> np.ndarray:
    """The sum over the last dimension, each lane from 0 on."""
    n, lanes = x.shape[-1], by.lanes
    missing = np.zeros((*x.shape[:-1], -n % lanes), f32)
    registers = np.concatenate([x, missing], axis=-1)
    registers = registers.reshape(*x.shape[:-1], registers.shape[-1] // lanes, lanes)
    registers = np.moveaxis(registers, -2, 0)
    whole = n // lanes
    early = whole - whole % by.turn if by.late else whole
    sums = [flushed_sum(registers[at : early : by.sums]) for at in range(by.sums)]
    while len(sums) > 1:
        half = len(sums) // 2
        sums = [flush_denormals(a + b) for a, b in zip(sums[:half], sums[half:], strict=True)]
    (total,) = sums
    for register in registers[early:]:
        total = flush_denormals(total + register)
    return flushed_halves(total)


def flushed_sum(x: np.ndarray) -> np.ndarray:
    """The sum over the first axis from 0 on, one after another, denormal sums taken for zero."""
    size = np.abs(x)
    if not ((size > 0) & (size < SAFE)).any():
        return (running_sum(x) if len(x) else np.zeros(x.shape[1:], f32)) + f32(0)
    total = np.zeros(x.shape[1:], f32)
    for row in x:
        total = flush_denormals(total + row)
    return total


def halves(register: np.ndarray) -> np.ndarray:
    """The sum of a register's lanes: its halves are added until one value is left."""
    while register.shape[-1] > 1:
        register = np.add(*np.split(register, 2, axis=-1))
    return register[..., 0]


def flushed_halves(register: np.ndarray) -> np.ndarray:
    """The same, denormal sums taken for zero."""
    while register.shape[-1] > 1:
        register = flush_denormals(np.add(*np.split(register, 2, axis=-1)))
    return register[..., 0]
