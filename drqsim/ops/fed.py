"""What a model is fed with, held against what it declares."""

from __future__ import annotations

import numpy as np

from drqsim.errors import InputError, ModelFileError
from drqsim.graph import Graph, Tensor, shorten
from drqsim.names import listed
from drqsim.ops.unread import check_input


def inputs_by_index(
    graph: Graph, x: np.ndarray | dict[str, np.ndarray], allow_nonfinite: bool = False
) -> dict[int, np.ndarray]:
    """The model's inputs by tensor index, checked against what the model declares."""
    names = graph.input_names
    if not isinstance(x, dict):
        if len(names) != 1:
            raise InputError(
                f"This model has {len(names)} inputs ({listed(names)}); pass a dict by name."
            )
        x = {names[0]: x}
    if not set(names) <= set(x) <= set(graph.fed_names.values()):
        raise InputError(f"Inputs are named {listed(x)}; this model has {listed(names)}.")
    for i in graph.inputs:
        if graph.tensors[i].value is not None:
            raise ModelFileError(
                f"The input {shorten(graph.fed_names[i])!r} of this model is a constant of the "
                "file: the runtime writes what it is fed over the file's bytes, or crashes where "
                "it cannot; take it out of the model's inputs."
            )
    by_index = {i: np.asarray(x[name]) for i, name in graph.fed_names.items() if name in x}
    for i, array in by_index.items():
        check_type_and_shape(graph.tensors[i], array.dtype, array.shape)
        _check_values(graph.tensors[i], array, allow_nonfinite)
    return {i: np.asarray(array, order="C") for i, array in by_index.items()}


def check_type_and_shape(tensor: Tensor, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Refuse what a model cannot be fed with, known without a look at the values."""
    check_input(tensor)
    if dtype != tensor.dtype:
        raise InputError(
            f"Input {shorten(tensor.name)!r} got {dtype.name}{list(shape)}; this model reads "
            f"{tensor.dtype.name} (dynamic-range quantization changes no input's type: floats stay "
            f"float32). Convert it with .astype(numpy.{tensor.dtype.name})."
        )
    if not tensor.accepts(shape):
        raise InputError(
            f"Input {shorten(tensor.name)!r} got the shape {list(shape)}; this model reads "
            f"{list(tensor.signature or tensor.shape)}."
        )
    if 0 in shape:
        own = 0 in tensor.shape and not (tensor.signature and -1 in tensor.signature)
        raise InputError(
            f"Input {shorten(tensor.name)!r} is empty, {dtype.name}{list(shape)}: drqsim does not "
            "run empty inputs, of which the runtime makes empty outputs or refuses them; "
            + (
                "the file fixes that shape, so there is nothing to pass instead."
                if own
                else "pass one with no dimension zero."
            )
        )


def _check_values(tensor: Tensor, array: np.ndarray, allow_nonfinite: bool) -> None:
    if tensor.bits and not -8 <= array.min() <= array.max() <= 7:
        raise InputError(
            f"Input {shorten(tensor.name)!r} is {tensor}; pass int8 values from -8 to 7, not "
            f"{array.min()} to {array.max()}."
        )
    if not allow_nonfinite and not np.isfinite(array).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputError(
            f"Input {shorten(tensor.name)!r} holds {array[at]} at {at}; a scale needs finite "
            "values, so replace NaN and infinity first, or pass allow_nonfinite=True to see what "
            "the runtime makes of them."
        )
