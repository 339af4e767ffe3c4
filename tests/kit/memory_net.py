"""A net to which operators are added one by one, with what can be read next."""

import numpy as np

from drqsim.graph import Graph, Operator, Quantization, Tensor
from drqsim.names import operator_names

f32, i32, i8 = np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.int8)
LARGEST = 6000  # elements of one activation


class Net:
    """Adds random operators to a graph; ``live`` are the float activations to read from."""

    def __init__(self, seed: int, share_of_int8: float):
        self.random = np.random.default_rng(seed)
        self.share_of_int8 = share_of_int8
        self.tensors: list[Tensor] = []
        self.operators: list[tuple] = []
        self.inputs: list[int] = []
        self.live: list[int] = []

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def choose(self, *values):
        return values[self.random.integers(len(values))]

    def tensor(self, shape, dtype=f32, value=None, **more) -> int:
        name = f"tensor {len(self.tensors)}"
        self.tensors.append(Tensor(name, tuple(map(int, shape)), dtype, value, **more))
        return len(self.tensors) - 1

    def floats(self, *shape) -> int:
        return self.tensor(shape, value=self.random.normal(size=shape).astype(f32))

    def numbers(self, values) -> int:
        values = np.array(values, i32)
        return self.tensor(values.shape, i32, values)

    def weights(self, shape, along: int, may_be_one=True) -> int:
        """A constant; int8 with scales of its own, with equal ones, or with one, or float32."""
        if not self.chance(self.share_of_int8):
            return self.floats(*shape)
        scale = self.random.uniform(0.001, 0.1, shape[along]).astype(f32)
        kind = self.choose("own", "own", "equal", "one")
        if kind != "own":
            scale[:] = scale[0]
        if kind == "one" and may_be_one:
            scale, along = scale[:1], 0
        values = self.random.integers(-127, 128, shape, dtype=np.int8)
        quantization = Quantization(scale, np.zeros(scale.shape, np.int64), along)
        return self.tensor(shape, i8, values, quantization=quantization)

    def input(self, *shape) -> int:
        self.inputs.append(self.tensor(shape))
        self.live.append(self.inputs[-1])
        return self.inputs[-1]

    def add(self, code: str, reads, *shapes, dtype=f32, **options) -> int | None:
        if any(np.prod(shape) > LARGEST or 0 in shape for shape in shapes):
            return None
        writes = tuple(self.tensor(shape, dtype) for shape in shapes)
        self.operators.append((code, tuple(reads), writes, options))
        if dtype == f32:
            self.live += writes
        return writes[0]

    def shape(self, index: int) -> tuple[int, ...]:
        return self.tensors[index].shape

    def graph(self, outputs=None, shuffled=True) -> Graph:
        """The graph; every result that nobody reads is an output, but for a few."""
        read = {i for _, reads, _, _ in self.operators for i in reads}
        made = [i for _, _, writes, _ in self.operators for i in writes]
        if outputs is None:
            outputs = [i for i in made if i not in read and not self.chance(0.1)]
            outputs += [i for i in made if i in read and self.chance(0.05)]
            outputs = outputs or made[-1:]
        order = self.random.permutation(len(self.tensors)) if shuffled else None
        place = {-1: -1} | {
            int(old): new for new, old in enumerate(order if shuffled else range(len(self.tensors)))
        }
        tensors = [None] * len(self.tensors)
        for old, tensor in enumerate(self.tensors):
            tensors[place[old]] = tensor
        names = operator_names([code for code, *_ in self.operators])
        operators = tuple(
            Operator(
                code, name, tuple(place[i] for i in reads), tuple(place[i] for i in writes), options
            )
            for name, (code, reads, writes, options) in zip(names, self.operators, strict=True)
        )
        return Graph(
            tuple(tensors),
            operators,
            tuple(place[i] for i in self.inputs),
            tuple(place[i] for i in outputs),
        )
