"""Two graphs held against each other from their outputs up: by structure, whatever the names."""

import numpy as np

from drqsim.graph import Graph, Tensor
from drqsim.names import short_form


def differences(ours: Graph, theirs: Graph) -> list[str]:
    """What differs, empty when nothing does: operators, options, tensors, codes and scales."""
    walk = _Walk(ours, theirs)
    walk.pair("the number of outputs", len(ours.outputs), len(theirs.outputs))
    for mine, real in zip(ours.outputs, theirs.outputs, strict=False):
        walk.tensors(mine, real)
    walk.pair("the operators", _codes(ours), _codes(theirs))
    walk.pair("operators that lead to an output", len(walk.made), len(theirs.operators))
    return walk.found


def _codes(graph: Graph) -> list[str]:
    return sorted(op.code for op in graph.operators)


class _Walk:
    def __init__(self, ours: Graph, theirs: Graph):
        self.graphs = ours, theirs
        self.makers = tuple({i: op for op in g.operators for i in op.outputs} for g in self.graphs)
        self.met: dict[int, int] = {}  # activations: our index -> theirs
        self.made: set[str] = set()
        self.found: list[str] = []

    def pair(self, what: str, mine, real) -> None:
        if mine != real:
            self.found.append(f"{what}: {mine} and {real}")

    def tensors(self, mine: int, real: int) -> None:
        if mine < 0 or real < 0:
            return self.pair("an absent input", mine, real)
        a, b = (graph.tensors[i] for graph, i in zip(self.graphs, (mine, real), strict=True))
        if a.is_fed and mine in self.met:
            return self.pair(f"readers of {a}", self.met[mine], real)
        self.met[mine] = real
        self.pair("a tensor", _described(a), _described(b))
        makers = [makers.get(i) for makers, i in zip(self.makers, (mine, real), strict=True)]
        if None in makers:
            return self.pair(f"who makes {a}", *makers)
        return self.operators(*makers)

    def operators(self, a, b) -> None:
        if a.name in self.made:
            return
        self.made.add(a.name)
        self.pair("an operator", a.code, b.code)
        self.pair(f"options of {a.name}", dict(a.options), dict(b.options))
        self.pair(f"inputs of {a.name}", len(a.inputs), len(b.inputs))
        for mine, real in zip(a.inputs, b.inputs, strict=False):
            self.tensors(mine, real)


def _described(tensor: Tensor) -> tuple:
    """All that a reader of the tensor could tell, but its name.

    Where the caller chooses a size, the one in the file says nothing.
    """
    value = None if tensor.value is None else tensor.value.tobytes()
    parts = tensor.quantization
    if parts is not None:
        bits = parts.scale.view(np.uint32).tolist()
        parts = (bits, parts.zero_point.tolist(), parts.axis)
    shape = short_form(tensor.dtype, tensor.signature or tensor.shape)
    return shape, tensor.is_variable, parts, value
