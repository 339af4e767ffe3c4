"""What is said of one operator, and what it is said from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from drqsim.graph import Graph, Operator, Tensor
from drqsim.hazards.of_weights import Case, hazards

INT8, FLOAT, REFUSED, UNKNOWN = "int8", "float32", "refused", "not known"
RUNS = "as its subgraphs"
FULL_INTEGER, FULL_INTEGER_16 = "int8 (full integer)", "int16 x int8 (full integer)"
PASSED = "int8 codes passed on"


def has_codes(arithmetic: str) -> bool:
    """Whether an operator computes with codes or moves them, in part at least."""
    return arithmetic.startswith(("int4", "int8", "int16"))


@dataclass(frozen=True)
class Verdict:
    """What one operator computes in on one kernel path.

    Attributes
    ----------
    operator : str
        Its name, ``conv_2d_0``; in a subgraph past the first with that one's name before it,
        ``while_body/fully_connected_0``.
    arithmetic : str
        ``int8`` (products of int8 codes with int8 or int4 weights; sums in int32, but for the
        builtin TRANSPOSE_CONV, which sums in float32), ``float32``, ``int8 rows to float32`` or
        ``int4 rows to float32`` (a lookup), ``int8 (full integer)``, ``int16 x int8 (full
        integer)`` or ``int16 (full integer)`` (codes in, codes out, nothing quantized on the fly),
        ``int8 codes passed on`` (between a quantized table and its DEQUANTIZE), another type such
        as ``int32`` or ``bool`` (no weights and no floats), ``as its subgraphs`` (of a WHILE or a
        composite: each operator in them has a verdict of its own), ``refused`` (by the runtime), or
        ``not known`` (to drqsim).
    kernel : str
        ``reference``, ``optimized`` or ``XNNPACK``; empty for an operator without int8 weights,
        whose arithmetic is the same wherever it runs.
    why : str
        One sentence.
    hazards : tuple of str
        Known defects of the runtime that this operator meets, with the way out.
    family : str
        Which of those kernels multiplies its codes on the processor that was named, such as
        ``KleidiAI``; empty where none was named, and where it is not known.
    """

    operator: str
    arithmetic: str
    kernel: str
    why: str
    hazards: tuple[str, ...] = ()
    family: str = ""


class Site(NamedTuple):
    """An operator about to be judged."""

    graph: Graph
    op: Operator  # with all of its options
    kernels: str
    source: Tensor | None  # the activation that it reads
    weights: Tensor | None
    why_builtin: str  # why XNNPACK leaves it to the builtin kernel; empty if it takes it
    held: Sequence[str]  # each subgraph of the file, in words
    is_float_file: bool  # large weights, and nothing that is quantized

    @property
    def builtin(self) -> str:
        """The builtin kernels that run what no delegate takes."""
        return "reference" if self.kernels == "reference" else "optimized"

    @property
    def path(self) -> str:
        """The kernel path of this operator: ``optimized`` for one that XNNPACK leaves."""
        return self.builtin if self.why_builtin else self.kernels

    @property
    def kind(self) -> str:
        """What the codes of its weights are, ``int8`` or ``int4``."""
        return "int4" if self.weights.bits else "int8"

    def verdict(self, arithmetic: str, why: str, kernel: str = "", rule: str | None = None):
        """The verdict, with the hazards of the weights where a ``rule`` says how inputs go in."""
        beware = ()
        if rule is not None:
            case = Case(self.graph, self.op, self.weights, self.kernels, rule)
            beware = tuple(hazards(case))
        return Verdict(self.op.name, arithmetic, kernel, why, beware)
