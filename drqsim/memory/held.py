"""The runtime's own list of tensors: those of the file, and behind them the kernels' scratch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from drqsim.graph import Graph, Quantization
from drqsim.names import byte_size


@dataclass(eq=False)
class Held:
    """One tensor as the runtime holds it, while the plan is being made.

    ``stored`` is ``file``, ``arena``, ``persistent`` (the second arena), ``heap`` or ``delegate``.
    ``is_known`` says that a kernel may look at the values before anything runs: constants, and what
    ``Prepare`` already computed from them. ``shape`` is None as long as nobody gave it one.
    """

    index: int
    op: str
    name: str
    role: str
    stored: str
    dtype: np.dtype
    shape: tuple[int, ...] | None
    is_known: bool = False
    quantization: Quantization | None = None
    is_open: bool = False  # some dimension is left to the caller
    bits: int | None = None

    @property
    def nbytes(self) -> int:
        return 0 if self.shape is None else byte_size(self.shape, self.dtype, self.bits)


def held(graph: Graph) -> list[Held]:
    """The tensors of the file, before any operator is prepared."""
    tensors = []
    for index, t in enumerate(graph.tensors):
        constant = t.value is not None
        stored = "file" if constant else "persistent" if t.is_variable else "arena"
        role = "constant" if constant else "activation"
        name = graph.fed_names.get(index, t.name)
        tensor = Held(index, "", name, role, stored, t.dtype, t.shape, constant)
        tensor.quantization, tensor.bits = t.quantization, t.bits
        tensor.is_open = bool(t.signature)
        tensors.append(tensor)
    return tensors


def resized(graph: Graph, shapes: dict[int, tuple[int, ...]]) -> Graph:
    """The graph with other shapes for some of its tensors."""
    tensors = tuple(
        replace(t, shape=tuple(shapes[i]), signature=None) if i in shapes else t
        for i, t in enumerate(graph.tensors)
    )
    return replace(graph, tensors=tensors)
