"""What the recurrent operators share: their constants, checked, and one quantized product.

A recurrent step multiplies two vectors, the step's input and the state that the step before left,
each with int8 matrices that have one scale. Both are float32, so both are quantized anew in every
step, row by row: a state never stays int8.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/internal/portable_tensor_utils.h``
(``BatchQuantizeFloats``), ``internal/optimized/sse_tensor_utils.cc`` and ``neon_tensor_utils.cc``
(``MatrixBatchVectorMultiplyAccumulate``), ``internal/tensor_utils.h``
(``ApplyActivationToVector``). Both builtin paths run this code, and XNNPACK takes none of the
recurrent operators, so the three kernel paths agree.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from drqsim import qparams
from drqsim.arithmetic.functions import eigen
from drqsim.limits import PER_OPERATOR
from drqsim.ops import builtin, weights
from drqsim.ops.call import Call
from drqsim.processor import Processor
from drqsim.qparams import Quantized

f32 = np.float32


class Matrix(NamedTuple):
    """int8 weights with one scale."""

    codes: np.ndarray
    scale: np.float32
    row_sums: np.ndarray  # int32 [rows], what a zero point multiplies


def matrix(call: Call, position: int, what: str, shape: tuple[int, ...]) -> Matrix | None:
    """The int8 constant of this shape at an input; None where the file leaves it out."""
    tensor = call.tensors[position] if position < len(call.tensors) else None
    if tensor is None:
        return None
    if tensor.value is None:
        raise call.refuse(f"its {what} {tensor} is made at run time; drqsim needs a constant.")
    if tensor.dtype != np.int8 or tensor.quantization is None:
        raise call.refuse(f"its {what} is {tensor}; drqsim runs it with int8 weights and a scale.")
    if len(tensor.shape) < len(shape):
        raise call.refuse(f"its {what} is {tensor}, a diagonal; drqsim runs full matrices.")
    if tensor.shape != shape:
        raise call.contradiction(f"its {what} is {tensor}; expected {list(shape)}.")
    if tensor.quantization.scale.size != 1:
        raise call.contradiction(
            f"its {what} has {tensor.quantization.scale.size} scales; the kernel reads one and "
            "takes 0 for more."
        )
    scale = weights.scales(call, tensor, axis=0, what=what)
    return Matrix(tensor.value, scale[0], builtin.family(call.processor).row_sums(tensor.value))


def vector(call: Call, position: int, what: str, size: int) -> np.ndarray | None:
    """The float32 constant [size] at an input; None where the file leaves it out."""
    tensor = call.tensors[position] if position < len(call.tensors) else None
    if tensor is None:
        return None
    if tensor.value is None:
        raise call.refuse(f"its {what} {tensor} is made at run time; drqsim needs a constant.")
    if tensor.dtype != f32 or tensor.shape != (size,):
        raise call.contradiction(f"its {what} is {tensor}; expected float32[{size}].")
    return tensor.value


def state(call: Call, position: int, what: str, shape: tuple[int, ...]) -> np.ndarray:
    """The variable tensor at an input, in this shape, as the operator before left it."""
    tensor, value = call.tensor(position, what), call.values[position]
    if not tensor.is_variable or tensor.dtype != f32:
        raise call.contradiction(f"its {what} {tensor} must be a float32 variable tensor.")
    if math.prod(tensor.shape) != math.prod(shape):
        raise call.contradiction(f"its {what} is {tensor}; expected {math.prod(shape)} elements.")
    return value.reshape(shape)


def leave(call: Call, position: int, value: np.ndarray) -> None:
    """Hand on the state after the last step, for whoever reads the same variable tensor."""
    call.left[position] = np.ascontiguousarray(value).reshape(call.tensors[position].shape)


def check_weights(call: Call, position: int) -> tuple[int, int]:
    """Rows and columns of the matrix that gives a recurrent operator its sizes, once it is int8."""
    tensor = call.tensor(position, "weights")
    if tensor.dtype != np.int8:
        raise call.refuse(
            f"its weights are {tensor}; drqsim runs {call.operator.code} with int8 weights only."
        )
    if len(tensor.shape) != 2 or 0 in tensor.shape:
        raise call.contradiction(
            f"its weights are {tensor}; expected two dimensions, none of them 0."
        )
    return tensor.shape


class Arithmetic(NamedTuple):
    """How an operator quantizes and multiplies its vectors.

    Attributes
    ----------
    processor : Processor
    asymmetric : bool
        Whether a vector has a zero point.
    together : bool
        Whether the kernel takes all rows for one matrix (time-major) or each for itself
        (batch-major).
    """

    processor: Processor
    asymmetric: bool
    together: bool

    def quantize(self, x: np.ndarray) -> Quantized:
        """The codes of float32 ``x``, a scale for every row."""
        rule = qparams.asymmetric if self.asymmetric else qparams.symmetric
        return rule(x, by=builtin.family(self.processor).codes)

    def used_rows(self, x: np.ndarray) -> np.ndarray:
        """Which rows the kernel multiplies, bool [rows]: it skips a vector that is all zero."""
        return np.full(len(x), x.any()) if self.together else x.any(axis=1)

    def accumulators(self, q: Quantized, weights: Matrix) -> np.ndarray:
        """``sum q * w - zp * row_sum``, int32 [rows, len(weights)]."""
        raw = self._product(q, weights).dot(q.codes, weights.codes)
        return raw - q.zero_point[:, None] * weights.row_sums

    def add_product(
        self, total: np.ndarray, acc: np.ndarray, q: Quantized, weights: Matrix, used: np.ndarray
    ) -> np.ndarray:
        """``total + acc * (s_x * s_w)`` in the rows that are used.

        To add the product of a skipped vector, zero, would change the sign of a negative zero.
        """
        scale = (q.scale * weights.scale)[:, None]
        added = self._product(q, weights).add(total, acc.astype(f32), scale)
        return np.where(used[:, None], added, total)

    @property
    def fused(self) -> bool:
        """Whether a float32 product and the sum that it is added to are rounded once."""
        return self.processor.neon

    def add(self, total: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """``total + a * b`` of float32."""
        return (builtin.fused if self.fused else builtin.rounded)(total, a, b)

    def sum_of_products(self, a: np.ndarray, b: np.ndarray, lanes: int) -> np.ndarray:
        """Sum of ``a * b`` over the last dimension, so many at a time in as many partial sums.

        Their halves are added up until four are left. These add up in order on x86, on arm64 two
        and two. What fills no lanes is added last, one by one.
        """
        b = np.broadcast_to(b, a.shape)
        whole = a.shape[-1] - a.shape[-1] % lanes
        sums = np.zeros((*a.shape[:-1], lanes), f32)
        for at in range(0, whole, lanes):
            sums = self.add(sums, a[..., at : at + lanes], b[..., at : at + lanes])
        while sums.shape[-1] > 4:
            sums = np.add(*np.split(sums, 2, axis=-1))
        total = sums[..., 0]
        if lanes > 1:
            first, second, third, fourth = np.moveaxis(sums, -1, 0)
            last = (third + fourth,) if self.processor.neon else (third, fourth)
            total = sum(last, start=first + second)
        for at in range(whole, a.shape[-1]):
            total = self.add(total, a[..., at], b[..., at])
        return total

    def activate(self, x: np.ndarray, activation: str) -> np.ndarray:
        """The fused activation of a recurrent operator; all of the file format's are honoured."""
        return eigen.tanh(x, self.fused) if activation == "TANH" else _ACTIVATIONS[activation](x)

    def _product(self, q: Quantized, weights: Matrix) -> builtin.Product:
        rows = len(q.codes) if self.together else 1
        out, depth = weights.codes.shape
        return builtin.product(self.processor, rows, depth, out)


def named(name: str, q: Quantized, asymmetric: bool) -> dict[str, np.ndarray]:
    """The records of a quantized vector: scale, zero point where there is one, codes."""
    zero_point = {f"{name}_zero_point": q.zero_point} if asymmetric else {}
    return {f"{name}_scale": q.scale} | zero_point | {f"{name}_quantized": q.codes}


def record_weights(call: Call, name: str, matrices: list[Matrix], row_sums: bool) -> None:
    """Record the weights of one kind: those of every gate, if the operator has gates."""
    together = np.stack if len(matrices) > 1 else lambda arrays: arrays[0]
    call.record(f"{name}_weights", together([m.codes for m in matrices]))
    call.record(f"{name}_weights_scale", np.array([m.scale for m in matrices]))
    if row_sums:
        call.record(f"{name}_row_sums", together([m.row_sums for m in matrices]))


def ask(call: Call, steps: int, sums: int, depth: int) -> None:
    """Ask for what a sequence takes: in every step so many sums, of so many products each."""
    call.sized((steps, sums))
    call.work(steps * (PER_OPERATOR + sums * depth))


def record_steps(
    call: Call, records: list[dict[str, np.ndarray]], reserved: dict[str, int]
) -> None:
    """Record what every step made, the time first.

    The runtime's buffers hold one step; ``reserved`` are the bytes of those that hold more.
    """
    for name in records[0]:
        value = np.stack([record[name] for record in records])
        stored, size = None, reserved.get(name, records[0][name].nbytes)
        if name in _IN_ANOTHER_BUFFER:
            stored, size = "arena", 0
        elif name in ("recurrent_accumulator", "projection_accumulator"):
            size = 0  # there is one buffer for all sums, and it is never written
        call.record(name, value, stored, size)


# gates overwrite their own pre-activation; the projection uses the input's scale and zero point,
# and the cell gate's buffer for what it multiplies
_IN_ANOTHER_BUFFER = ("pre_activation", "hidden", "hidden_scale", "hidden_zero_point")


def clip(x: np.ndarray, bound: float) -> np.ndarray:
    """``x`` between -bound and bound, if the bound is positive; NaN becomes the bound."""
    bound = f32(bound)
    return np.where(x < bound, np.maximum(x, -bound), bound) if bound > 0 else x


_ACTIVATIONS = {
    "NONE": lambda x: x,
    # comparisons, as in the kernel: in RELU and RELU6 a negative zero becomes a positive one, and
    # NaN (a layer norm of infinities, say) falls to the lower bound
    "RELU": lambda x: np.where(x > 0, x, f32(0)),
    "RELU6": lambda x: np.where(x > 0, np.minimum(x, f32(6)), f32(0)),
    "RELU_N1_TO_1": lambda x: np.where(x > -1, np.minimum(x, f32(1)), f32(-1)),
    "SIGN_BIT": lambda x: np.signbit(x).astype(f32),
}
