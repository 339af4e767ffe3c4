"""The constants that a file stores: each place once, as what its bytes are."""

from __future__ import annotations

import numpy as np

from drqsim.graph import Graph, Tensor
from drqsim.model_file.operands import as_codes, input_of, old_codes, weights_of

f32 = np.float32
ROWS_AT_ONCE = 4096
MOST_TABLES = 4  # of one shape that are looked through for a second copy


def constants(graph: Graph) -> list[Tensor]:
    """The constants of all subgraphs; of those that read the same bytes of the file, the first.

    Weights that the file calls uint8, and that meet float32, are given as the int8 that they are.
    """
    old = {id(tensor) for tensor in old_weights(graph)}
    found = (tensor for each in graph.subgraphs for tensor in each.constants)
    by_bytes: dict[tuple, Tensor] = {}
    for at, tensor in enumerate(found):
        key = (tensor.value.__array_interface__["data"][0], tensor.nbytes)
        key = key if tensor.nbytes else (at,)
        by_bytes.setdefault(key, as_codes(tensor) if id(tensor) in old else tensor)
    return list(by_bytes.values())


def old_weights(graph: Graph) -> list[Tensor]:
    """Weights that hold int8 codes, though the file calls them uint8."""
    found = {}
    for each in graph.subgraphs:
        for op in each.operators:
            source, weights = input_of(each, op), weights_of(each, op)
            if source is not None and source.dtype == f32 and old_codes(weights):
                found[id(weights)] = weights
    return list(found.values())


def second_copies(tensors: list[Tensor]) -> list[Tensor]:
    """Those with a scale for every channel of what is also there with a single scale.

    A converter writes both of an embedding that is a dense layer as well: GATHER reads the one, the
    layer the other.
    """
    single: dict[tuple[int, ...], list[Tensor]] = {}
    several = []
    for tensor in tensors:
        if tensor.dtype != np.int8 or tensor.quantization is None or not tensor.nbytes:
            continue
        if tensor.quantization.scale.size > 1:
            several.append(tensor)
        else:
            single.setdefault(tensor.shape, []).append(tensor)
    single = {shape: tables[:MOST_TABLES] for shape, tables in single.items()}
    return [t for t in several if any(_same_floats(t, other) for other in single.get(t.shape, ()))]


def _same_floats(one: Tensor, other: Tensor) -> bool:
    """Whether both can be codes of the same floats: each lies within half a step of its own."""
    scales = [_along_rows(one), _along_rows(other)]
    for begin in range(0, one.shape[0], ROWS_AT_ONCE):
        part = slice(begin, begin + ROWS_AT_ONCE)
        steps = [scale[part] if len(scale) > 1 else scale for scale in scales]
        with np.errstate(all="ignore"):  # a file may hold any scale
            apart = np.abs(one.value[part] * steps[0] - other.value[part] * steps[1])
            # a thousandth for the rounding of the scales to float32, and of these products
            if not (apart <= 0.501 * (steps[0] + steps[1])).all():
                return False
    return True


def _along_rows(tensor: Tensor) -> np.ndarray:
    """The scales in a shape that multiplies the values."""
    shape = np.ones(len(tensor.shape), int)
    shape[tensor.quantization.axis] = -1
    return tensor.quantization.scale.reshape(shape)
