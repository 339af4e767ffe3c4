"""Which arithmetic every operator of a model gets on a kernel path: ``explain``."""

from __future__ import annotations

from dataclasses import replace

from drqsim.errors import InputError
from drqsim.graph import Graph, Operator, expect_graph
from drqsim.kernels import checked
from drqsim.model_file.operands import input_of, weights_of
from drqsim.model_file.schema import completed
from drqsim.ops.delegate import why_builtin
from drqsim.tables import Printed, Printout, Table
from drqsim.verdict import with_weights, without_weights
from drqsim.verdict.said import Site, Verdict

RULES = (*without_weights.RULES, *with_weights.RULES)


class Explanation(Printed):
    """The verdicts on a model, one for each operator; prints as a table."""

    def __init__(self, verdicts: list[Verdict], kernels: str):
        self.verdicts, self.kernels = verdicts, kernels
        self._by_name = {verdict.operator: verdict for verdict in verdicts}

    def __getitem__(self, operator: str) -> Verdict:
        if operator not in self._by_name:
            raise InputError(f"No verdict on {operator!r}: the model has no operator of that name.")
        return self._by_name[operator]

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
        2.3.0) that it meets. Those of the other subgraphs of a file come after those of the first,
        with the subgraph's name before theirs.
    """
    expect_graph(graph)
    kernels = checked(kernels)
    held = without_weights.held(graph)
    verdicts = _verdicts(graph, kernels, held)
    for name, other in zip(graph.subgraph_names[1:], graph.others, strict=True):
        found = _verdicts(other, kernels, held)
        verdicts += [replace(v, operator=f"{name}/{v.operator}") for v in found]
    return Explanation(verdicts, kernels)


def _verdicts(graph: Graph, kernels: str, held: list[str]) -> list[Verdict]:
    why = why_builtin(graph) if kernels == "xnnpack" else {}
    return [_verdict(graph, op, kernels, why.get(op.name, ""), held) for op in graph.operators]


def _verdict(graph: Graph, op: Operator, kernels: str, why: str, held: list[str]) -> Verdict:
    op = replace(op, options=completed(op.code, op.options))
    site = Site(graph, op, kernels, input_of(graph, op), weights_of(graph, op), why, held)
    return next(judge(site) for applies, judge in RULES if applies(site))
