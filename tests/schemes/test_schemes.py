"""One layer under six schemes: every output is the runtime's, every number is what it says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.schemes import compare as schemes
from tests.kit.one_operator import UNIT, one_operator, with_options
from tests.kit.strategies import ACTIVATIONS, KERNELS, float_constant

f32 = np.float32
IN_FLOAT = ("float32", "float16 weights", "weight-only int8")


@st.composite
def layers(draw):
    """A float32 layer with a bias, and a generator of inputs for it."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    code = draw(st.sampled_from(sorted(schemes.LAYERS)))
    activation = draw(st.sampled_from(ACTIVATIONS))
    out, depth = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    if code == "CONV_2D":
        weights = random.normal(size=(out, 3, 2, depth)).astype(f32)
        bias = random.normal(size=out).astype(f32)
        padding = draw(st.sampled_from(("SAME", "VALID")))
        layer = drqsim.conv_relu(
            weights, bias, input_shape=(2, 6, 5, depth), padding=padding, activation=activation
        )
        return layer, lambda: random.normal(size=(2, 6, 5, depth)).astype(f32)
    if code == "FULLY_CONNECTED":
        weights, x_shape, y_shape = (out, depth), (3, depth), (3, out)
        options = {}
    else:
        weights, x_shape, y_shape = (1, 3, 3, out), (1, 5, 4, out), (1, 5, 4, out)
        options = dict(padding="SAME", stride_h=1, stride_w=1, depth_multiplier=1)
        options |= dict(dilation_h_factor=1, dilation_w_factor=1)
    filters = float_constant("filter", random.normal(size=weights))
    bias = float_constant("bias", random.normal(size=out))
    options["fused_activation_function"] = activation
    layer = one_operator(code, [x_shape, filters, bias], [y_shape], **options)
    return layer, lambda: random.normal(size=x_shape).astype(f32)


def reach(layer, x):
    """Bound of what the order of a float32 sum can change: its terms' sizes added up."""
    sizes = tuple(
        t if t.value is None else replace(t, value=np.abs(t.value)) for t in layer.tensors
    )
    linear = with_options(layer, fused_activation_function="NONE")
    whole = replace(linear, tensors=sizes)
    (total,) = drqsim.run(whole, np.abs(x))[0].values()
    terms = layer.tensor_of(layer.operators[0], 1).value[0].size + 1
    return total * UNIT * 2 * terms


@pytest.mark.parametrize("kernels", KERNELS)
@given(drawn=layers(), examples=st.integers(0, 3))
def test_every_row_is_what_the_runtime_computes(kernels, drawn, examples):
    layer, make = drawn
    x = make()
    calibration = [make() for _ in range(examples)] or None
    table = schemes.compare_schemes(layer, x, calibration, kernels)
    truth = table["float32"].output.astype(np.float64)
    for row in table:
        (real,) = litert.run(row.graph, x, kernels).outputs.values()
        if row.scheme in IN_FLOAT:
            assert (np.abs(row.output - real) <= reach(layer, x)).all(), row.scheme
        else:
            assert np.array_equal(row.output, real), row.scheme
        error = row.output - truth
        assert row.largest_error == np.abs(error).max()
        assert np.isclose(row.rms_error, np.sqrt((error**2).mean()), rtol=1e-12, atol=0)


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(0)
    weights = random.normal(size=(32, 3, 3, 16)).astype(f32)
    bias = random.normal(size=32).astype(f32)
    layer = drqsim.conv_relu(weights, bias, input_shape=(1, 8, 8, 16))
    return schemes.compare_schemes(layer, random.normal(size=(1, 8, 8, 16)).astype(f32))


# 32 * 3 * 3 * 16 weights and 32 biases; 1024 values in, 2048 out
ROWS = {
    "float32": ("float32", "float32", "float32", False, 4608 * 4 + 128, 3072 * 4, ["CONV_2D"]),
    "float16 weights": (
        "float16",
        "float32",
        "float32",
        False,
        4608 * 2 + 64,
        3072 * 4,
        ["DEQUANTIZE", "DEQUANTIZE", "CONV_2D"],
    ),
    "weight-only int8": (
        "int8",
        "float32",
        "float32",
        False,
        4608 + 128,
        3072 * 4,
        ["DEQUANTIZE", "CONV_2D"],
    ),
    "dynamic range": ("int8", "float32", "int32", False, 4608 + 128, 3072 * 4, ["CONV_2D"]),
    "full-integer int8": (
        "int8",
        "int8",
        "int32",
        True,
        4608 + 128,
        3072,
        ["QUANTIZE", "CONV_2D", "DEQUANTIZE"],
    ),
    "16x8": (
        "int8",
        "int16",
        "int64",
        True,
        4608 + 256,
        3072 * 2,
        ["QUANTIZE", "CONV_2D", "DEQUANTIZE"],
    ),
}


def test_dtypes_and_bytes(table):
    seen = {
        r.scheme: (
            r.weights,
            r.activations,
            r.accumulator,
            r.calibration,
            r.weight_bytes,
            r.activation_bytes,
            list(r.operators),
        )
        for r in table
    }
    assert seen == ROWS
    # the weights that a DEQUANTIZE made lie in memory as float32, on top of the file
    assert table["weight-only int8"].scratch_bytes == 4608 * 4
    assert table["full-integer int8"].scratch_bytes == 32 * 8  # multipliers and shifts


def test_errors_come_in_the_expected_order(table):
    errors = {row.scheme: row.rms_error for row in table}
    assert errors["float32"] == 0
    assert 0 < errors["float16 weights"] < errors["16x8"] < errors["dynamic range"]
    assert errors["dynamic range"] < errors["full-integer int8"]
    # int16 activations add next to nothing to what the weights lost
    assert np.isclose(errors["16x8"], errors["weight-only int8"], rtol=0.01)


def test_calibration_that_saw_too_little_clips():
    random = np.random.default_rng(1)
    weights = random.normal(size=(4, 3, 3, 2)).astype(f32)
    layer = drqsim.conv_relu(weights, input_shape=(1, 6, 6, 2))
    x = random.normal(size=(1, 6, 6, 2)).astype(f32)
    fits, clips = (
        schemes.compare_schemes(layer, x, examples) for examples in ([x], [x / 4, x / 8])
    )
    for scheme in ("full-integer int8", "16x8"):
        assert clips[scheme].rms_error > 5 * fits[scheme].rms_error
    assert clips["dynamic range"].rms_error == fits["dynamic range"].rms_error


def test_it_prints_as_text_and_as_html(table):
    text, html = repr(table), table._repr_html_()
    header, *rows, files = text.splitlines()
    assert header.split() == " ".join(ROWS).split()  # a scheme is a column
    assert "full-integer int8: QUANTIZE, CONV_2D, DEQUANTIZE;" in files
    assert html.count("<th ") == 1 + len(ROWS) and html.count("<tr>") == 1 + len(rows)
    assert all(f">{scheme}</th>" in html for scheme in ROWS)
    sums, calibrated = (
        next(line for line in rows if line.startswith(name)) for name in ("acc", "cal")
    )
    assert sums.split()[1:] == ["float32"] * 3 + ["int32"] * 2 + ["int64"]
    assert calibrated.split()[1:] == ["no"] * 4 + ["yes"] * 2
    assert "18,560" in text
    with pytest.raises(drqsim.InputError, match="No scheme 'int3'"):
        table["int3"]


def test_an_empty_range_and_no_bias():
    filters = float_constant("filter", np.ones((3, 5)))
    layer = one_operator("FULLY_CONNECTED", [(2, 5), filters], [(2, 3)])
    zero = np.zeros((2, 5), f32)
    for row in schemes.compare_schemes(layer, zero):
        assert not row.output.any()


@pytest.mark.parametrize("calibration", [[], [np.zeros((1, 2), f32)]])
def test_calibration_that_does_not_fit_is_refused(calibration):
    layer = drqsim.conv_relu(np.ones((1, 1, 1, 1), f32), input_shape=(1, 2, 2, 1))
    with pytest.raises(drqsim.InputError, match="calibration is empty|got the shape"):
        schemes.compare_schemes(layer, np.zeros((1, 2, 2, 1), f32), calibration)


def test_what_is_no_float_layer_is_refused():
    layer = drqsim.conv_relu(np.ones((1, 1, 1, 1), f32), input_shape=(1, 2, 2, 1))
    x = np.zeros((1, 2, 2, 1), f32)
    with pytest.raises(drqsim.InputError, match="starts from float32"):
        schemes.compare_schemes(drqsim.quantize(layer, min_elements=0), x)
    with pytest.raises(drqsim.InputError, match="expected one float32 operator"):
        schemes.compare_schemes(schemes.weight_only(layer), x)
    with pytest.raises(drqsim.InputError, match="expected int8 or int16"):
        schemes.full_integer(layer, schemes.Range(0, 1), schemes.Range(0, 1), np.int32)
    with pytest.raises(drqsim.InputError, match="no float32 scale"):
        schemes.full_integer(layer, schemes.Range(0, 1e-40), schemes.Range(0, 1))
    fed = replace(layer.tensors[1], value=None)
    tensors = (layer.tensors[0], fed, *layer.tensors[2:])
    with pytest.raises(drqsim.UnsupportedOperatorError, match="no constant weights"):
        schemes.compare_schemes(replace(layer, tensors=tensors, inputs=(0, 1)), {"x": x})


def test_scales_and_zero_points_by_hand():
    """[-0.51515, 1] in 255 steps: zero lies 86.7 steps above -128."""
    layer = drqsim.conv_relu(
        np.full((1, 1, 1, 1), 0.5, f32), np.ones(1, f32), input_shape=(1, 1, 1, 1)
    )
    seen = schemes.Range(-0.51515, 1), schemes.Range(0.5, 2.55)
    tensors = {t.name: t for t in schemes.full_integer(layer, *seen).tensors}
    source, target = tensors["x int8"].quantization, tensors["y int8"].quantization
    assert (source.scale[0], source.zero_point[0]) == (f32(1.51515 / 255), -41)
    assert (target.scale[0], target.zero_point[0]) == (f32(0.01), -128)
    step = np.float64(source.scale[0]) * np.float64(tensors["filter"].quantization.scale[0])
    assert tensors["bias"].value[0] == round(1 / step)
    wide = {t.name: t for t in schemes.full_integer(layer, *seen, np.int16).tensors}
    quantization = wide["x int16"].quantization
    assert (quantization.scale[0], quantization.zero_point[0]) == (f32(1 / 32767), 0)
    assert wide["bias"].dtype == np.int64
