"""Join a float model and its quantized form: the same operators on the same tensors.

They are joined by their structure, not by names: a converter swaps the names of tensors, and puts
DEQUANTIZE operators in front of weights or behind the GATHER that reads them. So what is made of
constants alone is folded into constants first, and a table whose codes are only moved becomes a
float one; then operator by operator, what they read and write must correspond.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from drqsim.attribution.shown import run_and_show
from drqsim.errors import InputError
from drqsim.graph import Graph, Operator, Tensor
from drqsim.model_file.schema import completed

f32 = np.float32

# operators that move values of their first input and change none
MOVES = {"EXPAND_DIMS", "GATHER", "RESHAPE", "SLICE", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE"}
# options that quantization may set
OF_QUANTIZATION = {"asymmetric_quantize_inputs", "quantized_bias_type", "weights_format"}


class Pair(NamedTuple):
    """Two models whose operators correspond, in order; an activation has one index in both."""

    float_model: Graph
    drq_model: Graph  # its tensors are the float model's, and then its own constants

    def leading_to(self, final: int, start: int = 0) -> list[int]:
        """Positions, from ``start``, of the operators that the activation ``final`` comes from."""
        wanted, found = {final}, []
        operators = self.float_model.operators
        for at in reversed(range(start, len(operators))):
            if wanted.intersection(operators[at].outputs):
                wanted.update(operators[at].inputs)
                found.insert(0, at)
        return found

    def rest(self, at: int, final: int) -> Graph:
        """The float model after operator ``at``, as far as ``final`` needs it."""
        model = self.float_model
        operators = tuple(model.operators[i] for i in self.leading_to(final, at + 1))
        made = {i for op in operators for i in op.outputs}
        read = dict.fromkeys(i for op in operators for i in op.inputs if i >= 0)
        inputs = tuple(i for i in read if i not in made and model.tensors[i].is_fed)
        return Graph(model.tensors, operators, inputs, (final,))


def pair(float_model: Graph, drq_model: Graph, kernels: str) -> Pair:
    """Fold both models and give the second the tensor indices of the first.

    Tensors are named by their index, because the names in a file may repeat.

    Raises
    ------
    InputError
        When the models differ in more than quantization, with the first difference, or when the
        float model has quantized weights that the other has not (those of recurrent operators may
        be in both).
    """
    for graph in (float_model, drq_model):
        _refuse_constant_outputs(graph)
    first, second = _folded(float_model, kernels), _moved_as_floats(_folded(drq_model, kernels))
    joined = _Join(first, second)
    for f, d in zip_longest(first.operators, second.operators):
        joined.operators(f, d)
    joined.ends()
    size = len(first.tensors)  # the constants of the second model come after the first's tensors

    def moved(indices: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(i if i < 0 else joined.twin.get(i, i + size) for i in indices)

    operators = tuple(
        replace(op, inputs=moved(op.inputs), outputs=moved(op.outputs)) for op in second.operators
    )
    tensors = first.tensors + second.tensors
    named = tuple(replace(tensor, name=str(at)) for at, tensor in enumerate(tensors))
    return Pair(
        replace(first, tensors=named[:size]),
        Graph(named, operators, first.inputs, first.outputs),
    )


def _refuse_constant_outputs(graph: Graph) -> None:
    for op in graph.operators:
        if any(graph.tensors[i].value is not None for i in op.outputs):
            raise InputError(
                f"{op.name} writes over a constant of its file; expected operators that write "
                "tensors of their own, or there is no error to split."
            )


def _folded(graph: Graph, kernels: str) -> Graph:
    """The same model without the operators that read constants alone or lead to no output."""
    makers, alive = graph.makers, _alive(graph)
    made = tuple(dict.fromkeys(i for op in makers for i in op.outputs))
    if not made:
        return replace(graph, operators=alive)
    named = tuple(replace(tensor, name=str(at)) for at, tensor in enumerate(graph.tensors))
    values, _ = run_and_show(Graph(named, makers, (), made), {}, kernels, "shapes")
    tensors = list(graph.tensors)
    for index in made:
        value = values[index]
        tensors[index] = Tensor(tensors[index].name, value.shape, value.dtype, value)
    kept = tuple(op for op in alive if op not in makers)
    return replace(graph, tensors=tuple(tensors), operators=kept)


def _alive(graph: Graph) -> tuple[Operator, ...]:
    wanted, kept = set(graph.outputs), []
    for op in reversed(graph.operators):
        if wanted.intersection(op.outputs):
            wanted.update(op.inputs)
            kept.append(op)
    return tuple(reversed(kept))


def _moved_as_floats(graph: Graph) -> Graph:
    """The same model where codes of a constant are moved, then dequantized: floats are moved.

    ``codes * scale`` is rounded once, before or after. Only for one scale and no zero point.
    """
    codes: set[int] = set()  # what holds moved codes
    alias: dict[int, int] = {}  # what a DEQUANTIZE would make of them
    tables: set[int] = set()
    operators = []
    for op in graph.operators:
        source = op.inputs[0] if op.inputs else -1
        table = source >= 0 and _is_table(graph.tensors[source])
        if op.code == "DEQUANTIZE" and source in codes:
            alias[op.outputs[0]] = source
            continue
        if op.code in MOVES and (source in codes or table and _is_code(graph, op.outputs[0])):
            codes.update(op.outputs)
            if table:
                tables.add(source)
        elif codes.intersection(op.inputs):
            return graph  # somebody computes with codes
        operators.append(op)
    if codes.intersection(graph.outputs):
        return graph
    tensors = list(graph.tensors)
    size = len(tensors)
    for table in sorted(tables):
        tensor = tensors[table]
        value = tensor.value.astype(f32) * tensor.quantization.scale
        tensors.append(Tensor(tensor.name, tensor.shape, value.dtype, value))
    floats = alias | {table: size + at for at, table in enumerate(sorted(tables))}
    for index in codes:
        tensors[index] = Tensor(tensors[index].name, tensors[index].shape, np.dtype(f32))

    def read(op: Operator) -> tuple[int, ...]:
        moved = alias if op.outputs[0] not in codes else floats
        return tuple(moved.get(i, i) for i in op.inputs)

    return Graph(
        tuple(tensors),
        tuple(replace(op, inputs=read(op)) for op in operators),
        graph.inputs,
        tuple(alias.get(i, i) for i in graph.outputs),
    )


def _is_table(tensor: Tensor) -> bool:
    q = tensor.quantization
    known = tensor.value is not None and tensor.dtype == np.int8 and q is not None
    return known and q.scale.size == 1 and not q.zero_point.any()


def _is_code(graph: Graph, index: int) -> bool:
    return graph.tensors[index].dtype == np.int8


class _Join:
    """Walks two models side by side; ``twin`` leads from the second's activations to the first's.

    Raises an ``InputError`` at the first difference.
    """

    def __init__(self, first: Graph, second: Graph):
        self.first, self.second = first, second
        self.twin: dict[int, int] = {}
        self.taken: dict[int, int] = {}  # the other way round

    def operators(self, f: Operator | None, d: Operator | None) -> None:
        """Join two operators: what they are, what they read and what they write."""
        if f is None or d is None or f.code != d.code:
            raise _differ(*("no more operators" if op is None else op.name for op in (f, d)))
        ours, theirs = _options(f), _options(d)
        for field in sorted(ours.keys() | theirs.keys()):
            if ours.get(field) != theirs.get(field):
                raise _differ(
                    f"{f.name} with {field} {ours.get(field)}",
                    f"{d.name} with {field} {theirs.get(field)}",
                )
        for side, reads, writes in (
            ("input", f.inputs, d.inputs),
            ("output", f.outputs, d.outputs),
        ):
            for at, (i, j) in enumerate(zip_longest(reads, writes, fillvalue=-1)):
                self._tensors(i, j, [f"{op.name} with {side} {at}" for op in (f, d)])

    def ends(self) -> None:
        """Join what enters and what leaves the models."""
        for what, ours, theirs in (
            ("input", self.first.inputs, self.second.inputs),
            ("output", self.first.outputs, self.second.outputs),
        ):
            if len(ours) != len(theirs):
                raise _differ(f"{len(ours)} {what}s of the model", f"{len(theirs)}")
            for at, (i, j) in enumerate(zip(ours, theirs, strict=True)):
                # an input that nobody reads has no twin yet: it keeps its place
                if self.second.tensors[j].value is None and self.twin.setdefault(j, i) not in ours:
                    raise _differ(f"the model's {what} {at}", "another tensor in its place")

    def _tensors(self, i: int, j: int, where: list[str]) -> None:
        f = self.first.tensors[i] if i >= 0 else None
        d = self.second.tensors[j] if j >= 0 else None
        if f is None and d is None:
            return
        kinds = [f"{where[side]} {_kind(tensor)}" for side, tensor in enumerate((f, d))]
        if f is None or d is None or f.shape != d.shape or (f.value is None) != (d.value is None):
            raise _differ(*kinds)
        if f.value is not None:
            if f.dtype.kind != "f" and not same_constant(f, d):
                if f.quantization is not None:
                    raise InputError(
                        f"The float model has quantized weights, {where[0]} {f}; pass the model "
                        "without quantization first, the quantized one second."
                    )
                raise _differ(f"{kinds[0]} {_values(f)}", f"{kinds[1]} {_values(d)}")
        elif f.dtype != d.dtype:
            raise _differ(*kinds)
        elif self.twin.setdefault(j, i) != i or self.taken.setdefault(i, j) != j:
            raise _differ(kinds[0], f"{kinds[1]} from another operator")


def _differ(ours: str, theirs: str) -> InputError:
    return InputError(
        f"These are not two forms of one model. Their first difference: {ours} in the float model, "
        f"{theirs} in the quantized one. Pass the float model and what a converter made of it."
    )


def _kind(tensor: Tensor | None) -> str:
    if tensor is None:
        return "left out"
    return str(tensor) if tensor.value is None else f"constant {tensor}"


def _values(tensor: Tensor) -> str:
    first = ", ".join(map(str, tensor.value.reshape(-1)[:8]))
    return f"[{first}{', ...' if tensor.value.size > 8 else ''}]"


def same_constant(a: Tensor, b: Tensor) -> bool:
    """The same values of the same type, with the same scales if they are codes."""
    same = a.dtype == b.dtype and np.array_equal(a.value, b.value)
    if a.quantization is None or b.quantization is None or a.dtype.kind == "f":
        return same
    return same and np.array_equal(a.quantization.scale, b.quantization.scale)


def _options(op: Operator) -> dict[str, object]:
    options = completed(op.code, op.options)
    return {field: value for field, value in options.items() if field not in OF_QUANTIZATION}
