"""What a kernel's ``Prepare`` sees, and what it adds to the runtime's list of tensors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drqsim.errors import ModelFileError, UnsupportedOperatorError
from drqsim.graph import Operator
from drqsim.memory.held import Held
from drqsim.model_file.operands import OPERANDS
from drqsim.names import short_form
from drqsim.processor import Processor

f32, i8, u8, i16, i32 = (np.dtype(t) for t in (np.float32, np.int8, np.uint8, np.int16, np.int32))
# operators whose kernels for integer activations are planned as well
FULL_INTEGER = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


class Scratch(NamedTuple):
    """One scratch tensor; a shape of None means that it is created and stays empty."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...] | None
    stored: str = "arena"


EMPTY = Scratch("unused", f32, None, "none")  # the kernel never asks for memory for it


class Site(NamedTuple):
    """An operator, its tensors, and the runtime around it."""

    op: Operator
    reads: tuple[Held | None, ...]
    writes: tuple[Held, ...]
    kernels: str
    threads: int
    processor: Processor

    @property
    def is_reference(self) -> bool:
        return self.kernels == "reference"

    def tensor(self, position: int, rank: int | None = None) -> Held:
        """Input ``position``, which must be there and have ``rank`` dimensions without a zero."""
        found = self.reads[position] if position < len(self.reads) else None
        if found is None or found.shape is None:
            raise ModelFileError(f"{self.op.name} has no input {position}; its kernel needs one.")
        if rank is not None and (len(found.shape) != rank or 0 in found.shape):
            raise ModelFileError(
                f"{self.op.name} reads {short_form(found.dtype, found.shape)} as its input "
                f"{position}; its kernel reads {rank} dimensions, none of them zero."
            )
        return found

    def source(self, rank: int | None = None) -> Held:
        """The activation that meets the weights."""
        return self.tensor(OPERANDS[self.op.code].input, rank)

    def weights(self, rank: int | None = None) -> Held:
        """The weights whose type decides which kernel runs."""
        return self.tensor(OPERANDS[self.op.code].weights, rank)

    @property
    def is_hybrid(self) -> bool:
        """int8 weights and a float32 input: dynamic-range quantization."""
        dtypes = self.source().dtype, self.weights().dtype
        integer = self.op.code in FULL_INTEGER and dtypes in ((i8, i8), (i16, i8))
        # that kernel reads the uint8 weights of old files as int8
        hybrid = dtypes == (f32, i8) or (dtypes == (f32, u8) and self.op.code == "FULLY_CONNECTED")
        if dtypes != (f32, f32) and not hybrid and not integer:
            raise UnsupportedOperatorError(
                f"{self.op.name} reads {dtypes[0].name} with {dtypes[1].name} weights; drqsim does "
                "not know what scratch its kernel takes for them."
            )
        return hybrid
