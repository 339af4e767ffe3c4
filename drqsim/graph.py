"""What a model is: tensors, operators, and the graph that joins them.

Nothing here computes. A ``Graph`` comes from a ``.tflite`` file (``drqsim.load``) or from
NumPy arrays (``drqsim.conv_relu``), and both kinds take the same way through the interpreter.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from drqsim import contradictions
from drqsim.errors import InputError, ModelFileError
from drqsim.names import byte_size, numbered_names, short_form, shorten, type_name

PADDINGS = ("SAME", "VALID")
FUSED_ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


@dataclass(frozen=True, eq=False)
class Quantization:
    """Scale and zero point of a constant tensor.

    Parameters
    ----------
    scale : float32 array [1] or [channels]
        One element means per-tensor, more mean per-channel along ``axis``.
    zero_point : int64 array, same shape
        All zero under dynamic-range quantization (symmetric weights).
    axis : int
        The dimension that ``scale`` runs along.
    """

    scale: np.ndarray
    zero_point: np.ndarray
    axis: int = 0


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of the model file; ``value`` is None unless the file holds its data.

    ``signature`` is the shape with -1 for every dimension that the caller chooses (a dynamic
    batch); None where every dimension is fixed. A variable tensor is the state of a recurrent
    operator: zero when a run starts. ``bits`` is 4 for int4, which the file packs two to a byte;
    NumPy has no such type, so ``value`` holds one int8 for each and ``dtype`` is int8. ``unread``
    names a type that drqsim does not read, ``STRING`` say: ``dtype`` is then the bytes of one
    element without a meaning, and ``value`` the bytes of a constant as they lie in the file.
    Parts that contradict each other are refused with a ``ModelFileError``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    value: np.ndarray | None = None
    quantization: Quantization | None = None
    is_variable: bool = False
    signature: tuple[int, ...] | None = None
    bits: int | None = None
    unread: str = ""

    def __post_init__(self):
        object.__setattr__(self, "shape", tuple(map(int, self.shape)))
        object.__setattr__(self, "dtype", np.dtype(self.dtype))
        wrong = contradictions.of_tensor(self)
        if wrong:
            raise ModelFileError(f"The tensor {shorten(self.name)!r} {wrong}.")

    @property
    def is_fed(self) -> bool:
        """Neither a constant nor a state: somebody computes it or passes it in."""
        return self.value is None and not self.is_variable

    @property
    def nbytes(self) -> int:
        """Bytes of the values, without the file's bookkeeping."""
        if self.unread and self.value is not None:
            return self.value.nbytes
        return byte_size(self.shape, self.dtype, self.bits)

    @property
    def type_name(self) -> str:
        """``float32``, ``int4``, or the name of a type that drqsim does not read: ``string``."""
        return self.unread.lower() or type_name(self.dtype, self.bits)

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """True when ``shape`` fits: equal, but for the dimensions that the caller chooses."""
        wanted = self.signature or self.shape
        return len(shape) == len(wanted) and all(
            want in (-1, size) for want, size in zip(wanted, shape, strict=True)
        )

    def __str__(self) -> str:
        form = short_form(self.dtype, self.shape, self.bits)
        return self.unread.lower() + form[form.index("[") :] if self.unread else form

    def __repr__(self) -> str:
        kind = "constant" if self.value is not None else "activation"
        return f"<Tensor {self.name!r} {self} {kind} {self.nbytes:,} bytes>"


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator: its TFLite code, the indices of its tensors, its options.

    An absent optional input has index -1, as in the file. ``runs`` counts the subgraphs of the
    file that it runs: of a WHILE condition and body, of an IF both branches, of a composite one.
    ``version`` is what the file says of the operator's code: the runtime has kernels up to some.
    """

    code: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    runs: tuple[int, ...] = ()
    version: int = 1


class Signature(NamedTuple):
    """A subgraph that callers of the file know by name: its index, and its tensors by name."""

    subgraph: int
    inputs: dict[str, int]
    outputs: dict[str, int]


@dataclass(frozen=True, eq=False)
class Graph:
    """A model: tensors, operators in execution order, and which tensors enter and leave.

    A file may hold several subgraphs. The graph is then the first, which a run runs; ``others`` are
    those behind it, ``name`` is what the file calls each, and ``signatures`` belong to the file.
    An index that names no tensor, or a name that two operators have, is a ``ModelFileError``.
    """

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    name: str = ""
    others: tuple[Graph, ...] = ()
    signatures: Mapping[str, Signature] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def subgraphs(self) -> tuple[Graph, ...]:
        """All graphs of the file, this one first: the indices of ``Operator.runs`` count them."""
        return (self, *self.others)

    @cached_property
    def subgraph_names(self) -> tuple[str, ...]:
        """What to call each of ``subgraphs``: the end of its name, behind the last slash.

        One that is taken gets a number behind it, as ``numbered_names`` tells.
        """
        ends = [graph.name.rpartition("/")[2] for graph in self.subgraphs]
        return numbered_names([shorten(end) or f"subgraph_{at}" for at, end in enumerate(ends)])

    def __post_init__(self):
        wrong = contradictions.of_graph(self)
        if wrong:
            raise ModelFileError(f"In this model {wrong}.")

    def operator(self, name: str) -> Operator:
        """The operator called ``name``, for example ``"conv_2d_0"``."""
        try:
            return self._by_name[name]
        except KeyError:
            known = ", ".join(self._by_name)
            raise InputError(f"This model has no operator {name!r}; it has: {known}.") from None

    @cached_property
    def _by_name(self) -> dict[str, Operator]:
        return {op.name: op for op in self.operators}

    def tensor_of(self, op: Operator, position: int) -> Tensor | None:
        """The tensor at an operator's input ``position``; None where the file leaves it out."""
        if position >= len(op.inputs) or op.inputs[position] < 0:
            return None
        return self.tensors[op.inputs[position]]

    def extract(self, name: str) -> Graph:
        """A graph of the one operator ``name``, which keeps that name.

        Its activations become the graph's inputs and outputs. Operators that make its weights out
        of constants (a DEQUANTIZE) come along.
        """
        op = self.operator(name)
        kept = (*self._makers(op), op)
        used = list(dict.fromkeys(i for o in kept for i in (*o.inputs, *o.outputs) if i >= 0))
        new_index = {old: new for new, old in enumerate(used)} | {-1: -1}
        operators = tuple(
            replace(
                o,
                inputs=tuple(new_index[i] for i in o.inputs),
                outputs=tuple(new_index[i] for i in o.outputs),
            )
            for o in kept
        )
        made = {i for o in operators[:-1] for i in o.outputs}
        tensors = tuple(self.tensors[i] for i in used)
        activations = tuple(
            dict.fromkeys(
                i for i in operators[-1].inputs if i >= 0 and i not in made and tensors[i].is_fed
            )
        )
        others = self.others if op.runs else ()
        return Graph(tensors, operators, activations, operators[-1].outputs, self.name, others)

    def _makers(self, op: Operator) -> list[Operator]:
        """The operators, in order, that compute inputs of ``op`` from constants alone."""
        wanted, makers = set(op.inputs), []
        for earlier in reversed(self.operators[: self.operators.index(op)]):
            if wanted & self._fixed & set(earlier.outputs):
                makers.insert(0, earlier)
                wanted |= set(earlier.inputs)
        return makers

    @cached_property
    def _fixed(self) -> set[int]:
        """The tensors that are the same in every run: constants, and what is made of them."""
        fixed = {i for i, tensor in enumerate(self.tensors) if tensor.value is not None} | {-1}
        for op in self.operators:
            if fixed.issuperset(op.inputs):
                fixed.update(op.outputs)
        return fixed

    @property
    def makers(self) -> tuple[Operator, ...]:
        """The operators, in order, that read constants alone (DEQUANTIZE of weights, say)."""
        return tuple(op for op in self.operators if self._fixed.issuperset(op.inputs))

    def lifetime(self, index: int) -> tuple[int, int]:
        """First and last operator (positions in execution order) that need tensor ``index``.

        A graph input is born at 0. What enters or leaves the graph is never overwritten: it lives
        on after the last operator, so its second number is ``len(operators)``.
        """
        return self._lifetimes.get(index, (0, 0))

    @cached_property
    def _lifetimes(self) -> dict[int, tuple[int, int]]:
        end = len(self.operators)
        born, dies = dict.fromkeys(self.inputs, 0), {}
        for at, op in enumerate(self.operators):
            for index in op.outputs:
                born.setdefault(index, at)
                dies[index] = max(at, dies.get(index, 0))
            dies |= dict.fromkeys(op.inputs, at)
        dies |= dict.fromkeys((*self.inputs, *self.outputs), end)
        return {index: (born.get(index, 0), last) for index, last in dies.items()}

    @cached_property
    def fed_names(self) -> dict[int, str]:
        """What to call each tensor that a run may be fed with: inputs, then states.

        Its own name; one that is taken gets a number behind it, as ``numbered_names`` tells.
        """
        states = [i for i, tensor in enumerate(self.tensors) if tensor.is_variable]
        indices = tuple(dict.fromkeys((*self.inputs, *states)))
        names = numbered_names([self.tensors[i].name for i in indices])
        return dict(zip(indices, names, strict=True))

    @cached_property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs, each once: the keys of what ``run`` is given."""
        return tuple(self.fed_names[i] for i in dict.fromkeys(self.inputs))

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        """The names of the outputs, one for each of ``outputs``: the keys of what ``run`` makes."""
        return numbered_names([self.tensors[i].name for i in self.outputs])

    @property
    def constants(self) -> list[Tensor]:
        """The tensors whose values lie in the file."""
        return [tensor for tensor in self.tensors if tensor.value is not None]

    def __repr__(self) -> str:
        count = len(self.operators)
        plural = "" if count == 1 else "s"
        lines = [f"Graph: {count} operator{plural}, {len(self.tensors)} tensors"]
        for op in self.operators:
            reads = ", ".join(str(self.tensors[i]) if i >= 0 else "-" for i in op.inputs)
            writes = ", ".join(str(self.tensors[i]) for i in op.outputs)
            fused = op.options.get("fused_activation_function", "NONE")
            fused = f" + {fused}" if fused != "NONE" else ""
            lines.append(f"  {op.name + fused:<28} {reads} -> {writes}")
        return "\n".join(lines)


def freeze(array: np.ndarray) -> np.ndarray:
    """The same values as a read-only array, so that no trace can change a model."""
    array = np.asarray(array, order="C")  # ascontiguousarray would give a scalar a dimension
    array.flags.writeable = False
    return array


def expect_graph(*models) -> None:
    """Refuse a path or bytes where a ``Graph`` is wanted, and say how to get one.

    Raises
    ------
    InputError
        When one of ``models`` is no ``Graph``.
    """
    for model in models:
        if not isinstance(model, Graph):
            named = isinstance(model, (str, os.PathLike))
            passed = f"the name {shorten(str(model))!r}" if named else type(model).__name__
            raise InputError(
                f"A model is expected, a drqsim.Graph, not {passed}; read a .tflite file or its "
                "bytes with drqsim.load first."
            )
