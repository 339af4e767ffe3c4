"""Full-integer CONV_2D and FULLY_CONNECTED against the runtime, every output code."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drqsim
from drqsim import litert, processor
from drqsim.arithmetic import requantize
from drqsim.graph import Graph, Operator, Tensor
from tests.kit import full_integer
from tests.kit.full_integer import quantized
from tests.kit.one_operator import one_operator
from tests.kit.strategies import KERNELS

f32 = np.float32


LAYERS = [
    (full_integer.convolutions, np.int8),
    (full_integer.convolutions, np.int16),
    (full_integer.dense, np.int8),
    (full_integer.dense, np.int16),
    (full_integer.depthwise, np.int8),
    (full_integer.depthwise, np.int16),
]


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(("layers", "dtype"), LAYERS)
@settings(max_examples=settings().max_examples // 2 + 1)
@given(data=st.data())
def test_every_output_code_is_the_runtime_s(layers, dtype, kernels, data):
    graph, x = data.draw(layers(dtype))
    ours, trace = drqsim.run(graph, x, kernels)
    theirs = litert.run(graph, x, kernels).outputs["y"]
    assert (ours["y"].dtype, ours["y"].shape) == (theirs.dtype, theirs.shape)
    assert np.array_equal(ours["y"], theirs), f"\n{graph}\n{trace}"


def convolution(dtype=np.int8, shape=(2, 9, 9, 7), activation="RELU"):
    """One convolution and its codes, always the same."""
    random = np.random.default_rng(0)
    weights = random.integers(-127, 128, (5, 3, 3, 7), dtype=np.int8)
    scale = random.uniform(1e-3, 1e-2, 5)
    float_layer = drqsim.conv_relu(
        (weights * scale.reshape(-1, 1, 1, 1)).astype(f32), input_shape=shape, activation=activation
    )
    x, filters, bias, y = float_layer.tensors
    s_in, zero = f32(0.02), 0 if dtype == np.int16 else -3
    bias_type = np.int64 if dtype == np.int16 else np.int32
    tensors = (
        replace(x, dtype=np.dtype(dtype), quantization=quantized(s_in, zero)),
        replace(filters, dtype=weights.dtype, value=weights, quantization=quantized(scale)),
        replace(
            bias,
            dtype=np.dtype(bias_type),
            value=random.integers(-900, 900, 5).astype(bias_type),
            quantization=quantized(scale * s_in),
        ),
        replace(
            y,
            dtype=np.dtype(dtype),
            quantization=quantized(0.1 if dtype == np.int8 else 4e-4, zero),
        ),
    )
    return replace(float_layer, tensors=tensors), full_integer.codes(random, "all", x.shape, dtype)


@given(st.floats(2**-40, 2**10))
def test_a_multiplier_is_the_real_number_to_31_bits(real):
    (multiplier, shift) = requantize.quantize_multiplier(np.array([real]))
    error = abs(float(multiplier[0]) * 2.0 ** (int(shift[0]) - 31) - real)
    assert error <= real * 2.0**-31 if real >= 2**-32 else (multiplier[0], shift[0]) == (0, 0)
    assert real < 2**-32 or 2**30 <= multiplier[0]


def test_a_product_just_below_a_half_is_rounded_twice_or_once():
    """2289 * 1741155544 / 2^38 is 14.499; the first rounding makes it 14.5, a tie."""
    by = requantize.Multiplier(np.array([1741155544], np.int32), np.array([-7], np.int32))
    real = np.array([1741155544 / 2**38])
    for sign in (1, -1):
        accumulator = np.array([sign * 2289], np.int32)
        assert requantize.double_rounding(accumulator, by) == sign * 15
        assert requantize.double_rounding_upward(accumulator, by) == (15 if sign > 0 else -14)
        assert requantize.single_rounding_upward(accumulator, by) == sign * 14
        assert requantize.in_float64(accumulator, real) == sign * 14
        assert requantize.in_float32(accumulator, real, 127) == sign * 14


def test_kernel_paths_differ_by_one_step_at_most():
    graph, x = convolution(shape=(4, 40, 40, 7), activation="NONE")
    with processor.using("x86-64"):  # on arm64 the last two are the same
        outputs = {k: drqsim.run(graph, x, k)[0]["y"].astype(int) for k in KERNELS}
    for one, other in (("reference", "optimized"), ("optimized", "xnnpack")):
        apart = np.abs(outputs[one] - outputs[other])
        assert apart.max() == 1 and (apart > 0).mean() < 0.01
    for kernels in KERNELS:
        ours = drqsim.run(graph, x, kernels)[0]["y"]
        assert np.array_equal(ours, litert.run(graph, x, kernels).outputs["y"])


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_codes_become_float_again_around_the_layer(dtype, kernels):
    """QUANTIZE in front and DEQUANTIZE behind: what a converter writes for float inputs."""
    bare, _ = convolution(dtype=dtype)
    x, filters, bias, y = bare.tensors
    ends = [Tensor(n, t.shape, np.dtype(f32)) for n, t in (("x float", x), ("y float", y))]
    graph = Graph(
        (*bare.tensors, *ends),
        (
            Operator("QUANTIZE", "quantize_0", (4,), (0,)),
            *bare.operators,
            Operator("DEQUANTIZE", "dequantize_0", (3,), (5,)),
        ),
        (4,),
        (5,),
    )
    values = np.random.default_rng(3).normal(size=x.shape).astype(f32)
    outputs, trace = drqsim.run(graph, values, kernels)
    real = litert.run(graph, values, kernels).outputs
    assert np.array_equal(outputs["y float"], real["y float"])
    comparison = litert.compare(graph, values, kernels)
    assert comparison.exact and {r.operator for r in comparison.rows} == {
        "quantize_0",
        "conv_2d_0",
        "dequantize_0",
    }
    wanted = "int8 (full integer)" if dtype == np.int8 else "int16 x int8 (full integer)"
    verdicts = drqsim.explain(graph, kernels)
    assert verdicts["conv_2d_0"].arithmetic == wanted
    delegated = kernels == "xnnpack" and dtype == np.int8
    assert verdicts["conv_2d_0"].kernel == (
        "XNNPACK" if delegated else "reference" if kernels == "reference" else "optimized"
    )


def test_the_records_of_a_layer_say_what_happened():
    graph, x = convolution()
    _, trace = drqsim.run(graph, x, "reference")
    seen = {r.name: (str(r).partition("[")[0], r.role, r.stored) for r in trace}
    assert seen == {
        "input": ("int8", "activation", "arena"),
        "filter": ("int8", "constant", "file"),
        "filter_scale": ("float32", "constant", "file"),
        "bias": ("int32", "constant", "file"),
        "output_multiplier": ("int32", "scratch", "heap"),
        "output_shift": ("int32", "scratch", "heap"),
        "accumulator": ("int32", "intermediate", "not stored"),
        "accumulator_with_bias": ("int32", "intermediate", "not stored"),
        "requantized": ("int32", "intermediate", "not stored"),
        "output": ("int8", "activation", "arena"),
    }
    value = {r.name: r.value for r in trace}
    biased = value["accumulator"] + value["bias"]
    assert np.array_equal(biased, value["accumulator_with_bias"])
    real = value["output_multiplier"] * 2.0 ** (value["output_shift"] - 31.0)
    assert np.abs(biased * real - 3 - value["requantized"]).max() <= 0.51
    assert np.array_equal(value["output"], np.clip(value["requantized"], -3, 127))  # RELU


def change(graph, at, **changes):
    tensors = list(graph.tensors)
    tensors[at] = replace(tensors[at], **changes)
    return replace(graph, tensors=tuple(tensors))


def quantized_as(scale, zero_point=0):
    return {"quantization": quantized(scale, zero_point)}


REFUSED = {
    "an input without a scale": (np.int8, 0, {"quantization": None}, "without a scale"),
    "an output of another type": (
        np.int8,
        3,
        {"dtype": np.dtype(f32)},
        "output->type != input_type",
    ),
    "a scale of zero": (np.int8, 3, quantized_as(0), "positive scale"),
    "a zero point past int8": (np.int8, 0, quantized_as(1, 128), "from -128 to 127"),
    "int16 with a zero point": (np.int16, 0, quantized_as(1, 1), "wants 0"),
    "a bias of another type": (
        np.int8,
        2,
        {"dtype": np.dtype(f32), "value": np.zeros(5, f32)},
        r"reads int32\[5\]",
    ),
    "a bias that the options do not say": (
        np.int16,
        2,
        {"dtype": np.dtype(np.int32), "value": np.zeros(5, np.int32)},
        "reads int64",
    ),
    "a float filter": (
        np.int8,
        1,
        {"dtype": np.dtype(f32), "value": np.zeros((5, 3, 3, 7), f32)},
        "int8 one",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_kernel_runs_is_refused(what):
    dtype, at, changes, message = REFUSED[what]
    graph, x = convolution(dtype=dtype)
    with pytest.raises(drqsim.DrqsimError, match=message):
        drqsim.run(change(graph, at, **changes), x, "reference")


def test_an_unknown_type_of_bias_is_refused():
    graph, x = convolution(dtype=np.int16)
    op = graph.operators[0]
    op = replace(op, options={**op.options, "quantized_bias_type": 3})
    with pytest.raises(drqsim.ModelFileError, match="expected INT32 or INT64"):
        drqsim.run(replace(graph, operators=(op,)), x, "reference")


def test_a_large_effective_scale_is_refused_on_the_default_path_only():
    graph, x = convolution()
    graph = change(graph, 3, **quantized_as(1e-7))
    assert drqsim.run(graph, x, "optimized")
    with pytest.raises(drqsim.UnsupportedOperatorError, match="XNNPACK takes only those below 256"):
        drqsim.run(graph, x, "xnnpack")
    with pytest.raises(drqsim.DrqsimError):
        litert.run(graph, x, "xnnpack")


def test_one_scale_for_all_channels_is_multiplied_in_float32():
    """The multiplier of a dense layer; 16 bits of output, so that its last bits show."""
    random = np.random.default_rng(2)
    weights = random.integers(-127, 128, (150, 40), dtype=np.int8)
    x = random.integers(-32768, 32768, (150, 40)).astype(np.int16)
    s_in, s_w, s_out = f32(0.0123), f32(0.0345), f32(0.107)
    bias = np.zeros(150, np.int32)
    int16 = np.dtype(np.int16)
    tensors = (
        Tensor("x", x.shape, int16, None, quantized(s_in)),
        Tensor("filter", weights.shape, weights.dtype, weights, quantized(s_w)),
        Tensor("bias", (150,), bias.dtype, bias, quantized(s_in * s_w)),
        Tensor("y", (150, 150), int16, None, quantized(s_out)),
    )
    graph = one_operator("FULLY_CONNECTED", tensors[:3], tensors[3:], quantized_bias_type=2)
    ours, trace = drqsim.run(graph, x, "optimized")
    assert np.array_equal(ours["y"], litert.run(graph, x, "optimized").outputs["y"])
    accumulator = trace["fully_connected_0/accumulator_with_bias"].value
    in_float64 = np.float64(s_in) * np.float64(s_w) / np.float64(s_out)
    other = requantize.quantize_multiplier(np.array([in_float64]))
    steps = requantize.double_rounding_upward(accumulator, other)
    assert (np.clip(steps, -32768, 32767) != ours["y"]).any()
