"""Run the real runtime and read its own memory. The only file that imports ``ai_edge_litert``."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drqsim.errors import ModelFileError, package
from drqsim.graph import Graph, short_form, shorten
from drqsim.interpreter import inputs_by_index
from drqsim.kernels import checked
from drqsim.model_file import read, write
from drqsim.tables import text_table

RESOLVERS = {
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
                shorten(t.name) or "(no name)",
                short_form(t.dtype, t.shape),
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
    allow_nonfinite: bool = False,
    outputs_only: bool = False,
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
    allow_nonfinite : bool
        Whether NaN and infinity may be fed.
    outputs_only : bool
        Keep nothing else, as an app would, where many inputs are to be run.

    Returns
    -------
    RuntimeRun
        Tensors of the file and scratch tensors, none with ``outputs_only``. Under ``xnnpack``
        there is no scratch to read.

    Raises
    ------
    ModelFileError
        When the runtime refuses the model.
    InputError
        When ``x`` does not fit the model.
    """
    return run_both(*read_both(model), x, kernels, allow_nonfinite, outputs_only)


def run_both(
    graph: Graph,
    content: bytes,
    x: np.ndarray | dict[str, np.ndarray],
    kernels: str,
    allow_nonfinite: bool = False,
    outputs_only: bool = False,
) -> RuntimeRun:
    """The same with a model that is a graph and its bytes already."""
    kernels = checked(kernels)
    inputs = inputs_by_index(graph, x, allow_nonfinite)
    try:
        with quiet():
            runtime = interpreter(content, kernels, preserve=not outputs_only)
            for index, array in inputs.items():
                if array.shape != graph.tensors[index].shape:
                    runtime.resize_tensor_input(index, array.shape)
            runtime.allocate_tensors()
        for index, array in inputs.items():
            runtime.set_tensor(index, array)
        runtime.invoke()
    except (RuntimeError, ValueError) as error:
        raise ModelFileError(f"The runtime refuses this model on {kernels}: {error}") from error
    details = [] if outputs_only else runtime.get_tensor_details()
    tensors = tuple(_read(runtime, detail, len(graph.tensors)) for detail in details)
    outputs = {graph.tensors[i].name: runtime.get_tensor(i) for i in graph.outputs}
    return RuntimeRun(kernels, tensors, outputs)


def interpreter(content: bytes, kernels: str, preserve: bool = True, threads: int = 1):
    """An interpreter; without its warning that keeping every tensor takes memory."""
    litert = package("ai_edge_litert.interpreter")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
        return litert.Interpreter(
            model_content=content,
            experimental_op_resolver_type=getattr(litert.OpResolverType, RESOLVERS[kernels]),
            experimental_preserve_all_tensors=preserve,
            num_threads=threads,
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what the runtime's C++ side writes to stderr: it announces XNNPACK once per process."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


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


def read_both(model: Graph | bytes | str | Path) -> tuple[Graph, bytes]:
    """A model as a graph and as the bytes that the runtime loads."""
    if isinstance(model, Graph):
        return model, write.to_bytes(model)
    content, label = read.read_bytes(model)
    return read.parse(content, label), content


def delegated(model: Graph | bytes | str | Path) -> set[str]:
    """Names of the operators that XNNPACK takes on the default path, as the runtime tells.

    Raises
    ------
    ModelFileError
        When the runtime refuses the model.
    """
    graph, content = read_both(model)
    try:
        with quiet():
            # keeping every tensor makes a part of each operator, so that they can be told apart
            runtime = interpreter(content, "xnnpack")
            runtime.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelFileError(f"The runtime refuses this model on xnnpack: {error}") from error
    taken = {
        index
        for details in runtime._get_ops_details()
        if details["op_name"] == "DELEGATE"
        for index in details["outputs"].tolist()
    }
    read = {*graph.outputs, *(i for op in graph.operators for i in op.inputs)}
    unread = [op for op in graph.operators if read.isdisjoint(op.outputs)]
    if unread:
        # no output of a delegate: inside of one such a result has no memory, outside it has
        run_on_zeros(runtime, graph)
        taken |= {i for op in unread for i in op.outputs if is_hidden(runtime, i)}
    return {op.name for op in graph.operators if taken & set(op.outputs)}


def run_on_zeros(runtime, graph: Graph) -> None:
    """Invoke, so that tensors whose shape is computed at run time get their memory, too."""
    for index in graph.inputs:
        runtime.tensor(index)()[...] = 0
    runtime.invoke()


def is_hidden(runtime, index: int) -> bool:
    """Inside a delegate, or never allocated."""
    try:
        runtime.tensor(index)()
    except ValueError:
        return True
    return False
