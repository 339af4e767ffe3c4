"""What `book/what-the-documentation-says.md` says that the runtime does: one test for each row.

The name after ``test_`` is the row's id on the page. Where it can be had, the evidence is behavior
alone: how an output answers to a change of the input, on every kernel path. The runtime is asked
directly; the simulator only writes the models, so that a test that fails tells of the runtime.
"""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert, processor
from drqsim.runtime.native import interpreter
from tests.kit.converted import FILES, made_int8
from tests.kit.one_operator import with_options
from tests.kit.places import GOLDEN, MODELS
from tests.kit.plain_layers import (
    DRQ,
    OPERATORS,
    as_float,
    codes_see,
    conv,
    convolution,
    dense,
    grid,
    image,
    int8,
    louder,
    matmul,
    normal,
    nudged,
    output,
    read_first_convolution,
    steps_apart,
    transposed,
    weights,
)
from tests.kit.strategies import KERNELS

f32 = np.float32

BUILTIN = ("reference", "optimized")


# What is stored


@pytest.mark.parametrize("kernels", BUILTIN)
def test_activations_are_float32(kernels):
    graph = drqsim.load(DRQ)
    runtime = interpreter(DRQ.read_bytes(), kernels)
    runtime.allocate_tensors()
    details = {d["index"]: d for d in runtime.get_tensor_details()}
    between = [i for i, tensor in enumerate(graph.tensors) if tensor.value is None]
    assert len(between) > len(graph.operators)  # the input, and an output of each operator
    for index in between:
        assert details[index]["dtype"] == np.float32
        assert details[index]["quantization_parameters"]["scales"].size == 0
    scratch = {np.dtype(d["dtype"]).name for i, d in details.items() if i >= len(graph.tensors)}
    assert {"int8", "int32"} <= scratch


def test_codes_are_passed_on_and_never_computed_with():
    passes_on = {
        "GATHER",
        "RESHAPE",
        "STRIDED_SLICE",
        "REDUCE_MAX",
    }  # each leaves the codes as they are
    seen = set()
    for case, tool in made_int8():
        graph = drqsim.load(FILES[f"{case}/{tool}"])
        for op in graph.operators:
            read, written = (graph.tensors[i] for i in (op.inputs[0], op.outputs[0]))
            if written.dtype == np.int8:
                assert op.code in passes_on and read.dtype == np.int8
                assert np.array_equal(read.quantization.scale, written.quantization.scale)
                seen.add(op.code)
            elif read.dtype == np.int8 and read.value is None:
                assert op.code == "DEQUANTIZE"  # what computes is given floats
    assert seen == passes_on


@pytest.mark.parametrize("kernels", BUILTIN)
def test_input_intermediate_and_output_are_float32(kernels):
    details = {}
    for name in ("digits_drq", "digits_int8"):
        runtime = interpreter((MODELS / f"{name}.tflite").read_bytes(), kernels)
        runtime.allocate_tensors()
        graph = drqsim.load(MODELS / f"{name}.tflite")
        between = graph.operators[1].outputs
        found = [runtime.get_tensor_details()[i] for i in (*graph.inputs, *between, *graph.outputs)]
        details[name] = {(d["dtype"], d["quantization_parameters"]["scales"].size) for d in found}
    assert details == {"digits_drq": {(np.float32, 0)}, "digits_int8": {(np.int8, 1)}}


@pytest.mark.parametrize("kernels", BUILTIN)
def test_outputs_take_four_times_the_bytes_of_int8(kernels):
    read = {}
    for name in ("digits_drq", "digits_int8"):
        graph = drqsim.load(MODELS / f"{name}.tflite")
        layer = next(op for op in graph.operators if op.name == "conv_2d_1")
        image = np.zeros(graph.tensors[graph.inputs[0]].shape, graph.tensors[graph.inputs[0]].dtype)
        read[name] = litert.run(graph, image, kernels).tensors[layer.outputs[0]].value
    assert read["digits_drq"].shape == read["digits_int8"].shape
    assert read["digits_drq"].nbytes == 4 * read["digits_int8"].nbytes


@pytest.mark.parametrize("kernels", KERNELS)
def test_float_before_the_activation_function(kernels):
    x = normal(1, 6, 6, 8)
    before = output(conv(x), x, kernels)
    assert before.dtype == np.float32 and before.min() < 0
    assert np.array_equal(np.maximum(before, 0), output(conv(x, activation="RELU"), x, kernels))


def test_memory_of_activations_is_the_same():
    float_layer = drqsim.load(MODELS / "digits_float.tflite").extract("conv_2d_1")
    drq_layer = drqsim.load(DRQ).extract("conv_2d_1")
    x = normal(*float_layer.tensors[float_layer.inputs[0]].shape)

    def nbytes(graph, kernels):
        run = litert.run(graph, x, kernels)
        fed = [t for i, t in enumerate(run.tensors[: len(graph.tensors)]) if i not in graph.inputs]
        kept = [t for t in fed if graph.tensors[t.index].value is None]
        return sum(t.value.nbytes for t in kept), sum(t.value.nbytes for t in run.scratch)

    for kernels in BUILTIN:
        assert nbytes(float_layer, kernels)[0] == nbytes(drq_layer, kernels)[0]
    assert nbytes(float_layer, "reference")[1] == 0 < nbytes(drq_layer, "reference")[1]
    # the optimized float kernel unfolds its input in float32, the hybrid one in int8
    assert nbytes(float_layer, "optimized")[1] > nbytes(drq_layer, "optimized")[1]


# What is computed


def test_int8_times_int8_into_int32():
    x = normal(1, 5, 5, 8)
    layer = conv(x, size=1)
    scratch = litert.run(layer, x, "optimized").scratch
    (codes,) = [t.value for t in scratch if t.dtype == np.int8 and t.shape == x.shape]
    sums = [t.value for t in scratch if t.dtype == np.int32]
    expected = codes.reshape(25, 8).astype(np.int32) @ layer.tensors[1].value.reshape(4, 8).T
    # the accumulator is declared [channels, pixels] and stored pixel by pixel
    assert any(np.array_equal(t.ravel(), expected.ravel()) for t in sums)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_not_int8_times_float32(operator, kernels):
    build, shape = OPERATORS[operator]
    x = grid(*shape)
    assert not np.array_equal(x, nudged(x))
    assert not codes_see(build(x), x, kernels)
    # and float weights of the same values do see the change
    assert operator != "conv" or codes_see(as_float(build(x)), x, kernels)


@pytest.mark.parametrize("kernels", KERNELS)
def test_weights_stay_int8(kernels):
    x = normal(1, 5, 7, 8)
    layer = conv(x)
    run = litert.run(layer, x, kernels)
    filters = [t for t in run.tensors if np.prod(t.shape) == layer.tensors[1].value.size]
    assert filters and all(t.dtype == np.int8 for t in filters)
    floats = output(as_float(layer), x, kernels)
    apart = np.abs(run.outputs["y"] - floats).max() / np.abs(floats).max()
    assert 1e-4 < apart < 0.05  # rounding of float32 alone gives 1e-6


@pytest.mark.parametrize("kernels", BUILTIN)
def test_dequantized_once_without_a_hybrid_kernel(kernels):
    path = MODELS / "digits_weight_only.tflite"
    graph = drqsim.load(path)
    dequantize = next(op for op in graph.operators if op.code == "DEQUANTIZE")
    source, made = graph.tensor_of(dequantize, 0), dequantize.outputs[0]
    runtime = interpreter(path.read_bytes(), kernels)
    runtime.allocate_tensors()
    runtime.set_tensor(graph.inputs[0], image())
    runtime.invoke()
    scale = source.quantization.scale.reshape(
        [-1 if axis == source.quantization.axis else 1 for axis in range(source.value.ndim)]
    )
    assert np.array_equal(runtime.get_tensor(made), source.value.astype(f32) * scale)
    runtime.tensor(made)()[...] = 0  # what is kept is read again, not made again
    runtime.invoke()
    assert not runtime.get_tensor(made).any()


@pytest.mark.parametrize("kernels", KERNELS)
def test_transposed_convolution_sums_float32(kernels):
    x = np.abs(normal(1, 4, 4, 2048))
    filters = weights(4, 1, 1, 2048, scales=4)
    np.abs(filters.value, out=filters.value)
    graphs = {"conv": convolution(x, filters), "transposed": transposed(x, filters)}
    if kernels in BUILTIN:  # whole numbers are scaled once, at the end: a rounding or two
        assert steps_apart(output(graphs["conv"], x, kernels), graphs, x) <= 1
    away = steps_apart(output(graphs["transposed"], x, kernels), graphs, x)
    # arm64 rounds a product and its sum at once
    expected = 40 if processor.of().neon else 39
    assert round(away) == expected if kernels in BUILTIN else away <= 2


# How the input is quantized


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_range_includes_zero(operator, kernels):
    build, shape = OPERATORS[operator]
    x = grid(*shape, low=128, high=255)  # from 0 to 255: the scale 1; from 128: about half of it
    assert not codes_see(build(x), x, kernels)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_scale_per_image_or_row(operator, kernels):
    build, shape = OPERATORS[operator]
    x = normal(2, *shape[1:])
    quiet_one, loud_one = (output(build(x), v, kernels) for v in (x, louder(x, (1,))))
    assert np.array_equal(quiet_one[0], loud_one[0])
    assert not np.array_equal(quiet_one[1], loud_one[1])


@pytest.mark.parametrize(
    ("kernels", "size", "stride", "alone"),
    [
        ("xnnpack", 3, 1, False),
        ("xnnpack", 1, 1, True),
        ("xnnpack", 1, 2, False),
        ("optimized", 3, 1, False),
        ("optimized", 1, 1, False),
    ],
)
def test_convolution_has_no_scale_per_row(kernels, size, stride, alone):
    x = normal(1, 6, 6, 8)
    layer = conv(x, size, stride=stride)
    loud = louder(x, (0, 0, 0))  # one pixel in the corner; look at what does not read it
    quiet_one, loud_one = (output(layer, v, kernels)[0, 2:] for v in (x, loud))
    assert np.array_equal(quiet_one, loud_one) == alone


@pytest.mark.parametrize("kernels", KERNELS)
def test_not_always_asymmetric(kernels):
    x = grid(1, 4, 4, 8, low=0, high=255)  # asymmetric: the scale 1; symmetric: twice as wide
    assert not codes_see(conv(x, scales=4), x, kernels)
    assert codes_see(conv(x, scales=1), x, kernels) == (kernels in BUILTIN)
    x = grid(3, 16, low=0, high=255)
    assert not codes_see(dense(x), x, kernels)
    assert codes_see(dense(x, asymmetric=False), x, kernels) == (kernels in BUILTIN)


@pytest.mark.parametrize("kernels", KERNELS)
def test_xnnpack_ignores_the_flag(kernels):
    x = np.abs(normal(3, 16))
    one, other = (output(dense(x, asymmetric=flag), x, kernels) for flag in (True, False))
    assert np.array_equal(one, other) == (kernels == "xnnpack")


# Weights, bias, file


def test_minus_128_is_not_refused():
    x = -np.abs(normal(1, 32))
    values = weights(4, 32).value
    values[:, :4] = -128
    graph = dense(x, int8(values, f32([0.01, 0.02, 0.03, 0.04]), 0), asymmetric=False)
    wrong, right = (output(graph, x, kernels) for kernels in ("optimized", "xnnpack"))
    far = np.abs(wrong - right).max() > 0.3 * np.abs(right).max()
    assert far == (not processor.of().neon)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(
    ("build", "shape", "axis"),
    [(dense, (4, 16), 0), (matmul, (16, 4), 1), (transposed, (4, 1, 1, 8), 0)],
)
def test_per_channel_beyond_convolutions(build, shape, axis, kernels):
    filters = weights(*shape, scales=4, axis=axis)
    doubled = filters.quantization.scale * f32([1, 2, 1, 1])
    x = normal(1, 4, 4, 8) if build is transposed else normal(3, 16)
    once, twice = (
        output(build(x, int8(filters.value, scale, axis)), x, kernels)
        for scale in (filters.quantization.scale, doubled)
    )
    assert np.array_equal(twice, once * f32([1, 2, 1, 1])) and once.any()


@pytest.mark.parametrize("kernels", KERNELS)
def test_bias_is_float32(kernels):
    layer = drqsim.load(DRQ).extract("conv_2d_1")
    bias = layer.tensor_of(layer.operators[0], 2)
    assert bias.dtype == np.float32 and bias.quantization is None
    whole = replace(bias, value=(bias.value * 2**20).astype(np.int32), dtype=np.dtype(np.int32))
    tensors = tuple(whole if tensor is bias else tensor for tensor in layer.tensors)
    x = normal(*layer.tensors[layer.inputs[0]].shape)
    with pytest.raises(drqsim.ModelFileError):
        litert.run(replace(layer, tensors=tensors), x, kernels)


def test_exactly_1024_is_quantized():
    made = np.load(GOLDEN / "converter_weights.npz")
    for layer in ("conv", "dense", "depthwise"):
        assert made[f"{layer}_1023/stayed_float"] and made[f"{layer}_1023/float"].size == 1023
        assert not made[f"{layer}_1024/stayed_float"] and made[f"{layer}_1024/int8"].size == 1024


def test_a_file_is_less_than_4_times_smaller():
    ratio = (MODELS / "digits_float.tflite").stat().st_size / DRQ.stat().st_size
    assert 2.9 < ratio < 3.0


# Which kernels run


@pytest.mark.parametrize("operator", ["conv", "dense", "depthwise"])
def test_an_int8_depthwise_layer_leaves_the_delegate(operator):
    build, shape = OPERATORS[operator]
    layer = build(normal(*shape))
    assert litert.delegated(as_float(layer))
    assert bool(litert.delegated(layer)) == (operator != "depthwise")


def test_xnnpack_is_on():
    runtime = interpreter(DRQ.read_bytes(), "xnnpack", preserve=False)
    runtime.allocate_tensors()
    assert any(op["op_name"] == "DELEGATE" for op in runtime._get_ops_details())
    assert "conv_2d_1" in litert.delegated(DRQ)


@pytest.mark.parametrize("operator", OPERATORS)
def test_xnnpack_takes_four_operators(operator):
    build, shape = OPERATORS[operator]
    assert bool(litert.delegated(build(normal(*shape)))) == (operator != "depthwise")


@pytest.mark.parametrize("kernels", KERNELS)
def test_fused_tanh_is_left_out(kernels):
    x = normal(1, 6, 6, 8)
    plain = conv(x)
    fused = with_options(plain, fused_activation_function="TANH")
    without = output(plain, x, "optimized" if kernels == "xnnpack" else kernels)
    assert np.array_equal(output(fused, x, kernels), without)
    assert np.abs(without).max() > 1
    x = normal(3, 16)  # the dense layer does what its option says
    assert np.abs(output(dense(x, activation="TANH"), x, kernels)).max() <= 1


# What can be read


def test_preserving_keeps_the_delegate():
    runtime = interpreter(DRQ.read_bytes(), "xnnpack", preserve=True)
    runtime.allocate_tensors()
    assert any(op["op_name"] == "DELEGATE" for op in runtime._get_ops_details())


@pytest.mark.parametrize("kernels", KERNELS)
def test_intermediate_results_can_be_read(kernels):
    first = drqsim.load(DRQ).extract("conv_2d_0")
    true = output(first, image(), kernels)
    assert np.array_equal(read_first_convolution(kernels, preserve=True), true)
    if kernels == "xnnpack":
        with pytest.raises(ValueError, match="null"):
            read_first_convolution(kernels, preserve=False)
    else:
        assert not np.array_equal(read_first_convolution(kernels, preserve=False), true)
