"""How the time of a recorded run grows with the model: by its multiply-accumulates.

Run it as ``python benchmarks/scaling.py [plot.png]``; the picture takes matplotlib. MobileNet-class
networks of several image sizes and widths, every value recorded, one thread, interleaved rounds,
processor time. The line is the least-squares line through the medians; its share of explained
variance is printed.
Not measured: sizes beyond those in the table, other operators than this network has.
"""

import os

# one thread; the BLAS reads this when it is loaded
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import math
import statistics
import sys
import time

import numpy as np
from mobilenet import image, mobilenet

import drqsim
from drqsim.graph import Graph

ROUNDS = 7
MODELS = [(size, 1.0) for size in (96, 128, 160, 192, 224, 288, 320)] + [(224, 0.5), (224, 1.5)]


def multiply_accumulates(graph: Graph) -> int:
    """Each output value of a layer costs one for every weight of its filter."""
    total = 0
    for op in graph.operators:
        weights, output = graph.tensor_of(op, 1), graph.tensors[op.outputs[0]]
        if op.code in ("CONV_2D", "FULLY_CONNECTED"):
            total += math.prod(output.shape) * math.prod(weights.shape[1:])
        elif op.code == "DEPTHWISE_CONV_2D":
            total += math.prod(output.shape) * math.prod(weights.shape[1:3])
    return total


def main() -> None:
    """Print a table, and draw it when asked for."""
    graphs = {(size, width): drqsim.quantize(mobilenet(size, width)) for size, width in MODELS}
    times: dict[tuple, list[float]] = {model: [] for model in MODELS}
    for _ in range(ROUNDS + 1):
        for (size, width), graph in graphs.items():
            x = image(size)
            start = time.process_time()
            drqsim.run(graph, x)
            times[size, width].append(time.process_time() - start)
    millions = np.array([multiply_accumulates(graphs[model]) / 1e6 for model in MODELS])
    # the first round warms up
    ms = np.array([statistics.median(times[model][1:]) * 1e3 for model in MODELS])
    slope, start = np.polyfit(millions, ms, 1)
    explained = np.corrcoef(millions, ms)[0, 1] ** 2

    print(f"{'image':>6}{'width':>7}{'10^6 MACs':>11}{'ms':>8}{'line':>8}{'ns / MAC':>10}")
    for (size, width), macs, t in sorted(
        zip(MODELS, millions, ms, strict=True), key=lambda r: r[1]
    ):
        line = start + slope * macs
        print(f"{size:>6}{width:>7}{macs:>11.0f}{t:>8.1f}{line:>8.1f}{t / macs:>10.3f}")
    print(f"\nline: {start:.1f} ms + {slope:.3f} ns per MAC; it explains {explained:.1%}")
    if sys.argv[1:]:
        draw(sys.argv[1], millions, ms, start, slope)


def draw(path: str, millions: np.ndarray, ms: np.ndarray, start: float, slope: float) -> None:
    """Points and line as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.plot(millions, ms, "o")
    ends = np.array([0, millions.max()])
    axes.plot(ends, start + slope * ends)
    axes.set_xlabel("million multiply-accumulates")
    axes.set_ylabel("ms, every value recorded")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
