"""A graph with one to four things about it changed, as a stranger's file might have them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from drqsim.graph import Graph, Operator, Quantization, Tensor
from drqsim.model_file.schema import ACTIVATION, DTYPES, OPTIONS
from drqsim.ops import TABLE

MOST_VALUES = 2**16  # of a constant that is made anew
NUMBERS = (-(2**31), -129, -3, -1, 0, 1, 2, 3, 5, 100, 65_536, 2**31 - 1)
SIZES = (0, 0, 1, 1, 2, 3, 4, 5, 8, 9, 17, 64, 65_536, 2**31 - 1)
FLOATS = (0.0, -0.0, 1e-42, 1e-30, 1.0, -1.0, 127.0, 3e38, np.inf, -np.inf, np.nan)
NAMES = ("", "x", "y", "a" * 300, "line\nbreak", "\x1b[31m", "<b>&", "\u202e\U0001f600")
CODES = (*sorted(TABLE), "CUSTOM", "WHILE", "CONV_3D", "OPERATOR_999", "LSTM")


def choose(random: np.random.Generator, values):
    """One of the values, as it is."""
    return values[int(random.integers(len(values)))]


def mutant(random: np.random.Generator, graph: Graph) -> Graph:
    """The graph with one to four changes."""
    for _ in range(int(random.integers(1, 5))):
        graph = choose(random, CHANGES)(random, graph)
    return graph


def _put(graph: Graph, field: str, at: int, made) -> Graph:
    """The graph with another tensor or operator in one place."""
    held = list(getattr(graph, field))
    held[at] = made
    return replace(graph, **{field: tuple(held)})


def _of_a_tensor(change: Callable) -> Callable:
    """A change of a graph out of one of a tensor: one that somebody reads or writes, mostly."""

    def changed(random, graph: Graph) -> Graph:
        if not graph.tensors:
            return graph
        at = int(random.integers(len(graph.tensors)))
        if graph.operators and random.random() < 0.8:
            op = choose(random, graph.operators)
            near = [i for i in (*op.inputs, *op.outputs) if 0 <= i < len(graph.tensors)]
            at = choose(random, near) if near else at
        return _put(graph, "tensors", at, change(random, graph.tensors[at], graph))

    return changed


def _of_an_operator(change: Callable) -> Callable:
    """A change of a graph out of one of an operator."""

    def changed(random, graph: Graph) -> Graph:
        if not graph.operators:
            return graph
        at = int(random.integers(len(graph.operators)))
        return _put(graph, "operators", at, change(random, graph.operators[at], graph))

    return changed


# of a tensor


def _filled(tensor: Tensor, shape: tuple, dtype: np.dtype) -> Tensor:
    """The tensor in another form, its values, where it has some, repeated or converted."""
    value = tensor.value
    if value is not None:
        count = int(np.prod(shape, dtype=object))
        if count > MOST_VALUES:
            return tensor
        with np.errstate(all="ignore"):
            whole = np.resize(value, shape) if value.size else np.zeros(shape, value.dtype)
            value = whole.reshape(shape).astype(dtype)
    return replace(tensor, shape=shape, dtype=dtype, value=value, signature=None, bits=None)


def other_size(random, tensor: Tensor, graph: Graph) -> Tensor:
    shape = list(tensor.shape)
    if shape:
        shape[int(random.integers(len(shape)))] = choose(random, SIZES)
    return _filled(tensor, tuple(shape), tensor.dtype)


def other_shape(random, tensor: Tensor, graph: Graph) -> Tensor:
    kind = random.integers(5)
    if kind == 0:
        shape = tuple(int(n) for n in random.integers(0, 5, random.integers(0, 9)))
    elif kind == 1:
        shape = (*tensor.shape, 1)[:8]
    elif kind == 2:
        shape = tensor.shape[1:]
    elif kind == 3:
        shape = choose(random, graph.tensors).shape
    else:
        shape = (1, *tensor.shape)[:8]
    return _filled(tensor, shape, tensor.dtype)


def other_type(random, tensor: Tensor, graph: Graph) -> Tensor:
    return _filled(tensor, tensor.shape, choose(random, list(DTYPES.values())))


def other_values(random, tensor: Tensor, graph: Graph) -> Tensor:
    if tensor.value is None or not tensor.value.size:
        return tensor
    value = tensor.value.copy()
    new = choose(random, NUMBERS if value.dtype.kind in "iu" else FLOATS)
    at = () if random.random() < 0.3 else int(random.integers(value.size))
    with np.errstate(all="ignore"):
        value.reshape(-1)[at] = np.asarray(new).astype(value.dtype)
    return replace(tensor, value=value)


def given_or_not(random, tensor: Tensor, graph: Graph) -> Tensor:
    if tensor.value is not None:
        return replace(tensor, value=None)
    if np.prod(tensor.shape, dtype=object) > MOST_VALUES:
        return tensor
    return replace(tensor, value=np.ones(tensor.shape, tensor.dtype))


def variable_or_not(random, tensor: Tensor, graph: Graph) -> Tensor:
    return replace(tensor, is_variable=not tensor.is_variable)


def other_bits(random, tensor: Tensor, graph: Graph) -> Tensor:
    if tensor.dtype != np.int8:
        return tensor
    value = None if tensor.value is None else tensor.value.clip(-8, 7)
    return replace(tensor, bits=None if tensor.bits else 4, value=value)


def open_sizes(random, tensor: Tensor, graph: Graph) -> Tensor:
    signature = tuple(-1 if random.random() < 0.5 else n for n in tensor.shape)
    return replace(tensor, signature=signature if -1 in signature else None)


def other_quantization(random, tensor: Tensor, graph: Graph) -> Tensor:
    if tensor.quantization is not None and random.random() < 0.3:
        return replace(tensor, quantization=None)
    axis = int(random.integers(max(1, len(tensor.shape))))
    size = tensor.shape[axis] if tensor.shape and random.random() < 0.7 else 1
    if random.random() < 0.2:
        size = int(random.integers(0, 5))
    scale = random.uniform(0.001, 0.1, min(size, MOST_VALUES)).astype(np.float32)
    if scale.size and random.random() < 0.4:
        scale[random.integers(scale.size)] = choose(random, FLOATS)
    zero_point = np.full(scale.shape, choose(random, (0, 0, 0, 1, -128, 2**31)), np.int64)
    return replace(tensor, quantization=Quantization(scale, zero_point, axis))


def other_name(random, tensor: Tensor, graph: Graph) -> Tensor:
    taken = choose(random, graph.tensors).name
    return replace(tensor, name=taken if random.random() < 0.5 else choose(random, NAMES))


# of an operator


def _somebody(random, graph: Graph) -> int:
    """Mostly a tensor of the graph, one that comes later included."""
    if random.random() < 0.15 or not graph.tensors:
        return choose(random, (-1, -1, -2, len(graph.tensors), 2**31 - 1))
    return int(random.integers(len(graph.tensors)))


def other_ends(random, op: Operator, graph: Graph) -> Operator:
    """Another input or output in the place of one."""
    side = "inputs" if random.random() < 0.8 else "outputs"
    ends = list(getattr(op, side))
    if ends:
        new = -1 if random.random() < 0.2 else _somebody(random, graph)
        ends[int(random.integers(len(ends)))] = new
    return replace(op, **{side: tuple(ends)})


def more_or_fewer(random, op: Operator, graph: Graph) -> Operator:
    """An input or output more, or fewer."""
    side = "inputs" if random.random() < 0.7 else "outputs"
    ends = list(getattr(op, side))
    kind = random.integers(3)
    if kind == 0 or not ends:
        ends.insert(int(random.integers(len(ends) + 1)), _somebody(random, graph))
    elif kind == 1:
        ends.pop(int(random.integers(len(ends))))
    else:
        ends = ends[: int(random.integers(len(ends)))]
    return replace(op, **{side: tuple(ends)})


def in_a_circle(random, op: Operator, graph: Graph) -> Operator:
    """It reads what it writes, or what a later operator writes."""
    made = [i for other in graph.operators for i in other.outputs]
    if not op.inputs or not made:
        return op
    inputs = list(op.inputs)
    inputs[int(random.integers(len(inputs)))] = choose(random, made)
    return replace(op, inputs=tuple(inputs))


def other_code(random, op: Operator, graph: Graph) -> Operator:
    code = choose(random, CODES)
    kept = OPTIONS[code][1] if code in OPTIONS else {}
    options = {name: value for name, value in op.options.items() if name in kept}
    return replace(op, code=code, options=options)


def other_version(random, op: Operator, graph: Graph) -> Operator:
    return replace(op, version=int(random.integers(0, 12)))


def other_option(random, op: Operator, graph: Graph) -> Operator:
    options = dict(op.options)
    if not options:
        return op
    name = choose(random, sorted(options))
    if random.random() < 0.2:
        del options[name]
    elif isinstance(options[name], str):
        options[name] = choose(random, (*ACTIVATION, "SAME", "VALID", "NO_SUCH", 1))
    elif isinstance(options[name], (tuple, list)):
        options[name] = tuple(choose(random, NUMBERS) for _ in range(random.integers(0, 7)))
    elif isinstance(options[name], bytes):
        options[name] = choose(random, (b"", b"spec"))
    else:
        values = (*NUMBERS, *FLOATS) if random.random() < 0.2 else NUMBERS
        options[name] = choose(random, values)
    return replace(op, options=options)


# of the graph


def fewer_operators(random, graph: Graph) -> Graph:
    """One left out, or all."""
    kept = list(graph.operators)
    if random.random() < 0.15:
        kept = []
    elif kept:
        kept.pop(int(random.integers(len(kept))))
    return replace(graph, operators=tuple(kept))


def other_order(random, graph: Graph) -> Graph:
    order = random.permutation(len(graph.operators))
    return replace(graph, operators=tuple(graph.operators[i] for i in order))


def twice(random, graph: Graph) -> Graph:
    """An operator stands there again, under its own name or another."""
    if not graph.operators:
        return graph
    op = choose(random, graph.operators)
    if random.random() < 0.5:
        op = replace(op, name=f"{op.code.lower()}_{len(graph.operators)}")
    return replace(graph, operators=(*graph.operators, op))


def other_side(random, graph: Graph) -> Graph:
    """Another tensor among what enters or leaves the graph, one twice, or none."""
    side = "inputs" if random.random() < 0.5 else "outputs"
    ends = list(getattr(graph, side))
    kind = random.integers(4)
    if kind == 0 and ends:
        ends.append(choose(random, ends))
    elif kind == 1:
        ends = []
    elif kind == 2 and ends:
        ends.pop(int(random.integers(len(ends))))
    else:
        ends.append(_somebody(random, graph))
    return replace(graph, **{side: tuple(ends)})


# what a kernel looks at when a model is loaded
other_type_of, other_scale_of = map(_of_a_tensor, (other_type, other_quantization))
other_option_of = _of_an_operator(other_option)

CHANGES = (
    *map(_of_a_tensor, (other_size, other_size, other_shape, other_shape, other_type, other_type)),
    *map(_of_a_tensor, (other_values, other_values, given_or_not, variable_or_not, other_bits)),
    *map(_of_a_tensor, (open_sizes, other_quantization, other_quantization, other_name)),
    *map(_of_an_operator, (other_ends, other_ends, more_or_fewer, more_or_fewer, in_a_circle)),
    *map(_of_an_operator, (other_code, other_version, other_option, other_option)),
    fewer_operators,
    other_order,
    twice,
    other_side,
    other_side,
)
