"""Whole models against the runtime: a table of how exact, how far apart, how many codes flipped.

    python -m tests.kit.corpus FOLDER [--inputs 3] [--quantize]

judges every .tflite file below a folder on the three kernel paths, with random inputs.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

import drqsim
from drqsim import litert
from drqsim.graph import Graph
from drqsim.litert import ModelComparison
from drqsim.tables import text_table

f32 = np.float32
KERNELS = ("reference", "optimized", "xnnpack")


class Row(NamedTuple):
    """One file on one kernel path."""

    file: str
    kernels: str
    operators: int
    hybrid: int
    exact: int  # of the hybrid operators, fed with the runtime's own input
    fed: float  # largest difference of a float operator fed so, in parts of its range
    codes: int
    flipped: int
    apart: float  # largest difference of an output from end to end, in parts of its range


def random_input(graph: Graph, seed: int) -> dict[str, np.ndarray]:
    """Values for every input: floats between -1 and 1, small whole numbers."""
    random = np.random.default_rng(seed)
    fed = {}
    for tensor in (graph.tensors[i] for i in graph.inputs):
        if tensor.dtype == f32:
            fed[tensor.name] = random.uniform(-1, 1, tensor.shape).astype(f32)
        else:
            fed[tensor.name] = random.integers(0, 2, tensor.shape).astype(tensor.dtype)
    return fed


def judge(label: str, model: Graph | bytes | Path, x, kernels: str) -> tuple[Row, ModelComparison]:
    """A row of the table, and the comparison behind it."""
    compared = litert.compare_model(model, x, kernels)
    hybrid = [row for row in compared if row.is_hybrid]
    fed = max((row.fed for row in compared if not row.is_hybrid), default=0.0)
    exact = sum(row.is_exact for row in hybrid)
    counts = (len(compared), len(hybrid), exact, fed, compared.codes, compared.flipped)
    return Row(label, kernels, *counts, compared.relative_difference), compared


def gathered(rows: list[Row]) -> Row:
    """One row of several inputs: what was worst, and all codes."""
    return rows[0]._replace(
        exact=min(row.exact for row in rows),
        fed=max(row.fed for row in rows),
        codes=sum(row.codes for row in rows),
        flipped=sum(row.flipped for row in rows),
        apart=max(row.apart for row in rows),
    )


def widened(graph: Graph) -> Graph:
    """The same model with float32 constants where it has DEQUANTIZE operators of float16 ones."""
    tensors, kept = list(graph.tensors), []
    for op in graph.operators:
        source = graph.tensor_of(op, 0)
        if op.code == "DEQUANTIZE" and source.dtype == np.float16 and source.value is not None:
            (made,) = op.outputs
            tensors[made] = replace(tensors[made], value=source.value.astype(f32))
        else:
            kept.append(op)
    return replace(graph, tensors=tuple(tensors), operators=tuple(kept))


def table(rows: list[Row]) -> str:
    header = ("file", "path", "operators", "hybrid", "exact", "float", "codes", "flipped", "apart")

    def cell(value) -> str:
        return f"{value:.2g}" if isinstance(value, float) else f"{value:,}"

    cells = [(row.file, row.kernels, *map(cell, row[2:])) for row in rows]
    return text_table(header, cells, right=range(2, len(header)))


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--inputs", type=int, default=1, help="random inputs for each file")
    parser.add_argument(
        "--quantize", action="store_true", help="widen float16 weights and quantize the model first"
    )
    options = parser.parse_args(arguments)
    rows = []
    for path in sorted(options.folder.rglob("*.tflite")):
        try:
            model = drqsim.load(path)
            if options.quantize:
                model = drqsim.quantize(widened(model))
            for kernels in KERNELS:
                judged = [
                    judge(path.name, model, random_input(model, seed), kernels)[0]
                    for seed in range(options.inputs)
                ]
                rows.append(gathered(judged))
        except drqsim.DrqsimError as error:
            print(f"{path.name}: {type(error).__name__}: {error}")
    if rows:
        print(table(rows))
    return int(any(row.exact < row.hybrid for row in rows))


if __name__ == "__main__":
    sys.exit(main())
