"""Which arithmetic every operator of a model gets on a kernel path: ``explain``."""

from __future__ import annotations

from dataclasses import replace

from drqsim import processor as processors
from drqsim.errors import InputError
from drqsim.graph import Graph, Operator, expect_graph
from drqsim.kernels import checked
from drqsim.model_file.operands import input_of, weights_of
from drqsim.model_file.schema import completed
from drqsim.ops.delegate import why_builtin
from drqsim.processor import Processor
from drqsim.tables import Printed, Printout, Table
from drqsim.verdict import with_weights, without_weights
from drqsim.verdict.family import family_of
from drqsim.verdict.said import INT8, Site, Verdict

RULES = (*without_weights.RULES, *with_weights.RULES)


class Explanation(Printed):
    """The verdicts on a model, one for each operator; prints as a table.

    ``kernels`` is the path, ``processor`` the name of the processor that was asked for, or None.
    """

    def __init__(self, verdicts: list[Verdict], kernels: str, processor: str | None = None):
        self.verdicts, self.kernels, self.processor = verdicts, kernels, processor
        self._by_name = {verdict.operator: verdict for verdict in verdicts}

    def __getitem__(self, operator: str) -> Verdict:
        if operator not in self._by_name:
            raise InputError(f"No verdict on {operator!r}: the model has no operator of that name.")
        return self._by_name[operator]

    def __iter__(self):
        return iter(self.verdicts)

    def __len__(self) -> int:
        return len(self.verdicts)

    def rows(self) -> list[tuple[str, ...]]:
        """A row of text for each operator, under ``header()``."""
        families = [(v.family,) if self.processor else () for v in self]
        cells = zip(self, families, strict=True)
        return [(v.operator, v.arithmetic, v.kernel, *family, v.why) for v, family in cells]

    def header(self) -> tuple[str, ...]:
        """operator, arithmetic, kernel, with a processor its name over the families, why."""
        return ("operator", "arithmetic", "kernel", *filter(None, [self.processor]), "why")

    def _printed(self) -> Printout:
        hazards = [f"{v.operator}: {hazard}" for v in self for hazard in v.hazards]
        return Printout([Table(self.header(), self.rows())], beware=hazards)


def explain(graph: Graph, kernels: str = "xnnpack", processor: str | None = None) -> Explanation:
    """The arithmetic that every operator gets on a kernel path, and why.

    Parameters
    ----------
    graph : Graph
    kernels : {"xnnpack", "optimized", "reference"}
    processor : str, optional
        One that ``run`` follows, such as ``arm64-dotprod``: tell also which family of kernels runs
        each operator there.

    Returns
    -------
    Explanation
        One ``Verdict`` for each operator, in order, with the known defects of the runtime (version
        2.3.0) that it meets. Those of the other subgraphs of a file come after those of the first,
        with the subgraph's name before theirs.

    Raises
    ------
    InputError
        When there is no such kernel path or processor.
    """
    expect_graph(graph)
    kernels, named = checked(kernels), None if processor is None else processors.of(processor)
    of_file = without_weights.held(graph), with_weights.is_float_file(graph)
    verdicts = _verdicts(graph, kernels, of_file, named)
    for name, other in zip(graph.subgraph_names[1:], graph.others, strict=True):
        found = _verdicts(other, kernels, of_file, named)
        verdicts += [replace(v, operator=f"{name}/{v.operator}") for v in found]
    return Explanation(verdicts, kernels, named and named.name)


def _verdicts(
    graph: Graph, kernels: str, of_file: tuple, processor: Processor | None
) -> list[Verdict]:
    left = why_builtin(graph) if kernels == "xnnpack" else {}
    return [
        _verdict(graph, op, kernels, left.get(op.name, ""), of_file, processor)
        for op in graph.operators
    ]


def _verdict(
    graph: Graph, op: Operator, kernels: str, left: str, of_file: tuple, processor
) -> Verdict:
    op = replace(op, options=completed(op.code, op.options))
    site = Site(graph, op, kernels, input_of(graph, op), weights_of(graph, op), left, *of_file)
    found = next(judge(site) for applies, judge in RULES if applies(site))
    if processor is None or found.arithmetic != INT8 or site.weights is None:
        return found
    return replace(found, family=family_of(site, found.kernel, processor))
