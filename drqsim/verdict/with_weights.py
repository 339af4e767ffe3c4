"""Verdicts on operators with weights: hybrid, full integer, float32, refused or not known."""

from __future__ import annotations

import numpy as np

from drqsim.converter.quantize import MIN_ELEMENTS
from drqsim.graph import Graph, Operator, Tensor
from drqsim.model_file.operands import as_codes, input_of, old_codes
from drqsim.ops import TAKE_INT4, conv_2d, fully_connected_int4
from drqsim.ops.integer import shared as integer
from drqsim.verdict.said import (
    FLOAT,
    FULL_INTEGER,
    FULL_INTEGER_16,
    INT8,
    REFUSED,
    UNKNOWN,
    Site,
    Verdict,
)

f32 = np.float32

NO_HYBRID_KERNEL = ("CONV_3D",)


def _has_codes_without_scale(site: Site) -> bool:
    return site.weights.dtype == np.int8 and site.weights.quantization is None


def _say_without_scale(site: Site) -> Verdict:
    return site.verdict(UNKNOWN, f"its weights {site.weights} have no scale in the file")


def _is_full_integer(site: Site) -> bool:
    return site.source.dtype in integer.ACTIVATIONS and site.op.code in integer.OPERATORS


def _judge_full_integer(site: Site) -> Verdict:
    """int8 or int16 activations: nothing is quantized on the fly."""
    source, weights = site.source, site.weights
    if weights.dtype != np.int8 or weights.bits:
        return site.verdict(REFUSED, f"no kernel joins {source} and {weights} weights")
    arithmetic = FULL_INTEGER if source.dtype == np.int8 else FULL_INTEGER_16
    why = f"{source.dtype} input and int8 weights: codes in, codes out, every scale in the file"
    if site.kernels != "xnnpack":
        return site.verdict(arithmetic, why, site.builtin)
    if site.why_builtin:
        return site.verdict(arithmetic, f"{why}; {site.why_builtin}", site.builtin)
    return site.verdict(arithmetic, why, "XNNPACK")


def _reads_no_floats(site: Site) -> bool:
    return site.op.code != "EMBEDDING_LOOKUP" and site.source.dtype != f32


def _has_float_weights(site: Site) -> bool:
    return site.weights.dtype == f32


def _judge_float_weights(site: Site) -> Verdict:
    return site.verdict(FLOAT, _why_float(site))


def _has_old_codes(site: Site) -> bool:
    return site.op.code == "FULLY_CONNECTED" and old_codes(site.weights)


def _judge_old_codes(site: Site) -> Verdict:
    site = site._replace(weights=as_codes(site.weights))
    rule = input_rule(site.graph, site.op, site.weights, site.kernels)
    why = f"float32 input, and int8 weights that the file calls uint8: hybrid kernel, {rule} input"
    if site.why_builtin:
        why = f"{why}; {site.why_builtin}"
    return site.verdict(INT8, why, site.builtin, rule)


def _has_other_weights(site: Site) -> bool:
    return site.weights.value is None or site.weights.dtype != np.int8


def _say_unknown_operands(site: Site) -> Verdict:
    made = "" if site.weights.value is not None else ", made at run time"
    why = f"drqsim does not know which kernel reads {site.source} with weights {site.weights}{made}"
    return site.verdict(UNKNOWN, why)


def _has_no_hybrid_kernel(site: Site) -> bool:
    return site.op.code in NO_HYBRID_KERNEL


def _refuse_hybrid(site: Site) -> Verdict:
    return site.verdict(REFUSED, "the runtime has no hybrid kernel for it")


def _has_no_int4_kernel(site: Site) -> bool:
    return bool(site.weights.bits) and site.op.code not in TAKE_INT4


def _refuse_int4(site: Site) -> Verdict:
    return site.verdict(REFUSED, "the runtime has no kernel for it with int4 weights")


def _is_lookup(site: Site) -> bool:
    return site.op.code == "EMBEDDING_LOOKUP"


def _judge_lookup(site: Site) -> Verdict:
    why = "only the rows that are looked up are multiplied with their scale"
    return site.verdict(f"{site.kind} rows to float32", why, site.builtin, rule="")


def _is_delegated(site: Site) -> bool:
    return site.kernels == "xnnpack" and not site.why_builtin


def _judge_delegated(site: Site) -> Verdict:
    why = f"float32 input and {site.kind} weights: quantized on the fly, always asymmetric"
    return site.verdict(INT8, why, "XNNPACK")


def _is_hybrid(site: Site) -> bool:
    return site.source.dtype == f32 and site.weights.dtype == np.int8


def _judge_hybrid(site: Site) -> Verdict:
    rule = input_rule(site.graph, site.op, site.weights, site.kernels)
    kernel = "hybrid kernel"
    if site.weights.bits:
        is_dense = site.op.code == "FULLY_CONNECTED"
        own = is_dense and fully_connected_int4.fits(site.weights, site.kernels)
        kernel = "a kernel of its own" if own else "unpacked to int8 in every run, hybrid kernel"
    why = f"float32 input and {site.kind} weights: {kernel}, {rule} input"
    if site.kernels == "xnnpack":
        why = f"{why}; {site.why_builtin}"
    return site.verdict(INT8, why, site.builtin, rule)


def input_rule(graph: Graph, op: Operator, weights: Tensor, kernels: str = "reference") -> str:
    """How a builtin kernel quantizes the input."""
    if op.code == "FULLY_CONNECTED" and fully_connected_int4.fits(weights, kernels):
        return "symmetric"
    if op.code == "CONV_2D":
        groups = conv_2d.groups_of(weights.shape, input_of(graph, op).shape[3])
        kernel = conv_2d.kernel_of(weights.quantization.scale, groups, kernels)
        return "asymmetric" if kernel.asymmetric else "symmetric"
    if "asymmetric_quantize_inputs" in op.options:
        return "asymmetric" if op.options["asymmetric_quantize_inputs"] else "symmetric"
    return "asymmetric"


def is_float_file(graph: Graph) -> bool:
    """Whether it has what a converter would have quantized, and holds nothing quantized."""
    tensors = [tensor for part in (graph, *graph.others) for tensor in part.tensors]
    if any(t.quantization is not None or t.dtype == np.float16 for t in tensors):
        return False
    return any(
        t.value is not None and t.dtype == np.float32 and t.value.size >= MIN_ELEMENTS
        for t in tensors
    )


def _why_float(site: Site) -> str:
    graph, weights = site.graph, site.weights
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
    if site.is_float_file:
        return f"this file is not quantized: its {count:,} weights are float32"
    if count < MIN_ELEMENTS:
        return f"its weights are float32: {count:,} elements, fewer than {MIN_ELEMENTS:,}"
    return f"its {count:,} weights are float32 in the file: nobody quantized them"


# (does it apply?, what is said then), from top to bottom; what none of them expects, the rules for
# operators without weights have answered
RULES = (
    (_has_codes_without_scale, _say_without_scale),
    (_is_full_integer, _judge_full_integer),
    (_reads_no_floats, _say_unknown_operands),
    (_has_float_weights, _judge_float_weights),
    (_has_old_codes, _judge_old_codes),
    (_has_other_weights, _say_unknown_operands),
    (_has_no_hybrid_kernel, _refuse_hybrid),
    (_has_no_int4_kernel, _refuse_int4),
    (_is_lookup, _judge_lookup),
    (_is_delegated, _judge_delegated),
    (_is_hybrid, _judge_hybrid),
)
