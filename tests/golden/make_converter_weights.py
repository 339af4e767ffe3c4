"""Record what TensorFlow's converter makes of weights: int8 values and scales.

Run it as ``python tests/golden/make_converter_weights.py``. It needs
``tensorflow-cpu==2.21.0``. Running the tests does not: the result,
``converter_weights.npz`` next to this script, is kept in the repository.

Each case is a model of one operator (CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED) with a
constant weight and a float32 bias. It is converted three times: without quantization, with
dynamic-range quantization, and with one scale per tensor
(``_experimental_disable_per_channel``). The result holds for each case:

``<case>/operator``
    Name of the operator.
``<case>/float``
    The float32 weight in the layout of TensorFlow Lite: CONV_2D [out, height, width, in],
    DEPTHWISE_CONV_2D [1, height, width, out], FULLY_CONNECTED [out, in].
``<case>/stayed_float``, ``<case>/stayed_float_per_tensor``
    bool: the converter left the weight in float32. Then the next entries are missing.
``<case>/int8``, ``<case>/scale``, ``<case>/quantized_dimension``
    int8 weight, float32 scales and their axis, as the converter writes them by default.
``<case>/int8_per_tensor``, ``<case>/scale_per_tensor``,
``<case>/quantized_dimension_per_tensor``
    The same with one scale per tensor.
``<case>/float_tflite``
    uint8: the bytes of the float file, the input of a test that quantizes whole files.

All int8 values and scale bits agree with ``scale = max(max|w|, 5e-7) / 127`` and
``int8 = round(w / scale)``, both in float64, ties away from zero, the scale rounded to
float32 only when it is stored. The cases tell this apart from ties to even and from dividing
by the stored scale.

The script fails if a float weight or bias arrives changed, if a bias is quantized, or if a
zero point is not 0.
"""

import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"  # read when TensorFlow is imported

import numpy as np
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

RESULT = Path(__file__).with_name("converter_weights.npz")

FLOAT_MAX = np.finfo(np.float32).max
DENORMAL = np.float32(1e-45)  # the smallest positive float32

# Largest |weight| of a channel, around the 1e-6 below which the converter widens a range and
# around the half of it: a symmetric range is twice as wide as its largest |weight|.
TINY = np.array(
    [
        0.0,
        DENORMAL,
        1e-42,
        1.1754944e-38,
        1e-30,
        1e-20,
        1e-10,
        3.9e-9,
        1e-8,
        1e-7,
        2.5e-7,
        4e-7,
        4.9e-7,
        np.nextafter(np.float32(5e-7), np.float32(0)),
        5e-7,
        np.nextafter(np.float32(5e-7), np.float32(1)),
        5.1e-7,
        6e-7,
        7.5e-7,
        9e-7,
        np.nextafter(np.float32(1e-6), np.float32(0)),
        1e-6,
        np.nextafter(np.float32(1e-6), np.float32(1)),
        1.1e-6,
        1.9e-6,
        2e-6,
        2.1e-6,
        1e-5,
    ],
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


def make_cases():
    """Make the weights of all cases.

    Returns
    -------
    dict of str to ndarray of float32
        Weights by name of the case, in the layout of TensorFlow Lite. The name starts with
        ``conv``, ``depthwise`` or ``dense``.
    """
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    def depthwise(channels_first, height, width):
        """[out, height * width] -> [1, height, width, out]."""
        return channels_first.T.reshape(1, height, width, -1)

    cases = {}

    # The threshold of 1,024 elements.
    cases["conv_1023"] = normal(11, 1, 3, 31)
    cases["conv_1024"] = normal(8, 4, 4, 8)
    cases["depthwise_1023"] = normal(1, 3, 11, 31)
    cases["depthwise_1024"] = normal(1, 4, 4, 64)
    cases["dense_1023"] = normal(33, 31)
    cases["dense_1024"] = normal(32, 32)

    # Ordinary weights; the factors spread the channels over four decades.
    cases["conv_normal"] = normal(12, 3, 3, 12)
    spread = np.logspace(-3, 1, 48, dtype=np.float32)
    cases["conv_pointwise"] = normal(48, 1, 1, 24) * spread.reshape(48, 1, 1, 1)
    cases["conv_one_output"] = normal(1, 5, 5, 41)
    cases["depthwise_normal"] = normal(1, 3, 3, 128)
    cases["depthwise_multiplier"] = normal(1, 3, 3, 120)
    cases["dense_normal"] = normal(24, 48)

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

    # Zeros.
    cases["conv_zero"] = np.zeros((8, 3, 3, 16), np.float32)
    cases["conv_zero_row"] = normal(8, 3, 3, 16)
    cases["conv_zero_row"][[2, 5]] = 0
    cases["conv_negative_zero"] = normal(8, 3, 3, 16)
    cases["conv_negative_zero"][::2, ..., ::3] = -0.0
    cases["depthwise_zero_channel"] = normal(1, 3, 3, 128)
    cases["depthwise_zero_channel"][..., [0, 17, 127]] = 0
    cases["dense_zero_row"] = normal(16, 64)
    cases["dense_zero_row"][[0, 9]] = 0
    cases["dense_zero"] = np.zeros((16, 64), np.float32)

    # Ranges.
    cases["conv_outlier"] = normal(8, 3, 3, 16)
    cases["conv_outlier"][3, 1, 1, 7] = -1e4
    cases["conv_positive"] = np.abs(normal(8, 3, 3, 16)) + np.float32(0.5)
    cases["conv_negative"] = -np.abs(normal(8, 3, 3, 16)) - np.float32(0.5)
    cases["conv_equal"] = np.full((8, 3, 3, 16), -0.3, np.float32)
    cases["conv_equal_rows"] = np.repeat(normal(8, 1, 1, 1), 144, axis=3)
    cases["dense_equal"] = np.full((16, 64), 0.7, np.float32)
    cases["conv_huge"] = normal(8, 3, 3, 16) * np.float32(1e30)
    cases["conv_huge"][7] *= FLOAT_MAX / np.abs(cases["conv_huge"][7]).max()
    cases["conv_mixed_magnitudes"] = scaled(rng, np.float32(10.0) ** np.arange(-38, 38, 3), 64)
    cases["conv_mixed_magnitudes"] = cases["conv_mixed_magnitudes"].reshape(-1, 2, 2, 16)

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


def make_function(name, weight, bias):
    """Build the model of a case.

    Parameters
    ----------
    name : str
        Name of the case.
    weight : ndarray of float32
        Weight in the layout of TensorFlow Lite.
    bias : ndarray of float32, [out]

    Returns
    -------
    tf.types.experimental.ConcreteFunction
    """
    if name.startswith("dense"):
        shape = [1, weight.shape[1]]
        constant = weight.T

        def model(x):
            return tf.matmul(x, tf.constant(constant)) + tf.constant(bias)

    elif name.startswith("depthwise"):
        # A channel multiplier of 3 in one case: input channel i makes outputs 3i to 3i + 2.
        multiplier = 3 if "multiplier" in name else 1
        channels = weight.shape[3] // multiplier
        shape = [1, 12, 12, channels]
        constant = weight.reshape(*weight.shape[1:3], channels, multiplier)

        def model(x):
            y = tf.nn.depthwise_conv2d(x, tf.constant(constant), [1, 1, 1, 1], "SAME")
            return tf.nn.bias_add(y, tf.constant(bias))

    else:
        shape = [1, 8, 8, weight.shape[3]]
        constant = weight.transpose(1, 2, 3, 0)

        def model(x):
            y = tf.nn.conv2d(x, tf.constant(constant), 1, "SAME")
            return tf.nn.bias_add(y, tf.constant(bias))

    return tf.function(model).get_concrete_function(tf.TensorSpec(shape, tf.float32, "x"))


def convert(function, quantize, per_channel=True):
    """Convert a model.

    Parameters
    ----------
    function : tf.types.experimental.ConcreteFunction
    quantize, per_channel : bool
        Whether to quantize, and whether with one scale per channel.

    Returns
    -------
    bytes
        The TensorFlow Lite file.
    """
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    if quantize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter._experimental_disable_per_channel = not per_channel
    return converter.convert()


def read(file, name, bias):
    """Read the weight of the only operator of a file, and check everything else.

    Parameters
    ----------
    file : bytes
        The TensorFlow Lite file.
    name : str
        Name of the case.
    bias : ndarray of float32
        The bias to be found in the file.

    Returns
    -------
    operator : str
        Name of the operator.
    weight : ndarray of float32 or int8
    scale : ndarray of float32 or None
        None if the weight is float32.
    dimension : int
        The quantized dimension.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(file))
    (graph,) = model.subgraphs
    (operator,) = graph.operators
    kinds = {"conv": "CONV_2D", "depthwise": "DEPTHWISE_CONV_2D", "dense": "FULLY_CONNECTED"}
    kind = flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex)
    assert kind == kinds[name.split("_")[0]], (name, kind)

    _, weight_tensor, bias_tensor = (graph.tensors[index] for index in operator.inputs)
    types = flatbuffer_utils.schema_fb.TensorType
    assert bias_tensor.type == types.FLOAT32, name
    stored_bias = bytes(model.buffers[bias_tensor.buffer].data)
    assert stored_bias == bias.tobytes(), name

    dtype = {types.FLOAT32: np.float32, types.INT8: np.int8}[weight_tensor.type]
    data = bytes(model.buffers[weight_tensor.buffer].data)
    weight = np.frombuffer(data, dtype).reshape(weight_tensor.shape)
    if dtype is np.float32:
        return kind, weight, None, 0
    quantization = weight_tensor.quantization
    assert not np.any(quantization.zeroPoint), name
    scale = np.array(quantization.scale, np.float32)
    return kind, weight, scale, quantization.quantizedDimension


def record(name, weight, rng):
    """Convert one case in the three ways.

    Parameters
    ----------
    name : str
        Name of the case.
    weight : ndarray of float32
        Weight in the layout of TensorFlow Lite.
    rng : numpy.random.Generator
        Source of the bias.

    Returns
    -------
    dict of str to ndarray
        The entries of the result, without the name of the case.
    """
    out = weight.shape[3] if name.startswith("depthwise") else weight.shape[0]
    bias = rng.uniform(0.5, 1, out).astype(np.float32)
    function = make_function(name, weight, bias)

    file = convert(function, quantize=False)
    operator, stored, _, _ = read(file, name, bias)
    # Bytes, not values: -0.0 and denormals must arrive, too.
    assert stored.dtype == np.float32 and stored.shape == weight.shape, name
    assert stored.tobytes() == weight.tobytes(), name

    entries = {
        "operator": np.array(operator),
        "float": stored,
        "float_tflite": np.frombuffer(file, np.uint8),
    }
    for per_channel, suffix in ((True, ""), (False, "_per_tensor")):
        file = convert(function, quantize=True, per_channel=per_channel)
        _, stored, scale, dimension = read(file, name, bias)
        stayed_float = scale is None
        entries["stayed_float" + suffix] = np.array(stayed_float)
        if stayed_float:
            assert stored.tobytes() == weight.tobytes(), name
        else:
            assert len(scale) == (out if per_channel else 1), name
            entries["int8" + suffix] = stored
            entries["scale" + suffix] = scale
            entries["quantized_dimension" + suffix] = np.array(dimension)
    return entries


def main():
    """Convert all cases and write the result."""
    rng = np.random.default_rng(1)
    result = {}
    for name, weight in make_cases().items():
        entries = record(name, np.ascontiguousarray(weight, np.float32), rng)
        result |= {f"{name}/{key}": value for key, value in entries.items()}
        state = "float32" if entries["stayed_float"] else "int8"
        print(f"{name:28} {str(entries['float'].shape):18} {state}", flush=True)
    np.savez_compressed(RESULT, **result)
    print(f"{RESULT.name}: {RESULT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
