"""A file with some bytes changed."""

import numpy as np


def tables(content: bytes) -> np.ndarray:
    """Positions of the bytes that are not weights: that is where damage does something."""
    import tflite

    model = tflite.Model.GetRootAs(content, 0)
    free = np.ones(len(content), bool)
    for at in range(model.BuffersLength()):
        data = model.Buffers(at).DataAsNumpy()
        if isinstance(data, np.ndarray):
            start = content.find(data.tobytes()) if data.size > 64 else -1
            if start >= 0:
                free[start : start + data.size] = False
    return np.flatnonzero(free)


def mutate(random: np.random.Generator, content: bytes, places: np.ndarray) -> bytes:
    """A few bytes changed, mostly in the tables; sometimes a number of 32 bits, or the end lost."""
    damaged = bytearray(content)
    for _ in range(random.integers(1, 6)):
        at = int(random.choice(places) if random.random() < 0.9 else random.integers(len(content)))
        kind = random.integers(4)
        if kind == 0:
            damaged[at] = random.integers(256)
        elif kind == 1:
            damaged[at] ^= 1 << random.integers(8)
        else:
            extreme = random.choice([0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, 1 << 24])
            at -= at % 4
            damaged[at : at + 4] = int(extreme).to_bytes(4, "little")
    if random.random() < 0.05:
        damaged = damaged[: random.integers(len(damaged))]
    return bytes(damaged)
