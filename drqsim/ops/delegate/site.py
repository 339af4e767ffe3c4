"""One operator as XNNPACK's delegate looks at it, and the questions that it asks of many.

Each question is answered with why XNNPACK does not take the operator; with nothing if it may. A
rule yields such answers; it is left at the first reason, and later questions rely on the answers to
earlier ones. Source, ai-edge-litert 2.3.0: ``tflite/delegates/xnnpack/xnnpack_delegate.cc``, the
functions ``Visit...Node``, in their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from drqsim.arithmetic.floats import is_normal
from drqsim.graph import Operator, Tensor
from drqsim.ops.fused import WITHOUT_RANGE

f32 = np.float32
Reasons = Iterator[str]
FLOAT32, FLOAT16, INT8, UINT8, INT32, INT64 = (
    "float32",
    "float16",
    "int8",
    "uint8",
    "int32",
    "int64",
)
FLOATS = (FLOAT32, FLOAT16)
MOST_DIMENSIONS = 6  # XNN_MAX_TENSOR_DIMS


@dataclass(frozen=True, eq=False)
class Site:
    """An operator, its options, and what the file says of its tensors.

    Attributes
    ----------
    op : Operator
    options : mapping
        With every field that the file left out.
    reads : tuple of Tensor or None
    writes : tuple of Tensor
    fixed : tuple of bool
        For each input: a constant of the file, or made of one before the model runs.
    halves : tuple of bool
        For each input: float16 in the file, read as such although a DEQUANTIZE lies between.
    """

    op: Operator
    options: Mapping[str, object]
    reads: tuple[Tensor | None, ...]
    writes: tuple[Tensor, ...]
    fixed: tuple[bool, ...]
    halves: tuple[bool, ...]

    def counts(self, lowest: int, highest: int | None = None, outputs=(1, 1)) -> str:
        """It has so many inputs and outputs, and none of the first ``lowest`` is left out."""
        highest = lowest if highest is None else highest
        if not lowest <= len(self.reads) <= highest:
            return f"XNNPACK takes it with {_span(lowest, highest)} inputs, not {len(self.reads)}"
        if not outputs[0] <= len(self.writes) <= outputs[1]:
            return f"XNNPACK takes it with {_span(*outputs)} outputs, not {len(self.writes)}"
        return self.present(*range(lowest))

    def present(self, *positions: int) -> str:
        """None of these inputs is left out."""
        missing = [at for at in positions if at >= len(self.reads) or self.reads[at] is None]
        return f"its input {missing[0]} is left out" if missing else ""

    def in_file(self, position: int, what: str) -> str:
        """A constant of the file."""
        if is_in_file(self.reads[position]):
            return ""
        return f"XNNPACK wants its {what} as a constant of the file"

    def is_fixed(self, position: int, what: str) -> str:
        """A constant of the file, or made of one."""
        return "" if self.fixed[position] else f"XNNPACK wants its {what} as a constant"

    def activation(self) -> str:
        """XNNPACK can fuse the activation."""
        activation = self.options.get("fused_activation_function", "NONE")
        return f"XNNPACK has no fused {activation}" if activation in WITHOUT_RANGE else ""


def _span(lowest: int, highest: int) -> str:
    return f"{lowest}" if lowest == highest else f"{lowest} to {highest}"


def kind(tensor: Tensor) -> str:
    """Its type in one word."""
    return tensor.type_name


def is_in_file(tensor: Tensor) -> bool:
    """A constant for the runtime, to which an empty buffer is none."""
    return tensor.value is not None and tensor.value.size > 0


def of_kind(tensor: Tensor, *kinds: str) -> str:
    """It has one of these types."""
    return "" if kind(tensor) in kinds else f"XNNPACK has no kernel for {kind(tensor)} activations"


def floats(*tensors: Tensor) -> str:
    """All are float32 or float16."""
    return next(filter(None, (of_kind(tensor, *FLOATS) for tensor in tensors)), "")


def codes(*tensors: Tensor, also: tuple[str, ...] = FLOATS, signed_only: bool = False) -> str:
    """All are codes with one scale for the whole tensor, or floats (CheckTensorFloatOrQUInt8)."""
    known = (INT8,) if signed_only else (INT8, UINT8)
    for tensor in tensors:
        if kind(tensor) in also:
            continue
        why = of_kind(tensor, *known)
        if not why and not has_one_scale(tensor):
            why = f"XNNPACK wants one scale for {kind(tensor)} activations"
        if why:
            return why
    return ""


def has_one_scale(tensor: Tensor) -> bool:
    """One scale for the whole tensor, along dimension 0."""
    given = tensor.quantization
    return given is not None and given.scale.size == 1 and given.axis == 0


def dimensions(tensor: Tensor, lowest: int, highest: int | None = None) -> str:
    """So many dimensions, none of them empty."""
    highest = lowest if highest is None else highest
    if lowest <= len(tensor.shape) <= highest and 0 not in tensor.shape:
        return ""
    return f"XNNPACK wants {_span(lowest, highest)} dimensions and no empty one, not {tensor}"


def is_vector(tensor: Tensor, what: str, squeezed: bool = False) -> str:
    """One dimension; or, ``squeezed``, only ones before the last."""
    if len(tensor.shape) == 1 or (squeezed and set(tensor.shape[:-1]) <= {1}):
        return ""
    return f"XNNPACK wants its {what} in one dimension, not {tensor}"


def weights(tensor: Tensor, axis: int, read: Tensor) -> str:
    """Weights in float or 8 bits, with sound scales along ``axis`` (CheckTensorFloat32OrQCInt8)."""
    if kind(tensor) in FLOATS:
        return ""
    if kind(tensor) not in (INT8, UINT8):
        return mixed(tensor, read)
    given = tensor.quantization
    if (
        given is None
        or not given.scale.size
        or (kind(tensor) == UINT8 and not has_one_scale(tensor))
    ):
        return f"XNNPACK wants a scale for {kind(tensor)} weights"
    if given.scale.size > 1 and given.axis != axis:
        return f"XNNPACK wants the scales of the weights along dimension {axis}"
    return sound(tensor)


def sound(tensor: Tensor) -> str:
    """Scales above the denormals, and a zero point that XNNPACK knows (xnn_validate_...)."""
    given = tensor.quantization
    if len(tensor.shape) > MOST_DIMENSIONS:
        return f"XNNPACK knows at most {MOST_DIMENSIONS} dimensions"
    per_channel = given.scale.size > 1
    # of many zero points only the first is looked at, and of those of a bias none
    if not (per_channel and kind(tensor) == INT32):
        zero_point = int(given.zero_point[0])
        limits = np.iinfo(tensor.dtype)
        low, high = (0, 0) if per_channel or kind(tensor) == INT32 else (limits.min, limits.max)
        if not low <= zero_point <= high:
            return f"XNNPACK refuses the zero point {zero_point} of {tensor}"
    return "" if is_normal(given.scale) else "XNNPACK refuses a denormal scale"


def datatype(tensor: Tensor) -> str:
    """What XNNPACK calls a type of activations or weights; empty where it has no name for it."""
    if kind(tensor) in FLOATS:
        return kind(tensor)
    given = tensor.quantization
    if given is None or not is_normal(given.scale):
        return ""
    if given.scale.size == 1:
        limits = np.iinfo(tensor.dtype)
        known = limits.min <= given.zero_point[0] <= limits.max
        return f"q{kind(tensor)}" if known else ""
    return "" if given.zero_point.any() else f"qc{kind(tensor)}"


def bias(site: Site, position: int) -> str:
    """Float, or int32 with a sound scale (CheckTensorFloat32OrFloat16OrQCInt32)."""
    tensor = site.reads[position]
    if kind(tensor) in FLOATS:
        return ""
    if kind(tensor) != INT32:
        return f"XNNPACK has no kernel for a bias in {kind(tensor)}"
    given = tensor.quantization
    if given is None or given.axis != 0 or sound(tensor):
        return "XNNPACK wants a scale for the bias, and no denormal one"
    return ""


def same_floats(site: Site, weights_at: int, bias_at: int) -> str:
    """Float weights and bias of one type; float16 weights may have a float32 bias."""
    kinds = [FLOAT16 if site.halves[at] else kind(site.reads[at]) for at in (weights_at, bias_at)]
    if kinds[0] not in FLOATS or kinds[0] == kinds[1] or kinds == [FLOAT16, FLOAT32]:
        return ""
    return f"XNNPACK does not take {kinds[0]} weights with a bias in {kinds[1]}"


def mixed(filters: Tensor, read: Tensor) -> str:
    """The sentence on types that do not go together."""
    return f"XNNPACK does not take it with {kind(filters)} weights and a {kind(read)} input"


def ratio(above: Tensor, below: Tensor) -> np.float32:
    """Of the scales of two tensors of codes."""
    return f32(above.quantization.scale[0] / below.quantization.scale[0])
