"""The exercises: right answers pass, each known wrong one fails with its own hint, nothing crashes.

The functions here are written as a reader would, without what the judge itself uses.
"""

import subprocess
import sys

import numpy as np
import pytest

import drqsim
from drqsim.exercises import cases, catalogue
from drqsim.exercises.catalogue import EXERCISES

f32 = np.float32


def text_of(judged):
    """What is printed, with its line breaks undone."""
    lines = str(judged).splitlines()
    assert max(map(len, lines)) <= 70
    return " ".join(str(judged).split())


def away(v):
    return np.copysign(np.floor(np.abs(v) + 0.5), v)


def scale(weights):
    return np.abs(weights).max(axis=(1, 2, 3)) / f32(127)


def zero_point(x, rounded=away):
    low, high = min(x.min(), f32(0)), max(x.max(), f32(0))
    if low == high:
        return f32(1), 0
    exact = np.float64(high - low) / 255
    return f32(exact), int(rounded(-128 - low / exact))


def symmetric(x):
    return np.abs(x).max() / f32(127), 0


def quantize(x, scale, zero_point, rounded=away):
    steps = rounded(x * f32(1 / np.float64(scale)))
    return np.clip(steps + zero_point, -128, 127).astype(np.int8)


def accumulator_range(filter, zero_point):
    w = filter.reshape(len(filter), -1).astype(int)
    up, down = np.maximum(w, 0).sum(axis=1), np.minimum(w, 0).sum(axis=1)
    low, high = -128 - zero_point, 127 - zero_point
    return up * low + down * high, up * high + down * low


def dequantize(acc, input_scale, filter_scale, bias):
    return acc.astype(f32) * (filter_scale * input_scale) + bias


def unfold(image, border):
    """[height, width, 3, 3, in] of one image."""
    height, width, _ = image.shape
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), constant_values=border)
    windows = [padded[i : i + 3, j : j + 3] for i in range(height) for j in range(width)]
    return np.stack(windows).reshape(height, width, 3, 3, -1)


def conv(x, filter, filter_scale, bias, measure=zero_point, rounded=away, border=None,
         corrects=True, last=dequantize, relu=True):  # fmt: skip
    y = []
    for image in x:
        s, z = measure(image)
        codes = quantize(image, s, z, rounded).astype(np.int32)
        windows = unfold(codes, z if border is None else border)
        counted = windows - z if corrects else windows
        acc = np.tensordot(counted, filter.astype(np.int32), ([2, 3, 4], [1, 2, 3]))
        result = last(acc, s, filter_scale, bias)
        y.append(np.maximum(result, f32(0)) if relu else result)
    return np.stack(y)


RIGHT = {f.__name__: f for f in (scale, zero_point, quantize, accumulator_range, conv, dequantize)}


def float_matmul(x, filter, filter_scale, bias):
    weights = filter * filter_scale[:, None, None, None]
    y = [np.tensordot(unfold(image, 0), weights, ([2, 3, 4], [1, 2, 3])) for image in x]
    return np.maximum(np.stack(y) + bias, f32(0))


def matmul_of_dequantized(x, filter, filter_scale, bias):
    approximate = []
    for image in x:
        s, z = zero_point(image)
        approximate.append((quantize(image, s, z).astype(f32) - z) * s)
    return float_matmul(np.stack(approximate), filter, filter_scale, bias)


def bound_of_products(filter, zero_point):
    most = np.full(len(filter), filter[0].size * 255 * 127)
    return -most, most


def bias_in_codes(acc, s_x, s_w, bias):
    return (acc + away(bias / (s_x * s_w))).astype(f32) * (s_x * s_w)


def conv_with(**mistake):
    return lambda *arguments: conv(*arguments, **mistake)


WRONG = [
    ("scale", lambda w: np.abs(w).max().reshape(1) / f32(127), "per-tensor"),
    ("scale", lambda w: w.max(axis=(1, 2, 3)) / f32(127), "largest size that counts"),
    ("scale", lambda w: np.abs(w).max(axis=(1, 2, 3)) / f32(128), "by 127, not by 128"),
    ("scale", lambda w: np.ptp(w, axis=(1, 2, 3)) / f32(255), "asymmetric rule"),
    ("zero_point", symmetric, "quantized symmetrically"),
    ("zero_point", lambda x: zero_point(x, np.rint), "half to even"),
    ("zero_point", lambda x: (zero_point(x)[0], zero_point(x)[1] + 128), "one of uint8"),
    ("quantize", lambda x, s, z: quantize(x, s, z, np.round), "half to even"),
    ("quantize", lambda x, s, z: quantize(x, s, 0), "zero point was not added"),
    ("quantize", lambda x, s, z: quantize(x, s, z, np.trunc), "fraction was cut off"),
    ("quantize", lambda x, s, z: quantize(x, s, z).astype(int), "codes is int64; expected int8"),
    ("accumulator_range", lambda w, z: accumulator_range(w, 0), "correction was forgotten"),
    ("accumulator_range", bound_of_products, "they are not reached"),
    ("accumulator_range", lambda w, z: accumulator_range(w, z)[::-1], "lesser of"),
    ("conv", float_matmul, "float matmul in disguise"),
    ("conv", matmul_of_dequantized, "all results are right but for the last bits"),
    ("conv", conv_with(measure=symmetric), "quantized symmetrically"),
    ("conv", conv_with(border=0), "padding was filled with the code 0"),
    ("conv", conv_with(rounded=np.rint), "half to even"),
    ("conv", conv_with(corrects=False), "zero-point correction was forgotten"),
    ("conv", conv_with(corrects=False, border=0), "forgotten twice"),
    ("conv", conv_with(last=bias_in_codes), "bias was quantized"),
    ("conv", conv_with(last=lambda acc, s_x, s_w, b: acc.astype(f32) * s_w * s_x + b), "reference"),
    ("conv", conv_with(last=lambda acc, s_x, s_w, b: acc.astype(f32) * s_x * s_w + b), "XNNPACK's"),
    ("conv", conv_with(relu=False), "ReLU is missing"),
    ("dequantize", bias_in_codes, "bias was quantized"),
    ("dequantize", lambda a, s_x, s_w, b: a.astype(f32) * s_x * s_w + b, "XNNPACK's"),
    ("dequantize", lambda a, s_x, s_w, b: a * (s_w * s_x) + b, "y is float64; expected float32"),
]


@pytest.mark.parametrize("name", EXERCISES)
def test_right_answers_pass(name):
    for seed in range(5):
        judged = drqsim.check(name, RIGHT[name], cases=100, seed=seed)
        assert judged.passed, judged
        assert judged.failed == 0
    assert str(judged) == f"{name}: passed 100 random cases."


@pytest.mark.parametrize(("name", "function", "hint"), WRONG)
def test_wrong_answers_get_their_hint(name, function, hint):
    for seed in range(3):
        judged = drqsim.check(name, function, seed=seed)
        assert not judged.passed
        assert hint in text_of(judged).partition("Hint: ")[2]
        assert len(str(judged).splitlines()) <= 18


@pytest.mark.parametrize("name", EXERCISES)
def test_every_known_wrong_answer_is_told_from_the_others(name):
    for wrong, hint in EXERCISES[name].wrong:
        judged = drqsim.check(name, wrong)
        assert text_of(judged).endswith(f"Hint: {hint}")


def test_the_answer_is_the_runtimes():
    """The judge's convolution is drqsim's, which the runtime confirms on the same case."""
    rng = np.random.default_rng(0)
    for at in range(20):
        (x, filter, filter_scale, bias), (y,) = EXERCISES["conv"].case(rng, at)
        layer = drqsim.conv_relu(filter, bias, input_shape=x.shape, filter_scale=filter_scale)
        (real,) = drqsim.litert.run(layer, x, "optimized").outputs.values()
        assert np.array_equal(real, y)


def test_the_same_seed_draws_the_same_cases():
    first, again, other = (str(drqsim.check("conv", float_matmul, seed=s)) for s in (1, 1, 2))
    assert first == again != other


def test_arguments_are_copies():
    def spoils(x, s, z):
        x[:] = 0
        return x.astype(np.int8)

    def untouched(x, s, z):
        return np.zeros(x.shape, np.int8)

    assert str(drqsim.check("quantize", spoils)) == str(drqsim.check("quantize", untouched))


@pytest.mark.parametrize(
    ("name", "function"),
    [(name, getattr(cases, name, cases.sum_range)) for name in EXERCISES],
)
def test_functions_with_mistakes_are_right_without(name, function):
    assert drqsim.check(name, function).passed


def test_an_error_in_the_function_is_one_sentence():
    def broken(weights):
        return weights.max(axis=7)

    def helper(weights):
        return np.reshape(weights, (7, -1, 11))

    text = text_of(drqsim.check("scale", broken))
    assert text.startswith("scale: case 1 of 50 stopped. Your function raised AxisError: ")
    assert text.endswith(": return weights.max(axis=7))")
    # the line of the reader, not the one in NumPy
    assert "return np.reshape(weights, (7, -1, 11)))" in text_of(drqsim.check("scale", helper))
    assert "takes 1 positional argument" in text_of(drqsim.check("conv", broken))
    assert not drqsim.check("scale", broken).passed


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "returned nothing; end it with a return of scale"),
        ([[1], [1, 2]], "returned a list that makes no array"),
        ((f32(1), 0), "results returned: 2; expected 1: scale"),
        ("text", "the shape of scale is []; expected [2]"),
        (np.zeros(2, complex), "scale is complex128; expected float32"),
        (np.full(2, np.nan, f32), "largest weight in size, over 127"),
        (np.zeros(0, f32), "the shape of scale is [0]"),
        (iter([1]), "the shape of scale is []"),
    ],
)
def test_odd_results_are_told(returned, said):
    judged = drqsim.check("scale", lambda weights: returned)
    assert not judged.passed
    assert said in text_of(judged)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("convolution", conv), "no exercise 'convolution'; expected one of scale, zero_point"),
        (("conv", 3), "pass the function itself"),
        (("conv", conv, 5), "cases is 5; expected a whole number from 20"),
        (("conv", conv, 50, -1), "seed is -1"),
    ],
)
def test_wrong_use_is_refused(arguments, said):
    with pytest.raises(drqsim.InputError, match=said):
        drqsim.check(*arguments)


@pytest.mark.parametrize("name", EXERCISES)
def test_skeletons_are_functions_yet_to_be_written(name, capsys):
    assert catalogue.skeleton(name) is None
    printed = capsys.readouterr().out
    made = {"np": np}
    exec(printed, made)
    assert max(map(len, printed.splitlines())) <= 80
    assert not drqsim.check(name, made[name]).passed
    with pytest.raises(drqsim.InputError):
        catalogue.skeleton("nothing")


def test_exercises_need_numpy_alone():
    code = "import sys; import drqsim; drqsim.check('scale', abs); " + (
        "sys.exit(any(m in sys.modules for m in ('matplotlib', 'ai_edge_litert', 'tflite')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
