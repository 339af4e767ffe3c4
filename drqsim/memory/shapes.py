"""Which shapes a plan is for: those of a run, those that somebody gives, or the file's own."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from drqsim import limits
from drqsim.errors import InputError, ModelFileError, UnsupportedOperatorError
from drqsim.graph import Graph, shorten
from drqsim.interpreter import run
from drqsim.memory.held import resized
from drqsim.model_file.operands import weights_of
from drqsim.names import short_form
from drqsim.trace import Trace


class Shapes(NamedTuple):
    """What a plan is for.

    ``by_index`` has the shapes of tensors where they are not the file's; ``note`` is half a
    sentence on the inputs, empty where the file leaves nothing open and nobody gave other shapes.
    """

    by_index: dict[int, tuple[int, ...]]
    note: str


def shapes_of(graph: Graph, input_shapes: dict | None = None, trace: Trace | None = None) -> Shapes:
    """All shapes, from those of the inputs.

    Parameters
    ----------
    graph : Graph
    input_shapes : dict, optional
        Shapes of inputs, by name; those of the others are the file's.
    trace : Trace, optional
        A run of the model: it has all shapes but those of inputs that no operator reads.

    Raises
    ------
    InputError
        When the model cannot run with these shapes, or following them would take too long; also
        when it cannot run with the file's own, in place of which the caller has to give some.
    """
    given = given_shapes(graph, input_shapes or {})
    if trace is not None:
        found = given | {r.tensor_index: r.shape for r in trace if r.tensor_index is not None}
        inputs = {i: found.get(i, graph.tensors[i].shape) for i in graph.inputs}
        return Shapes(found, _note(graph, inputs, left=()))
    inputs = {i: given.get(i, graph.tensors[i].shape) for i in graph.inputs}
    left = [i for i in graph.inputs if graph.tensors[i].signature and i not in given]
    note = _note(graph, inputs, left)
    if not note:
        return Shapes({}, "")  # the file says it all
    as_in_file = Shapes({}, f"{note}; all other shapes are the file's")
    too_much = _too_much(graph, inputs)
    if too_much and given:
        raise InputError(f"With {_listed(graph, inputs)} {too_much}; give a smaller shape.")
    if too_much:
        return as_in_file
    try:
        return Shapes(_followed(graph, inputs), note)
    except (InputError, ModelFileError) as error:
        if given or not left:
            raise InputError(
                f"The model cannot run with {_listed(graph, inputs)}: {error}"
            ) from None
        raise InputError(
            f"The file leaves {_left(graph, left)} to the caller, and with what it holds in that "
            f"place, {_listed(graph, inputs)}, the model cannot run: {error} Pass "
            f"input_shapes={{{graph.fed_names[left[0]]!r}: shape}} with the shape to plan for."
        ) from None
    except UnsupportedOperatorError:
        if given:
            raise
        return as_in_file


def products(graph: Graph, shapes: dict[int, tuple[int, ...]] | None = None) -> int:
    """About how many multiplications the operators with weights take.

    ``shapes`` are those of a run, by tensor index; without them the file's count.
    """
    total = 0
    for op in graph.operators:
        weights = weights_of(graph, op)
        if weights is not None and weights.shape and op.outputs:
            output = op.outputs[0]
            outputs = prod((shapes or {}).get(output, graph.tensors[output].shape))
            total += outputs * prod(weights.shape[1 : -1 if "DEPTHWISE" in op.code else None])
    return total


def given_shapes(graph: Graph, input_shapes: dict) -> dict[int, tuple[int, ...]]:
    """Shapes that are given to inputs by name, by tensor index.

    Raises
    ------
    InputError
        When there is no such input, or it cannot have such a shape.
    """
    by_name = dict(zip(graph.input_names, dict.fromkeys(graph.inputs), strict=True))
    given = {}
    for name, shape in input_shapes.items():
        if name not in by_name:
            raise InputError(
                f"There is no input {name!r} to give a shape to; the inputs are "
                f"{', '.join(by_name)}."
            )
        is_list = isinstance(shape, (tuple, list))
        if not is_list or not all(isinstance(n, (int, np.integer)) and n > 0 for n in shape):
            raise InputError(
                f"The shape given to the input {name!r} is {shape!r}; expected positive numbers."
            )
        if prod(int(n) for n in shape) > limits.PLANNED_ELEMENTS:
            raise InputError(
                f"The shape given to the input {name!r} is {list(shape)}; it may have at most "
                f"{limits.PLANNED_ELEMENTS:,} elements."
            )
        given[by_name[name]] = tuple(int(n) for n in shape)
    return given


def _followed(graph: Graph, inputs: dict[int, tuple[int, ...]]) -> dict[int, tuple[int, ...]]:
    """The shapes of all that is computed, by a run on zeros."""
    other = resized(graph, inputs)
    read = [other.tensors[i] for i in dict.fromkeys(graph.inputs)]
    zeros = {n: np.zeros(t.shape, t.dtype) for n, t in zip(graph.input_names, read, strict=True)}
    _, trace = run(other, zeros, record="shapes")
    found = {r.tensor_index: r.shape for r in trace if r.name.startswith("output")} | inputs
    for op in graph.operators:
        if not set(op.outputs) <= set(found):
            raise UnsupportedOperatorError(f"{op.name}: drqsim does not record all its outputs.")
    return found


def _too_much(graph: Graph, inputs: dict[int, tuple[int, ...]]) -> str:
    """Whether a run would take minutes or gigabytes, by what the file's own shapes take."""
    growth = max(
        (prod(shape) / max(prod(graph.tensors[i].shape), 1) for i, shape in inputs.items()),
        default=1,
    )
    made = [graph.tensors[i] for op in graph.operators for i in op.outputs]
    made += [graph.tensors[i] for i in inputs]
    nbytes, multiplied = sum(t.nbytes for t in made) * growth, products(graph) * growth
    if nbytes <= limits.FOLLOWED_BYTES and multiplied <= limits.FOLLOWED_PRODUCTS:
        return ""
    return (
        f"the model takes about {nbytes:,.0f} bytes of activations and {multiplied:,.0f} "
        f"multiplications; drqsim follows shapes through up to {limits.FOLLOWED_BYTES:,} and "
        f"{limits.FOLLOWED_PRODUCTS:,}"
    )


def _note(graph: Graph, inputs: dict[int, tuple[int, ...]], left) -> str:
    tensors = {i: graph.tensors[i] for i in inputs}
    if all(not t.signature and t.shape == inputs[i] for i, t in tensors.items()):
        return ""
    note = f"planned for {_listed(graph, inputs)}"
    if not left:
        return note
    count = sum(graph.tensors[i].signature.count(-1) for i in left)
    noun = "the dimension marked ? is" if count == 1 else "the dimensions marked ? are"
    return f"{note}; the file leaves {_left(graph, left)} open, and {noun} the caller's"


def _listed(graph: Graph, inputs: dict[int, tuple[int, ...]]) -> str:
    """``float32[1,8,8,1]``, with names where there are several."""
    return ", ".join(
        short_form(graph.tensors[i].dtype, shape)
        + (f" for {shorten(graph.fed_names[i])!r}" if len(inputs) > 1 else "")
        for i, shape in inputs.items()
    )


def _left(graph: Graph, left) -> str:
    """``'x' of [?,8,8,1]``."""
    return " and ".join(
        f"{shorten(graph.fed_names[i])!r} of "
        f"[{','.join('?' if n < 0 else str(n) for n in graph.tensors[i].signature)}]"
        for i in left
    )
