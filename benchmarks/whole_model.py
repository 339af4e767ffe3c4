"""A recorded MobileNet-class network, 224x224, against the runtime: time and memory.

Run it as ``python benchmarks/whole_model.py``. One process, one thread, interleaved rounds, in
processor time, which other work on the machine disturbs less than the time on the wall. The
peers are the runtime's three kernel paths, and its own way to show intermediates: every tensor
preserved, and read. The peer of the memory is the runtime's arena. Not measured: loading the file,
the first call, more than one thread, the copies of weights that either side makes on the way, and
what XNNPACK allocates outside of the arena.
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
from drqsim import litert
from drqsim.model_file import write

ROUNDS = 15
FAR = 2**26
SHAPES = "drqsim, optimized, shapes only"
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


def arena_mebibytes(interpreter: Interpreter, constants: set[int]) -> float:
    """From the graph's input, which is the first tensor in the arena, to the arena's last byte."""
    places = []
    for index in set(readable(interpreter)) - constants:
        try:
            tensor = interpreter.tensor(index)()
        except ValueError:  # inside a delegate
            continue
        places.append((tensor.__array_interface__["data"][0], tensor.nbytes, index))
    start = next(at for at, _, i in places if i == interpreter.get_input_details()[0]["index"])
    # the row sums of the weights lie in an arena of their own, far away
    ends = [at + size for at, size, _ in places if 0 <= at - start < FAR]
    return (max(ends) - start) / 2**20


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
    content = write.to_bytes(model)
    sides = {}
    for kernels, resolver in RESOLVERS.items():
        sides[f"runtime, {kernels}"] = runtime(content, x, resolver).invoke
    keeper = runtime(content, x, RESOLVERS["optimized"], preserve=True)
    indices = readable(keeper)
    sides["runtime, optimized, preserved and read"] = lambda: preserve_and_read(keeper, indices)
    for kernels in RESOLVERS:
        sides[f"drqsim, {kernels}, every value"] = lambda k=kernels: drqsim.run(model, x, k)
    sides[SHAPES] = lambda: drqsim.run(model, x, record="shapes")

    times = {side: [] for side in sides}
    for _ in range(ROUNDS + 1):
        for side, call in sides.items():
            start = time.process_time()
            call()
            times[side].append(time.process_time() - start)
    # the first round warms up
    quartiles = {side: statistics.quantiles(t[1:], n=4) for side, t in times.items()}
    low, median, high = ({side: q[at] * 1e3 for side, q in quartiles.items()} for at in range(3))
    print(f"ai-edge-litert {litert.version()}, NumPy {np.__version__}, one thread")
    print(f"medians and quartiles of {ROUNDS} interleaved rounds\n")
    peers = {name: f"runtime, {name}" for name in RESOLVERS}
    peers["read"] = "runtime, optimized, preserved and read"
    print(f"{'':<42}{'ms':>8}{'quartiles':>16}" + "".join(f"{'/ ' + p:>12}" for p in peers))
    for side, ms in median.items():
        print(f"{side:<42}{ms:>8.1f}{low[side]:>8.1f}{high[side]:>8.1f}", end="")
        print("".join(f"{ms / median[peer]:>11.2f}x" for peer in peers.values()))
    values, shapes = median["drqsim, optimized, every value"], median[SHAPES]
    print(f"\nrecording every value adds {values / shapes - 1:.0%} to recording shapes only\n")

    constants = {i for i, tensor in enumerate(model.tensors) if tensor.value is not None}
    print(f"{'peak memory, MiB':<20}{'arena':>8}{'shapes':>10}{'values':>10}{'shapes / arena':>16}")
    for kernels, resolver in RESOLVERS.items():
        arena = arena_mebibytes(runtime(content, x, resolver), constants)
        peak = {
            record: peak_mebibytes(lambda k=kernels, r=record: drqsim.run(model, x, k, record=r))
            for record in ("shapes", "values")
        }
        print(f"{kernels:<20}{arena:>8.1f}{peak['shapes']:>10.1f}{peak['values']:>10.1f}", end="")
        print(f"{peak['shapes'] / arena:>15.2f}x")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
