"""Generated files of one operator, here and in the runtime: do both run, and to the same bits?

    python -m tests.kit.generated --files 10000 --seed 1

draws that many files, every second one with a type, a quantization or an option changed, runs each
on the three kernel paths, and prints a table. ``NAMED`` has the reasons for which drqsim may refuse
what the runtime runs; ``drqsim.litert.bounds`` those for which two results may differ.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

import drqsim
from drqsim import litert, processor
from drqsim.errors import DrqsimError, UnsupportedOperatorError
from drqsim.graph import Graph
from drqsim.litert.bounds import Fed, bound_of
from drqsim.litert.equality import WITHIN, part_of_bound, same_bits
from drqsim.ops.fed import inputs_by_index
from drqsim.tables import text_table
from tests.kit import mutate
from tests.kit.float_cases import GENERATORS, cases
from tests.kit.full_integer import convolutions, dense, depthwise
from tests.kit.one_operator import graph as graph_of
from tests.kit.pool import drawn, sized
from tests.kit.strategies import HYBRID_LAYERS, KERNELS
from tests.kit.uses import feeds

EQUAL, DIFFERENT = "equal bits", "different bits"
BOTH_REFUSE, NOT_HERE = "refused by both", "drqsim does not run it"
ONLY_HERE, ONLY_THERE = "runs here alone", "runs in the runtime alone"
NAMED_THERE = "the same, for a named reason"
OUTCOMES = (EQUAL, *WITHIN.values(), BOTH_REFUSE, NOT_HERE, NAMED_THERE)
FINDINGS = (ONLY_HERE, ONLY_THERE, DIFFERENT)

# sentences on what the runtime runs, and drqsim refuses: none says that the runtime refuses it
NAMED = {
    "the runtime takes the bytes of one type for another": (
        r"and the file calls its output \w+\[",
        r"(paddings|axis|permutation|begin|size) is \w+; expected int32",
        r"reads both as if they had one type",
        r"the bias is int64\[\d+\]; with int8 activations .* the kernel reads int32",
    ),
    "drqsim has the layers for float32 activations, and full-integer ones for int8 and int16": (
        r"the input is u?int(8|16)\[",
        r"the operands are u?int(8|16)\[",
    ),
    "the runtime takes 0 for a scale that the file lacks": (
        r"without a scale of its own",
        r"is \w+\[[\d,]*\] without a scale\.",
    ),
    "a scale is a positive number": (
        r"every scale must be positive and finite",
        r"expected a positive scale and a zero point from",
    ),
    "other kernels do not look whether sizes and scales belong together": (
        r"stride \(.*\) must be at least 1",
        r"does not come back to the input \[.*\] with stride",
        r"its per-channel scales run along dimension \d; expected",
    ),
    "the runtime does not look whether a permutation is one": (r"names a dimension twice",),
    "nothing comes out of a window that fits nowhere": (
        r"window does not fit into the .* input without padding",
        r"filter \(.*\) and stride \(.*\) must be at least 1",
    ),
}


class Outcome(NamedTuple):
    """What came of one file on one kernel path, and what either said."""

    what: str
    ours: str = ""
    theirs: str = ""


def layers(count: int, seed: int) -> Iterator[tuple[Graph, dict]]:
    """About so many graphs of one operator, all operators alike, and what they are fed."""
    sources = [cases(code).map(graph_of) for code in GENERATORS]
    sources += [make("optimized").map(_named) for make in HYBRID_LAYERS.values()]
    sources += [make().map(_named) for make in (convolutions, dense, depthwise)]
    for source in sources:
        yield from drawn(source, -(-count // len(sources)), seed)


def _named(layer) -> tuple[Graph, dict]:
    graph, x, *_ = layer
    return graph, {graph.input_names[0]: x}


CHANGES = (
    mutate.other_type_of,
    mutate.other_type_of,
    mutate.other_scale_of,
    mutate.other_option_of,
)


def files(count: int, seed: int) -> Iterator[tuple[Graph, dict]]:
    """Every second one as it was drawn, with the shapes of its outputs; the others changed."""
    random = np.random.default_rng([2027, seed])
    for at, (bare, fed) in enumerate(layers(count, seed)):
        graph = sized(bare, fed)
        if at % 2:
            try:
                for _ in range(int(random.integers(1, 3))):
                    graph = mutate.choose(random, CHANGES)(random, graph)
                drqsim.to_bytes(graph)
            except DrqsimError:
                continue
            other = feeds(random, graph)
            names = dict(zip(graph.input_names, graph.inputs, strict=True))
            fed = {
                name: fed[name] if fed[name].dtype == graph.tensors[i].dtype else other[name]
                for name, i in names.items()
            }
        yield graph, fed


def judge(graph: Graph, fed: dict, kernels: str) -> Outcome:
    """Run it here and there."""
    ours = theirs = None
    here = there = ""
    try:
        ours, _ = drqsim.run(graph, fed, kernels)
    except DrqsimError as error:
        here = f"{type(error).__name__}: {error}"
    for _ in range(2):  # what read past its memory in another run may have left a crash behind
        try:
            theirs = litert.run(graph, fed, kernels, outputs_only=True).outputs
            break
        except DrqsimError as error:
            there = str(error)
            if "crashed" not in there:
                break
    if ours is not None and theirs is not None:
        return _compared(graph, fed, kernels, ours, theirs)
    if theirs is None:
        return Outcome(ONLY_HERE if ours is not None else BOTH_REFUSE, here, there)
    if here.startswith(UnsupportedOperatorError.__name__):
        return Outcome(NOT_HERE, here)
    named = any(re.search(words, here) for reason in NAMED.values() for words in reason)
    return Outcome(NAMED_THERE if named else ONLY_THERE, here)


def _compared(graph: Graph, fed: dict, kernels: str, ours: dict, theirs: dict) -> Outcome:
    (op,) = graph.operators
    found = [EQUAL]
    for name, mine in ours.items():
        real = theirs[name]
        if (mine.shape, mine.dtype) != (real.shape, real.dtype):
            kinds = (f"{value.dtype}{list(value.shape)}" for value in (mine, real))
            return Outcome(DIFFERENT, *kinds)
        equal = same_bits(mine, real)
        if equal.all():
            continue
        # the kernel may set another type than the file says
        made = {i: replace(graph.tensors[i], dtype=mine.dtype) for i in op.outputs}
        tensors = tuple(made.get(i, tensor) for i, tensor in enumerate(graph.tensors))
        bound = bound_of(replace(graph, tensors=tensors), op, kernels)
        read = inputs_by_index(graph, fed, True)
        if bound is None or part_of_bound(bound, Fed(graph, op, read, mine), real) > 1:
            at = np.flatnonzero(~equal)
            first = (str(value.reshape(-1)[at[:3]]) for value in (mine, real))
            hazards = drqsim.explain(graph, kernels)[op.name].hazards
            if any("past the end" in text for text in hazards):  # the runtime reads other memory
                return Outcome(NAMED_THERE)
            return Outcome(DIFFERENT, *first)
        found.append(WITHIN[bound.of])
    return Outcome(max(found, key=OUTCOMES.index))


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    counts: Counter[tuple[str, str]] = Counter()
    drawn_files = 0
    for graph, fed in files(options.files, options.seed):
        drawn_files += 1
        for kernels in KERNELS:
            with processor.using("native"):
                outcome = judge(graph, fed, kernels)
            counts[outcome.what, kernels] += 1
            if outcome.what in FINDINGS:
                print(f"{outcome.what}, {kernels}: {graph!r}\n  {outcome.ours}\n  {outcome.theirs}")
    rows = [
        (what, *(f"{counts[what, kernels]:,}" for kernels in KERNELS))
        for what in (*OUTCOMES, *FINDINGS)
    ]
    print(text_table((f"{drawn_files:,} files", *KERNELS), rows, right=range(1, 1 + len(KERNELS))))
    return int(any(counts[what, kernels] for what in FINDINGS for kernels in KERNELS))


if __name__ == "__main__":
    sys.exit(main())
