"""What a report says in words: questions, and sentences that answer them."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from drqsim.graph import Graph, shorten
from drqsim.report.stored import constants, old_weights, second_copies
from drqsim.verdict import FLOAT, INT8, REFUSED, RUNS, UNKNOWN, Explanation

f32 = np.float32
THE_USUAL_SIGNATURE = "serving_default"  # what converters call the only one
LISTED = 6  # names in a sentence, before it says how many more there are


class Weights(NamedTuple):
    """What the constants of a file come to."""

    quantized: int  # tensors
    quantized_bytes: int
    as_float_bytes: int  # the same in float32
    scales: int
    per_channel: int  # tensors
    floats: int
    float_bytes: int
    halves: int  # float16
    half_bytes: int
    other_bytes: int


def weigh(graph: Graph) -> Weights:
    """Count the constants of a file by how they are stored."""
    sums: Counter[str] = Counter()
    tensors = constants(graph)
    again = {id(tensor) for tensor in second_copies(tensors)}
    for tensor in tensors:
        if tensor.dtype == np.int8 and tensor.quantization is not None:
            scales = tensor.quantization.scale.size
            sums.update(quantized=1, quantized_bytes=tensor.nbytes, scales=scales)
            as_floats = 0 if id(tensor) in again else 4 * tensor.value.size
            sums.update(as_float_bytes=as_floats, per_channel=int(scales > 1))
        elif tensor.dtype == f32:
            sums.update(floats=1, float_bytes=tensor.nbytes)
        elif tensor.dtype == np.float16:
            sums.update(halves=1, half_bytes=tensor.nbytes)
        else:
            sums.update(other_bytes=tensor.nbytes)
    return Weights(*(sums[field] for field in Weights._fields))


def about_the_file(graph: Graph) -> list[str]:
    """What quantization did to the file."""
    w = weigh(graph)
    lines = []
    if w.quantized:
        kinds = sorted({f"int{t.bits or 8}" for t in constants(graph) if t.dtype == np.int8})
        lines.append(
            f"{_count(w.quantized, 'constant')} {_is(w.quantized)} {' and '.join(kinds)}: "
            f"{w.quantized_bytes:,} bytes, and {4 * w.scales:,} bytes of scales, in place of "
            f"{w.as_float_bytes:,} bytes in float32."
        )
        if w.per_channel == w.quantized:
            lines.append("Each has one scale for every channel.")
        else:
            lines.append(
                f"{w.per_channel} of {w.quantized} {_have(w.per_channel)} one scale for every "
                "channel, the others a single scale."
            )
        lines += _about_odd_weights(graph)
    else:
        lines.append("No constant is int8: nothing in this file is quantized.")
    lines.append(
        f"{_count(w.floats, 'constant')} {_is(w.floats)} float32 ({w.float_bytes:,} bytes): "
        + ("biases, and weights that stay float." if w.quantized else "weights and biases.")
    )
    if w.halves:
        lines.append(
            f"{_count(w.halves, 'constant')} {_is(w.halves)} float16 ({w.half_bytes:,} bytes)."
        )
    written = ((each, i) for each in graph.subgraphs for op in each.operators for i in op.outputs)
    fed = {each.tensors[i].type_name for each, i in written}
    if fed == {"float32"}:
        lines.append("Every tensor that an operator writes is float32.")
    unread = {t.unread for each in graph.subgraphs for t in each.tensors if t.unread}
    if unread:
        lines.append(
            f"Types that drqsim does not know: {', '.join(sorted(unread)).lower()}; what touches "
            "them is not computed."
        )
    return [*lines, *_about_the_parts(graph)]


def _about_odd_weights(graph: Graph) -> list[str]:
    """int8 weights that the file calls uint8, or keeps twice."""
    lines, old, again = [], old_weights(graph), second_copies(constants(graph))
    if old:
        lines.append(
            f"{_count(len(old), 'constant')} {_is(len(old))} uint8 by name: old converters called "
            "int8 codes so, and the runtime reads them as int8."
        )
    if again:
        nbytes = sum(tensor.nbytes for tensor in again)
        lines.append(
            f"{_count(len(again), 'constant')} {_is(len(again))} kept twice, with one scale and "
            f"with one for every channel, which takes {nbytes:,} bytes more; in float32 one copy "
            "does."
        )
    return lines


def _about_the_parts(graph: Graph) -> list[str]:
    """The subgraphs of a file, if there are several, and signatures that somebody chose."""
    names, lines = graph.subgraph_names, []
    if graph.others:
        lines.append(
            f"The file has {len(names)} subgraphs, which are counted together here: "
            f"{listed(list(names))}; a run is of {names[0]}, the first, "
            "and so is every table of operators."
        )
    if set(graph.signatures) - {THE_USUAL_SIGNATURE}:
        told = [
            f"{shorten(name)} ({names[each.subgraph]})" if graph.others else shorten(name)
            for name, each in graph.signatures.items()
        ]
        lines.append(f"{_count(len(told), 'signature').capitalize()}: {listed(told)}.")
    return lines


def about_the_arithmetic(explanation: Explanation) -> list[str]:
    """Who computes in what."""
    by_kind: dict[str, list[str]] = {}
    for verdict in explanation:
        by_kind.setdefault(verdict.arithmetic, []).append(verdict.operator)
    lines = []
    for kind, names in sorted(by_kind.items(), key=lambda item: (item[0] == FLOAT, item[0])):
        of = f"{len(names):,} of {_count(len(explanation), 'operator')}"
        line = f"On the {explanation.kernels} kernels {of} {_compute(kind, len(names))}"
        lines.append(f"{line}: {listed(names)}.")
        if kind == INT8:
            lines.append(
                "Such an operator reads float32, turns it into 8-bit codes with a scale found at "
                "run time, multiplies them with the codes of the weights, and writes float32."
            )
    return lines


def about_memory(plan, float_plan=None) -> list[str]:
    """What the model needs while it runs."""
    peak = max(range(len(plan.timeline)), key=plan.timeline.__getitem__)
    scratch = sum(b.nbytes for b in plan.alive(peak) if b.role == "scratch")
    planned_for = plan.planned_for
    lines = [f"{planned_for[0].upper()}{planned_for[1:]}."] if planned_for else []
    lines += [
        f"On the {plan.kernels} kernels the arena takes {plan.arena_bytes:,} bytes, the persistent "
        f"arena {plan.persistent_bytes:,}; {plan.file_bytes:,} bytes are read from the file."
    ]
    if plan.steps:
        lines.append(
            f"The fullest step is {plan.steps[peak]}, with {plan.lower_bound:,} bytes alive; "
            f"{scratch:,} of them are scratch."
        )
    if plan.not_planned:
        lines.append(plan.not_planned)
    if float_plan is not None:
        arena = _change(plan.arena_bytes, float_plan.arena_bytes)
        whole = _change(_total(plan), _total(float_plan))
        lines.append(
            f"The float model's arena takes {float_plan.arena_bytes:,} bytes, so quantization "
            f"makes it {arena}; with file and persistent arena the model is {whole} "
            f"({_total(plan):,} bytes against {_total(float_plan):,})."
        )
    return lines


def about_the_error(found) -> list[str]:
    """Where the error arises."""
    lines = []
    if found.net_error is not None:
        lines.append(
            f"The final output differs from the float model's by at most "
            f"{found.net_error.largest:.3g}; {decibels(found.net_error.snr)}."
        )
    if found.net_error is not None and found.net_error.largest:
        parts = [
            (part.share, row.operator, cause)
            for row in found.net
            for cause, part in row.parts.items()
        ]
        parts.sort(key=lambda part: -part[0])
        most = [f"{cause} of {op} ({100 * share:.0f} %)" for share, op, cause in parts[:3]]
        lines.append(f"The largest contributions: {', '.join(most)}.")
    worst = [row for row in found.rows if row.error.largest]
    if worst:
        row = min(worst, key=lambda row: row.error.snr)
        own = {c: p for c, p in row.parts.items() if p.largest}
        cause = min(own, key=lambda c: own[c].snr) if own else "its input"
        lines.append(
            f"The output furthest from the float model's is that of {row.operator} "
            f"({decibels(row.error.snr)}), mostly {cause}."
        )
    else:
        lines.append("No operator's output differs from the float model's.")
    return lines


def decibels(snr: float) -> str:
    """``an SNR of 31.4 dB``."""
    if snr == float("inf"):
        return "no error at all"
    if snr == float("-inf"):
        return "an error without a signal"
    return f"an SNR of {snr:.1f} dB"


def listed(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - LISTED
    if more < 2:
        return ", ".join(names)
    return f"{', '.join(names[:LISTED])} and {more} more"


def _total(plan) -> int:
    return plan.arena_bytes + plan.persistent_bytes + plan.file_bytes


def _change(now: int, before: int) -> str:
    if now == before or not before:
        return "no smaller and no larger" if now == before else "larger"
    percent = 100 * abs(now - before) / before
    return f"{percent:.0f} % {'larger' if now > before else 'smaller'}"


def _compute(kind: str, count: int) -> str:
    if kind == REFUSED:
        return f"{_is(count)} refused"
    if kind == UNKNOWN:
        return f"{_is(count)} not known to drqsim"
    if kind == RUNS:
        return f"{'computes' if count == 1 else 'compute'} what other subgraphs hold"
    return f"{'computes' if count == 1 else 'compute'} in {kind}"


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"
