"""Graphs of one float operator, and how the runtime's result is held against ours."""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np

import drqsim
from drqsim import litert
from drqsim.graph import Graph, Operator, Quantization, Tensor

f32 = np.float32
UNIT = 2.0**-24  # half a step of float32 at 1: the largest relative error of one rounding


class Operand(NamedTuple):
    """One input of the operator: a value, in the file or fed at run time."""

    value: np.ndarray | None
    constant: bool = False
    quantization: Quantization | None = None


class Case(NamedTuple):
    """An operator with its inputs and options, and what its outputs are."""

    code: str
    operands: list[Operand]
    options: dict = {}
    outputs: tuple = (f32,)
    output_quantization: Quantization | None = None


def fed(*values) -> list[Operand]:
    return [Operand(np.asarray(v)) for v in values]


def constants(*values) -> list[Operand]:
    return [Operand(np.asarray(v), constant=True) for v in values]


def integers(*values) -> list[Operand]:
    """Constant int32 tensors: axes, shapes, paddings."""
    return constants(*(np.array(v, np.int32) for v in values))


def graph(case: Case, shapes=None) -> tuple[Graph, dict[str, np.ndarray]]:
    """The graph of a case and what is fed to it; output shapes are empty unless given."""
    tensors, reads, feeds = [], [], {}
    for at, (value, constant, quantization) in enumerate(case.operands):
        if value is None:
            reads.append(-1)
            continue
        reads.append(len(tensors))
        value = np.asarray(value, order="C")
        stored = value if constant else None
        tensors.append(Tensor(f"in{at}", value.shape, value.dtype, stored, quantization))
        if not constant:
            feeds[f"in{at}"] = value
    inputs = tuple(i for i, tensor in enumerate(tensors) if tensor.value is None)
    writes = tuple(range(len(tensors), len(tensors) + len(case.outputs)))
    for at, dtype in enumerate(case.outputs):
        shape = shapes[at] if shapes else ()
        made = Tensor(f"out{at}", shape, np.dtype(dtype), None, case.output_quantization)
        tensors.append(made)
    name = f"{case.code.lower()}_0"
    op = Operator(case.code, name, tuple(reads), writes, MappingProxyType(case.options))
    return Graph(tuple(tensors), (op,), inputs, writes), feeds


def run_both(case: Case, kernels: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs (ours, the runtime's) of every output; shape and dtype are equal."""
    bare, feeds = graph(case)
    ours = list(drqsim.run(bare, feeds, kernels)[0].values())
    sized, _ = graph(case, [value.shape for value in ours])
    theirs = list(litert.run(sized, feeds, kernels).outputs.values())
    for mine, real in zip(ours, theirs, strict=True):
        assert (mine.shape, mine.dtype) == (real.shape, real.dtype), case
    return list(zip(ours, theirs, strict=True))


def same_bits(mine: np.ndarray, real: np.ndarray) -> bool:
    """Equal to the last bit, the sign of zeros included; NaN equals NaN."""
    return mine.tobytes() == real.tobytes() or (
        mine.dtype.kind == "f"
        and np.array_equal(mine, real, equal_nan=True)
        and np.array_equal(np.signbit(mine) & ~np.isnan(mine), np.signbit(real) & ~np.isnan(real))
    )
