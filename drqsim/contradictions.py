"""What cannot be a model: parts of a tensor or a graph that contradict each other.

Files and callers build the same ``Graph``; what holds for every one of them is checked here, once,
when it is made, and nobody asks again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator


def of_tensor(tensor) -> str:
    """What is wrong with its shape, value or quantization; empty where nothing is."""
    shape, value, quantization = tensor.shape, tensor.value, tensor.quantization
    if any(n < 0 for n in shape):
        return f"has the shape {list(shape)}; no dimension may be negative"
    if (
        value is not None
        and not tensor.unread
        and (value.shape, value.dtype) != (shape, tensor.dtype)
    ):
        return f"is {tensor}, but its value is {value.dtype.name}{list(value.shape)}"
    if quantization is None:
        return ""
    scale, axis = quantization.scale, quantization.axis
    if scale.shape != quantization.zero_point.shape:
        return f"has {scale.size} scales but {quantization.zero_point.size} zero points"
    if not scale.size:
        return "is quantized without a scale"
    if not 0 <= axis < max(1, len(shape)):
        return f"is quantized along dimension {axis} of {len(shape)}"
    if scale.size > 1 and shape[axis : axis + 1] != scale.shape:
        return f"has {scale.size} scales for dimension {axis} of {list(shape)}"
    return ""


def of_graph(graph) -> str:
    """An operator's name that two have, or an index that names no tensor; empty without one."""
    names = Counter(op.name for op in graph.operators)
    if len(names) < len(graph.operators):
        return f"two operators are called {names.most_common(1)[0][0][:60]!r}"
    count = len(graph.tensors)
    for who, indices, lowest in _named(graph):
        lost = next((i for i in indices if not lowest <= i < count), None)
        if lost is not None:
            return f"{who[:60]} names tensor {lost}, but there are {count} tensors"
    return ""


def _named(graph) -> Iterator[tuple[str, tuple[int, ...], int]]:
    """Who names tensors, which, and from which index on: an absent input is -1."""
    for op in graph.operators:
        yield op.name, op.inputs, -1
        yield op.name, op.outputs, 0
    yield "the model", (*graph.inputs, *graph.outputs), 0
