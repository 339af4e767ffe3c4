"""Which arithmetic does an operator get on a kernel path, and why; and what to beware of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from drqsim.converter.dequantize_tables import PASS_THROUGH
from drqsim.converter.quantize import MIN_ELEMENTS
from drqsim.errors import InputError, ModelFileError
from drqsim.graph import Graph, Operator, Tensor
from drqsim.hazards.of_weights import Case, hazards
from drqsim.kernels import checked
from drqsim.model_file.operands import OPERANDS, bias_of, input_of, weights_of
from drqsim.model_file.schema import completed
from drqsim.ops import TAKE_INT4, fully_connected_int4
from drqsim.ops.integer import shared as integer
from drqsim.ops.xnnpack import why_builtin
from drqsim.tables import Printed, Printout, Table

f32 = np.float32

INT8, FLOAT, REFUSED = "int8", "float32", "refused"
FULL_INTEGER, FULL_INTEGER_16 = "int8 (full integer)", "int16 x int8 (full integer)"
PASSED = "int8 codes passed on"
NO_HYBRID_KERNEL = ("CONV_3D",)


@dataclass(frozen=True)
class Verdict:
    """What one operator computes in on one kernel path.

    Attributes
    ----------
    operator : str
        Its name, ``conv_2d_0``.
    arithmetic : str
        ``int8`` (products of int8 codes with int8 or int4 weights; sums in int32, but for the
        builtin TRANSPOSE_CONV, which sums in float32), ``float32``, ``int8 rows to float32`` or
        ``int4 rows to float32`` (a lookup), ``int8 (full integer)``, ``int16 x int8 (full
        integer)`` or ``int16 (full integer)`` (codes in, codes out, nothing quantized on the fly),
        ``int8 codes passed on`` (between a quantized table and
        its DEQUANTIZE), or ``refused``.
    kernel : str
        ``reference``, ``optimized`` or ``XNNPACK``; empty for a float32 operator, whose arithmetic
        is the same wherever it runs.
    why : str
        One sentence.
    hazards : tuple of str
        Known defects of the runtime that this operator meets, with the way out.
    """

    operator: str
    arithmetic: str
    kernel: str
    why: str
    hazards: tuple[str, ...] = ()


class Explanation(Printed):
    """The verdicts on a model, one for each operator; prints as a table."""

    def __init__(self, verdicts: list[Verdict], kernels: str):
        self.verdicts, self.kernels = verdicts, kernels

    def __getitem__(self, operator: str) -> Verdict:
        for verdict in self.verdicts:
            if verdict.operator == operator:
                return verdict
        raise InputError(f"No verdict on {operator!r}: the model has no operator of that name.")

    def __iter__(self):
        return iter(self.verdicts)

    def __len__(self) -> int:
        return len(self.verdicts)

    def _printed(self) -> Printout:
        rows = [(v.operator, v.arithmetic, v.kernel, v.why) for v in self]
        hazards = [f"{v.operator}: {hazard}" for v in self for hazard in v.hazards]
        return Printout([Table(_HEADER, rows)], beware=hazards)


_HEADER = ("operator", "arithmetic", "kernel", "why")


def explain(graph: Graph, kernels: str = "xnnpack") -> Explanation:
    """The arithmetic that every operator gets on a kernel path, and why.

    Parameters
    ----------
    graph : Graph
    kernels : {"xnnpack", "optimized", "reference"}

    Returns
    -------
    Explanation
        One ``Verdict`` for each operator, in order, with the known defects of the runtime (version
        2.3.0) that it meets.
    """
    kernels = checked(kernels)
    return Explanation([_verdict(graph, op, kernels) for op in graph.operators], kernels)


def _verdict(graph: Graph, op: Operator, kernels: str) -> Verdict:
    op = replace(op, options=completed(op.code, op.options))
    if op.code == "DEQUANTIZE":
        return Verdict(op.name, FLOAT, "", _dequantize(graph, op))
    first = graph.tensor_of(op, 0)
    if op.code == "QUANTIZE" and first is not None:
        return Verdict(op.name, FLOAT, "", f"it turns {first} into {graph.tensors[op.outputs[0]]}")
    if op.code in PASS_THROUGH and first is not None and first.dtype == np.int8:
        return Verdict(op.name, PASSED, "", f"it reads {first} and writes int8 with the same scale")
    weights = weights_of(graph, op)
    if weights is None and first is not None and first.dtype in integer.ACTIVATIONS:
        arithmetic = f"{first.dtype} (full integer)"
        return Verdict(op.name, arithmetic, "", "it has no weights; it reads and writes codes")
    if weights is None:
        return Verdict(
            op.name, FLOAT, "", "it has no weights; the activations it reads are float32"
        )
    _check_ranks(graph, op, weights)
    if first.dtype in integer.ACTIVATIONS and op.code in integer.OPERATORS:
        return _full_integer(graph, op, weights, kernels)
    if weights.value is None or weights.dtype == f32:
        return Verdict(op.name, FLOAT, "", _why_float(graph, op, weights))
    if op.code in NO_HYBRID_KERNEL:
        return Verdict(op.name, REFUSED, "", "the runtime has no hybrid kernel for it")
    if weights.bits and op.code not in TAKE_INT4:
        return Verdict(op.name, REFUSED, "", "the runtime has no kernel for it with int4 weights")
    builtin = "reference" if kernels == "reference" else "optimized"
    kind = "int4" if weights.bits else "int8"
    if op.code == "EMBEDDING_LOOKUP":
        why = "only the rows that are looked up are multiplied with their scale"
        beware = tuple(hazards(Case(graph, op, weights, kernels, "")))
        return Verdict(op.name, f"{kind} rows to float32", builtin, why, beware)
    refusal = why_builtin(op, weights.shape, weights.quantization.scale, weights.bits)
    if kernels == "xnnpack" and not refusal:
        why = f"float32 input and {kind} weights: quantized on the fly, always asymmetric"
        return Verdict(op.name, INT8, "XNNPACK", why)
    rule = input_rule(graph, op, weights, kernels)
    kernel = "hybrid kernel"
    if weights.bits:
        own = op.code == "FULLY_CONNECTED" and fully_connected_int4.fits(weights, kernels)
        kernel = "a kernel of its own" if own else "unpacked to int8 in every run, hybrid kernel"
    why = f"float32 input and {kind} weights: {kernel}, {rule} input"
    if kernels == "xnnpack":
        why = f"{why}; {refusal}"
    beware = tuple(hazards(Case(graph, op, weights, kernels, rule)))
    return Verdict(op.name, INT8, builtin, why, beware)


def _full_integer(graph: Graph, op: Operator, weights: Tensor, kernels: str) -> Verdict:
    """int8 or int16 activations: nothing is quantized on the fly."""
    source = graph.tensor_of(op, 0)
    if weights.dtype != np.int8 or weights.bits or weights.quantization is None:
        return Verdict(op.name, REFUSED, "", f"no kernel joins {source} and {weights} weights")
    arithmetic = FULL_INTEGER if source.dtype == np.int8 else FULL_INTEGER_16
    why = f"{source.dtype} input and int8 weights: codes in, codes out, every scale in the file"
    builtin = "reference" if kernels == "reference" else "optimized"
    if kernels != "xnnpack":
        return Verdict(op.name, arithmetic, builtin, why)
    refusal = integer.why_builtin(op, weights, source, bias_of(graph, op))
    return Verdict(
        op.name,
        arithmetic,
        builtin if refusal else "XNNPACK",
        "; ".join(filter(None, (why, refusal))),
    )


def _check_ranks(graph: Graph, op: Operator, weights: Tensor) -> None:
    """Refuse an operator whose tensors cannot be what its kernel indexes."""
    read, rank = input_of(graph, op), OPERANDS[op.code].rank
    if read is None or min(len(read.shape), len(weights.shape)) < rank:
        raise ModelFileError(
            f"{op.name} reads {read} with weights {weights}; expected {rank} dimensions or more."
        )
    if weights.dtype == np.int8 and weights.quantization is None:
        raise ModelFileError(f"{op.name} has the weights {weights} without a scale.")


def input_rule(graph: Graph, op: Operator, weights: Tensor, kernels: str = "reference") -> str:
    """How a builtin kernel quantizes the input."""
    if op.code == "FULLY_CONNECTED" and fully_connected_int4.fits(weights, kernels):
        return "symmetric"
    if op.code == "CONV_2D":
        scale = weights.quantization.scale
        channels = input_of(graph, op).shape[3]
        grouped = channels != weights.shape[3]
        return "asymmetric" if grouped or (scale != scale[0]).any() else "symmetric"
    if "asymmetric_quantize_inputs" in op.options:
        return "asymmetric" if op.options["asymmetric_quantize_inputs"] else "symmetric"
    return "asymmetric"


def _why_float(graph: Graph, op: Operator, weights: Tensor) -> str:
    if weights.value is None:
        made_by = [
            o for o in graph.operators if any(graph.tensors[i] is weights for i in o.outputs)
        ]
        if made_by and made_by[0].code == "DEQUANTIZE":
            stored = graph.tensor_of(made_by[0], 0)
            kind = "a constant" if stored is None else str(stored).partition("[")[0]
            return f"its weights pass through DEQUANTIZE: {kind} in the file, float32 in memory"
        return "its second operand is an activation, which is float32"
    count = weights.value.size
    if count < MIN_ELEMENTS:
        return f"its weights are float32: {count:,} elements, fewer than {MIN_ELEMENTS:,}"
    return f"its {count:,} weights are float32 in the file: nobody quantized them"


def _dequantize(graph: Graph, op: Operator) -> str:
    source = graph.tensor_of(op, 0)
    if source is None:
        raise ModelFileError(f"{op.name} reads nothing; a DEQUANTIZE needs an input.")
    if source.value is None:
        return f"it turns {source} into float32 each time"
    return f"it turns the constant {source} into float32, once"
