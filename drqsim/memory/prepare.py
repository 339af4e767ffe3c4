"""What the kernels decide before anything runs: which memory holds an output, and the scratch.

Source, ai-edge-litert 2.3.0: ``Prepare`` in ``tflite/kernels/*.cc``, called in execution order by
``tflite/core/subgraph.cc`` (``PrepareOpsStartingAt``).
"""

from __future__ import annotations

from dataclasses import replace

from drqsim import processor
from drqsim.errors import UnsupportedOperatorError
from drqsim.graph import Graph, Operator
from drqsim.memory import scratch
from drqsim.memory.held import Held, held
from drqsim.memory.schedule import Step
from drqsim.model_file.schema import completed
from drqsim.names import known_as
from drqsim.ops import TABLE

# operators that compute their output at once, on the heap, when they know all their inputs
EARLY = ("CONCATENATION", "GATHER", "MUL", "RESHAPE", "STRIDED_SLICE")
# which inputs an operator must know to tell the shape of its output
SHAPE_GIVEN_BY = {
    "ARG_MAX": (1,),
    "EXPAND_DIMS": (1,),
    "MIRROR_PAD": (1,),
    "PAD": (1,),
    "PADV2": (1,),
    "RESHAPE": (1,),
    "RESIZE_BILINEAR": (1,),
    "RESIZE_NEAREST_NEIGHBOR": (1,),
    "SLICE": (1, 2),
    "SPLIT": (0,),
    "STRIDED_SLICE": (1, 2, 3),
    "TOPK_V2": (1,),
    "TRANSPOSE": (1,),
    "TRANSPOSE_CONV": (0,),
}


class Runtime:
    """The runtime's tensors while its kernels get ready.

    Attributes
    ----------
    tensors : list of Held
        Those of the file, then scratch in order of creation.
    scratch : dict
        Operator name -> indices of the scratch tensors it asks memory for.
    """

    def __init__(self, graph: Graph, shapes: dict[int, tuple], kernels: str, threads: int):
        self._around = kernels, threads, processor.of()
        self._shapes = {i: t.shape for i, t in enumerate(graph.tensors)} | shapes
        self.tensors = held(graph)
        for index in graph.inputs:
            self._give_shape(index)
        self.scratch: dict[str, list[int]] = {}
        self._created: dict[str, list[int]] = {}
        for op in graph.operators:
            if op.code not in TABLE:
                raise UnsupportedOperatorError(
                    f"{op.name}: drqsim does not know which memory {known_as(op)} asks for."
                )
            self._create(op.name, scratch.AT_LOADING.get(op.code, 0))

    def _create(self, name: str, count: int) -> list[int]:
        indices = [len(self.tensors) + i for i in range(count)]
        for index in indices:
            nothing = scratch.EMPTY
            self.tensors.append(
                Held(index, name, nothing.name, "scratch", nothing.stored, nothing.dtype, None)
            )
        self._created[name] = indices
        return indices

    def prepare(self, step: Step) -> bool:
        """Prepare one step; False when the shape of its output is known only after it ran."""
        if step.is_delegated:
            for op in step.operators:
                self._name_outputs(op)
                for index in op.outputs:
                    self._give_shape(index)
                    if index not in step.writes:
                        self.tensors[index].stored = "delegate"
            return True
        op = replace(
            step.operators[0], options=completed(step.operators[0].code, step.operators[0].options)
        )
        self._name_outputs(op)
        outputs = [self.tensors[i] for i in step.writes]
        settled = self._place(op, outputs)
        if settled:
            for output in outputs:
                self._give_shape(output.index)
        self._add_scratch(op)
        return settled

    def settle(self, step: Step, shares: bool) -> None:
        """What happens when a step ran whose output had no shape: it has one now.

        A RESHAPE whose output uses the bytes of its input leaves it there. Any other output is on
        the heap from now on.
        """
        for index in step.writes:
            self._give_shape(index)
            if not shares:
                self.tensors[index].stored = "heap"

    def _give_shape(self, index: int) -> None:
        self.tensors[index].shape = self._shapes[index]

    def _name_outputs(self, op: Operator) -> None:
        for number, index in enumerate(op.outputs, 1):
            tensor = self.tensors[index]
            tensor.op, tensor.name = op.name, "output" if number == 1 else f"output_{number}"

    def _place(self, op: Operator, outputs: list[Held]) -> bool:
        """Say which memory holds the outputs; False when their shape is not known yet."""
        reads = [self.tensors[i] for i in op.inputs if i >= 0]
        giving = [op.inputs[i] for i in SHAPE_GIVEN_BY.get(op.code, ()) if i < len(op.inputs)]
        # the transposed convolution wants its shape in the file itself
        trusted = [
            t.stored == "file" if op.code == "TRANSPOSE_CONV" else t.is_known
            for t in (self.tensors[i] for i in giving if i >= 0)
        ]
        open_end = op.code in ("SLICE", "TOPK_V2") and reads and reads[0].is_open
        if op.code == "SLICE" and outputs and not outputs[0].is_open and outputs[0].shape:
            trusted, open_end = [], False  # the file says it all
        if not all(trusted) or open_end:
            if op.code == "RESHAPE":
                outputs[0].shape = reads[0].shape  # as many bytes, whatever the shape will be
            else:
                for output in outputs:
                    output.stored = "heap"
            return False
        early = op.code in EARLY and all(t.is_known for t in reads)
        if op.code == "SHAPE" or early:
            for output in outputs:
                output.stored, output.is_known = "heap", True
        if op.code == "DEQUANTIZE" and reads and reads[0].stored == "file":
            outputs[0].stored = "persistent"  # computed once
        return True

    def _add_scratch(self, op: Operator) -> None:
        if op.code not in scratch.TABLE:
            return
        reads = tuple(self.tensors[i] if i >= 0 else None for i in op.inputs)
        writes = tuple(self.tensors[i] for i in op.outputs if i >= 0)
        site = scratch.Site(op, reads, writes, *self._around)
        wanted = scratch.TABLE[op.code](site)
        indices = self._created[op.name] or self._create(op.name, len(wanted))
        for index, (name, dtype, shape, stored) in zip(indices, wanted, strict=True):
            tensor = self.tensors[index]
            tensor.name, tensor.dtype, tensor.shape, tensor.stored = name, dtype, shape, stored
        self.scratch[op.name] = [i for i in indices if self.tensors[i].stored != "none"]
