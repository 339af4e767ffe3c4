"""Outputs of another type than the file says, borders, and biases of any number of dimensions."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.graph import Quantization, Tensor
from drqsim.kernels import KERNELS
from drqsim.ops import counts, refusals
from tests.kit.one_operator import one_operator
from tests.kit.recurrent import int8_weights

f32 = np.float32
RANDOM = np.random.default_rng(5)
WINDOW = {"stride_h": 1, "stride_w": 1, "filter_height": 2, "filter_width": 2}


def floats(*shape):
    return RANDOM.standard_normal(shape).astype(f32)


def int32(*values):
    return np.array(values, np.int32)


IMAGE = (1, 4, 4, 4)
# what else an operator of SAME_TYPE reads, what it reads first, its options
READS = {
    "AVERAGE_POOL_2D": ([IMAGE], WINDOW),
    "MAX_POOL_2D": ([IMAGE], WINDOW),
    "CONV_2D": ([IMAGE, floats(2, 1, 1, 4), floats(2)], WINDOW | {"padding": "SAME"}),
    "DEPTHWISE_CONV_2D": ([IMAGE, floats(1, 1, 1, 4), floats(4)], WINDOW | {"depth_multiplier": 1}),
    "TRANSPOSE_CONV": ([int32(1, 4, 4, 2), floats(2, 1, 1, 4), IMAGE], WINDOW),
    "DEPTH_TO_SPACE": ([IMAGE], {"block_size": 2}),
    "SPACE_TO_DEPTH": ([IMAGE], {"block_size": 2}),
    "SLICE": ([(2, 4), int32(0, 0), int32(2, 2)], {}),
    "STRIDED_SLICE": ([(2, 4), int32(0, 0), int32(2, 2), int32(1, 1)], {}),
    "TRANSPOSE": ([(2, 4), int32(1, 0)], {}),
    "PAD": ([(2, 4), int32(1, 1, 1, 1).reshape(2, 2)], {}),
    "PADV2": ([(2, 4), int32(1, 1, 1, 1).reshape(2, 2)], {}),
    "MIRROR_PAD": ([(2, 4), int32(1, 1, 1, 1).reshape(2, 2)], {}),
    "TOPK_V2": ([(2, 4), int32(1)], {}),
    "PACK": ([(2, 4)], {"values_count": 1}),
    "UNPACK": ([(1, 4)], {"num": 1}),
}


@pytest.mark.parametrize("code", sorted(refusals.SAME_TYPE))
def test_an_output_of_another_type_than_the_input_is_refused_with_the_runtime_s_words(code):
    reads, options = READS.get(code, ([(2, 4)], {}))
    if code == "LOGICAL_NOT":
        reads = [Tensor("x", (2, 4), np.dtype(bool))]
    indices = [Tensor("i", (2, 1), np.dtype(np.int32))] * (code == "TOPK_V2")
    graph = one_operator(code, reads, [Tensor("y", (2, 4), np.dtype(np.int8)), *indices], **options)
    why = refusals.why_refused(graph, graph.operators[0], "optimized")
    words = why.partition(": ")[2]
    assert words
    with pytest.raises(drqsim.ModelFileError) as refused:
        litert.read_memory(graph, "optimized")
    assert words in str(refused.value)
    (fed,) = (np.ones(graph.tensors[i].shape, graph.tensors[i].dtype) for i in graph.inputs)
    with pytest.raises(drqsim.ModelFileError, match="the runtime refuses the model"):
        drqsim.run(graph, fed)


@pytest.mark.parametrize("code", ("SOFTMAX", "MUL"))
def test_bytes_that_the_runtime_would_take_for_another_type_are_refused(code):
    inputs = max(counts.CHECKS[code][0].counts)
    graph = one_operator(code, [(2, 4)] * inputs, [Tensor("y", (2, 4), np.dtype(np.int32))])
    fed = dict.fromkeys(graph.input_names, floats(2, 4))
    assert litert.run(graph, fed).outputs["y"].dtype == np.int32
    with pytest.raises(drqsim.ModelFileError, match=r"makes float32, .* calls its output int32"):
        drqsim.run(graph, fed)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("value", (None, 7.5))
@pytest.mark.parametrize("code", ("PAD", "PADV2"))
def test_both_pads_take_a_value_or_none(code, value, kernels):
    borders = int32(1, 2, 0, 1).reshape(2, 2)
    given = [] if value is None else [f32([value])]
    graph = one_operator(code, [(2, 4), borders, *given], [(5, 5)])
    x = floats(2, 4)
    ours, theirs = drqsim.run(graph, x, kernels)[0]["y"], litert.run(graph, x, kernels).outputs["y"]
    assert ours.tobytes() == theirs.tobytes() and ours[0, 0] == (value or 0)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("shape", ((1, -1), (-1, 1), (1, 1, 1, -1)))
@pytest.mark.parametrize("code", ("CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"))
def test_a_bias_may_have_any_number_of_dimensions(code, shape, kernels):
    weights = int8_weights(RANDOM, "w", (3, 4) if code == "FULLY_CONNECTED" else (3, 1, 1, 4))
    x, y = ((2, 4), (2, 3)) if code == "FULLY_CONNECTED" else (IMAGE, (1, 4, 4, 3))
    reads = [x, weights, floats(3).reshape(shape)]
    if code == "TRANSPOSE_CONV":
        reads = [int32(*y), weights, x, reads[2]]
    options = {} if code == "FULLY_CONNECTED" else {"stride_h": 1, "stride_w": 1}
    graph = one_operator(code, reads, [y], **options)
    fed = floats(*x)
    ours, theirs = (f(graph, fed, kernels) for f in (drqsim.run, litert.run))
    assert next(iter(ours[0].values())).tobytes() == next(iter(theirs.outputs.values())).tobytes()


@pytest.mark.parametrize("kernels", KERNELS)
def test_depthwise_convolution_wants_a_bias_of_one_dimension(kernels):
    weights = int8_weights(RANDOM, "w", (1, 1, 1, 4))
    graph = one_operator("DEPTHWISE_CONV_2D", [IMAGE, weights, floats(1, 4)], [IMAGE], stride_h=1)
    op = replace(graph.operators[0], options={"stride_h": 1, "stride_w": 1, "depth_multiplier": 1})
    graph = replace(graph, operators=(op,))
    for refusing in (drqsim.run, litert.run):
        with pytest.raises(drqsim.ModelFileError):
            refusing(graph, floats(*IMAGE), kernels)


SOUND = Quantization(f32([0.5]), np.int64([0]), 0)
ZEROS = np.zeros(IMAGE, np.int8)
CODES_READ = {
    "CONCATENATION": ([Tensor("c", IMAGE, ZEROS.dtype, ZEROS, SOUND)], {"axis": 0}),
    "DEQUANTIZE": ([], {}),
    "MAX_POOL_2D": ([], WINDOW | {"padding": "SAME"}),
    "PAD": ([int32(*[0] * 8).reshape(4, 2)], {}),
    "RESHAPE": ([int32(*IMAGE)], {}),
    "SLICE": ([int32(0, 0, 0, 0), int32(*IMAGE)], {}),
    "TRANSPOSE": ([int32(0, 1, 2, 3)], {}),
}


@pytest.mark.parametrize("scale", [0, -1, 1e-40, np.inf])
@pytest.mark.parametrize("code", CODES_READ)
def test_xnnpack_defines_no_tensor_of_codes_with_an_unsound_scale(code, scale):
    more, options = CODES_READ[code]
    given = Quantization(f32([scale]), np.int64([0]), 0)
    x = Tensor("x", IMAGE, np.dtype(np.int8), None, given)
    y = replace(x, name="y") if code != "DEQUANTIZE" else Tensor("y", IMAGE, np.dtype(f32))
    graph = one_operator(code, [x, *more], [y], **options)
    with pytest.raises(drqsim.DrqsimError, match="unsupported scale value"):
        litert.run(graph, ZEROS, "xnnpack")
    with pytest.raises(drqsim.ModelFileError, match="unsupported scale"):
        drqsim.run(graph, ZEROS, "xnnpack")
    assert "unsupported scale" in drqsim.explain(graph, "xnnpack").verdicts[0].why


def test_a_permutation_needs_no_scale():
    moved = np.array([0, 1, 2, 3], np.uint8)
    graph = one_operator("TRANSPOSE", [IMAGE, moved], [IMAGE])
    assert "unsupported scale" not in drqsim.explain(graph, "xnnpack").verdicts[0].why


@pytest.mark.parametrize("multiplier", [1, 2, 4])
def test_xnnpack_multiplies_the_channels_by_what_the_option_says(multiplier):
    x, filters = np.ones(IMAGE, f32), np.ones((1, 3, 3, 8), f32)
    options = WINDOW | {"depth_multiplier": multiplier, "padding": "SAME"}
    options |= {"dilation_h_factor": 1, "dilation_w_factor": 1}
    reads = [IMAGE, filters, np.zeros(8, f32)]
    graph = one_operator("DEPTHWISE_CONV_2D", reads, [(1, 4, 4, 8)], **options)
    if multiplier == 2:
        assert litert.compare(graph, x, "xnnpack").exact
        return
    for run in litert.run, drqsim.run:
        with pytest.raises(drqsim.ModelFileError, match="failed to reshape runtime"):
            run(graph, x, "xnnpack")


@pytest.mark.parametrize("at", [0, 1])
def test_xnnpack_defines_no_layer_of_codes_with_a_denormal_scale(at):
    scales = [1e-42 if at == place else 0.5 for place in (0, 1)]
    own = [Quantization(f32([scale]), np.int64([0]), 0) for scale in scales]
    weights = np.ones((2, 4), np.int8)
    x = Tensor("x", (1, 4), weights.dtype, None, own[0])
    filters = Tensor("w", (2, 4), weights.dtype, weights, own[1])
    graph = one_operator(
        "FULLY_CONNECTED", [x, filters], [replace(x, shape=(1, 2), quantization=SOUND)]
    )
    for run in litert.run, drqsim.run:
        with pytest.raises(drqsim.ModelFileError, match="unsupported scale"):
            run(graph, weights[:1], "xnnpack")


@pytest.mark.parametrize("wrong", [0, -1, np.inf])
def test_the_scale_that_is_wrong_is_the_one_that_is_told(wrong):
    own = Quantization(f32([0.5, wrong, 0.25]), np.zeros(3, np.int64), 0)
    weights = np.ones((3, 1, 1, 4), np.int8)
    filters = Tensor("w", weights.shape, weights.dtype, weights, own)
    options = WINDOW | {"dilation_h_factor": 1, "dilation_w_factor": 1, "padding": "SAME"}
    graph = one_operator("CONV_2D", [IMAGE, filters, np.zeros(3, f32)], [(1, 4, 4, 3)], **options)
    with pytest.raises(drqsim.ModelFileError, match=f"scale 1 is {wrong:g}; every scale"):
        drqsim.run(graph, np.ones(IMAGE, f32))


@pytest.mark.parametrize("scale", [None, 1e-42])
def test_a_hybrid_layer_without_a_scale_is_no_layer_with_a_denormal_one(scale):
    given = scale and Quantization(f32([scale]), np.int64([0]), 0)
    weights = np.ones((2, 4), np.int8)
    filters = Tensor("w", (2, 4), weights.dtype, weights, given)
    graph = one_operator("FULLY_CONNECTED", [(1, 4), filters], [(1, 2)])
    x = np.ones((1, 4), f32)
    said = "unsupported scale" if scale else "without a scale|int8 with scales"
    with pytest.raises(drqsim.DrqsimError, match=said):
        drqsim.run(graph, x, "xnnpack")
    if scale:
        with pytest.raises(drqsim.ModelFileError, match=said):
            litert.run(graph, x, "xnnpack")
