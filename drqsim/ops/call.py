"""One operator about to run: what an operator's file gets to see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from drqsim.errors import ModelFileError, UnsupportedOperatorError
from drqsim.graph import Operator, Tensor


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
        ``reference``, ``optimized`` or ``xnnpack``.
    record : callable
        ``record(name, value, stored=None, reserved=None)`` keeps one intermediate tensor.
    """

    operator: Operator
    tensors: tuple[Tensor | None, ...]
    values: tuple[np.ndarray | None, ...]
    results: tuple[Tensor, ...]
    kernels: str
    record: Callable[..., None]

    def tensor(self, position: int, what: str) -> Tensor:
        """The file's description of a mandatory input."""
        if position >= len(self.tensors) or self.tensors[position] is None:
            raise ModelFileError(
                f"{self.operator.name} has no {what} (input {position}), and the runtime refuses "
                f"{self.operator.code} without it; give it one (a bias may be all zeros)."
            )
        return self.tensors[position]

    def refuse(self, why: str) -> UnsupportedOperatorError:
        """An error that names the operator."""
        return UnsupportedOperatorError(f"{self.operator.name}: {why}")

    def contradiction(self, why: str) -> ModelFileError:
        """An error for a model whose tensors do not fit together."""
        return ModelFileError(f"{self.operator.name}: {why}")
