"""MAX_POOL_2D, MEAN and SOFTMAX of int8 and int16 codes against the runtime, every output code."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.arithmetic import fixed_point, requantize
from drqsim.arithmetic.window import axis
from drqsim.graph import Quantization, Tensor
from tests.kit.full_integer import codes, quantized
from tests.kit.one_operator import one_operator
from tests.kit.strategies import ACTIVATIONS, KERNELS

f32, i8, i32 = np.float32, np.dtype(np.int8), np.dtype(np.int32)
KINDS = ("all", "all", "ends", "few", "constant")


def graph(code, x_shape, y_shape, ends, options, axes=None, dtype=i8):
    """One operator that reads and writes codes, and maybe a constant of axes."""
    sides = zip("xy", (x_shape, y_shape), ends, strict=True)
    x, y = (Tensor(name, shape, np.dtype(dtype), None, end) for name, shape, end in sides)
    reads = [x] if axes is None else [x, np.array(axes, i32)]
    return one_operator(code, reads, [y], **options)


def zero_points(dtype):
    """Those of int16 are 0."""
    return st.sampled_from((0, -128, 127, 5)) if dtype == np.int8 else st.just(0)


@st.composite
def max_pools(draw, dtype):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kernel = draw(st.sampled_from(((1, 1), (2, 2), (3, 2), (4, 4))))
    stride = draw(st.sampled_from(((1, 1), (2, 2), (1, 3))))
    padding = draw(st.sampled_from(("SAME", "VALID")))
    x_shape = (draw(st.integers(1, 2)), *(k + draw(st.integers(0, 5)) for k in kernel), 5)
    rows, cols = (axis(x_shape[1 + a], kernel[a], stride[a], 1, padding) for a in (0, 1))
    # with the last three a bound lies halfway between two codes, which XNNPACK rounds to even
    scale = draw(st.sampled_from((random.uniform(1e-2, 1), 12, 2.4, 4 / 3)))
    end = quantized(scale, draw(zero_points(dtype)))
    options = {
        "padding": padding,
        "stride_h": stride[0],
        "stride_w": stride[1],
        "filter_height": kernel[0],
        "filter_width": kernel[1],
        "fused_activation_function": draw(st.sampled_from(ACTIVATIONS)),
    }
    y_shape = (x_shape[0], rows.out, cols.out, 5)
    x = codes(random, draw(st.sampled_from(KINDS)), x_shape, dtype)
    return graph("MAX_POOL_2D", x_shape, y_shape, (end, end), options, dtype=dtype), x


@st.composite
def means(draw, dtype):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x_shape = tuple(draw(st.lists(st.integers(1, 7), min_size=1, max_size=4)))
    axes = draw(st.sets(st.integers(0, len(x_shape) - 1), min_size=1))
    # the mean over height and width that keeps them has a kernel of its own: see below
    keep = draw(st.booleans()) and not (len(x_shape) == 4 and axes == {1, 2})
    kept = [1 if a in axes else n for a, n in enumerate(x_shape)]
    y_shape = tuple(kept if keep else [n for a, n in enumerate(x_shape) if a not in axes])
    s_in = random.uniform(1e-3, 1e-1)
    s_out = s_in * draw(st.sampled_from((1, 1, 0.1, 3, 1e-3))) * random.uniform(0.5, 1)
    zeros = [draw(zero_points(dtype)) for _ in "io"]
    ends = quantized(s_in, zeros[0]), quantized(s_out, zeros[1])
    x = codes(random, draw(st.sampled_from(KINDS)), x_shape, dtype)
    return graph("MEAN", x_shape, y_shape, ends, {"keep_dims": keep}, sorted(axes), dtype), x


@st.composite
def softmaxes(draw, dtype):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (*draw(st.lists(st.integers(1, 3), max_size=2)), draw(st.integers(1, 40)))
    scale = draw(st.sampled_from((1e-4, 1e-2, 0.08, 0.3, 2.0))) * random.uniform(0.5, 2)
    scale *= 1 if dtype == np.int8 else 1 / 256
    end = quantized(1 / 256, -128) if dtype == np.int8 else quantized(1 / 32768)
    ends = quantized(scale, draw(zero_points(dtype))), end
    options = {"beta": draw(st.sampled_from((1.0, 1.0, 0.3, 7.0)))}
    x = codes(random, draw(st.sampled_from(KINDS)), shape, dtype)
    return graph("SOFTMAX", shape, shape, ends, options, dtype=dtype), x


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("dtype", [np.int8, np.int16])
@pytest.mark.parametrize("operators", [max_pools, means, softmaxes])
@given(data=st.data())
def test_every_output_code_is_the_runtime_s(operators, dtype, kernels, data):
    model, x = data.draw(operators(dtype))
    ours = drqsim.run(model, x, kernels)[0]["y"]
    theirs = litert.run(model, x, kernels).outputs["y"]
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    assert np.array_equal(ours, theirs), (model.operators[0].options, x, ours, theirs)


def test_the_mean_with_a_kernel_of_its_own_is_refused():
    ends = quantized(0.1), quantized(0.1)
    model = graph("MEAN", (1, 3, 3, 2), (1, 1, 1, 2), ends, {"keep_dims": True}, (1, 2))
    x = np.ones((1, 3, 3, 2), np.int8)
    with pytest.raises(drqsim.UnsupportedOperatorError, match="code of its own"):
        drqsim.run(model, x, "optimized")
    for kernels in ("reference", "xnnpack"):
        ours = drqsim.run(model, x, kernels)[0]["y"]
        assert np.array_equal(ours, litert.run(model, x, kernels).outputs["y"])


@given(st.lists(st.floats(-31.9, 0), min_size=1))
def test_exp_in_fixed_point_is_close_to_exp(values):
    """26 bits come in and 31 go out, over a series of four terms: six digits."""
    raw = np.round(np.array(values) * 2.0**26).astype(np.int64)
    ours = fixed_point.exp_of_negative(raw) / 2.0**31
    assert np.allclose(ours, np.exp(raw / 2.0**26), rtol=0, atol=2e-6)


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1))
def test_the_reciprocal_in_fixed_point_is_close_to_it(raw):
    ours = fixed_point.reciprocal_of_one_plus(np.array(raw)) / 2.0**31
    assert np.allclose(ours, 1 / (1 + np.array(raw) / 2.0**31), rtol=0, atol=1e-7)


NO_SCALE = Quantization(np.ones(2, f32), np.zeros(2, np.int64))


@pytest.mark.parametrize(
    ("code", "ends", "options", "message"),
    [
        ("SOFTMAX", (quantized(1), quantized(1 / 256)), {}, "zero point -128"),
        ("SOFTMAX", (quantized(1), quantized(1 / 200, -128)), {}, "must be 1/256"),
        ("SOFTMAX", (quantized(1e-9), quantized(1 / 256, -128)), {}, "kernel stops"),
        ("MEAN", (None, quantized(1)), {}, "without a scale"),
        ("MEAN", (quantized(1), NO_SCALE), {}, "without a scale"),
    ],
)
def test_what_the_kernels_do_not_take_is_refused(code, ends, options, message):
    axes = (0,) if code == "MEAN" else None
    model = graph(code, (2, 2), (2,) if axes else (2, 2), ends, options, axes)
    with pytest.raises(drqsim.DrqsimError, match=message):
        drqsim.run(model, np.ones((2, 2), np.int8), "reference")


def test_the_constants_are_powers_of_e():
    made = [round(np.exp(-(2.0**k)) * 2**31) for k in range(-2, 5)]
    assert list(fixed_point.POWERS) == made


def test_the_multiplier_of_a_mean_is_cut_not_rounded():
    """16 bits of output and many of them, so that the last bit of the multiplier shows."""
    random = np.random.default_rng(0)
    x = random.integers(-32768, 32768, (7, 600_000)).astype(np.int16)
    ends = quantized(0.9), quantized(0.73)
    model = graph("MEAN", x.shape, x.shape[1:], ends, {"keep_dims": False}, (0,), np.int16)
    ours = drqsim.run(model, x, "reference")[0]["y"]
    assert np.array_equal(ours, litert.run(model, x, "reference").outputs["y"])
    by = requantize.quantize_multiplier(np.float64(f32(0.9)) / np.float64(f32(0.73)))
    rounded = requantize.Multiplier(np.int32(round((int(by.multiplier) << 2) / 7)), by.shift - 2)
    other = requantize.double_rounding(x.sum(axis=0, dtype=np.int32), rounded)
    assert (np.clip(other, -32768, 32767) != ours).any()


@pytest.mark.parametrize("kernels", KERNELS)
def test_a_bound_past_int32_is_refused_where_the_runtime_leaves_it_unset(kernels):
    options = {"filter_height": 1, "filter_width": 1, "stride_h": 1, "stride_w": 1}
    options |= {"padding": "VALID", "fused_activation_function": "RELU6"}
    end = quantized(1e-9, 0)
    layer = graph("MAX_POOL_2D", (1, 1, 1, 1), (1, 1, 1, 1), (end, end), options)
    x = np.int8([[[[5]]]])
    if kernels == "xnnpack":
        assert litert.compare(layer, x, kernels).exact
        return
    with pytest.raises(drqsim.ModelFileError, match="a bound of RELU6 is past int32"):
        drqsim.run(layer, x, kernels)
