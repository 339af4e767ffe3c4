"""The weights of the models that ``make_converter_weights.py`` has converted."""

import numpy as np

FLOAT_MAX = np.finfo(np.float32).max
DENORMAL = np.float32(1e-45)  # the smallest positive float32


def around(value):
    """The value, between its two neighbours in float32."""
    exact = np.float32(value)
    return np.nextafter(exact, np.float32(0)), exact, np.nextafter(exact, np.float32(1))


# Largest |weight| of a channel, around the 1e-6 below which the converter widens a range and
# around the half of it: a symmetric range is twice as wide as its largest |weight|.
TINY = np.array(
    [0.0, DENORMAL, 1e-42, 1.1754944e-38, 1e-30, 1e-20, 1e-10, 3.9e-9, 1e-8, 1e-7, 2.5e-7]
    + [4e-7, 4.9e-7, *around(5e-7), 5.1e-7, 6e-7, 7.5e-7, 9e-7, *around(1e-6)]
    + [1.1e-6, 1.9e-6, 2e-6, 2.1e-6, 1e-5],
    np.float32,
)


def ties(rng, channels, size, maxima):
    """Make channels whose weights lie on or next to rounding boundaries.

    A boundary is (k + 0.5) times the scale, the scale being max|w| / 127. Every channel
    holds weights made in four ways, which tell apart implementations that divide by the scale
    in float32 and in float64.

    Parameters
    ----------
    rng : numpy.random.Generator
    channels, size : int
        Shape of the result.
    maxima : array_like of float32, [channels]
        Largest |weight| of each channel.

    Returns
    -------
    ndarray of float32, [channels, size]
    """
    rows = []
    for maximum in np.broadcast_to(np.asarray(maxima, np.float32), channels):
        boundary = rng.integers(-127, 127, size) + 0.5
        exact = np.float64(maximum) / 127
        rounded = np.float32(exact)
        constructions = [
            (boundary * exact).astype(np.float32),
            boundary.astype(np.float32) * rounded,
            np.nextafter((boundary * exact).astype(np.float32), np.float32(0)),
            np.nextafter((boundary * exact).astype(np.float32), np.float32(np.inf)),
        ]
        row = np.choose(np.arange(size) % 4, constructions)
        row[rng.integers(size)] = maximum * rng.choice([-1, 1])
        rows.append(row)
    return np.array(rows, np.float32)


def scaled(rng, maxima, size):
    """Make channels of random weights with a given largest |weight|.

    Parameters
    ----------
    rng : numpy.random.Generator
    maxima : ndarray of float32, [channels]
    size : int
        Weights in a channel.

    Returns
    -------
    ndarray of float32, [channels, size]
    """
    row = rng.uniform(-1, 1, (len(maxima), size))
    row[:, 0] = rng.choice([-1, 1], len(maxima))
    return (row * np.float64(maxima)[:, np.newaxis]).astype(np.float32)


def normal(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def depthwise(channels_first, height, width):
    """[out, height * width] -> [1, height, width, out]."""
    return channels_first.T.reshape(1, height, width, -1)


def make_cases():
    """Make the weights of all cases.

    Returns
    -------
    dict of str to ndarray of float32
        Weights by name of the case, in the layout of TensorFlow Lite. The name starts with
        ``conv``, ``depthwise`` or ``dense``.
    """
    rng = np.random.default_rng(0)  # drawn from in this order
    makers = (threshold_and_ordinary, on_boundaries, zeros_and_ranges, tiny)
    return {name: weight for make in makers for name, weight in make(rng).items()}


def threshold_and_ordinary(rng):
    """Around the threshold of 1,024 elements, and ordinary weights."""
    cases = {}

    # The threshold of 1,024 elements.
    cases["conv_1023"] = normal(rng, 11, 1, 3, 31)
    cases["conv_1024"] = normal(rng, 8, 4, 4, 8)
    cases["depthwise_1023"] = normal(rng, 1, 3, 11, 31)
    cases["depthwise_1024"] = normal(rng, 1, 4, 4, 64)
    cases["dense_1023"] = normal(rng, 33, 31)
    cases["dense_1024"] = normal(rng, 32, 32)

    # Ordinary weights; the factors spread the channels over four decades.
    cases["conv_normal"] = normal(rng, 12, 3, 3, 12)
    spread = np.logspace(-3, 1, 48, dtype=np.float32)
    cases["conv_pointwise"] = normal(rng, 48, 1, 1, 24) * spread.reshape(48, 1, 1, 1)
    cases["conv_one_output"] = normal(rng, 1, 5, 5, 41)
    cases["depthwise_normal"] = normal(rng, 1, 3, 3, 128)
    cases["depthwise_multiplier"] = normal(rng, 1, 3, 3, 120)
    cases["dense_normal"] = normal(rng, 24, 48)
    return cases


def on_boundaries(rng):
    """Weights on and next to the boundaries of rounding."""
    cases = {}

    # Rounding boundaries: random scales, then scales that make exact ties possible (a power
    # of two, or an odd number of few bits times one), then one scale for all channels.
    maxima = rng.uniform(0.01, 3, 64)
    exact_maxima = 127 * rng.integers(1, 64, 24) * 2.0 ** rng.integers(-12, 3, 24)
    cases["conv_ties"] = ties(rng, 32, 72, maxima[:32]).reshape(32, 3, 3, 8)
    cases["conv_exact_ties"] = ties(rng, 24, 54, exact_maxima).reshape(24, 3, 3, 6)
    cases["conv_ties_one_scale"] = ties(rng, 16, 72, 0.7363).reshape(16, 2, 2, 18)
    cases["conv_exact_ties_one_scale"] = ties(rng, 8, 128, 127 / 64).reshape(8, 2, 2, 32)
    cases["depthwise_ties"] = depthwise(ties(rng, 64, 20, maxima), 4, 5)
    cases["depthwise_ties_one_scale"] = depthwise(ties(rng, 64, 20, 0.4471), 4, 5)
    cases["dense_ties"] = ties(rng, 32, 40, maxima[:32])
    cases["dense_ties_one_scale"] = ties(rng, 32, 40, 1.618)
    return cases


def zeros_and_ranges(rng):
    """Zeros, one-sided channels, outliers, magnitudes of all sizes."""
    cases = {}

    # Zeros.
    cases["conv_zero"] = np.zeros((8, 3, 3, 16), np.float32)
    cases["conv_zero_row"] = normal(rng, 8, 3, 3, 16)
    cases["conv_zero_row"][[2, 5]] = 0
    cases["conv_negative_zero"] = normal(rng, 8, 3, 3, 16)
    cases["conv_negative_zero"][::2, ..., ::3] = -0.0
    cases["depthwise_zero_channel"] = normal(rng, 1, 3, 3, 128)
    cases["depthwise_zero_channel"][..., [0, 17, 127]] = 0
    cases["dense_zero_row"] = normal(rng, 16, 64)
    cases["dense_zero_row"][[0, 9]] = 0
    cases["dense_zero"] = np.zeros((16, 64), np.float32)

    # Ranges.
    cases["conv_outlier"] = normal(rng, 8, 3, 3, 16)
    cases["conv_outlier"][3, 1, 1, 7] = -1e4
    cases["conv_positive"] = np.abs(normal(rng, 8, 3, 3, 16)) + np.float32(0.5)
    cases["conv_negative"] = -np.abs(normal(rng, 8, 3, 3, 16)) - np.float32(0.5)
    cases["conv_equal"] = np.full((8, 3, 3, 16), -0.3, np.float32)
    cases["conv_equal_rows"] = np.repeat(normal(rng, 8, 1, 1, 1), 144, axis=3)
    cases["dense_equal"] = np.full((16, 64), 0.7, np.float32)
    cases["conv_huge"] = normal(rng, 8, 3, 3, 16) * np.float32(1e30)
    cases["conv_huge"][7] *= FLOAT_MAX / np.abs(cases["conv_huge"][7]).max()
    cases["conv_mixed_magnitudes"] = scaled(rng, np.float32(10.0) ** np.arange(-38, 38, 3), 64)
    cases["conv_mixed_magnitudes"] = cases["conv_mixed_magnitudes"].reshape(-1, 2, 2, 16)
    return cases


def tiny(rng):
    """Channels and filters with ranges that the converter widens."""
    cases = {}

    # Tiny channels: of both signs, of one sign, of one value.
    grid = scaled(rng, TINY, 48)
    cases["conv_tiny_grid"] = grid.reshape(-1, 2, 2, 12)
    cases["conv_tiny_grid_positive"] = np.abs(grid).reshape(-1, 2, 2, 12)
    cases["conv_tiny_grid_negative"] = -np.abs(grid).reshape(-1, 2, 2, 12)
    cases["conv_tiny_grid_equal"] = np.repeat(TINY, 48).reshape(-1, 2, 2, 12)
    cases["depthwise_tiny_grid"] = depthwise(scaled(rng, TINY, 49), 7, 7)
    cases["dense_tiny_grid"] = scaled(rng, TINY, 40)

    # The same per tensor: the whole filter is tiny.
    for name, maximum in {
        "2e-6": 2e-6,
        "1e-6": 1e-6,
        "6e-7": 6e-7,
        "5e-7": 5e-7,
        "4e-7": 4e-7,
        "1e-10": 1e-10,
        "1e-30": 1e-30,
        "denormal": 1e-41,
    }.items():
        cases[f"conv_tiny_{name}"] = scaled(rng, np.full(8, maximum, np.float32), 128)
        cases[f"conv_tiny_{name}"] = cases[f"conv_tiny_{name}"].reshape(8, 2, 2, 32)
    cases["conv_tiny_equal"] = np.full((8, 2, 2, 32), 4e-7, np.float32)
    cases["dense_tiny_4e-7"] = scaled(rng, np.full(16, 4e-7, np.float32), 64)
    return cases
