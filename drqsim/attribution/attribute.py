"""Where the error of a dynamic-range quantized model arises: cause by cause, operator by operator.

Both models run on the same input: ``x_F, y_F`` are what an operator reads and writes in the float
model, ``x_D, y_D`` in the quantized one. ``W`` are its float weights, ``W^ = codes * scale``;
``x^ = (codes - zero_point) * scale`` is its quantized input. ``F`` is the operator in float64, with
its fused activation, so that nothing is linearized::

    inherited       = F(x_D, W)  - F(x_F, W)
    weight rounding = F(x_D, W^) - F(x_D, W)
    input rounding  = F(x^, W^)  - F(x_D, W^)
    float rounding  = y_D - F(x^, W^)  +  F(x_F, W) - y_F

The four add up to ``y_D - y_F``: every term but those two appears twice, with both signs. What the
kernel does besides quantizing, defects of the runtime included, is among the float rounding.

For the whole net, the same steps are taken one after another in execution order: the rest of the
float model goes on from an operator's ``F(x_D, W)``, ``F(x_D, W^)``, ``F(x^, W^)`` and ``y_D`` (as
float32), and what the final output changes by in each step belongs to that operator and cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from drqsim.attribution.formula import HYBRID, quantized_input
from drqsim.attribution.pairing import Pair, pair, same_constant
from drqsim.attribution.parts import (
    CAUSES,
    CLIPPING,
    ERROR,
    INHERITED,
    INPUT,
    ROUNDING,
    WEIGHTS,
    Attribution,
    Tallies,
    Tally,
)
from drqsim.attribution.runs import Runs
from drqsim.errors import InputError
from drqsim.graph import Graph, Operator, expect_graph, shorten
from drqsim.kernels import checked
from drqsim.model_file.operands import OPERANDS, weights_of
from drqsim.ops.fed import inputs_by_index
from drqsim.verdict import explain

f64 = np.float64


def attribute_error(
    float_model: Graph,
    drq_model: Graph,
    inputs: np.ndarray | dict[str, np.ndarray] | list,
    kernels: str = "optimized",
    *,
    output: int | str = 0,
    end_to_end: bool = True,
    keep_values: bool = False,
    allow_nonfinite: bool = False,
) -> Attribution:
    """Split the error of a quantized model into causes that add up to it.

    Parameters
    ----------
    float_model, drq_model : Graph
        A model, and what a converter made of it. They are joined by the order and the structure of
        their operators, not by names.
    inputs : array, dict of arrays by input name, or list of those
        What to run; names as in the float model. A list is several inputs, and so is an array whose
        first dimension is a multiple of the one that the model is fixed to.
    kernels : {"optimized", "reference", "xnnpack"}
        The kernel path, as for ``run``.
    output : int or str
        What counts as the final output: its position among the float model's outputs or its name
        there, or the name of an operator, whose first output it then is (the logits, say).
    end_to_end : bool
        Whether to split the error of the final output too. It takes up to four runs of the rest of
        the model for every operator with int8 weights.
    keep_values : bool
        Whether every part keeps its values, and not only what they come to.
    allow_nonfinite : bool
        Whether NaN and infinity may flow through both models, as for ``run``; an output with an
        error to split must be finite all the same.

    Returns
    -------
    Attribution
        A row for each float output of an operator, and one for what each operator adds to the error
        of the final output.

    Raises
    ------
    InputError
        When an argument does not fit, the models differ in more than quantization, or an output
        is not finite.
    UnsupportedOperatorError
        When a model has an operator that drqsim does not run. Recurrent operators have no float
        form here; with the same int8 weights in both models, their error is inherited.

    Notes
    -----
    An operator without weights of its own, or whose weights are the same floats in both models,
    adds nothing: all its error counts as inherited, its float32 rounding of other inputs included.
    Operators other than convolutions and matrix products (EMBEDDING_LOOKUP) run their float32
    kernel in the place of ``F``. All constants of an operator count as its weights.
    """
    expect_graph(float_model, drq_model)
    joined = pair(float_model, drq_model, checked(kernels))
    final = _final_output(float_model, joined, output) if end_to_end else None
    leading = () if final is None else joined.leading_to(final)
    rows, net = Tallies(keep_values), Tallies(keep_values)
    whole = Tally(ERROR, keep_values)
    hazards = [(v.operator, text) for v in explain(drq_model, kernels) for text in v.hazards]
    cases = _cases(float_model, inputs)
    for case in cases:
        runs = Runs(
            joined, inputs_by_index(float_model, case, allow_nonfinite), kernels, allow_nonfinite
        )
        hazards += runs.trace.hazards
        if final is not None:
            signal, reached = runs.in_float[final].astype(f64), runs.in_float[final]
            whole.add(runs.error(final), runs.error(final), signal)
        for at, op in enumerate(joined.drq_model.operators):
            steps = _steps(runs, at)
            for name, index, parts in _parts(runs, op, steps):
                error = runs.error(index)
                rows.add(name, parts, error, error, runs.in_float[index].astype(f64))
            if steps.own and at in leading:
                parts, reached = _through_the_net(runs, at, steps, final, reached)
                net.add(op.name, parts, sum(parts.values()), runs.error(final), signal)
    return Attribution(
        rows.rows(),
        net.rows(),
        whole.part() if final is not None else None,
        len(cases),
        list(dict.fromkeys(hazards)),
    )


class _Steps(NamedTuple):
    """What an operator makes on the way from the float to the quantized model, a list of outputs.

    ``own`` is False where both models have the same operator, constants included.
    """

    own: bool
    float_inputs: list[np.ndarray]  # F(x_F, W)
    inherited: list[np.ndarray]  # F(x_D, W)
    weights: list[np.ndarray]  # F(x_D, W^)
    inputs: list[np.ndarray]  # F(x^, W^)
    clipped: list[np.ndarray] | None = None  # F(x_D, W^), but x^ where codes were cut


def _steps(runs: Runs, at: int) -> _Steps:
    f, d = runs.operator(at)
    y_f, y_d = ([made[i] for i in f.outputs] for made in (runs.in_float, runs.in_drq))
    if _same_constants(runs.joined, f, d):
        return _Steps(False, y_f, y_d, y_d, y_d)
    if f.code not in HYBRID or weights_of(runs.joined.drq_model, d).value is None:
        of_float = runs.evaluate(f, runs.in_drq)
        of_drq = runs.evaluate(d, runs.in_drq)
        return _Steps(True, y_f, of_float, of_drq, of_drq)
    read = f.inputs[OPERANDS[f.code].input]
    x_f, x_d = (made[read].astype(f64) for made in (runs.in_float, runs.in_drq))
    x_q, cut = quantized_input(d, runs.trace, x_d)
    inherited, weights, inputs = (runs.exact(op, x) for op, x in ((f, x_d), (d, x_d), (d, x_q)))
    clipped = runs.exact(d, np.where(cut, x_q, x_d)) if cut.any() else weights
    return _Steps(True, runs.exact(f, x_f), inherited, weights, inputs, clipped)


def _parts(
    runs: Runs, op: Operator, steps: _Steps
) -> Iterator[tuple[str, int, dict[str, np.ndarray]]]:
    """The four parts of every float output of an operator: its label, its index, float64 parts."""
    for number, index in enumerate(op.outputs):
        y_f, y_d = runs.in_float[index].astype(f64), runs.in_drq[index].astype(f64)
        if runs.in_drq[index].dtype.kind != "f":
            continue
        of_float, inherited, weights, inputs = (made[number].astype(f64) for made in steps[1:5])
        parts = {
            INHERITED: inherited - of_float,
            WEIGHTS: weights - inherited,
            INPUT: inputs - weights,
            ROUNDING: (y_d - inputs) + (of_float - y_f),
        }
        if steps.clipped is not None:
            parts[CLIPPING] = steps.clipped[number] - weights
        yield f"{op.name}/output_{number + 1}" if number else op.name, index, parts


def _through_the_net(
    runs: Runs, at: int, steps: _Steps, final: int, reached: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What an operator adds to the final output's error, by cause, and the output it leads to.

    ``reached`` is the final output when the float model goes on from this operator's input.
    """
    f, d = runs.operator(at)
    parts = {cause: np.zeros(reached.shape, f64) for cause in CAUSES[1:]}
    before = runs.evaluate(f, runs.in_drq)
    last = [runs.in_drq[i] for i in d.outputs]
    for cause, made in (
        (ROUNDING, steps.inherited),
        (WEIGHTS, steps.weights),
        (INPUT, steps.inputs),
        (ROUNDING, last),
    ):
        made = [y.astype(y_d.dtype) for y, y_d in zip(made, last, strict=True)]
        if all(map(np.array_equal, made, before)):
            continue
        now = runs.continued(at, made, final)
        parts[cause] += now.astype(f64) - reached.astype(f64)
        before, reached = made, now
    return parts, reached


def _same_constants(joined: Pair, f: Operator, d: Operator) -> bool:
    return all(
        a is None or a.value is None or same_constant(a, b)
        for a, b in (
            (joined.float_model.tensor_of(f, at), joined.drq_model.tensor_of(d, at))
            for at in range(len(f.inputs))
        )
    )


def _cases(graph: Graph, inputs) -> list:
    """The inputs one by one."""
    if isinstance(inputs, (list, tuple)):
        if not inputs:
            raise InputError("inputs is an empty list; pass at least one input.")
        return list(inputs)
    if isinstance(inputs, dict) or len(graph.inputs) != 1:
        return [inputs]
    array, wanted = np.asarray(inputs), graph.tensors[graph.inputs[0]]
    if wanted.accepts(array.shape) or not wanted.shape or array.ndim != len(wanted.shape):
        return [inputs]
    size = wanted.shape[0]
    if not array.size or len(array) % size or not wanted.accepts((size, *array.shape[1:])):
        return [inputs]  # which does not fit, as run() says
    return np.split(array, len(array) // size)


def _final_output(graph: Graph, joined: Pair, output: int | str) -> int:
    names = graph.output_names
    by_name = {op.name: op.outputs[0] for op in joined.float_model.operators}
    by_name |= dict(zip(names, graph.outputs, strict=True)) | dict(enumerate(graph.outputs))
    known = isinstance(output, (int, str)) and not isinstance(output, bool)
    if not known or output not in by_name:
        shown = ", ".join(map(shorten, names))
        raise InputError(
            f"output is {output!r}; expected a position or a name among {shown}, or an operator."
        )
    index = by_name[output]
    tensor = graph.tensors[index]
    fixed = tensor.value is not None or any(index in op.outputs for op in graph.makers)
    maker = next((op.name for op in graph.operators if index in op.outputs), "nobody")
    unmade = maker == "nobody" and index not in graph.inputs
    if fixed or unmade or tensor.dtype.kind != "f":
        what = f"is {tensor} of {maker}, no float"
        what = "is written by no operator" if unmade else what
        what = "is the same for every input" if fixed else what
        raise InputError(
            f"Output {shorten(tensor.name)!r} {what}, so its error has no parts; choose another "
            "with output=, or pass end_to_end=False."
        )
    return index
