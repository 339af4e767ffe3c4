"""Everything that a report tells, computed once; what cannot be computed is left out, with why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from drqsim import processor as processors
from drqsim.attribution.attribute import attribute_error
from drqsim.attribution.parts import Attribution
from drqsim.errors import DrqsimError
from drqsim.graph import Graph, expect_graph
from drqsim.interpreter import run
from drqsim.kernels import checked
from drqsim.limits import Limits, current, using
from drqsim.memory import MemoryPlan, plan_memory
from drqsim.memory.shapes import products, shapes_of
from drqsim.trace import Trace
from drqsim.verdict import Explanation, explain, has_codes

STEPS = 5
# Splitting the final output's error runs the rest of the model once for every int8 operator and
# cause. Where that comes to more products than this (some ten seconds), somebody has to ask.
MOST_PRODUCTS = 5_000_000_000
MOST_MAPPED = 5_000  # tensors in a drawing of the memory
PER_OPERATOR = 5_000_000  # an operator takes the time of so many products at least


@dataclass(frozen=True, eq=False)
class Report:
    """What a report tells about a model.

    Attributes
    ----------
    name : str
        Of the file; it may hold anything.
    graph : Graph
    verdicts : dict of Explanation
        By kernel path.
    kernels : str
        The path that plan, trace and error follow.
    processor : str
        Whose kernels they are.
    plan, float_plan : MemoryPlan or None
    trace : Trace or None
        With the values of int8 operators that the figures show.
    error : Attribution or None
    fed : str
        What the model was fed with, in words.
    left_out : list of str
        One sentence for each part that could not be made.
    """

    name: str
    graph: Graph
    verdicts: dict[str, Explanation]
    kernels: str
    processor: str
    plan: MemoryPlan | None = None
    float_plan: MemoryPlan | None = None
    trace: Trace | None = None
    error: Attribution | None = None
    fed: str = ""
    left_out: list[str] = field(default_factory=list)

    @property
    def followed(self) -> str:
        """Whose kernels were followed, in words."""
        return processors.in_words(self.kernels, self.processor)

    @property
    def explanation(self) -> Explanation:
        """The verdicts on the report's own path."""
        return self.verdicts[self.kernels]


def make(
    graph: Graph,
    x: np.ndarray | dict[str, np.ndarray],
    float_model: Graph | None = None,
    kernels: str = "optimized",
    name: str = "model",
    fed: str = "",
    end_to_end: bool | None = None,
    step: Callable[[str], None] = lambda now: None,
    allow_nonfinite: bool = False,
    limits: Limits | None = None,
    float_order: str | None = None,
) -> Report:
    """Compute what a report tells.

    Parameters
    ----------
    graph : Graph
        The model, quantized or not.
    x : array, or dict of arrays by input name
        What to run it on.
    float_model : Graph, optional
        What it was quantized from; without it there is nothing to hold the outputs against.
    kernels : {"optimized", "reference", "xnnpack"}
        The kernel path to follow.
    name, fed : str
        What the report calls the model and its input.
    end_to_end : bool, optional
        Whether to split the error of the final output, too. By default, where that is quick.
    step : callable
        Told what is done next; ``STEPS`` times.
    allow_nonfinite : bool
        Whether NaN and infinity may be fed, as for ``run``.
    limits : Limits, optional
        What a run may take, and of how many operators codes are drawn.
    float_order : {"exact", "blas"}, optional
        How float layers of the run that is shown add up, as for ``run``.

    Returns
    -------
    Report
        A part that drqsim cannot make (an operator that it does not run, a model that does not
        match) is left out, and ``left_out`` says why.

    Raises
    ------
    InputError
        When an argument does not fit the model.
    """
    expect_graph(graph, *(() if float_model is None else (float_model,)))
    kernels = checked(kernels)
    limits = current() if limits is None else limits
    left_out: list[str] = []

    def attempt(what: str, make: Callable):
        step(what)
        try:
            with using(limits):
                return make()
        except DrqsimError as error:
            left_out.append(f"{what}: left out. {error}")
            return None

    step("Which arithmetic")
    paths = dict.fromkeys((kernels, "xnnpack", "optimized", "reference"))
    followed = processors.of().name
    verdicts = {path: explain(graph, path, followed) for path in paths}
    hybrid = [v.operator for v in verdicts[kernels] if has_codes(v.arithmetic)]
    how = kernels, _shown(hybrid[: limits.drawn]), allow_nonfinite
    trace = attempt("Every tensor", lambda: run(graph, x, *how, float_order=float_order)[1])
    sizes = _shapes(graph, x)
    plan = attempt("Memory", lambda: plan_memory(graph, kernels, input_shapes=sizes, trace=trace))
    float_plan = error = None
    if float_model is not None:
        theirs = dict(zip(float_model.input_names, sizes.values(), strict=False))
        float_plan = attempt(
            "Memory of the float model",
            lambda: plan_memory(float_model, kernels, input_shapes=theirs),
        )
        if end_to_end is None:
            shapes = {} if trace is None else shapes_of(graph, trace=trace).by_index
            once = products(graph, shapes) + PER_OPERATOR * len(graph.operators)
            end_to_end = len(hybrid) * once <= MOST_PRODUCTS
        both = float_model, graph
        error = attempt("Error", lambda: _attribute(*both, x, kernels, end_to_end, allow_nonfinite))
        if error is not None and not end_to_end:
            left_out.append(
                "What each operator adds to the error of the final output is left out: it takes "
                "long for a model of this size. Pass --end-to-end to have it."
            )
    left_out += _not_drawn(len(hybrid) if trace is not None else 0, limits.drawn, plan)
    told = kernels, followed, plan, float_plan, trace, error, fed, left_out
    return Report(name, graph, verdicts, *told)


def _not_drawn(hybrid: int, drawn: int, plan: MemoryPlan | None) -> Iterator[str]:
    """Sentences on the drawings that would be too many, or too full."""
    if hybrid > drawn:
        yield (
            f"Codes are drawn for the first {drawn} of the {hybrid} operators that have them; "
            "raise that with limits=drqsim.Limits(drawn=...)."
        )
    if plan is not None and len(plan.blocks) > MOST_MAPPED:
        yield (
            f"The map of the memory is left out: it would show {len(plan.blocks):,} tensors, and "
            f"at most {MOST_MAPPED:,} are drawn; they are in the plan's table."
        )


def _shown(hybrid: list[str]) -> list[str]:
    """The records whose values are drawn."""
    names = ("input", "*_scale", "*_zero_point", "*_quantized", "filter", "*_weights")
    names += ("accumulator", "*_accumulator")
    return [f"{operator}/{name}" for operator in hybrid for name in names]


def _attribute(
    float_model: Graph, graph: Graph, x, kernels: str, end_to_end: bool, allow_nonfinite: bool
) -> Attribution:
    """The error; the inputs are matched by their order, because a converter may rename them."""
    if isinstance(x, dict):
        names = zip(graph.input_names, float_model.input_names, strict=False)
        x = {new: x[old] for old, new in names if old in x}
    how = {"end_to_end": end_to_end, "allow_nonfinite": allow_nonfinite}
    return attribute_error(float_model, graph, x, kernels, **how)


def _shapes(graph: Graph, x) -> dict[str, tuple[int, ...]]:
    """The shapes of what is fed, by the inputs' names, in their order."""
    given = x if isinstance(x, dict) else dict.fromkeys(graph.input_names, x)
    return {name: np.shape(given[name]) for name in graph.input_names if name in given}
