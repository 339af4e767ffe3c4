"""Run the real runtime and read its own memory.

A file never reaches native code in this process: every question goes to a process of its own
(``child.py``), which runs what stands in ``native.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drqsim.graph import Graph, shorten
from drqsim.kernels import checked
from drqsim.model_file import read, write
from drqsim.names import short_form
from drqsim.ops.fed import inputs_by_index
from drqsim.runtime.child import ask
from drqsim.tables import text_table


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
    answer = ask(
        "run",
        kernels,
        content=content,
        fed=list(inputs.items()),
        outputs=list(graph.outputs),
        outputs_only=outputs_only,
    )
    tensors = tuple(_tensor(each, len(graph.tensors)) for each in answer["tensors"])
    outputs = dict(zip(graph.output_names, answer["outputs"], strict=True))
    return RuntimeRun(kernels, tensors, outputs)


def _tensor(read: dict, in_file: int) -> RuntimeTensor:
    index, shape, dtype = read["index"], tuple(read["shape"]), np.dtype(read["dtype"])
    return RuntimeTensor(index, read["name"], dtype, shape, read["value"], index >= in_file)


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
    wanted = {*graph.outputs, *(i for op in graph.operators for i in op.inputs)}
    unread = [i for op in graph.operators if wanted.isdisjoint(op.outputs) for i in op.outputs]
    inputs = list(graph.inputs)
    taken = set(ask("delegated", "xnnpack", content=content, inputs=inputs, unread=unread))
    return {op.name for op in graph.operators if taken & set(op.outputs)}


def places(
    graph: Graph,
    content: bytes,
    kernels: str,
    threads: int = 1,
    preserve_all_tensors: bool = False,
    input_shapes: dict[str, tuple[int, ...]] | None = None,
    fed: dict[int, np.ndarray] | None = None,
) -> list[tuple[int, str, int, int]]:
    """Index, kind of memory, address and bytes of each tensor that has any, after a run.

    Without ``fed``, arrays by tensor index, the run is on zeros.

    The addresses are those of the process that ran the model.
    """
    named = dict(zip(graph.input_names, dict.fromkeys(graph.inputs), strict=True))
    resized = [(named[name], shape) for name, shape in (input_shapes or {}).items()]
    return ask(
        "places",
        checked(kernels),
        content=content,
        threads=threads,
        preserve=preserve_all_tensors,
        inputs=list(graph.inputs),
        resized=resized,
        in_file=len(graph.tensors),
        fed=list((fed or {}).items()),
    )
