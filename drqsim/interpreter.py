"""Run a graph operator by operator and record every tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from drqsim import processor as processors
from drqsim.errors import InputError, ModelFileError, UnsupportedOperatorError
from drqsim.graph import Graph, Operator, expect_graph, shorten
from drqsim.hazards.of_input import READ, hazards_of_input
from drqsim.kernels import ORDERS, checked
from drqsim.limits import Budget, Limits, Values
from drqsim.model_file.schema import completed
from drqsim.names import known_as
from drqsim.ops import TABLE, TAKE_INT4
from drqsim.ops.call import Call
from drqsim.ops.delegate import why_builtin
from drqsim.ops.fed import inputs_by_index
from drqsim.ops.operand_checks import wrong_type_of
from drqsim.ops.refusals import check_counts, check_types
from drqsim.ops.unread import check_known_types, why_halves
from drqsim.ops.unwritten import check_constants, left_in, why_unwritten
from drqsim.trace import TensorRecord, Trace, keeper, make_record, numbered, usual_place


def run(
    graph: Graph,
    x: np.ndarray | dict[str, np.ndarray],
    kernels: str = "optimized",
    record: str | Iterable[str] = "values",
    allow_nonfinite: bool = False,
    limits: Limits | None = None,
    processor: str | None = None,
    float_order: str | None = None,
) -> tuple[dict[str, np.ndarray], Trace]:
    """Run a model and record every intermediate tensor.

    Parameters
    ----------
    graph : Graph
        Float or quantized.
    x : array, or dict of arrays by input name
        Values in the shape and dtype that the model declares, finite. A dimension that the model
        leaves open (a dynamic batch) may have any size. A dict may also hold the state of a
        recurrent operator, by the name of its variable tensor; without it the state is zero. Of
        tensors with one name the second is called ``name:1``, and so on (``graph.input_names``).
    kernels : {"optimized", "reference", "xnnpack"}
        The kernel path to follow: ``BUILTIN_WITHOUT_DEFAULT_DELEGATES``, ``BUILTIN_REF``, or the
        runtime's default.
    record : {"values", "shapes"} or name patterns
        ``"shapes"`` keeps no values; patterns such as ``["*/accumulator"]`` keep only the values of
        the records whose key matches.
    allow_nonfinite : bool
        Follow the runtime where NaN, infinity and ranges past float32 lead it, in the hybrid
        convolutions and matrix products of the builtin kernels; otherwise they are refused. The
        trace's ``hazards`` tell where that happened. Through float32 operators they go by NumPy's
        rules, which are not always the runtime's.
    limits : Limits, optional
        How many bytes may be alive at once, and how much work the run may take; the defaults are
        for a laptop.
    processor : {"x86-64", "x86-64-vnni", "arm64", "arm64-dotprod", "arm64-i8mm", "native"}
        Whose kernels to follow (``drqsim.processor`` has the table). ``x86-64``, the default, gives
        the same numbers on every machine; ``native`` is this one.
    float_order : {"exact", "blas"}, optional
        In which order layers of float32 weights add up their products: as the kernel does, or as
        NumPy's BLAS does, which is faster and differs in the last bits. Unless given, exact but in
        layers of more than 2^28 products; the trace's ``hazards`` name those.

    Returns
    -------
    outputs : dict of arrays
        By output name, one for each output: of those with one name the second is called ``name:1``,
        and so on (``graph.output_names``), also where the file lists one tensor twice.
    trace : Trace
        Every record, in order.

    Raises
    ------
    InputError
        When an argument does not fit the model.
    UnsupportedOperatorError
        When the model has an operator that drqsim does not run, or takes more than the limits.
    """
    expect_graph(graph)
    kernels, followed = checked(kernels), processors.of(processor)
    how = {
        "processor": followed,
        "allow_nonfinite": allow_nonfinite,
        "float_order": _known_order(float_order),
    }
    unknown = sorted({known_as(op) for op in graph.operators if op.code not in TABLE})
    if unknown:
        raise UnsupportedOperatorError(
            f"This model uses {', '.join(unknown)}, which drqsim cannot run; run one of its "
            "supported operators alone with graph.extract(name)."
        )
    check_known_types(graph)
    check_constants(graph)
    keep = keeper(record)
    constants = {i: t.value for i, t in enumerate(graph.tensors) if t.value is not None}
    values = Values(constants, Budget(limits))
    for index, array in inputs_by_index(graph, x, allow_nonfinite).items():
        values[index] = array
    records: list[TensorRecord] = []
    beware: list[tuple[str, str]] = []
    left = _left_by_xnnpack(graph, values) if kernels == "xnnpack" else frozenset()
    makers: dict[str, str] = {}  # of the first infinity, and of the first NaN
    states: dict[str, dict[int, np.ndarray]] = {}
    for at, op in enumerate(graph.operators):
        variables = [i for i in op.inputs if i >= 0 and graph.tensors[i].is_variable]
        if variables:
            states[op.name] = {i: _read(graph, values, i, f"{op.name} reads") for i in variables}
            for state in states[op.name].values():
                values.budget.hold(state)
        recorder = Recorder(graph, at, keep)
        try:
            path = "optimized" if op.name in left else kernels
            said = _run_operator(recorder, values, path, how)
        except InputError as error:
            read = {_nonfinite(values[i]) for i in recorder.activations if i in values}
            known = [what for what in ("NaN", "infinity") if what in read and what in makers]
            origin = f" The first {known[0]} comes from {makers[known[0]]}." if known else ""
            raise InputError(f"{error}{origin}") from None
        for index in op.outputs:
            makers.setdefault(_nonfinite(values[index]), op.name)
        beware += [(op.name, text) for text in said]
        beware += [
            (op.name, text) for text in hazards_of_input(op, recorder.records, allow_nonfinite)
        ]
        kept = recorder.kept()
        for each in kept:
            if each.value is not None:
                values.budget.hold(each.value)
        records += kept
        for index in (*op.inputs, *op.outputs):
            if graph.lifetime(index)[1] <= at:  # nobody reads it any more
                values.drop(index)
    made = [_read(graph, values, i, "The model returns") for i in graph.outputs]
    trace = Trace(records, kernels, beware, states, followed.name)
    return dict(zip(graph.output_names, made, strict=True)), trace


def _left_by_xnnpack(graph: Graph, values: dict[int, np.ndarray]) -> frozenset[str]:
    """The operators that stay with the builtin kernels, the optimized ones."""
    tensors = list(graph.tensors)
    for index in graph.inputs:
        tensors[index] = replace(tensors[index], shape=values[index].shape)
    why = why_builtin(replace(graph, tensors=tuple(tensors)))
    return frozenset(name for name, reason in why.items() if reason)


class Recorder:
    """Makes the trace's records of what one operator writes down while it runs.

    Parameters
    ----------
    graph : Graph
    at : int
        The operator's position in it.
    keep : callable
        ``keep(key)``: whether the record of this key keeps its values in the trace.

    Attributes
    ----------
    records : list of TensorRecord
        So far, in order. Those from which hazards show have their values even where the trace will
        not keep them.
    activations : list of int
        Indices of the tensors that flow into the operator, states included.
    """

    def __init__(self, graph: Graph, at: int, keep: Callable[[str], bool]):
        self.graph, self.at, self.op, self.keep = graph, at, graph.operators[at], keep
        self.records: list[TensorRecord] = []
        self.activations = [i for i in self.op.inputs if i >= 0 and graph.tensors[i].value is None]
        self._indices = dict(zip(numbered("input"), self.activations, strict=False))
        self._indices |= dict(zip(numbered("output"), self.op.outputs, strict=False))

    def keeps(self, name: str) -> bool:
        """Whether the record of this name keeps its values."""
        return self.keep(f"{self.op.name}/{name}")

    def record(self, name: str, value, stored: str | None = None, reserved=None, bits=None) -> None:
        """Write down one tensor; ``make_record`` says what the arguments are."""
        index = self._indices.get(name)
        born, dies = (self.at, self.at) if index is None else self.graph.lifetime(index)
        if (stored or usual_place(name)) in ("file", "persistent"):
            born, dies = 0, len(self.graph.operators)
        where = {"born": born, "dies": dies, "tensor_index": index}
        if index is not None:
            bits = self.graph.tensors[index].bits
            where["tensor_name"] = self.graph.tensors[index].name
        keep = self.keeps(name) or name.startswith(READ)
        made = make_record(self.op.name, name, value, stored, reserved, keep, bits, **where)
        self.records.append(made)

    def kept(self) -> list[TensorRecord]:
        """The records as the trace keeps them."""
        return [
            r if r.value is None or self.keeps(r.name) else replace(r, value=None)
            for r in self.records
        ]


def _known_order(name: str | None) -> str | None:
    if name not in (None, *ORDERS):
        raise InputError(f"float_order is {name!r}; expected 'exact' or 'blas'.")
    return name


def _run_operator(recorder: Recorder, values: Values, kernels: str, how: dict) -> list[str]:
    """Run the recorder's operator on ``values``, by tensor index, and put its outputs there.

    Returns what the operator said of itself.
    """
    graph, op = recorder.graph, recorder.op
    _check_operator(graph, op, kernels)
    call = Call(
        replace(op, options=completed(op.code, op.options)),
        tuple(graph.tensors[i] if i >= 0 else None for i in op.inputs),
        tuple(_read(graph, values, i, f"{op.name} reads") if i >= 0 else None for i in op.inputs),
        tuple(graph.tensors[i] for i in op.outputs),
        kernels,
        record=recorder.record,
        keeps=recorder.keeps,
        budget=values.budget,
        **how,
    )
    wrong = wrong_type_of(op.code, call.values)
    if wrong:
        raise ModelFileError(f"{op.name}: {wrong}; the runtime refuses the model.")
    call.ask()
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
    check_types(op, call.results, outputs)
    for index, output in zip(op.outputs, outputs, strict=True):
        values[index] = left_in(op, graph.tensors[index], output)
    for position, state in call.left.items():
        values[op.inputs[position]] = state
    return call.said


def _read(graph: Graph, values: Values, index: int, use: str) -> np.ndarray:
    """What a tensor holds now; a state that nobody wrote or passed in starts here."""
    tensor = graph.tensors[index]
    if index not in values and tensor.is_variable:
        values.budget.room(f"The state {shorten(tensor.name)!r}", tensor.nbytes)
        # ResetVariableTensor in tflite/util.cc
        is_code = tensor.dtype == np.int8 and tensor.quantization is not None
        zero = tensor.quantization.zero_point[0] if is_code else 0
        values[index] = np.full(tensor.shape, zero, tensor.dtype)
    if index not in values:
        later = any(index in op.outputs for op in graph.operators)
        raise ModelFileError(
            f"{use} tensor {index} ({shorten(tensor.name)!r}), which is no "
            "input of the model, holds no data, and no operator before it writes"
            + (": the runtime reads what its memory happens to hold, or refuses." if later else ".")
        )
    return values[index]


def _check_operator(graph: Graph, op: Operator, kernels: str) -> None:
    """Refuse an operator that the runtime refuses, or that takes no int4, or gives no result."""
    why = why_halves(graph, op, kernels)
    if why:
        raise UnsupportedOperatorError(f"{op.name}: {why}.")
    check_counts(graph, op, kernels)
    why = why_unwritten(graph, op, kernels)
    if why:
        raise ModelFileError(f"{op.name}: {why}.")
    packed = [graph.tensors[i] for i in (*op.inputs, *op.outputs) if i >= 0]
    packed = next((tensor for tensor in packed if tensor.bits), None)
    if packed is not None and op.code not in TAKE_INT4:
        raise UnsupportedOperatorError(
            f"{op.name} has the tensor {shorten(packed.name)!r}, {packed}; of the operators with "
            f"int4 drqsim runs {', '.join(TAKE_INT4)}."
        )


def _nonfinite(value: np.ndarray | None) -> str:
    """``"infinity"`` or, which is worse, ``"NaN"`` where a tensor holds one; else empty."""
    if value is None or value.dtype.kind != "f" or np.isfinite(value).all():
        return ""
    return "NaN" if np.isnan(value).any() else "infinity"
