"""What the kernel's own order of float sums costs, against the same sums by BLAS.

Run it as ``python benchmarks/float_order.py``. The network of ``mobilenet.py``, in float32 and as a
DRQ model, recorded, on the three kernel paths; both orders in turn, in processor time, one thread,
medians. It also says how many of the 1,000 results have the runtime's bits in either order. Not
measured: other processors than this one, whose order is followed.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the BLAS reads this when it is loaded

import statistics
import time

from mobilenet import image, mobilenet

import drqsim
from drqsim import litert
from drqsim.kernels import KERNELS

ROUNDS = 7
ORDERS = ("exact", "blas")


def main() -> None:
    floats = mobilenet()
    x = image()
    for label, model in (("float32", floats), ("DRQ", drqsim.quantize(floats))):
        for kernels in KERNELS:
            (theirs,) = litert.run(model, x, kernels).outputs.values()
            seconds: dict[str, list[float]] = {order: [] for order in ORDERS}
            equal = {}
            for _ in range(ROUNDS):
                for order in ORDERS:
                    started = time.process_time()
                    outputs, _ = drqsim.run(
                        model, x, kernels, float_order=order, processor="native"
                    )
                    seconds[order].append(time.process_time() - started)
                    equal[order] = int((next(iter(outputs.values())) == theirs).sum())
            exact, blas = (statistics.median(seconds[order]) for order in ORDERS)
            print(
                f"{label:8} {kernels:10} {exact / blas:5.2f} times BLAS ({blas * 1000:5.0f} ms);"
                f" equal {equal['exact']:,} of {theirs.size:,}, by BLAS {equal['blas']:,}"
            )


if __name__ == "__main__":
    main()
