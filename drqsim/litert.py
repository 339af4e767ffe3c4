"""The judge: run the real runtime, read its own memory, compare it with a trace.

The only file that imports ``ai_edge_litert``. The builtin kernels keep their quantized input,
scales, zero points and accumulators in scratch tensors, which the interpreter lists behind the
model's own tensors, unnamed, in the order in which the kernel's ``Prepare`` asked for them.
"""

from __future__ import annotations

import html
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drqsim import interpreter, ops, tflite_file, tflite_write
from drqsim.errors import DrqsimError, InputError, ModelFileError
from drqsim.graph import Graph
from drqsim.trace import Trace, html_table, text_table

_RESOLVERS = {
    "reference": "BUILTIN_REF",
    "optimized": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "xnnpack": "AUTO",
}


def version() -> str:
    """The version of the installed runtime, for example ``2.3.0``."""
    from importlib.metadata import version as installed

    return installed("ai-edge-litert")


@dataclass(frozen=True, eq=False)
class RuntimeTensor:
    """One tensor as the runtime holds it after ``invoke``; ``value`` is None where it hides it."""

    index: int
    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    value: np.ndarray | None
    is_scratch: bool


@dataclass(frozen=True, eq=False)
class RuntimeRun:
    """What the runtime computed, and everything that it lets us read."""

    kernels: str
    tensors: tuple[RuntimeTensor, ...]
    outputs: dict[str, np.ndarray]

    @property
    def scratch(self) -> list[RuntimeTensor]:
        """The kernels' scratch tensors, in order of creation."""
        return [tensor for tensor in self.tensors if tensor.is_scratch]

    def __repr__(self) -> str:
        rows = [
            (
                str(t.index),
                t.name or "(no name)",
                f"{t.dtype.name}[{','.join(map(str, t.shape))}]",
                "scratch" if t.is_scratch else "in the file",
                "readable" if t.value is not None else "hidden",
            )
            for t in self.tensors
        ]
        return text_table(("index", "name", "type", "kind", "value"), rows, right=(0,))


def run(
    model: Graph | bytes | str | Path,
    x: np.ndarray | dict[str, np.ndarray],
    kernels: str = "optimized",
) -> RuntimeRun:
    """Run a model in the installed runtime and read every tensor that it exposes.

    Parameters
    ----------
    model : Graph, bytes or path
        What to run; a ``Graph`` is written as a ``.tflite`` first.
    x : array, or dict of arrays by input name
        The inputs, in the model's own shape and dtype, finite.
    kernels : {"optimized", "reference", "xnnpack"}
        The runtime's resolver.

    Returns
    -------
    RuntimeRun
        Tensors of the file and scratch tensors. Under ``xnnpack`` there is no scratch to read.

    Raises
    ------
    ModelFileError
        When the runtime refuses the model.
    InputError
        When ``x`` does not fit the model.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    if kernels not in _RESOLVERS:
        raise InputError(f"kernels is {kernels!r}; expected one of {', '.join(_RESOLVERS)}.")
    graph, content = _both(model)
    inputs = interpreter.inputs_by_index(graph, x)
    try:
        with warnings.catch_warnings():
            # it warns that keeping every tensor takes memory, which is what it is asked to do here
            warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
            runtime = Interpreter(
                model_content=content,
                experimental_op_resolver_type=getattr(OpResolverType, _RESOLVERS[kernels]),
                experimental_preserve_all_tensors=True,
            )
        runtime.allocate_tensors()
        for index, array in inputs.items():
            runtime.set_tensor(index, array)
        runtime.invoke()
    except (RuntimeError, ValueError) as error:
        raise ModelFileError(f"The runtime refuses this model on {kernels}: {error}") from error
    details = runtime.get_tensor_details()
    tensors = tuple(_read(runtime, detail, len(graph.tensors)) for detail in details)
    outputs = {graph.tensors[i].name: runtime.get_tensor(i) for i in graph.outputs}
    return RuntimeRun(kernels, tensors, outputs)


def _read(runtime, detail: dict, in_file: int) -> RuntimeTensor:
    index = detail["index"]
    shape = tuple(int(n) for n in detail["shape"])
    try:
        # a scratch tensor without dimensions makes get_tensor crash, and makes this call raise
        runtime._interpreter.TensorSize(index, 0)
        value = runtime.get_tensor(index)
    except ValueError:
        value = None  # hidden: inside a delegate, or never allocated
    dtype = np.dtype(detail["dtype"])
    return RuntimeTensor(index, detail["name"], dtype, shape, value, index >= in_file)


def _both(model: Graph | bytes | str | Path) -> tuple[Graph, bytes]:
    if isinstance(model, Graph):
        return model, tflite_write.to_bytes(model)
    graph = tflite_file.load(model)
    return graph, model if isinstance(model, bytes) else Path(model).read_bytes()


@dataclass(frozen=True)
class Row:
    """One tensor held against the runtime's: how many elements, how many with the same bits."""

    operator: str
    tensor: str
    elements: int
    equal: int
    largest_difference: float


class Comparison:
    """The rows of a comparison, and in ``notes`` what could not be compared and why."""

    def __init__(self, rows: list[Row], notes: list[str], kernels: str):
        self.rows, self.notes, self.kernels = rows, notes, kernels

    @property
    def exact(self) -> bool:
        """True when every element of every compared tensor has the runtime's bits."""
        return bool(self.rows) and all(row.equal == row.elements for row in self.rows)

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (r.operator, r.tensor, f"{r.elements:,}", f"{r.equal:,}", f"{r.largest_difference:.3g}")
            for r in self.rows
        ]

    def __repr__(self) -> str:
        return "\n".join([text_table(_HEADER, self._cells(), right=(2, 3, 4)), *self.notes])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return html_table(_HEADER, self._cells(), right=(2, 3, 4)) + notes


_HEADER = ("operator", "tensor", "elements", "equal", "largest difference")


def compare(
    model: Graph | bytes | str | Path,
    x: np.ndarray | dict[str, np.ndarray],
    kernels: str = "optimized",
) -> Comparison:
    """Our trace against the runtime's own memory, tensor by tensor, bit for bit.

    Every operator that drqsim simulates is judged alone, fed with the input that the runtime itself
    gave it, so that a difference in one operator cannot hide in or leak into the next.

    Parameters
    ----------
    model : Graph, bytes or path
        One operator or a whole model.
    x : array, or dict of arrays by input name
    kernels : {"optimized", "reference", "xnnpack"}
        On ``xnnpack`` scratch cannot be read: outputs are compared, and a note says so.

    Returns
    -------
    Comparison
        Rows (operator, tensor, elements, equal, largest difference) and notes.
    """
    whole = run(model, x, kernels)
    graph, _ = _both(model)
    rows: list[Row] = []
    notes: list[str] = []
    for op in graph.operators:
        if op.code not in ops.TABLE:
            notes.append(f"{op.name}: not compared, drqsim does not simulate {op.code}.")
            continue
        alone = graph.extract(op.name)
        fed = {
            tensor.name: whole.tensors[index].value
            for index in dict.fromkeys(op.inputs)
            if index >= 0 and (tensor := graph.tensors[index]).value is None
        }
        if any(value is None for value in fed.values()):
            notes.append(f"{op.name}: not compared, the runtime hides its input.")
            continue
        try:
            _, trace = interpreter.run(alone, fed, kernels)
        except InputError as error:
            notes.append(f"{op.name}: not compared, the runtime fed it such values: {error}")
            continue
        real = run(alone, fed, kernels)
        for tensor, ours, theirs in readable(trace, op.name, real):
            rows.append(_row(op.name, tensor, ours, theirs))
        if len(graph.operators) > 1:
            theirs = whole.tensors[op.outputs[0]].value
            if theirs is not None:
                ours = trace[f"{op.name}/output"].value
                rows.append(_row(op.name, "output in the whole model", ours, theirs))
    if kernels == "xnnpack":
        notes.append(
            "On the default path XNNPACK keeps its scratch to itself: only outputs are compared."
        )
    return Comparison(rows, notes, kernels)


def readable(trace: Trace, op: str, real: RuntimeRun) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Pairs (tensor, ours, the runtime's) for one operator run alone.

    Only what the kernel writes is paired: buffers that the runtime reserves and never fills hold
    whatever was there before.
    """
    (output,) = real.outputs.values()
    pairs = []
    if real.scratch and f"{op}/input_quantized" in trace:
        pairs = _hybrid_conv_scratch(trace, op, real)
    return [*pairs, ("output", trace[f"{op}/output"].value, output)]


def _hybrid_conv_scratch(trace: Trace, op: str, real: RuntimeRun):
    """CONV_2D's temporaries, in the order of ``Prepare`` in ``tflite/kernels/conv.cc``."""

    def ours(name: str) -> np.ndarray:
        return trace[f"{op}/{name}"].value

    scratch = [tensor.value for tensor in real.scratch]
    filters, scale = ours("filter"), ours("input_scale")
    asymmetric = f"{op}/input_zero_point" in trace
    # [im2col], input_quantized, scaling_factors, accumulator, [input_offsets, row_sums]
    has_im2col = len(scratch) == 6 if asymmetric else len(scratch) == 4
    im2col, (codes, scales, accumulator, *rest) = (
        (scratch[0], scratch[1:]) if has_im2col else (None, scratch)
    )
    pairs = [("input_quantized", ours("input_quantized"), codes)]
    if asymmetric:
        # one slot for every pixel is reserved, one for every batch item is filled
        pairs.append(("input_scale", scale, scales[: scale.size]))
        pairs.append(("input_zero_point", ours("input_zero_point"), rest[0][: scale.size]))
    else:
        # the per-tensor kernel stores the product of both scales, once for every output pixel
        product = scale * ours("filter_scale")[0]
        pixels = ours("output").size // len(filters)
        repeated = np.repeat(product, pixels // scale.size)
        pairs.append(("input_scale * filter_scale", repeated, scales[:pixels]))
    if f"{op}/im2col" in trace:
        pairs.append(("im2col", ours("im2col"), im2col))
    if f"{op}/filter_row_sums" in trace:
        pairs.append(("filter_row_sums", ours("filter_row_sums"), rest[1]))
    for name in ("accumulator_raw", "accumulator"):
        if f"{op}/{name}" in trace and trace[f"{op}/{name}"].stored == "arena":
            # declared [channels, pixels], stored pixel by pixel
            pairs.append((name, ours(name), accumulator.reshape(ours(name).shape)))
    return pairs


def _row(operator: str, tensor: str, ours: np.ndarray, theirs: np.ndarray) -> Row:
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        raise DrqsimError(
            f"{operator}/{tensor} is {ours.dtype}{list(ours.shape)} here and "
            f"{theirs.dtype}{list(theirs.shape)} in the runtime {version()}; drqsim is proven "
            "against the version pinned in requirements.txt."
        )
    bits = np.dtype(f"u{ours.dtype.itemsize}")
    equal = np.ascontiguousarray(ours).view(bits) == np.ascontiguousarray(theirs).view(bits)
    difference = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    return Row(operator, tensor, ours.size, int(equal.sum()), float(difference.max(initial=0)))
