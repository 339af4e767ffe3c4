"""What a whole process takes to run a model: its heap, and all of its memory at the fullest moment.

A plan counts tensors. XNNPACK keeps more: a packed copy of the weights and a workspace, both of
which it allocates with ``malloc``, as the runtime does its arenas. So the heap of a process that
runs nothing else tells how much that is together.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drqsim.graph import Graph
from drqsim.interpreter import inputs_by_index
from drqsim.kernels import checked
from drqsim.memory.shapes import given_shapes, resized
from drqsim.runtime import read_both
from drqsim.runtime.child import alone
from drqsim.runtime.peek import expect_linux, forget_peak, resident
from drqsim.tables import Printed, Printout, Table


@dataclass(frozen=True, repr=False)
class ProcessMemory(Printed):
    """Bytes that a process takes to run a model, beyond what it had before it loaded it.

    Attributes
    ----------
    file : int
        The model's file. The runtime maps it, so its pages count in ``peak`` once they are read,
        but not in ``heap``.
    heap : int or None
        What the runtime and XNNPACK hold of ``malloc`` after a run: the arenas, packed weights,
        the workspace, scratch outside of the arenas, and the graph itself. None where the C
        library does not tell: elsewhere than with glibc 2.33 or newer.
    peak : int
        All memory at the fullest moment, pages of the file and of the runtime's own code included.
        It differs a little from run to run.
    kernels : str
    """

    file: int
    heap: int | None
    peak: int
    kernels: str

    def _printed(self) -> Printout:
        heap = "not told" if self.heap is None else f"{self.heap:,}"
        rows = [("file", f"{self.file:,}"), ("heap", heap), ("peak", f"{self.peak:,}")]
        return Printout([Table(("memory", "bytes"), rows, right=(1,))])


def process_memory(
    model: Graph | bytes | str | Path,
    kernels: str = "xnnpack",
    input_shapes: dict[str, tuple[int, ...]] | None = None,
    x: np.ndarray | dict[str, np.ndarray] | None = None,
) -> ProcessMemory:
    """Run a model once, in one thread and a process of its own, and weigh the process. Linux only.

    The model is loaded from a file, as an app does it.

    Parameters
    ----------
    model : Graph, bytes or path
    kernels : {"xnnpack", "optimized", "reference"}
    input_shapes : dict of shapes by input name, optional
        The shapes to resize inputs to.
    x : array, or dict of arrays by input name, optional
        What to feed, in place of ``input_shapes``; zeros without it.

    Returns
    -------
    ProcessMemory

    Raises
    ------
    InputError
        When ``x`` or ``input_shapes`` do not fit the model.
    ModelFileError
        When the runtime refuses the model, or crashes on it.
    DrqsimError
        Elsewhere than on Linux.

    Notes
    -----
    Two files that differ in the size of the input tell what of the heap grows with it, which are
    arenas and workspace, and what does not, which are packed weights and the graph. An input that
    is resized does not: XNNPACK has taken memory for the size in the file before.
    """
    expect_linux("process_memory")
    kernels = checked(kernels)
    graph, content = read_both(model)
    if x is None:
        wanted = resized(graph, given_shapes(graph, input_shapes or {}))
        read = (wanted.tensors[index] for index in graph.inputs)
        x = {n: np.zeros(t.shape, t.dtype) for n, t in zip(graph.input_names, read, strict=True)}
    else:
        wanted = graph
    fed = inputs_by_index(wanted, x)
    with tempfile.TemporaryDirectory() as folder, alone(kernels) as (pid, ask):
        path = Path(folder, "model.tflite")
        path.write_bytes(content)
        heap = ask("heap")
        forget_peak(pid)
        before, _ = resident(pid)
        ask("hold", content=str(path), fed=list(fed.items()))
        _, most = resident(pid)
        held = None if heap is None else ask("heap") - heap
    return ProcessMemory(len(content), held, most - before, kernels)
