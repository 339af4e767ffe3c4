"""Record what two tools make of whole models: TensorFlow's converter and litert-quantizer.

Run it as ``python tests/golden/make_quantized_models.py``. It needs ``tensorflow-cpu==2.21.0``,
``litert-quantizer==0.11.0``, what the tests need, and a C++ compiler. Running the tests does not:
the result, ``quantized_models.tar.xz`` next to this script, is kept in the repository.

Each case is a model with constant weights, of the operators that ``make_converter_weights.py`` does
not cover, and of weights that several operators share. The result holds five files for each case:

``<case>/float``
    The float32 file.
``<case>/tensorflow``, ``<case>/tensorflow_per_tensor``
    Dynamic-range quantized by the converter, and with ``_experimental_disable_per_channel``.
``<case>/litert-quantizer``, ``<case>/litert-quantizer_1024``
    The float32 file quantized by the recipes ``dynamic_wi8_afp32`` and
    ``dynamic_legacy_wi8_afp32``.

``weights/<case>``
    What ``dynamic_wi8_afp32`` makes of the float32 file of a case of ``converter_weights.npz``.

TensorFlow has no ordinary way to write EMBEDDING_LOOKUP, UNIDIRECTIONAL_SEQUENCE_LSTM, SVDF and
UNIDIRECTIONAL_SEQUENCE_RNN, but its converter has rules for them. Those float files come from
``drqsim``, and ``converter_passes.cc`` runs the converter's passes over them.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"  # read when TensorFlow is imported

import numpy as np
import tensorflow as tf
from litert_quantizer import quantizer
from litert_quantizer import recipe as recipes
from make_converter_weights import convert

HERE = Path(__file__).parent
RESULT = HERE / "quantized_models.tar.xz"
RECIPES = {
    "litert-quantizer": "dynamic_wi8_afp32",
    "litert-quantizer_1024": "dynamic_legacy_wi8_afp32",
}
rng = np.random.default_rng(0)


def normal(*shape):
    """Random weights whose channels differ by a factor of up to 100."""
    return (rng.normal(size=shape) * 10.0 ** rng.uniform(-2, 0, shape[-1])).astype(np.float32)


def coarse(*shape):
    """Random weights of few bits, which take little room when compressed."""
    return (rng.integers(-40, 41, shape) / 64).astype(np.float32)


def spec(*shape, dtype=tf.float32):
    """An input of the model."""
    return tf.TensorSpec(shape, dtype)


def make_cases():
    """The models: for each case a function and its inputs."""
    ids = spec(3, dtype=tf.int32)
    table, square, ties = normal(66, 16), normal(32, 32), coarse(36, 32)
    kernels, deep, wide = normal(1, 2, 16, 33), normal(3, 3, 8, 16), coarse(2, 3, 32, 8)
    return {
        "batch_matmul": (lambda x: tf.matmul(x, tf.constant(kernels)), [spec(1, 2, 3, 16)]),
        "batch_matmul_adj": (
            lambda x: tf.matmul(x, tf.constant(wide), transpose_b=True),
            [spec(2, 3, 4, 8)],
        ),
        "batch_matmul_left": (lambda x: tf.matmul(tf.constant(kernels), x), [spec(1, 2, 33, 4)]),
        "batch_matmul_small": (
            lambda x: tf.matmul(x, tf.constant(kernels[:, :, :, :31])),
            [spec(1, 2, 3, 16)],
        ),
        "transpose_conv": (
            lambda x: tf.nn.conv2d_transpose(x, tf.constant(deep), [1, 8, 8, 8], 2),
            [spec(1, 4, 4, 16)],
        ),
        "transpose_conv_small": (
            lambda x: tf.nn.conv2d_transpose(x, tf.constant(deep[:, :, :1]), [1, 8, 8, 1], 2),
            [spec(1, 4, 4, 16)],
        ),
        "gather": (lambda i: tf.gather(tf.constant(table), i), [ids]),
        "gather_columns": (lambda i: tf.gather(tf.constant(table), i, axis=1), [ids]),
        "gather_all": (
            lambda i: tf.nn.relu(tf.gather(tf.constant(table), i)),
            [spec(66, dtype=tf.int32)],
        ),
        "gather_any": (lambda i: tf.gather(tf.constant(table), i), [spec(None, dtype=tf.int32)]),
        "gather_small": (lambda i: tf.gather(tf.constant(table[:60]), i), [ids]),
        "gather_slice": (lambda i: tf.nn.relu(tf.gather(tf.constant(table), i)[:, 2:9]), [ids]),
        "gather_slice_both": (
            lambda i: (tf.gather(tf.constant(table), i), tf.gather(tf.constant(table), i)[:, 2:9]),
            [ids],
        ),
        "gather_slice_max": (
            lambda i: tf.reduce_max(tf.gather(tf.constant(table), i)[:, 2:9], axis=1),
            [ids],
        ),
        "gather_twice": (
            lambda i, j: (tf.gather(tf.constant(table), i), tf.gather(tf.constant(table), j)),
            [ids, spec(2, dtype=tf.int32)],
        ),
        "tied": (  # an embedding that is the last layer, too
            lambda i, x: tf.matmul(
                tf.nn.relu(tf.gather(tf.constant(table), i)) + x, tf.constant(table.T)
            ),
            [ids, spec(3, 16)],
        ),
        "shared": (
            lambda x: tf.matmul(tf.nn.relu(tf.matmul(x, tf.constant(square))), tf.constant(square)),
            [spec(3, 32)],
        ),
        "needed_in_float": (
            lambda x, y: (tf.matmul(x, tf.constant(square.T)), y - tf.constant(square)),
            [spec(3, 32), spec(32, 32)],
        ),
        "dense_ties": (lambda x: tf.matmul(x, tf.constant(ties)), [spec(3, 36)]),
    }


def compile_passes(folder):
    """The converter's passes as a program."""
    program, library = folder / "converter_passes", Path(tf.sysconfig.get_lib())
    subprocess.run(
        ["c++", "-std=c++17", "-O1", "-w", f"-I{tf.sysconfig.get_include()}"]
        + [str(HERE / "converter_passes.cc"), "-o", str(program)]
        + [str(library / f"libtensorflow_{part}.so.2") for part in ("cc", "framework")]
        + [f"-Wl,-rpath,{library}"],
        check=True,
    )
    return program


def with_litert_quantizer(folder, file, recipe):
    """The other tool's file."""
    source = folder / "float.tflite"
    source.write_bytes(file)
    tool = quantizer.Quantizer(str(source))
    tool.load_quantization_recipe(getattr(recipes, recipe)())
    return bytes(tool.quantize().quantized_model)


def main():
    """Make all files and write the result."""
    sys.path.insert(0, str(HERE.parent.parent))  # for drqsim and the builders of the tests
    from drqsim_cases import drqsim_cases

    files = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case, (model, inputs) in make_cases().items():
            function = tf.function(model).get_concrete_function(*inputs)
            files[f"{case}/float"] = convert(function, False)
            files[f"{case}/tensorflow"] = convert(function, True)
            files[f"{case}/tensorflow_per_tensor"] = convert(function, True, per_channel=False)
        program = compile_passes(folder)
        for case, file in drqsim_cases(rng, coarse).items():
            files[f"{case}/float"] = file
            (folder / "in").write_bytes(file)
            for suffix, per_channel in (("", 1), ("_per_tensor", 0)):
                subprocess.run(
                    [program, folder / "in", folder / "out", str(per_channel)], check=True
                )
                files[f"{case}/tensorflow{suffix}"] = (folder / "out").read_bytes()
        for key in [key for key in files if key.endswith("/float")]:
            for tool, recipe in RECIPES.items():
                made = with_litert_quantizer(folder, files[key], recipe)
                files[key.replace("/float", f"/{tool}")] = made
        weights = np.load(HERE / "converter_weights.npz")
        for key in [key for key in weights.files if key.endswith("/float_tflite")]:
            made = with_litert_quantizer(folder, weights[key].tobytes(), "dynamic_wi8_afp32")
            files[f"weights/{key.split('/')[0]}"] = made
    with tarfile.open(RESULT, "w:xz", preset=9) as archive:
        for file_name, content in files.items():
            entry = tarfile.TarInfo(file_name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    print(f"{RESULT.name}: {len(files)} files, {RESULT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
