"""Verdicts on what a file lacks, and on operators without weights of their own."""

from __future__ import annotations

import numpy as np

from drqsim.converter.dequantize_tables import PASS_THROUGH
from drqsim.graph import Graph
from drqsim.model_file.operands import OPERANDS, weights_of
from drqsim.names import custom_name, shorten
from drqsim.ops import TABLE
from drqsim.ops.integer import shared as integer
from drqsim.ops.refusals import why_refused
from drqsim.ops.unread import why_halves, why_unread
from drqsim.ops.unwritten import why_unwritten
from drqsim.verdict.said import FLOAT, INT8, PASSED, REFUSED, RUNS, UNKNOWN, Site, Verdict

f32 = np.float32
HYBRID_CODES = (np.int8, np.uint8)  # files of 2019 and before say uint8 of int8 codes
# LSTM has the inputs of the operator on sequences, in the same order; with layer normalization, 24
LSTM_WEIGHTS, LSTM_INPUTS = OPERANDS["UNIDIRECTIONAL_SEQUENCE_LSTM"], (20, 24)


def _is_refused(site: Site) -> bool:
    return bool(why_refused(site.graph, site.op, site.path))


def _say_refused(site: Site) -> Verdict:
    return site.verdict(REFUSED, why_refused(site.graph, site.op, site.path))


def _computes_in_halves(site: Site) -> bool:
    return bool(why_halves(site.graph, site.op, site.path))


def _say_halves(site: Site) -> Verdict:
    return site.verdict(UNKNOWN, why_halves(site.graph, site.op, site.path))


def _is_unwritten(site: Site) -> bool:
    return bool(why_unwritten(site.graph, site.op, site.path))


def _say_unwritten(site: Site) -> Verdict:
    return site.verdict(UNKNOWN, why_unwritten(site.graph, site.op, site.path))


def _touches_unread(site: Site) -> bool:
    return bool(why_unread(site.graph, site.op))


def _say_unread(site: Site) -> Verdict:
    return site.verdict(UNKNOWN, why_unread(site.graph, site.op))


def _runs_subgraphs(site: Site) -> bool:
    return bool(site.op.runs) and max(site.op.runs) < len(site.held)


def _say_what_it_runs(site: Site) -> Verdict:
    return site.verdict(RUNS, f"it runs {' and '.join(site.held[at] for at in site.op.runs)}")


def held(file: Graph) -> list[str]:
    """Each subgraph in words: ``while_body (16 operators, 2 of them with int8 weights)``."""
    found = []
    for name, graph in zip(file.subgraph_names, file.subgraphs, strict=True):
        weights = [weights_of(graph, op) for op in graph.operators]
        coded = sum(w is not None and w.dtype == np.int8 and w.value is not None for w in weights)
        operators = f"{len(weights):,} operator{'' if len(weights) == 1 else 's'}"
        found.append(f"{name} ({operators}, {coded or 'none'} of them with int8 weights)")
    return found


def _reads_nothing(site: Site) -> bool:
    return (site.op.code in TABLE or site.op.code in OPERANDS) and site.source is None


def _refuse_without_input(site: Site) -> Verdict:
    position = OPERANDS[site.op.code].input if site.op.code in OPERANDS else 0
    return site.verdict(REFUSED, f"the file gives it no input {position}, which it needs")


def _lacks_weights(site: Site) -> bool:
    return site.op.code in OPERANDS and site.weights is None


def _refuse_without_weights(site: Site) -> Verdict:
    position = OPERANDS[site.op.code].weights
    return site.verdict(REFUSED, f"the file gives it no weights (input {position})")


def _has_other_dimensions(site: Site) -> bool:
    if site.weights is None:
        return False
    wanted, weights = OPERANDS[site.op.code], len(site.weights.shape)
    few = min(len(site.source.shape), weights) < wanted.rank
    return few or wanted.exactly not in (None, weights)


def _refuse_dimensions(site: Site) -> Verdict:
    wanted = OPERANDS[site.op.code]
    expected = f"{wanted.rank} dimensions or more"
    if wanted.exactly is not None:
        expected += f", {wanted.exactly} of the weights"
    why = f"it reads {site.source} with weights {site.weights}; expected {expected}"
    return site.verdict(REFUSED, why)


# operators without weights


def _is_dequantize(site: Site) -> bool:
    return site.op.code == "DEQUANTIZE"


def _judge_dequantize(site: Site) -> Verdict:
    if site.source.value is None:
        return site.verdict(FLOAT, f"it turns {site.source} into float32 each time")
    return site.verdict(FLOAT, f"it turns the constant {site.source} into float32, once")


def _is_quantize(site: Site) -> bool:
    return site.op.code == "QUANTIZE"


def _judge_quantize(site: Site) -> Verdict:
    made = site.graph.tensors[site.op.outputs[0]]
    return site.verdict(FLOAT, f"it turns {site.source} into {made}")


def _moves_codes(site: Site) -> bool:
    return site.op.code in PASS_THROUGH and site.source is not None and site.source.dtype == np.int8


def _judge_moved_codes(site: Site) -> Verdict:
    return site.verdict(PASSED, f"it reads {site.source} and writes int8 with the same scale")


def _is_custom(site: Site) -> bool:
    return bool(custom_name(site.op))


def _say_custom(site: Site) -> Verdict:
    name = shorten(custom_name(site.op))
    what, needs = "a custom operator", "its kernel is registered with it"
    if name.startswith("Flex"):
        what, needs = "a TensorFlow operator", "it has the Flex delegate"
    why = f"{name}, {what}: drqsim does not know what it computes; the runtime refuses it unless"
    return site.verdict(UNKNOWN, f"{why} {needs}")


def _is_lstm(site: Site) -> bool:
    """The full kernel, of floats: that of the basic one has five inputs, in another order."""
    if site.op.code != "LSTM" or len(site.op.inputs) not in LSTM_INPUTS:
        return False
    output = site.graph.tensor_of(site.op, LSTM_WEIGHTS.weights)
    floats = site.source is not None and site.source.dtype == f32
    return floats and output is not None and output.dtype in (f32, *HYBRID_CODES)


def _judge_lstm(site: Site) -> Verdict:
    """The type of the input-to-output weights decides, as for the operator on sequences."""
    reads = [site.graph.tensor_of(site.op, at) for at in LSTM_WEIGHTS.all_weights]
    codes = [t for t in reads if t is not None and t.dtype in HYBRID_CODES]
    if site.graph.tensor_of(site.op, LSTM_WEIGHTS.weights).dtype == f32:
        return site.verdict(FLOAT, "its weights are float32; drqsim does not run it")
    nbytes = sum(t.nbytes for t in codes)
    why = f"float32 input and {len(codes)} int8 weights, {nbytes:,} bytes: hybrid kernel"
    return site.verdict(INT8, f"{why}; drqsim does not run it", site.builtin)


def _is_unknown(site: Site) -> bool:
    return site.op.code not in TABLE and site.op.code not in OPERANDS


def _say_unknown(site: Site) -> Verdict:
    return site.verdict(UNKNOWN, f"drqsim does not know what {site.op.code} computes")


def _reads_and_writes_codes(site: Site) -> bool:
    written = [site.graph.tensors[i] for i in site.op.outputs]
    touched = (site.source, *written)
    return site.weights is None and all(t.dtype in integer.ACTIVATIONS for t in touched)


def _judge_codes(site: Site) -> Verdict:
    arithmetic = f"{site.source.dtype} (full integer)"
    return site.verdict(arithmetic, "it has no weights; it reads and writes codes")


def _has_slopes(site: Site) -> bool:
    slopes = site.graph.tensor_of(site.op, 1)
    return site.op.code == "PRELU" and slopes is not None and slopes.dtype == f32


def _judge_slopes(site: Site) -> Verdict:
    return site.verdict(FLOAT, "its slopes are float32: the runtime has no hybrid kernel for it")


def _has_no_weights(site: Site) -> bool:
    return site.weights is None


def _judge_activations(site: Site) -> Verdict:
    read = [site.graph.tensors[i] for i in site.op.inputs if i >= 0]
    written = [site.graph.tensors[i] for i in site.op.outputs]
    kinds = [str(t).partition("[")[0] for t in read if t.value is None]
    if any(t.dtype == f32 for t in (*read, *written)):
        arithmetic = FLOAT
    else:
        kind = (*kinds, str(read[0]).partition("[")[0])[0]
        arithmetic = f"{kind} (full integer)" if kind in ("int8", "int16") else kind
    if not kinds:
        return site.verdict(arithmetic, "it has no weights; it reads constants alone")
    kinds = " and ".join(dict.fromkeys(kinds))
    return site.verdict(arithmetic, f"it has no weights; the activations it reads are {kinds}")


# (does it apply?, what is said then), from top to bottom
RULES = (
    (_computes_in_halves, _say_halves),
    (_is_refused, _say_refused),
    (_is_unwritten, _say_unwritten),
    (_touches_unread, _say_unread),
    (_runs_subgraphs, _say_what_it_runs),
    (_reads_nothing, _refuse_without_input),
    (_lacks_weights, _refuse_without_weights),
    (_has_other_dimensions, _refuse_dimensions),
    (_is_dequantize, _judge_dequantize),
    (_is_quantize, _judge_quantize),
    (_moves_codes, _judge_moved_codes),
    (_is_custom, _say_custom),
    (_is_lstm, _judge_lstm),
    (_is_unknown, _say_unknown),
    (_reads_and_writes_codes, _judge_codes),
    (_has_slopes, _judge_slopes),
    (_has_no_weights, _judge_activations),
)
