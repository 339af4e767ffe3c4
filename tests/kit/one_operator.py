"""The graph of one operator, and how the runtime's result is held against ours."""

from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

import drqsim
from drqsim import litert
from drqsim.graph import Graph, Operator, Quantization, Tensor

f32 = np.float32
UNIT = 2.0**-24  # half a step of float32 at 1: the largest relative error of one rounding


def one_operator(code: str, reads, results, **options) -> Graph:
    """A graph of one operator.

    Parameters
    ----------
    code : str
        The operator's code, as in TFLite's schema.
    reads, results : sequences, or dicts by the operator's position
        What it reads and writes: a ``Tensor`` (a constant where it has a value, a state where it is
        variable, fed otherwise); an array, which is a constant; a shape, which is float32 ``x``
        where it is read and ``y`` where it is made. None, or a position that a dict leaves out, is
        an operand that is absent.
    options
        The operator's own, by their names in the schema.

    Returns
    -------
    Graph
        Its tensors in the order in which they are given, what is read first.
    """
    reads, results = (_by_position(side, name) for side, name in ((reads, "x"), (results, "y")))
    given = (t for t in (*reads.values(), *results.values()) if t is not None)
    place = {tensor: at for at, tensor in enumerate(dict.fromkeys(given))} | {None: -1}
    inputs, outputs = (
        tuple(place[side.get(at)] for at in range(1 + max(side, default=-1)))
        for side in (reads, results)
    )
    tensors = tuple(tensor for tensor in place if tensor is not None)
    op = Operator(code, f"{code.lower()}_0", inputs, outputs, MappingProxyType(options))
    fed = (place[t] for t in reads.values() if t is not None and t.is_fed)
    return Graph(tensors, (op,), tuple(dict.fromkeys(fed)), outputs)


def _by_position(side, name: str) -> dict[int, Tensor | None]:
    side = side if isinstance(side, dict) else dict(enumerate(side))
    return {at: _tensor(what, name, at) for at, what in side.items()}


def _tensor(what, name: str, at: int) -> Tensor | None:
    if isinstance(what, np.ndarray):
        return Tensor(f"constant_{at}", what.shape, what.dtype, what)
    return Tensor(name, what, np.dtype(f32)) if isinstance(what, tuple) else what


def with_options(graph: Graph, **options) -> Graph:
    """The graph of one operator with some options changed."""
    (op,) = graph.operators
    op = replace(op, options=MappingProxyType({**op.options, **options}))
    return replace(graph, operators=(op,))


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
    """The graph of a case and what is fed to it; output shapes say nothing unless given."""
    scales = case.output_quantization
    unsaid = () if scales is None else (1,) * scales.axis + scales.scale.shape
    reads, feeds, shapes = [], {}, shapes or [unsaid] * len(case.outputs)
    for at, (value, constant, quantization) in enumerate(case.operands):
        if value is None:
            reads.append(None)
            continue
        value = np.asarray(value, order="C")
        stored = value if constant else None
        reads.append(Tensor(f"in{at}", value.shape, value.dtype, stored, quantization))
        if not constant:
            feeds[f"in{at}"] = value
    results = [
        Tensor(f"out{at}", shape, np.dtype(dtype), None, case.output_quantization)
        for at, (dtype, shape) in enumerate(zip(case.outputs, shapes, strict=True))
    ]
    return one_operator(case.code, reads, results, **case.options), feeds


def run_both(case: Case, kernels: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs (ours, the runtime's) of every output; shape and dtype are equal."""
    bare, feeds = graph(case)
    shapes = [value.shape for value in drqsim.run(bare, feeds, kernels)[0].values()]
    sized, _ = graph(case, shapes)  # XNNPACK looks at the shapes that the file declares
    ours = list(drqsim.run(sized, feeds, kernels)[0].values())
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
