"""The files that TensorFlow's converter and litert-quantizer made, and drqsim's of the same."""

import tarfile

import numpy as np

import drqsim
from tests.kit.places import GOLDEN

with tarfile.open(GOLDEN / "quantized_models.tar.xz") as archive:
    FILES = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}
CASES = sorted({name.split("/")[0] for name in FILES} - {"weights"})
TOOLS = {
    "tensorflow": {},
    "tensorflow_per_tensor": {"per_channel": False},
    "litert-quantizer": {"rules": "litert-quantizer"},
    "litert-quantizer_1024": {"rules": "litert-quantizer", "min_elements": 1024},
}
# what litert-quantizer writes and no kernel reads: an int8 operand on the left; a filter with the
# channels of the depthwise convolution that reads it first, in a convolution
NO_KERNEL = {
    (case, tool)
    for case in ("batch_matmul_left", "filter_shared")
    for tool in ("litert-quantizer", "litert-quantizer_1024")
}
# one of an SVDF's two kinds of weights int8, and an int8 REDUCE_MAX
NOT_SIMULATED = {
    (case, tool)
    for case in ("svdf_short_memory", "gather_slice_max")
    for tool in ("tensorflow", "tensorflow_per_tensor")
}
# a depthwise convolution with one scale: the kernel reads beyond it
UNDEFINED = {("filter_shared", "tensorflow_per_tensor")}
NOT_RUN = NO_KERNEL | NOT_SIMULATED | UNDEFINED
f32 = np.float32


def quantized(case, tool):
    return drqsim.quantize(drqsim.load(FILES[f"{case}/float"]), **TOOLS[tool])


def has_codes(graph):
    return any(tensor.dtype == np.int8 for tensor in graph.constants)


def made_int8():
    """The cases in which a tool made something int8."""
    return [
        (case, tool)
        for case in CASES
        for tool in TOOLS
        if has_codes(drqsim.load(FILES[f"{case}/{tool}"]))
    ]


def feeds_of(graph):
    random = np.random.default_rng(0)
    tensors = [graph.tensors[i] for i in graph.inputs]
    return {
        t.name: random.integers(0, 3, t.shape, dtype=np.int32)
        if t.dtype == np.int32
        else random.normal(size=t.shape).astype(f32)
        for t in tensors
    }
