"""Train the digits network of the book and write its TensorFlow Lite files.

Run it as ``python book/models/train_digits.py``; with ``--without-training`` it makes, out of the
``digits_float.tflite`` that is there, only what litert-quantizer makes of it. It needs
``tensorflow-cpu==2.21.0``, ``scikit-learn`` and ``litert-quantizer==0.11.0`` (which brings
``ai-edge-litert``). Building the book and running the tests need neither TensorFlow nor
litert-quantizer: the files made here are kept in the repository.

The network is small, but shows every way in which dynamic-range quantization treats a
constant (the converter quantizes constants of 1,024 elements or more):

=========================  ========  ===========================
layer                      elements  in ``digits_drq.tflite``
=========================  ========  ===========================
conv1, 3x3, 1 -> 16             144  float32
conv2, 3x3, 16 -> 32          4,608  int8 (the book's example)
depthwise1, 3x3, 32             288  float32
pointwise1, 1x1, 32 -> 128    4,096  int8
depthwise2, 3x3, 128          1,152  int8
pointwise2, 1x1, 128 -> 32    4,096  int8
conv3, 3x3, 32 -> 64         18,432  int8
dense1, 64 -> 32              2,048  int8
dense2, 32 -> 10                320  float32
=========================  ========  ===========================

Written next to this script:

``digits_float.tflite``
    The float model.
``digits_drq.tflite``
    Dynamic-range quantized by TensorFlow's converter with its defaults: one scale per channel.
``digits_drq_per_tensor.tflite``
    The same with one scale per tensor. **Its second depthwise convolution is broken in the
    runtime**: the kernel reads one scale per channel, finds only one in the file, and reads on
    past the end of the array. Whatever this file classifies is garbage and may change from run
    to run. The book uses it only up to its convolutions before that layer.
``digits_weight_only.tflite``
    int8 weights, each followed by a DEQUANTIZE operator, computing in float32
    (litert-quantizer's recipe ``weight_only_wi8_afp32``).
``digits_int4.tflite``
    int4 weights, two to a byte, in every convolution and dense layer; depthwise layers stay float32
    (litert-quantizer's recipe ``dynamic_wi4_afp32``).
``digits_drq_all_layers.tflite``
    int8 weights in every layer, however small, and no request for asymmetric inputs in the dense
    layers (litert-quantizer's recipe ``dynamic_wi8_afp32``).
``digits_float16.tflite``
    float16 weights, each followed by a DEQUANTIZE operator, computing in float32 (litert-quantizer,
    ``float_casting``).
``digits_int8.tflite``
    Full-integer: int8 weights and activations, int32 biases, the images too as codes
    (litert-quantizer's recipe ``static_wi8_ai8``, calibrated on the training digits).
``digits_16x8.tflite``
    int8 weights, int16 activations, int64 biases (``static_wi8_ai16``, the same calibration).
``digits_inputs.npz``
    ``images`` float32 [8, 8, 8, 1] and ``labels`` int64 [8]: eight held-out digits.
    ``test_images`` uint8 [450, 8, 8] (raw pixels, 0 to 16) and ``test_labels`` uint8 [450]:
    the whole held-out part.
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"  # read when TensorFlow is imported
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # plain kernels: fewer differences between machines

import litert_quantizer.recipe
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from litert_quantizer.quantizer import Quantizer
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tensorflow.lite.tools import flatbuffer_utils

HERE = Path(__file__).parent
SEED = 0
EPOCHS = 60
BATCH = 32

# Positions in the held-out part of the digits kept in ``images``: eight different classes.
# The first one is the example of the book, a clear "2".
CHOSEN = (16, 1, 11, 63, 4, 69, 22, 44)  # the digits 2, 0, 1, 3, 4, 5, 6, 7

# what litert-quantizer makes of the float file, and by which of its recipes
QUANTIZED = {
    "digits_weight_only.tflite": "weight_only_wi8_afp32",
    "digits_int4.tflite": "dynamic_wi4_afp32",
    "digits_drq_all_layers.tflite": "dynamic_wi8_afp32",
}

# the same with scales for the activations, from examples
CALIBRATED = {
    "digits_int8.tflite": "static_wi8_ai8",
    "digits_16x8.tflite": "static_wi8_ai16",
}

# no recipe of litert-quantizer asks for this
FLOAT16 = [
    {
        "regex": ".*",
        "operation": "*",
        "algorithm_key": "float_casting",
        "op_config": {
            "weight_tensor_config": {"num_bits": 16, "dtype": "FLOAT"},
            "compute_precision": "FLOAT",
            "explicit_dequantize": True,
        },
    }
]

FILES = (
    "digits_float.tflite",
    "digits_drq.tflite",
    *QUANTIZED,
    "digits_float16.tflite",
    *CALIBRATED,
    "digits_drq_per_tensor.tflite",  # last: its answers are undefined, see above
)


def load_data():
    """Load and split scikit-learn's digits.

    Returns
    -------
    train_images, test_images : ndarray of uint8, [1347, 8, 8] and [450, 8, 8]
        Raw pixels, 0 to 16.
    train_labels, test_labels : ndarray of uint8
        Digits, 0 to 9.
    """
    digits = load_digits()
    return train_test_split(
        digits.images.astype(np.uint8),
        digits.target.astype(np.uint8),
        test_size=0.25,
        stratify=digits.target,
        random_state=0,
    )


def to_input(images):
    """Turn raw pixels into the network's input.

    Parameters
    ----------
    images : ndarray of uint8, [N, 8, 8]
        Raw pixels, 0 to 16.

    Returns
    -------
    ndarray of float32, [N, 8, 8, 1]
        Pixels from 0 to 1 (exact: a division by a power of two).
    """
    return (images[..., np.newaxis] / 16).astype(np.float32)


def build(batch_size=None):
    """Build the untrained network.

    Parameters
    ----------
    batch_size : int, optional
        Fixed batch size, if any.

    Returns
    -------
    tf.keras.Model
        Input [8, 8, 1], output the probabilities of the ten digits.
    """
    layers = tf.keras.layers

    def block(layer):
        """Follow a convolution with batch norm and ReLU; the converter folds both into it."""
        # Explicit names: Keras would count up, and the files would differ in tensor names.
        return [
            layer,
            layers.BatchNormalization(name=layer.name + "_bn"),
            layers.ReLU(name=layer.name + "_relu"),
        ]

    def conv(name, size, filters):
        return block(layers.Conv2D(filters, size, padding="same", use_bias=False, name=name))

    def depthwise(name):
        return block(layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=name))

    return tf.keras.Sequential(
        [
            layers.Input((8, 8, 1), batch_size=batch_size, name="image"),
            *conv("conv1", 3, 16),
            *conv("conv2", 3, 32),
            *depthwise("depthwise1"),
            *conv("pointwise1", 1, 128),
            layers.MaxPooling2D(name="pool"),
            *depthwise("depthwise2"),
            *conv("pointwise2", 1, 32),
            *conv("conv3", 3, 64),
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(32, activation="relu", name="dense1"),
            layers.Dense(10, activation="softmax", name="dense2"),
        ],
        name="digits",
    )


def train(model, images, labels):
    """Train the network: Adam, the learning rate following half a cosine down to zero.

    Parameters
    ----------
    model : tf.keras.Model
        The network, changed in place.
    images : ndarray of float32, [N, 8, 8, 1]
    labels : ndarray of uint8, [N]
    """
    steps = EPOCHS * -(-len(images) // BATCH)
    model.compile(
        optimizer=tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(images, labels, batch_size=BATCH, epochs=EPOCHS, verbose=0)


def convert(model, quantize=False, per_channel=True):
    """Convert the network with TensorFlow's converter, batch size fixed to one.

    Parameters
    ----------
    model : tf.keras.Model
    quantize : bool
        Ask for dynamic-range quantization.
    per_channel : bool
        Whether weights get one scale per output channel (the default) or per tensor.

    Returns
    -------
    bytes
        The TensorFlow Lite file.
    """
    single = build(batch_size=1)
    single.set_weights(model.get_weights())
    converter = tf.lite.TFLiteConverter.from_keras_model(single)
    if quantize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter._experimental_disable_per_channel = not per_channel
    return converter.convert()


def quantize(path, recipe, examples=None):
    """Quantize a float file with litert-quantizer.

    Parameters
    ----------
    path : Path
        The float file.
    recipe : str or list
        A recipe of litert-quantizer, by name, or a recipe itself.
    examples : ndarray of float32, [N, 8, 8, 1], optional
        What the scales of activations are found from, where the recipe has such.

    Returns
    -------
    bytes
        The TensorFlow Lite file.
    """
    if isinstance(recipe, str):
        recipe = getattr(litert_quantizer.recipe, recipe)()
    quantizer = Quantizer(path.read_bytes(), recipe)
    ranges = None
    if examples is not None:
        feeds = [{"image": example[np.newaxis]} for example in examples]
        ranges = quantizer.calibrate({"serving_default": feeds}, num_threads=1)
    result = quantizer.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    return bytes(result.quantized_model)


def operators(path):
    """List the operators of a file.

    Parameters
    ----------
    path : Path
        A TensorFlow Lite file.

    Returns
    -------
    list of tuple
        Name, fused activation ('' if the operator has none), output shape, and the constant
        inputs as (dtype, shape, elements, scales, quantized dimension).
    """
    schema = flatbuffer_utils.schema_fb
    names = {code: name for name, code in vars(schema.ActivationFunctionType).items()}
    model = flatbuffer_utils.read_model(str(path))
    graph = model.subgraphs[0]
    rows = []
    for operator in graph.operators:
        constants = []
        for index in operator.inputs:
            tensor = graph.tensors[index]
            if index < 0 or model.buffers[tensor.buffer].data is None:
                continue
            scale = tensor.quantization.scale if tensor.quantization else None
            constants.append(
                (
                    flatbuffer_utils.type_to_name(tensor.type).lower(),
                    tuple(int(size) for size in tensor.shape),
                    int(np.prod(tensor.shape)),
                    0 if scale is None else len(scale),
                    tensor.quantization.quantizedDimension if tensor.quantization else 0,
                )
            )
        activation = getattr(operator.builtinOptions, "fusedActivationFunction", None)
        code = model.operatorCodes[operator.opcodeIndex]
        rows.append(
            (
                flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex) or str(code),
                "" if activation is None else names[activation],
                tuple(int(size) for size in graph.tensors[operator.outputs[0]].shape),
                constants,
            )
        )
    return rows


def count_correct(path, images, labels):
    """Count the images that a file classifies correctly.

    Parameters
    ----------
    path : Path
        A TensorFlow Lite file.
    images : ndarray of float32, [N, 8, 8, 1]
    labels : ndarray of uint8, [N]

    Returns
    -------
    int
    """
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    source = details["index"]
    if details["dtype"] != np.float32:  # full-integer: the images are codes
        limits = np.iinfo(details["dtype"])
        scale, zero_point = details["quantization"]
        codes = np.clip(np.rint(images / np.float32(scale)) + zero_point, limits.min, limits.max)
        images = codes.astype(details["dtype"])
    result = interpreter.get_output_details()[0]["index"]
    correct = 0
    for image, label in zip(images, labels, strict=True):
        interpreter.set_tensor(source, image[np.newaxis])
        interpreter.invoke()
        correct += int(np.argmax(interpreter.get_tensor(result)) == label)
    return correct


def main():
    """Make the files, and print what they hold and how well they classify."""
    if sys.argv[1:] not in ([], ["--without-training"]):
        raise SystemExit(f"Unknown arguments: {sys.argv[1:]}; --without-training is the only one.")
    train_pixels, test_pixels, _, test_labels = load_data()
    if not sys.argv[1:]:
        train_and_convert()
    for name, recipe in QUANTIZED.items():
        (HERE / name).write_bytes(quantize(HERE / "digits_float.tflite", recipe))
    (HERE / "digits_float16.tflite").write_bytes(quantize(HERE / "digits_float.tflite", FLOAT16))
    for name, recipe in CALIBRATED.items():
        examples = to_input(train_pixels)
        made = quantize(HERE / "digits_float.tflite", recipe, examples)
        (HERE / name).write_bytes(made)
    report(to_input(test_pixels), test_labels)


def train_and_convert():
    """Train the network, and write what TensorFlow's converter makes of it, and the images."""
    tf.keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()

    train_pixels, test_pixels, train_labels, test_labels = load_data()
    test_images = to_input(test_pixels)
    model = build()
    train(model, to_input(train_pixels), train_labels)
    probabilities = model.predict(test_images, verbose=0)
    accuracy = np.mean(np.argmax(probabilities, axis=1) == test_labels)
    print(f"Keras: held-out accuracy {accuracy:.2%}, {model.count_params():,} parameters")
    if accuracy <= 0.97:
        raise SystemExit("The accuracy is too low for the book: nothing written.")
    chosen = list(CHOSEN)
    if not np.array_equal(np.argmax(probabilities[chosen], axis=1), test_labels[chosen]):
        raise SystemExit("A chosen digit is classified wrongly: nothing written.")

    (HERE / "digits_float.tflite").write_bytes(convert(model))
    (HERE / "digits_drq.tflite").write_bytes(convert(model, quantize=True))
    (HERE / "digits_drq_per_tensor.tflite").write_bytes(
        convert(model, quantize=True, per_channel=False)
    )
    np.savez_compressed(
        HERE / "digits_inputs.npz",
        images=test_images[chosen],
        labels=test_labels[chosen].astype(np.int64),
        test_images=test_pixels,
        test_labels=test_labels,
    )


def report(test_images, test_labels):
    """Print what every file holds and how well it classifies.

    Parameters
    ----------
    test_images : ndarray of float32, [N, 8, 8, 1]
    test_labels : ndarray of uint8
    """
    for name in FILES:
        rows = operators(HERE / name)
        for operator, activation, _, _ in rows:
            # The book reads convolutions with a fused ReLU: batch norm and ReLU must be folded.
            if operator.endswith("CONV_2D") and activation != "RELU":
                raise SystemExit(f"{name}: {operator} without fused RELU")
        print(f"\n{name}: {(HERE / name).stat().st_size:,} bytes")
        for operator, activation, shape, constants in rows:
            print(f"  {operator:18} {activation:5} -> {shape}")
            for dtype, size, elements, scales, axis in constants:
                note = f", {scales} scale(s), dimension {axis}" if scales else ""
                print(f"      {dtype:8} {size} = {elements:,} elements{note}")

    print()
    for name in FILES:
        correct = count_correct(HERE / name, test_images, test_labels)
        note = " (undefined: broken depthwise)" if "per_tensor" in name else ""
        print(f"{name:30} {correct} of {len(test_labels)} correct{note}", flush=True)


if __name__ == "__main__":
    main()
