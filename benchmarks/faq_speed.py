"""When dynamic-range quantization is faster than float, and when it is not.

Run it as ``PYTHONPATH=. python benchmarks/faq_speed.py``. It prints, as Markdown, the tables of the
page "Why is it not faster?" of the book: how many times as fast the DRQ form of a layer is as its
float form, on each of the runtime's kernel paths, and which part of a layer's time goes into
quantizing its input. One thread, processor time, interleaved rounds: the ratios hold on a busy
machine, the milliseconds do not carry over.
"""

import datetime
import platform
import statistics
import time
from itertools import product
from types import MappingProxyType

import mobilenet
import numpy as np

import drqsim
from drqsim import litert, processor
from drqsim.graph import Graph, Operator, Tensor
from drqsim.model_file import write
from drqsim.runtime.native import interpreter

PATHS = ("reference", "optimized", "xnnpack")
SECONDS = 8  # for each layer, both forms and the three paths together, at least
SETS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimddp", "i8mm")
f32 = np.float32


def conv(size: int, depth: int, out: int, window: int, stride: int = 1) -> Graph:
    """A float convolution over a square image."""
    values = np.random.default_rng(0).normal(size=(out, window, window, depth)).astype(f32)
    return drqsim.conv_relu(values, input_shape=(1, size, size, depth), stride=stride)


def depthwise(size: int, depth: int, stride: int = 1) -> Graph:
    """A float 3x3 depthwise convolution."""
    options = {"padding": "SAME", "stride_h": stride, "stride_w": stride, "depth_multiplier": 1}
    options |= {"dilation_h_factor": 1, "dilation_w_factor": 1}
    image, out = (1, size, size, depth), (1, size // stride, size // stride, depth)
    return one("DEPTHWISE_CONV_2D", image, (1, 3, 3, depth), depth, out, options)


def dense(rows: int, depth: int, out: int) -> Graph:
    """A float dense layer."""
    options = {"keep_num_dims": False, "asymmetric_quantize_inputs": False}
    return one("FULLY_CONNECTED", (rows, depth), (out, depth), out, (rows, out), options)


def one(code: str, reads, weights, out: int, writes, options: dict) -> Graph:
    """A graph of one operator with random weights."""
    random = np.random.default_rng(0)
    kind = np.dtype(f32)
    tensors = (
        Tensor("x", reads, kind),
        Tensor("weights", weights, kind, random.normal(size=weights).astype(f32)),
        Tensor("bias", (out,), kind, random.normal(size=out).astype(f32)),
        Tensor("y", writes, kind),
    )
    options = MappingProxyType(options | {"fused_activation_function": "NONE"})
    return Graph(tensors, (Operator(code, "op", (0, 1, 2), (3,), options),), (0,), (3,))


# what is measured: a name, and what makes the graph
LAYERS = {
    "convolution 3x3, 56x56x64 to 64": lambda: conv(56, 64, 64, 3),
    "convolution 1x1, 56x56x64 to 64": lambda: conv(56, 64, 64, 1),
    "dense 4,096 to 4,096, 1 row": lambda: dense(1, 4096, 4096),
    "dense 4,096 to 4,096, 16 rows": lambda: dense(16, 4096, 4096),
    "depthwise 3x3, 56x56x128": lambda: depthwise(56, 128),
    "MobileNet class, 224x224": mobilenet.mobilenet,
}


def prepared(graph: Graph, path: str):
    """The runtime, ready to run the graph on random input."""
    runtime = interpreter(write.to_bytes(graph), path, preserve=False)
    runtime.allocate_tensors()
    (index,) = graph.inputs
    x = np.random.default_rng(1).normal(size=graph.tensors[index].shape).astype(f32)
    runtime.set_tensor(index, x)
    runtime.invoke()
    return runtime.invoke


def milliseconds(calls: dict) -> dict:
    """The median time of each call, in rounds that run all of them one after another."""
    times = {name: [] for name in calls}
    end = time.process_time() + SECONDS
    while time.process_time() < end or min(map(len, times.values())) < 5:
        for name, call in calls.items():
            # what takes microseconds is run more than once, else the clock is what is measured
            repeat = 1 + (len(times[name]) > 0 and times[name][0] < 1) * 9
            start = time.process_time()
            for _ in range(repeat):
                call()
            times[name].append((time.process_time() - start) / repeat * 1e3)
    return {name: statistics.median(t) for name, t in times.items()}


def machine() -> str:
    """Runtime, processor and those of its instructions that matter here."""
    has = ", ".join(name for name in SETS if processor.has(name)) or "not known"
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return (
        f"ai-edge-litert {litert.version()}, {platform.machine()}, instruction sets: {has}, "
        f"one thread, {today}"
    )


def ratios() -> None:
    """Print how many times as fast DRQ is as float."""
    print("| layer | weights, float | `reference` | `optimized` | `xnnpack` |")
    print("|---|---:|---:|---:|---:|")
    for name, make in LAYERS.items():
        graph = make()
        forms = {"float": graph, "drq": drqsim.quantize(graph)}
        calls = {(f, p): prepared(forms[f], p) for f, p in product(forms, PATHS)}
        took = milliseconds(calls)
        size = sum(t.nbytes for t in graph.tensors if t.value is not None) / 1e6
        cells = [f"{took['float', p] / took['drq', p]:.2f}" for p in PATHS]
        print(f"| {name} | {size:.2f} MB | {' | '.join(cells)} |", flush=True)


def quantizing() -> None:
    """Print which part of a DRQ convolution's time goes into quantizing its input.

    A window that is set down once only reads a few pixels, but the scale is the whole image's, so
    all of it is quantized: such a layer does little else.
    """
    once = conv(56, 64, 8, 3, stride=56)
    layers = {
        "convolution 3x3, 56x56x64 to 64": (conv(56, 64, 64, 3), once),
        "convolution 3x3, 56x56x64 to 8": (conv(56, 64, 8, 3), once),
        "depthwise 3x3, 56x56x128": (depthwise(56, 128), depthwise(56, 128, stride=56)),
    }
    print("| layer | `reference` | `optimized` | `xnnpack` |")
    print("|---|---:|---:|---:|")
    for name, pair in layers.items():
        forms = [drqsim.quantize(graph) for graph in pair]
        took = milliseconds({(n, p): prepared(forms[n], p) for n in (0, 1) for p in PATHS})
        parts = [f"{took[1, path] / took[0, path]:.0%}" for path in PATHS]
        print(f"| {name} | {' | '.join(parts)} |")


def main() -> None:
    """Print both tables."""
    print(machine(), end="\n\n")
    ratios()
    print()
    quantizing()


if __name__ == "__main__":
    main()
