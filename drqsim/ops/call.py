"""One operator about to run: what an operator's file gets to see."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from drqsim.errors import ModelFileError, UnsupportedOperatorError
from drqsim.graph import Operator, Tensor
from drqsim.limits import COPIES, PER_ELEMENT, PER_OPERATOR, PER_STEP, Budget
from drqsim.names import byte_size, short_form
from drqsim.processor import Processor
from drqsim.trace import numbered

MOST_PARAMETERS = 64  # axes, sizes, borders: tensors have up to eight dimensions


@dataclass(frozen=True, eq=False)
class Call:
    """An operator, its inputs, the kernel path, and where to record.

    Attributes
    ----------
    operator : Operator
        Name, code and options.
    tensors : tuple of Tensor or None
        What the file says of each input; None for an optional input that is left out.
    values : tuple of array or None
        The inputs' values, constants included.
    results : tuple of Tensor
        What the file says of each output.
    kernels : str
        ``reference``, ``optimized`` or ``xnnpack``; what XNNPACK leaves behind on its path runs on
        the optimized kernels.
    processor : Processor
        Whose kernels to follow.
    record : callable
        ``record(name, value, stored=None, reserved=None, bits=None)`` keeps one intermediate
        tensor.
    keeps : callable
        ``keeps(name)``: whether the record of this name keeps its values.
    allow_nonfinite : bool
        Whether a hybrid kernel may be given NaN and infinity.
    float_type : type
        Of the floats that an operator with weights multiplies: float32 in every kernel. With
        float64, operators with float weights show their formula without float32's rounding.
    float_order : {"exact", "blas"} or None
        In which order float32 products are added up: the kernel's, or BLAS's; without a word
        BLAS's in layers of more than ``limits.EXACT_PRODUCTS``.
    budget : Budget
        Asked before something large is made.
    left : dict of arrays
        Filled by the operator: the states that it leaves, by the position where it read them.
    said : list of str
        Filled by the operator: what a reader of the trace should know.
    marks : set of str
        Filled by the operator: ``blas`` where BLAS adds up unasked.
    """

    operator: Operator
    tensors: tuple[Tensor | None, ...]
    values: tuple[np.ndarray | None, ...]
    results: tuple[Tensor, ...]
    kernels: str
    processor: Processor
    record: Callable[..., None]
    keeps: Callable[[str], bool]
    allow_nonfinite: bool = False
    float_type: type = np.float32
    float_order: str | None = None
    budget: Budget = field(default_factory=Budget)
    left: dict[int, np.ndarray] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)

    def tensor(self, position: int, what: str) -> Tensor:
        """The file's description of a mandatory input."""
        if position >= len(self.tensors) or self.tensors[position] is None:
            raise ModelFileError(
                f"{self.operator.name} has no {what} (input {position}), and the runtime refuses "
                f"{self.operator.code} without it; give it one (a bias may be all zeros)."
            )
        return self.tensors[position]

    def value(self, position: int, what: str) -> np.ndarray:
        """The values of a mandatory input."""
        self.tensor(position, what)
        return self.values[position]

    def floats(self, position: int, what: str) -> np.ndarray:
        """The values of a mandatory input that must be float32."""
        value = self.value(position, what)
        if value.dtype != np.float32:
            raise self.refuse(f"its {what} is {value.dtype}; drqsim runs it in float32.")
        return value

    def integers(
        self,
        position: int,
        what: str,
        length: int | None = None,
        dimensions: int | None = None,
        types: tuple[type, ...] = (np.int32, np.int64),
    ) -> list[int]:
        """A parameter that comes as a tensor (axes, a shape, paddings), flattened."""
        value = self.value(position, what)
        if value.dtype not in types:
            expected = " or ".join(np.dtype(each).name for each in types)
            raise self.contradiction(f"its {what} is {value.dtype}; expected {expected}.")
        if length is not None and value.size != length:
            raise self.contradiction(f"its {what} has {value.size} values; expected {length}.")
        if dimensions not in (None, value.ndim):
            raise self.contradiction(
                f"its {what} has {value.ndim} dimensions, and the runtime wants {dimensions}."
            )
        if value.size > MOST_PARAMETERS:
            raise self.contradiction(
                f"its {what} has {value.size:,} values; drqsim takes up to {MOST_PARAMETERS}."
            )
        return [int(v) for v in value.reshape(-1)]

    def axis(self, axis: int, rank: int) -> int:
        """An axis that may count from the end, checked, counted from the start."""
        if not -rank <= axis < rank:
            raise self.contradiction(f"axis {axis} does not exist in {rank} dimensions.")
        return axis % rank

    def sized(self, shape: Iterable[int], dtype=np.float32, copies: int = COPIES):
        """A shape that is about to be filled; refused when negative or larger than the budget.

        ``copies`` is how many arrays of this shape and dtype are alive at once meanwhile.
        """
        shape = tuple(int(n) for n in shape)
        if min(shape, default=0) < 0:
            raise self.contradiction(
                f"it would make a tensor of the shape {list(shape)}; no dimension may be negative."
            )
        self.room(copies * byte_size(shape, np.dtype(dtype)), f"making {short_form(dtype, shape)}")
        self.work(PER_ELEMENT * math.prod(shape))
        return shape

    def ask(self) -> None:
        """Ask for what every operator takes: intermediate values of its inputs, and passes."""
        pairs = zip(self.tensors, self.values, strict=True)
        flowing = [value for tensor, value in pairs if tensor is not None and tensor.value is None]
        self.room(COPIES * sum(value.nbytes for value in flowing))
        self.work(PER_OPERATOR + PER_STEP * (len(self.tensors) + len(self.results)))
        self.work(PER_ELEMENT * sum(value.size for value in flowing))

    def room(self, nbytes: int, what: str = "it") -> None:
        """Ask for memory; refused when the budget has less."""
        self.budget.room(self.operator.name, nbytes, what)

    def work(self, operations: int) -> None:
        """Ask for work; refused when the budget has less."""
        self.budget.work(self.operator.name, operations)

    def broadcast(self, *arrays: np.ndarray) -> tuple[int, ...]:
        """The shape that the arrays broadcast to."""
        joined = join_shapes(*(a.shape for a in arrays))
        if joined is None:
            shapes = " and ".join(str(list(a.shape)) for a in arrays)
            raise self.contradiction(f"{shapes} do not broadcast against each other.")
        return self.sized(joined)

    def record_inputs(self) -> None:
        """Record what flows in, and constants that are data rather than parameters."""
        activations, constants = numbered("input"), numbered("constant")
        for tensor, value in zip(self.tensors, self.values, strict=True):
            if tensor is not None and tensor.value is None:
                self.record(next(activations), value)
            elif tensor is not None and (tensor.dtype.kind == "f" or tensor.quantization):
                self.record(next(constants), value, bits=tensor.bits)

    def record_outputs(self, outputs: list[np.ndarray], stored: str | None = None) -> None:
        """Record every output."""
        for name, output in zip(numbered("output"), outputs, strict=False):
            self.record(name, output, stored)

    def refuse(self, why: str) -> UnsupportedOperatorError:
        """An error that names the operator."""
        return UnsupportedOperatorError(f"{self.operator.name}: {why}")

    def contradiction(self, why: str) -> ModelFileError:
        """An error for a model whose tensors do not fit together."""
        return ModelFileError(f"{self.operator.name}: {why}")


def join_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape that these broadcast to; None where they do not.

    NumPy's own function also refuses what memory could not hold, which is another sentence, and on
    32 bits sooner.
    """
    rank = max(len(shape) for shape in shapes)
    joined = []
    for sizes in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        different = {size for size in sizes if size != 1}
        if len(different) > 1:
            return None
        joined.append(different.pop() if different else 1)
    return tuple(joined)
