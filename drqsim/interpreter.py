"""Run a graph operator by operator and record every tensor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np

from drqsim.errors import InputError, ModelFileError, UnsupportedOperatorError
from drqsim.graph import Graph, Operator, shorten
from drqsim.hazards.of_input import hazards_of_input
from drqsim.model_file.schema import completed
from drqsim.ops import TABLE, TAKE_INT4
from drqsim.ops.call import Call
from drqsim.trace import TensorRecord, Trace, make_record, numbered, usual_place

KERNELS = ("reference", "optimized", "xnnpack")


def run(
    graph: Graph,
    x: np.ndarray | dict[str, np.ndarray],
    kernels: str = "optimized",
    record: str | Iterable[str] = "values",
    allow_nonfinite: bool = False,
) -> tuple[dict[str, np.ndarray], Trace]:
    """Run a model and record every intermediate tensor.

    Parameters
    ----------
    graph : Graph
        Float or quantized.
    x : array, or dict of arrays by input name
        Values in the shape and dtype that the model declares, finite. A dimension that the model
        leaves open (a dynamic batch) may have any size. A dict may also hold the state of a
        recurrent operator, by the name of its variable tensor; without it the state is zero.
    kernels : {"optimized", "reference", "xnnpack"}
        The kernel path to follow: ``BUILTIN_WITHOUT_DEFAULT_DELEGATES``, ``BUILTIN_REF``, or the
        runtime's default.
    record : {"values", "shapes"} or name patterns
        ``"shapes"`` keeps no values; patterns such as ``["*/accumulator"]`` keep only the values of
        the records whose key matches.
    allow_nonfinite : bool
        Follow the runtime where NaN, infinity and ranges past float32 lead it, in the hybrid
        convolutions and matrix products of the builtin kernels; otherwise they are refused. The
        trace's ``hazards`` tell where that happened.

    Returns
    -------
    outputs : dict of arrays
        By output name.
    trace : Trace
        Every record, in order.

    Raises
    ------
    InputError
        When an argument does not fit the model.
    UnsupportedOperatorError
        When the model has an operator that drqsim does not run.
    """
    if kernels not in KERNELS:
        raise InputError(f"kernels is {kernels!r}; expected one of {', '.join(KERNELS)}.")
    unknown = sorted({op.code for op in graph.operators if op.code not in TABLE})
    if unknown:
        raise UnsupportedOperatorError(
            f"This model uses {', '.join(unknown)}, which drqsim cannot run; run one of its "
            "supported operators alone with graph.extract(name)."
        )
    keep = _keeper(record)
    # a state that is not passed in has no value: its operator starts it at zero
    values: dict[int, np.ndarray | None] = {
        i: t.value for i, t in enumerate(graph.tensors) if not t.is_fed
    }
    values |= inputs_by_index(graph, x, allow_nonfinite)
    records: list[TensorRecord] = []
    beware: list[tuple[str, str]] = []
    for at, op in enumerate(graph.operators):
        seen = _run_operator(graph, op, at, values, kernels, keep, records, allow_nonfinite)
        beware += [(op.name, text) for text in hazards_of_input(op, seen, allow_nonfinite)]
        for index in (*op.inputs, *op.outputs):
            if graph.lifetime(index)[1] <= at:  # nobody reads it any more
                values.pop(index, None)
    outputs = {graph.tensors[i].name: values[i] for i in graph.outputs}
    return outputs, Trace(records, kernels, beware)


def _run_operator(
    graph: Graph, op: Operator, at: int, values, kernels, keep, records, allow_nonfinite
) -> dict[str, np.ndarray]:
    """Run one operator; returns the values from which its hazards show."""
    if not op.outputs:
        raise ModelFileError(f"{op.name} has no output in the file.")
    packed = [graph.tensors[i] for i in (*op.inputs, *op.outputs) if i >= 0]
    packed = next((tensor for tensor in packed if tensor.bits), None)
    if packed is not None and op.code not in TAKE_INT4:
        raise UnsupportedOperatorError(
            f"{op.name} has the tensor {shorten(packed.name)!r}, {packed}; of the operators with "
            f"int4 drqsim runs {', '.join(TAKE_INT4)}."
        )
    activations = [i for i in op.inputs if i >= 0 and graph.tensors[i].is_fed]
    unwritten = next((i for i in activations if i not in values), None)
    if unwritten is not None:
        raise ModelFileError(
            f"{op.name} reads tensor {unwritten} ({shorten(graph.tensors[unwritten].name)!r}), "
            "which is no input of the model, holds no data, and no operator before it writes."
        )
    indices = dict(zip(numbered("input"), activations, strict=False))
    indices |= dict(zip(numbered("output"), op.outputs, strict=False))

    def keeps(name: str) -> bool:
        return keep(f"{op.name}/{name}")

    seen: dict[str, np.ndarray] = {}

    def record(
        name: str, value: np.ndarray, stored: str | None = None, reserved=None, bits=None
    ) -> None:
        if name.startswith(("input", "filter")):
            seen[name] = value
            if stored == "delegate":
                seen["in_delegate"] = value
        index = indices.get(name)
        born, dies = (at, at) if index is None else graph.lifetime(index)
        if (stored or usual_place(name)) in ("file", "persistent"):
            born, dies = 0, len(graph.operators)
        where = {"born": born, "dies": dies, "tensor_index": index}
        if index is not None:
            bits = graph.tensors[index].bits
        kept = keeps(name)
        records.append(make_record(op.name, name, value, stored, reserved, kept, bits, **where))

    call = Call(
        replace(op, options=completed(op.code, op.options)),
        tuple(graph.tensors[i] if i >= 0 else None for i in op.inputs),
        tuple(values[i] if i >= 0 else None for i in op.inputs),
        tuple(graph.tensors[i] for i in op.outputs),
        kernels,
        record,
        keeps,
        allow_nonfinite,
    )
    try:
        # XNNPACK lets infinity pass, the builtin kernels clamp it: neither is an error yet
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            outputs = TABLE[op.code](call)
    except InputError as error:
        raise InputError(f"While running {op.name}: {error}") from None
    if len(outputs) != len(op.outputs):
        raise ModelFileError(
            f"{op.name} has {len(op.outputs)} outputs in the file; it makes {len(outputs)}."
        )
    values.update(zip(op.outputs, outputs, strict=True))
    return seen


def inputs_by_index(
    graph: Graph, x: np.ndarray | dict[str, np.ndarray], allow_nonfinite: bool = False
) -> dict[int, np.ndarray]:
    """The model's inputs by tensor index, checked against what the model declares."""
    names = [graph.tensors[i].name for i in graph.inputs]
    if not isinstance(x, dict):
        if len(names) != 1:
            raise InputError(
                f"This model has {len(names)} inputs ({', '.join(names)}); pass a dict by name."
            )
        x = {names[0]: x}
    states = [i for i, t in enumerate(graph.tensors) if t.is_variable and t.name in x]
    if set(x) - {graph.tensors[i].name for i in states} != set(names):
        raise InputError(f"Inputs are named {sorted(x)}; this model has {sorted(names)}.")
    by_index = {i: np.asarray(x[graph.tensors[i].name]) for i in (*graph.inputs, *states)}
    for i, array in by_index.items():
        _check_input(graph.tensors[i], array, allow_nonfinite)
    return {i: np.asarray(array, order="C") for i, array in by_index.items()}


def _check_input(tensor, array: np.ndarray, allow_nonfinite: bool) -> None:
    passed = f"{array.dtype.name}{list(array.shape)}"
    if array.dtype != tensor.dtype:
        raise InputError(
            f"Input {shorten(tensor.name)!r} got {passed}; this model reads {tensor.dtype.name} "
            f"(dynamic-range quantization changes no input's type: floats stay float32). Convert "
            f"it with .astype(numpy.{tensor.dtype.name})."
        )
    if not tensor.accepts(array.shape) or array.size == 0:
        raise InputError(
            f"Input {shorten(tensor.name)!r} got the shape {list(array.shape)}; this model reads "
            f"{list(tensor.signature or tensor.shape)}."
        )
    if tensor.bits and array.size and not -8 <= array.min() <= array.max() <= 7:
        raise InputError(
            f"Input {shorten(tensor.name)!r} is {tensor}; pass int8 values from -8 to 7, not "
            f"{array.min()} to {array.max()}."
        )
    if not allow_nonfinite and not np.isfinite(array).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputError(
            f"Input {shorten(tensor.name)!r} holds {array[at]} at {at}; a scale needs finite "
            "values, so replace NaN and infinity first, or pass allow_nonfinite=True to see what "
            "the runtime makes of them."
        )


def _keeper(record: str | Iterable[str]):
    if record == "values":
        return lambda key: True
    if record == "shapes":
        return lambda key: False
    if isinstance(record, str):
        raise InputError(
            f"record is {record!r}; expected 'values', 'shapes' or a list of patterns such as "
            "['*/accumulator']."
        )
    patterns = list(record)
    return lambda key: any(fnmatchcase(key, pattern) for pattern in patterns)
