"""A float model and its quantized form, both run on one input, and run on from any operator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from drqsim.attribution.formula import evaluate
from drqsim.attribution.pairing import Pair
from drqsim.attribution.shown import run_and_show
from drqsim.errors import InputError
from drqsim.graph import Graph, Operator
from drqsim.interpreter import run
from drqsim.model_file.operands import OPERANDS
from drqsim.ops.delegate import why_builtin
from drqsim.trace import Trace

f64 = np.float64


class Runs:
    """Both models on one input: every activation by its index."""

    def __init__(
        self, joined: Pair, feeds: dict[int, np.ndarray], kernels: str, allow_nonfinite: bool
    ):
        self.joined, self.kernels, self.allow_nonfinite = joined, kernels, allow_nonfinite
        left = why_builtin(joined.float_model) if kernels == "xnnpack" else {}
        self._paths = {  # of an operator in either model: F is one kernel, whatever its weights
            op: "optimized" if left.get(both[0].name) else kernels
            for both in zip(joined.float_model.operators, joined.drq_model.operators, strict=True)
            for op in both
        }
        how = kernels, allow_nonfinite
        self.in_float, _ = _activations(joined.float_model, feeds, *how)
        self.in_drq, self.trace = _activations(joined.drq_model, feeds, *how)
        for op in joined.drq_model.operators:
            for index in op.outputs:
                ours, theirs = self.in_float[index], self.in_drq[index]
                if ours.shape != theirs.shape:
                    raise InputError(
                        f"{op.name} makes {list(ours.shape)} in the float model and "
                        f"{list(theirs.shape)} in the quantized one: the shape depends on values, "
                        "and there is no error to split."
                    )
                if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
                    raise InputError(
                        f"{op.name} makes NaN or infinity of this input, and such an error has no "
                        "parts; pass smaller values."
                    )

    def error(self, index: int) -> np.ndarray:
        """y_D - y_F in float64."""
        return self.in_drq[index].astype(f64) - self.in_float[index].astype(f64)

    def operator(self, at: int) -> tuple[Operator, Operator]:
        """The operator at this position in the float model and in the quantized one."""
        return self.joined.float_model.operators[at], self.joined.drq_model.operators[at]

    def evaluate(self, op: Operator, activations: dict[int, np.ndarray]) -> list[np.ndarray]:
        """An operator's float32 kernel, its weights dequantized."""
        return evaluate(self.joined.drq_model, op, activations, self._paths[op])

    def exact(self, op: Operator, x: np.ndarray) -> list[np.ndarray]:
        """F: a hybrid operator's formula in float64, its weights dequantized."""
        read = {op.inputs[OPERANDS[op.code].input]: x}
        # which has all constants
        return evaluate(self.joined.drq_model, op, read, self._paths[op], f64)

    def continued(self, at: int, outputs: list[np.ndarray], final: int) -> np.ndarray:
        """The final output when the float model goes on from these outputs of operator ``at``.

        What else it reads of the operators before, it gets from the quantized model.
        """
        op = self.joined.float_model.operators[at]
        values = self.in_drq | dict(zip(op.outputs, outputs, strict=True))
        rest = self.joined.rest(at, final)
        if not rest.operators:
            return values[final]
        tensors = list(rest.tensors)
        for i in rest.inputs:  # a batch that the caller chose is fixed here
            tensors[i] = replace(tensors[i], shape=values[i].shape, signature=None)
        states = [i for i in values if tensors[i].is_variable]  # those that were passed in
        feeds = {str(i): values[i] for i in (*rest.inputs, *states)}
        rest = replace(rest, tensors=tuple(tensors))
        made, _ = run(
            rest, feeds, self.kernels, "shapes", self.allow_nonfinite, float_order="exact"
        )
        return made[str(final)]


def _activations(
    graph: Graph, feeds: dict[int, np.ndarray], kernels: str, allow_nonfinite: bool
) -> tuple[dict[int, np.ndarray], Trace]:
    """Every activation of a run by its index, and the trace with the quantized inputs."""
    named = {str(i): value for i, value in feeds.items()}
    keep = ["*/input_scale", "*/input_zero_point", "*/input_quantized"]
    values, trace = run_and_show(graph, named, kernels, keep, allow_nonfinite)
    return feeds | values, trace
