"""Results as node data for Model Explorer, which shows them on the graph of the same file.

One file is one column of values: load it with "Upload from computer" under "View on node" of the
same ``.tflite``. The format is that of ``node_data_builder.py`` in Model Explorer 0.1.34
(``GraphNodeData`` and ``NodeDataResult``): a dict from node to value, without the name of a
graph, so it belongs to the graph that is open. Model Explorer gives an operator its position in
the file as node id (``direct_flatbuffer_to_json_graph_convert.cc``, adapter 0.2.1), and that is
the key here, because the names of tensors may repeat.
"""

from __future__ import annotations

import math

from drqsim.graph import Graph
from drqsim.report.plain import printable
from drqsim.verdict import REFUSED, UNKNOWN, Explanation, has_codes

# from many decibels to few; the text on them is dark or light as Model Explorer finds readable
GRADIENT = ((0, "#a23b00"), (0.5, "#fdebdc"), (1, "#e5effc"))
NOTHING_COLOR, CODES_COLOR, OTHERS_COLOR = "#d0d0d0", "#fdebdc", "#e5effc"


def of_errors(graph: Graph, found) -> dict:
    """The error of every operator's output, as SNR in dB.

    Parameters
    ----------
    graph : Graph
        The quantized model whose nodes are meant.
    found : Attribution
        Of that model. An operator without an error has no finite SNR, and gets no value.
    """
    snr = {}
    for row in found.rows:  # of several outputs the worst
        name = row.operator.partition("/")[0]
        snr[name] = min(row.error.snr, snr.get(name, math.inf))
    results = {
        str(at): {"value": round(snr[op.name], 2)}
        for at, op in enumerate(graph.operators)
        if math.isfinite(snr.get(op.name, math.inf))
    }
    gradient = [{"stop": stop, "bgColor": color} for stop, color in GRADIENT]
    return {"name": "SNR of the output in dB", "results": results, "gradient": gradient}


def of_arithmetic(graph: Graph, explanation: Explanation) -> dict:
    """What every operator computes in: ``int8``, ``float32``, ..."""
    results = {
        str(at): {
            "value": explanation[op.name].arithmetic,
            "bgColor": _color(explanation[op.name].arithmetic),
        }
        for at, op in enumerate(graph.operators)
    }
    return {"name": printable(f"arithmetic, {explanation.kernels}"), "results": results}


def _color(arithmetic: str) -> str:
    if arithmetic in (REFUSED, UNKNOWN):
        return NOTHING_COLOR
    return CODES_COLOR if has_codes(arithmetic) else OTHERS_COLOR
