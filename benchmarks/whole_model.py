"""A recorded MobileNet-class network, 224x224, against the runtime.

Run it as ``python benchmarks/whole_model.py``. One process, one thread, interleaved rounds. The
peers are the runtime's three kernel paths, and its own way to show intermediates: every tensor
preserved, and read. Not measured: loading the file, the first call, more than one thread.
"""

import os

# one thread on both sides; the BLAS reads this when it is loaded
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import statistics
import time
import tracemalloc
import warnings

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from mobilenet import image, mobilenet

import drqsim
from drqsim import litert, tflite_write

ROUNDS = 9
RESOLVERS = {
    "reference": OpResolverType.BUILTIN_REF,
    "optimized": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "xnnpack": OpResolverType.AUTO,
}


def runtime(content: bytes, x: np.ndarray, resolver, preserve: bool = False) -> Interpreter:
    """An interpreter with its input set."""
    made = Interpreter(
        model_content=content,
        experimental_op_resolver_type=resolver,
        experimental_preserve_all_tensors=preserve,
        num_threads=1,
    )
    made.allocate_tensors()
    made.set_tensor(made.get_input_details()[0]["index"], x)
    return made


def preserve_and_read(interpreter: Interpreter, indices: list[int]) -> None:
    """The runtime's own way to see everything."""
    interpreter.invoke()
    for index in indices:
        interpreter.get_tensor(index)


def readable(interpreter: Interpreter) -> list[int]:
    """Tensors with dimensions; the others make get_tensor crash."""
    indices = []
    for detail in interpreter.get_tensor_details():
        try:
            interpreter._interpreter.TensorSize(detail["index"], 0)
        except ValueError:
            continue
        indices.append(detail["index"])
    return indices


def peak_mebibytes(call) -> float:
    """The most that one call holds at a time, by Python's own count of NumPy's memory."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main() -> None:
    """Time both sides and print medians, ratios and peaks."""
    model, x = drqsim.quantize(mobilenet()), image()
    content = tflite_write.to_bytes(model)
    sides = {}
    for kernels, resolver in RESOLVERS.items():
        sides[f"runtime, {kernels}"] = runtime(content, x, resolver).invoke
    keeper = runtime(content, x, RESOLVERS["optimized"], preserve=True)
    indices = readable(keeper)
    sides["runtime, optimized, preserved and read"] = lambda: preserve_and_read(keeper, indices)
    for kernels in RESOLVERS:
        sides[f"drqsim, {kernels}, every value"] = lambda k=kernels: drqsim.run(model, x, k)
    sides["drqsim, optimized, shapes only"] = lambda: drqsim.run(model, x, record="shapes")

    times = {side: [] for side in sides}
    for _ in range(ROUNDS + 1):
        for side, call in sides.items():
            start = time.perf_counter()
            call()
            times[side].append(time.perf_counter() - start)
    median = {side: statistics.median(t[1:]) * 1e3 for side, t in times.items()}
    print(f"ai-edge-litert {litert.version()}, NumPy {np.__version__}, {ROUNDS} rounds, one thread")
    base = median["runtime, optimized, preserved and read"]
    reference = median["runtime, reference"]
    print(f"{'':<42}{'ms':>9}{'/ read':>9}{'/ reference':>13}")
    for side, ms in median.items():
        print(f"{side:<42}{ms:>9.1f}{ms / base:>8.2f}x{ms / reference:>12.2f}x")
    for record in ("values", "shapes"):
        peak = peak_mebibytes(lambda record=record: drqsim.run(model, x, record=record))
        print(f"peak with record={record!r}: {peak:.1f} MiB")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
