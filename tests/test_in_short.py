"""The convolution on one screen, held against the runtime and ``drqsim.run``; and its corners."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import drqsim
from drqsim import in_short, processor
from tests.kit.strategies import inputs

f32 = np.float32
TEXT = Path(in_short.__file__).read_text(encoding="utf-8")
JUST_BELOW_A_HALF = np.nextafter(f32(0.5), f32(0))
FILTERS = ("normal", "sparse", "one-sided", "a channel of zeros", "tiny", "ties")


@st.composite
def layers(draw):
    """A float filter of two scales and more, a bias and an image, within what the page promises."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    depth, out = draw(st.sampled_from((1, 2, 3, 5, 8, 16, 17))), draw(st.integers(2, 9))
    shape = (out, *draw(st.sampled_from(((3, 3), (3, 3), (1, 1), (5, 3), (1, 5)))), depth)
    kind = draw(st.sampled_from(FILTERS))
    w = random.normal(size=shape) * (np.arange(out) % 7 + 1).reshape(-1, 1, 1, 1)
    if kind == "ties":
        w = random.integers(-126, 127, shape) + 0.5
        w[:, 0, 0, 0] = 127 * 2.0 ** (np.arange(out) % 3)
    elif kind == "a channel of zeros":
        w[0] = 0
    else:
        w = {"normal": w, "sparse": w * (random.random(shape) < 0.3), "tiny": w * 1e-6}.get(
            kind, np.abs(w)
        )
    bias = random.normal(size=out) * draw(st.sampled_from((0, 1, 100)))
    size = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    return w.astype(f32), bias.astype(f32), draw(inputs((1, *size, depth)))


def in_the_runtime(w, bias, x):
    """The same layer, quantized and run by ``drqsim.run``, and by the runtime."""
    model = drqsim.conv_relu(w, bias, input_shape=x.shape)
    drq = drqsim.quantize(model, min_elements=0)
    _, trace = drqsim.run(drq, x, kernels="optimized")
    runtime = drqsim.litert.run(drq, x, kernels="optimized")
    return {record.name: record.value for record in trace}, runtime


def same_bits(one, other):
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


def promised(scale_w, x):
    """Unequal channel scales, and an input whose scale has an inverse and meets no odd rounding."""
    _, scale, _ = in_short.quantize_input(x)
    inverse = f32(1 / np.float64(scale))
    odd = np.abs(x * inverse) == JUST_BELOW_A_HALF
    return (scale_w != scale_w[0]).any() and np.isfinite(inverse) and not odd.any()


@given(layer=layers())
def test_it_has_the_bits_of_the_runtime_and_of_run(layer):
    w, bias, x = layer
    codes_w, scale_w = in_short.quantize_weights(w)
    with np.errstate(over="ignore", invalid="ignore"):
        assume(promised(scale_w, x[0]))
        y = in_short.conv_relu(x[0], codes_w, scale_w, bias)[None]
        assume(np.isfinite(y).all())
    ours, runtime = in_the_runtime(w, bias, x)
    assert same_bits(codes_w, ours["filter"]) and same_bits(scale_w, ours["filter_scale"])
    codes, scale, zero_point = in_short.quantize_input(x[0])
    assert same_bits(codes[None], ours["input_quantized"])
    assert (scale, zero_point) == (ours["input_scale"][0], ours["input_zero_point"][0])
    assert same_bits(y, ours["output"]) and same_bits(y, runtime.outputs["y"])
    held = [t.value for t in runtime.scratch if t.value is not None and t.dtype == np.int8]
    assert any(same_bits(codes.reshape(-1), t.reshape(-1)) for t in held)


def test_corner_just_below_a_half():
    """On x86 whole vectors of eight round 0.49999997 up to 1; the rest of the row does not."""
    x = np.full((1, 1, 9, 1), JUST_BELOW_A_HALF)
    x[0, 0, 0] = 255  # the scale is 1, the zero point -128
    w = np.array([1, 2], f32).reshape(2, 1, 1, 1)
    ours, _ = in_the_runtime(w, np.zeros(2, f32), x)
    codes, scale, zero_point = in_short.quantize_input(x[0])
    assert (scale, zero_point) == (1, -128) == (ours["input_scale"], ours["input_zero_point"])
    up = int(not processor.of().neon)
    assert (ours["input_quantized"].ravel() - codes.ravel()).tolist() == [0] + [up] * 7 + [0]


def test_corner_of_row_sums_that_overflow():
    w = np.full((2, 3, 3, 256), 1, f32) * np.array([1, 2], f32).reshape(2, 1, 1, 1)
    x = np.linspace(-1, 2, 256, dtype=f32).reshape(1, 1, 1, 256)
    ours, runtime = in_the_runtime(w, np.zeros(2, f32), x)
    codes_w, scale_w = in_short.quantize_weights(w)
    assert same_bits(codes_w, ours["filter"])
    wraps = not processor.of().neon
    exact = codes_w.sum(axis=(1, 2, 3), dtype=np.int32)
    assert (ours["filter_row_sums"] != exact).tolist() == [wraps] * 2
    y = in_short.conv_relu(x[0], codes_w, scale_w, np.zeros(2, f32))
    assert np.array_equal(y, runtime.outputs["y"][0]) == (not wraps)


@pytest.mark.parametrize("size", [1e-37, 1e38])
def test_corner_of_overflow(size):
    w = np.array([1e3, 2e3], f32).reshape(2, 1, 1, 1)
    x = f32(size) * np.linspace(-0.5, 1, 16, dtype=f32).reshape(1, 1, 16, 1)
    _, runtime = in_the_runtime(w, np.zeros(2, f32), x)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        y = in_short.conv_relu(x[0], *in_short.quantize_weights(w), np.zeros(2, f32))
    assert not np.array_equal(y, runtime.outputs["y"][0])


def test_corner_of_equal_scales():
    """Where all channels have one scale, the kernel quantizes the input symmetrically."""
    w = np.array([1, 1], f32).reshape(2, 1, 1, 1)
    x = np.linspace(0, 1, 16, dtype=f32).reshape(1, 1, 16, 1)
    ours, _ = in_the_runtime(w, np.zeros(2, f32), x)
    assert ours["input_scale"] == f32(1) / f32(127) != in_short.quantize_input(x[0])[1]


# the ends of the input's range; the first two lie where the two zero points are a rounding apart
ENDS = (-95.72588, 97.239334), (-0.8, 0.8), (0.5, 3), (-3, -0.5), (0, 0), (-1, 2)
SIDES = (3, 3), (5, 3), (1, 5), (3, 1), (3, 3), (1, 1)


def few_layers():
    """A few layers that together tell every constant of the file from its neighbours."""
    random = np.random.default_rng(3)
    for (low, high), sides in zip(ENDS, SIDES, strict=True):
        w = random.normal(size=(4, *sides, 3)) * np.arange(4).reshape(-1, 1, 1, 1)
        x = random.uniform(low, high, (1, 5, 4, 3)).astype(f32)
        x[0, 0, 0, :2] = low, high
        yield w.astype(f32), random.normal(size=4).astype(f32), x


def results(functions, w, bias, x):
    """Everything that the file's functions compute for one layer, as bytes."""
    codes_w, scale_w = functions["quantize_weights"](w)
    y = functions["conv_relu"](x[0], codes_w, scale_w, bias)
    computed = codes_w, scale_w, *functions["quantize_input"](x[0]), y
    return [np.asarray(each).tobytes() for each in computed]


def numbers(tree):
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float)
    ]


def neighbors(value):
    return (1, -1) if isinstance(value, int) else (value / 10, -value / 10)


def with_changed(at, by):
    """The file's functions with ``by`` added to the number at that place."""
    tree = ast.parse(TEXT)
    numbers(tree)[at].value += by
    functions = {}
    exec(compile(tree, "changed", "exec"), functions)
    return functions


def test_no_constant_can_be_another_one():
    """A bound that is never reached may move outwards, so it is one of the two neighbours."""
    layers = list(few_layers())
    expected = [results(vars(in_short), *layer) for layer in layers]
    for (w, bias, x), (*_, y) in zip(layers, expected, strict=True):
        assert y == in_the_runtime(w, bias, x)[1].outputs["y"].tobytes()

    def notices(at, by):
        try:
            functions = with_changed(at, by)
            with np.errstate(all="ignore"):
                return [results(functions, *layer) for layer in layers] != expected
        except (ValueError, IndexError, TypeError):  # the shapes do not fit any more
            return True

    missed = [
        f"line {number.lineno}: {number.value}"
        for at, number in enumerate(numbers(ast.parse(TEXT)))
        if not any(notices(at, by) for by in neighbors(number.value))
    ]
    assert missed == []


def test_it_fits_a_screen_and_needs_numpy_alone():
    tree = ast.parse(TEXT)
    imports = [n for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom))]
    assert [ast.unparse(n) for n in imports] == ["import numpy as np"]
    documented = [n for n in ast.walk(tree) if isinstance(n, (ast.Module, ast.FunctionDef))]
    for node in documented:
        del node.body[0]  # its docstring
    assert len([line for line in ast.unparse(tree).splitlines() if line.strip()]) < 40


def test_a_copy_of_the_file_runs_alone(tmp_path):
    (tmp_path / "mine.py").write_text(TEXT, encoding="utf-8")
    line = "import mine, numpy as np, sys; print(mine.quantize_input(np.float32([[1, 2]]))[2])"
    line += "; assert not any(name.startswith('drqsim') for name in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", line], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.strip() == "-128", done.stderr
