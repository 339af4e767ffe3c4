"""One recorded 3x3 convolution, 56x56x64 -> 64, against the runtime's three kernel paths.

Run it as ``python benchmarks/conv_2d.py``. Everything is timed in one process, on one thread, in
interleaved rounds and processor time, so that the ratios hold on a busy machine; the milliseconds
do not carry over.
Not measured: making the graph, the first call, more than one thread.
"""

import os

# one thread on both sides; the BLAS reads this when it is loaded
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import platform
import statistics
import time
import warnings

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import drqsim
from drqsim import litert
from drqsim.model_file import write

ROUNDS = 25
RESOLVERS = {
    "reference": OpResolverType.BUILTIN_REF,
    "optimized": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "xnnpack": OpResolverType.AUTO,
}


def main() -> None:
    """Time both sides and print medians and ratios."""
    random = np.random.default_rng(0)
    layer = drqsim.quantize(
        drqsim.conv_relu(
            random.normal(size=(64, 3, 3, 64)).astype(np.float32),
            random.normal(size=64).astype(np.float32),
            input_shape=(1, 56, 56, 64),
        )
    )
    x = random.normal(size=(1, 56, 56, 64)).astype(np.float32)
    sides = {}
    for kernels, resolver in RESOLVERS.items():
        runtime = Interpreter(
            model_content=write.to_bytes(layer),
            experimental_op_resolver_type=resolver,
            num_threads=1,
        )
        runtime.allocate_tensors()
        runtime.set_tensor(0, x)
        sides["runtime", kernels] = runtime.invoke
        sides["drqsim", kernels] = lambda kernels=kernels: drqsim.run(layer, x, kernels)

    times = {side: [] for side in sides}
    for _ in range(ROUNDS):
        for side, call in sides.items():
            start = time.process_time()
            call()
            times[side].append(time.process_time() - start)
    median = {side: statistics.median(t) * 1e3 for side, t in times.items()}

    print(f"ai-edge-litert {litert.version()}, NumPy {np.__version__}, {platform.machine()}")
    print(f"median of {ROUNDS} interleaved rounds, one thread\n")
    print(f"{'path':<12}{'runtime ms':>12}{'recorded ms':>13}", end="")
    print("".join(f"{'/ ' + k:>13}" for k in RESOLVERS))
    for kernels in RESOLVERS:
        ours = median["drqsim", kernels]
        print(f"{kernels:<12}{median['runtime', kernels]:>12.2f}{ours:>13.2f}", end="")
        print("".join(f"{ours / median['runtime', k]:>12.2f}x" for k in RESOLVERS))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
