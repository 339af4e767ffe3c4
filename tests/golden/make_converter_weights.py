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
from converter_weight_cases import make_cases
from tensorflow.lite.tools import flatbuffer_utils

RESULT = Path(__file__).with_name("converter_weights.npz")


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
    name, weight
        Of the case, as in ``make_function``.
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
