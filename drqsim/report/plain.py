"""Results as plain data: dicts, lists, numbers and strings, with the same keys everywhere."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from drqsim.graph import Graph, Tensor
from drqsim.names import custom_name, type_name
from drqsim.trace import TensorRecord, Trace
from drqsim.verdict import Explanation

if TYPE_CHECKING:
    from drqsim.memory import MemoryPlan


def as_json(data: dict) -> str:
    """The text of a JSON file: ASCII, without NaN and Infinity, which JSON does not have."""
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def printable(text: str) -> str:
    """One line of text without what steers a terminal: a name in a file may hold anything."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def finite(value) -> float | None:
    """A float for JSON: None where it is NaN or infinite."""
    return float(value) if math.isfinite(value) else None


def of_graph(graph: Graph) -> dict:
    """Operators and tensors of a model; what a file has beside the first subgraph."""
    parts = {}
    if graph.others:
        named = zip(graph.subgraph_names[1:], graph.others, strict=True)
        parts["subgraphs"] = {name: of_graph(other) for name, other in named}
    if graph.signatures:
        parts["signatures"] = {name: each._asdict() for name, each in graph.signatures.items()}
    return parts | {
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "operators": [
            {
                "name": op.name,
                "code": op.code,
                "inputs": list(op.inputs),
                "outputs": list(op.outputs),
            }
            | ({"custom_code": custom_name(op)} if custom_name(op) else {})
            for op in graph.operators
        ],
        "tensors": [of_tensor(tensor, at) for at, tensor in enumerate(graph.tensors)],
    }


def of_tensor(tensor: Tensor, index: int) -> dict:
    """One tensor of a model file; ``quantization`` is None for floats."""
    return {
        "index": index,
        "name": tensor.name,
        "dtype": tensor.type_name,
        "shape": list(tensor.shape),
        "kind": kind_of(tensor),
        "bytes": tensor.nbytes,
        "quantization": _quantization(tensor),
    }


def kind_of(tensor: Tensor) -> str:
    """``variable``, ``constant`` or ``activation``."""
    if tensor.is_variable:
        return "variable"
    return "activation" if tensor.value is None else "constant"


def _type(dtype: np.dtype, shape, bits: int | None) -> dict:
    return {"dtype": type_name(dtype, bits), "shape": list(shape)}


def _quantization(tensor: Tensor) -> dict | None:
    if tensor.quantization is None:
        return None
    scale, zero_point = tensor.quantization.scale, tensor.quantization.zero_point
    return {
        "scales": scale.size,
        "axis": tensor.quantization.axis,
        "lowest_scale": finite(scale.min(initial=np.inf)),
        "highest_scale": finite(scale.max(initial=-np.inf)),
        "symmetric": not zero_point.any(),
    }


def of_explanation(explanation: Explanation) -> dict:
    """The verdicts."""
    return {
        "kernels": explanation.kernels,
        "processor": explanation.processor,
        "operators": [
            {
                "operator": v.operator,
                "arithmetic": v.arithmetic,
                "kernel": v.kernel,
                "family": v.family,
                "why": v.why,
                "hazards": list(v.hazards),
            }
            for v in explanation
        ],
    }


def of_trace(trace: Trace) -> dict:
    """Every record, without its values; lowest and highest where the values were kept."""
    return {
        "kernels": trace.kernels,
        "processor": trace.processor,
        "records": [of_record(record) for record in trace],
        "hazards": [{"operator": operator, "text": text} for operator, text in trace.hazards],
    }


def of_record(record: TensorRecord) -> dict:
    """One record."""
    lowest, highest = extremes(record)
    return {
        "key": record.key,
        "operator": record.op,
        "name": record.name,
        **_type(record.dtype, record.shape, record.bits),
        "role": record.role,
        "stage": record.stage,
        "stored": record.stored,
        "bytes": record.nbytes,
        "reserved": record.reserved,
        "lowest": None if lowest is None else finite(lowest),
        "highest": None if highest is None else finite(highest),
    }


def extremes(record: TensorRecord) -> tuple:
    """The lowest and the highest value, or two None."""
    if record.value is None or record.value.size == 0:
        return None, None
    return record.value.min(), record.value.max()


def of_plan(plan: MemoryPlan) -> dict:
    """Totals and blocks of a memory plan."""
    return {
        "kernels": plan.kernels,
        "threads": plan.threads,
        "input_shapes": {name: list(shape) for name, shape in plan.input_shapes.items()},
        "planned_for": plan.planned_for,
        "arena_bytes": plan.arena_bytes,
        "persistent_bytes": plan.persistent_bytes,
        "heap_bytes": plan.heap_bytes,
        "file_bytes": plan.file_bytes,
        "alive_at_once": plan.lower_bound,
        "without_reuse": plan.without_reuse,
        "steps": list(plan.steps),
        "timeline": list(plan.timeline),
        "delegated": [list(part) for part in plan.partition],
        "blocks": [
            {
                "index": b.index,
                "operator": b.op,
                "name": b.name,
                **_type(b.dtype, b.shape, b.bits),
                "role": b.role,
                "stored": b.stored,
                "bytes": b.nbytes,
                "offset": b.offset,
                "first": b.first,
                "last": b.last,
                "shares": b.shares,
            }
            for b in plan.blocks
        ],
    }


def of_processors(found) -> dict:
    """A comparison of two processors."""
    return {
        "kernels": found.kernels,
        "processors": list(found.processors),
        "same": found.same,
        "operators": [_on_two(row) for row in found],
    }


def _on_two(row) -> dict:
    flips = [
        {"tensor": f.tensor, "position": list(f.position), "first": f.first, "second": f.second}
        for f in row.flips
    ]
    with_numbers = {"apart": finite(row.apart), "apart_through": finite(row.apart_through)}
    pairs = {"families": list(row.families), "code_types": list(row.code_types)}
    return {**asdict(row), **with_numbers, **pairs, "flips": flips}


def of_attribution(found) -> dict:
    """The rows of an error attribution; an SNR is None where there is no error or no signal."""
    return {
        "inputs": found.inputs,
        "operators": [_row(row) for row in found.rows],
        "net": [_row(row) for row in found.net],
        "net_error": None if found.net_error is None else _part(found.net_error),
        "hazards": [{"operator": operator, "text": text} for operator, text in found.hazards],
    }


def _row(row) -> dict:
    return {
        "operator": row.operator,
        "error": _part(row.error),
        "parts": {cause: _part(part) for cause, part in row.parts.items()},
        "clipping": None if row.clipping is None else _part(row.clipping),
    }


def _part(part) -> dict:
    return {
        "snr_db": finite(part.snr),
        "lowest_snr_db": finite(part.lowest),
        "highest_snr_db": finite(part.highest),
        "share": finite(part.share),
        "largest": finite(part.largest),
        "input": part.input,
        "position": list(part.position),
        "channel": part.channel,
    }
