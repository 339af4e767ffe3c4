"""Every activation of a run, those included that a kernel path never shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from drqsim.graph import Graph
from drqsim.interpreter import run
from drqsim.ops.unwritten import why_unwritten
from drqsim.trace import Trace


def run_and_show(
    graph: Graph, feeds: dict[str, np.ndarray], kernels: str, keep, allow_nonfinite: bool = False
) -> tuple[dict[int, np.ndarray], Trace]:
    """What every operator writes, by the tensor's index, and the trace.

    What XNNPACK makes of a constant stays its own, and is the same on the optimized kernels.
    """
    made = tuple(dict.fromkeys(i for op in graph.operators for i in op.outputs))
    whole = replace(graph, outputs=made)
    hidden = [op for op in graph.operators if why_unwritten(whole, op, kernels)]
    without = {i for op in hidden for i in op.outputs}
    shown = replace(graph, outputs=tuple(i for i in made if i not in without))
    outputs, trace = run(shown, feeds, kernels, keep, allow_nonfinite, float_order="exact")
    values = dict(zip(shown.outputs, outputs.values(), strict=True))
    for op in hidden:
        (value,) = run(graph.extract(op.name), {}, "optimized", "shapes")[0].values()
        values[op.outputs[0]] = value
    return values, trace
