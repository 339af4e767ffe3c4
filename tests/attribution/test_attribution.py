"""Where an error arises: the parts add up, and each is what its name says."""

import math
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import drqsim
from drqsim import InputError, UnsupportedOperatorError, qparams
from drqsim.attribution.parts import CAUSES, Tally
from drqsim.graph import Graph, Operator, Quantization, Tensor, operator_names
from tests.converter import test_quantized_models as quantized_models
from tests.kit import networks, recurrent, strategies
from tests.kit.corpus import random_input
from tests.kit.places import MODELS
from tests.kit.strategies import KERNELS

f32, f64 = np.float32, np.float64
# how far a sum of a few float64 numbers is from exact, in units of the largest of them
UNITS = 8 * np.finfo(f64).eps


def assert_adds_up(float_model, drq_model, inputs, kernels, **options):
    """Every operator's parts add up to what the two models' outputs really differ by."""
    found = drqsim.attribute_error(
        float_model, drq_model, inputs, kernels, keep_values=True, **options
    )
    for case, x in enumerate(inputs):
        (in_float, ours), (in_drq, theirs) = (
            drqsim.run(model, x, kernels) for model in (float_model, drq_model)
        )
        for row in found.rows:
            name, _, output = row.operator.partition("/")
            key = f"{name}/{output or 'output'}"
            error = row.error.values[case]
            if theirs[key].dtype == f32:  # and not codes that are moved, and dequantized later
                assert np.array_equal(error, theirs[key].value.astype(f64) - ours[key].value)
            assert tuple(row.parts) == CAUSES
            assert_sum(error, [part.values[case] for part in row.parts.values()])
        if found.net_error is None:
            continue
        if "output" not in options:
            y_f, y_d = (list(made.values())[0] for made in (in_float, in_drq))
            assert np.array_equal(found.net_error.values[case], y_d.astype(f64) - y_f)
        parts = [part.values[case] for row in found.net for part in row.parts.values()]
        assert_sum(found.net_error.values[case], parts)
    for table in ([r.parts.values() for r in found.rows], [[r.error for r in found.net]]):
        for parts in table:
            total = sum(part.share for part in parts)
            assert total == pytest.approx(1, abs=1e-9) or total == 0
    return found


def assert_sum(error, parts):
    largest = max((np.abs(part).max() for part in parts), default=0.0)
    assert np.abs(sum(parts, np.zeros(error.shape)) - error).max() <= UNITS * largest


@pytest.fixture(scope="module")
def images():
    data = np.load(MODELS / "digits_inputs.npz")
    return (data["test_images"][:2] / f32(16)).reshape(-1, 1, 8, 8, 1).astype(f32)


def digits(name):
    return drqsim.load(MODELS / f"digits_{name}.tflite")


FULL_INTEGER = ("digits_int8", "digits_16x8")
FILES = [f for f in sorted(MODELS.glob("digits_*.tflite")) if f.stem not in FULL_INTEGER]


@pytest.mark.parametrize("name", FULL_INTEGER)
def test_a_full_integer_model_is_another_graph(name, images):
    with pytest.raises(drqsim.InputError, match="Their first difference: conv_2d_0 with input 0"):
        drqsim.attribute_error(digits("float"), drqsim.load(MODELS / f"{name}.tflite"), images[0])


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_models_of_the_book(file, kernels, images):
    """The float model as its own quantized form too: there is no error then."""
    found = assert_adds_up(digits("float"), drqsim.load(file), list(images), kernels)
    if file.stem == "digits_float":
        assert not found.net and found.net_error.snr == math.inf
        assert all(part.largest == 0 for row in found.rows for part in row.parts.values())
    else:
        assert found.net_error.largest > 0


def test_weight_only_models_round_weights_and_no_input(images):
    found = drqsim.attribute_error(digits("float"), digits("weight_only"), images[0])
    with_weights = [row for row in found.rows if row.parts["weight rounding"].largest]
    assert [row.operator for row in with_weights] == [row.operator for row in found.net]
    assert len(with_weights) == 9
    assert all(row.parts["input rounding"].snr == math.inf for row in found.rows)


def test_hazards_are_named(images):
    found = drqsim.attribute_error(digits("float"), digits("drq_per_tensor"), images[0])
    assert any(op == "depthwise_conv_2d_1" and "one scale" in text for op, text in found.hazards)
    assert "one scale" in repr(found) and "one scale" in found._repr_html_()


class Net:
    """A float network with one operator after the other; ``quantized`` makes its DRQ form."""

    def __init__(self, seed, shape, signature=None):
        self.random = np.random.default_rng(seed)
        self.tensors = [Tensor("x", shape, np.dtype(f32), signature=signature)]
        self.operators = []
        self.weights = {}  # index -> channel dimension

    def constant(self, value, axis=None):
        value = np.asarray(value)
        self.tensors.append(Tensor(f"c{len(self.tensors)}", value.shape, value.dtype, value))
        if axis is not None:
            self.weights[len(self.tensors) - 1] = axis
        return len(self.tensors) - 1

    def normal(self, *shape, axis=None):
        """Small enough that the branched net's last operator is not saturated."""
        return self.constant((0.2 * self.random.normal(size=shape)).astype(f32), axis)

    def add(self, code, reads, *shapes, **options):
        """Returns the index of the operator's first output."""
        first = len(self.tensors)
        for shape in shapes:
            self.tensors.append(Tensor(f"t{len(self.tensors)}", shape, np.dtype(f32)))
        writes = tuple(range(first, len(self.tensors)))
        self.operators.append((code, tuple(reads), writes, MappingProxyType(options)))
        return first

    def graph(self, *outputs):
        names = operator_names([code for code, *_ in self.operators])
        operators = tuple(
            Operator(code, name, reads, writes, options)
            for name, (code, reads, writes, options) in zip(names, self.operators, strict=True)
        )
        return Graph(tuple(self.tensors), operators, (0,), outputs)

    def quantized(self, *outputs, only=None):
        """With int8 weights, or only some of them."""
        graph = self.graph(*outputs)
        tensors = list(graph.tensors)
        for index, axis in self.weights.items():
            if only is None or index in only:
                codes, *rest = qparams.quantize_weights(tensors[index].value, axis)
                quantization = Quantization(*rest, axis)
                tensors[index] = replace(
                    tensors[index], dtype=codes.dtype, value=codes, quantization=quantization
                )
        return replace(graph, tensors=tuple(tensors))


WINDOW = {"padding": "SAME", "stride_h": 1, "stride_w": 1}


def branched(seed, activation="RELU"):
    """A residual sum, a concatenation, depthwise, transposed, dense, a matrix product, a split."""
    net = Net(seed, (1, 5, 4, 3))
    fused = {"fused_activation_function": activation}
    conv = WINDOW | {"dilation_h_factor": 1, "dilation_w_factor": 1} | fused
    first = net.add(
        "CONV_2D", (0, net.normal(6, 3, 3, 3, axis=0), net.normal(6)), (1, 5, 4, 6), **conv
    )
    filters = net.normal(1, 3, 3, 6, axis=3)
    deep = net.add(
        "DEPTHWISE_CONV_2D",
        (first, filters, net.normal(6)),
        (1, 5, 4, 6),
        depth_multiplier=1,
        **conv,
    )
    total = net.add("ADD", (first, deep), (1, 5, 4, 6), fused_activation_function="NONE")
    side = net.add(
        "CONV_2D", (0, net.normal(2, 1, 1, 3, axis=0), net.normal(2)), (1, 5, 4, 2), **conv
    )
    together = {"axis": 3, "fused_activation_function": "NONE"}
    both = net.add("CONCATENATION", (side, total), (1, 5, 4, 8), **together)
    shape = net.constant(np.array([1, 5, 4, 3], np.int32))
    painted = net.add(
        "TRANSPOSE_CONV",
        (shape, net.normal(3, 2, 2, 8, axis=0), both, net.normal(3)),
        (1, 5, 4, 3),
        **WINDOW,
        **fused,
    )
    flat = net.add("RESHAPE", (painted, net.constant(np.array([1, 60], np.int32))), (1, 60))
    dense = net.add(
        "FULLY_CONNECTED",
        (flat, net.normal(10, 60, axis=0), net.normal(10)),
        (1, 10),
        keep_num_dims=False,
        asymmetric_quantize_inputs=bool(seed % 2),
        **fused,
    )
    product = net.add(
        "BATCH_MATMUL",
        (dense, net.normal(10, 8, axis=1)),
        (1, 8),
        adj_x=False,
        adj_y=False,
        asymmetric_quantize_inputs=False,
    )
    axis = net.constant(np.array(1, np.int32))
    left = net.add("SPLIT", (axis, product), (1, 4), (1, 4), num_splits=2)
    last = net.add("LOGISTIC", (left + 1,), (1, 4))
    return net, (last, left)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("seed", range(4))
def test_branches(seed, kernels):
    net, outputs = branched(seed, ("RELU", "NONE", "RELU6", "RELU_N1_TO_1")[seed])
    models = net.graph(*outputs), net.quantized(*outputs)
    inputs = [net.random.normal(size=(1, 5, 4, 3)).astype(f32) for _ in range(3)]
    found = assert_adds_up(*models, inputs, kernels)
    assert [row.operator for row in found.rows if "split" in row.operator] == [
        "split_0",
        "split_0/output_2",
    ]
    of_left = assert_adds_up(*models, inputs, kernels, output=1)
    by_name = drqsim.attribute_error(*models, inputs, kernels, output="split_0")
    assert repr(of_left) == repr(by_name) != repr(found)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("activation", ["NONE", "RELU"])
def test_parts_against_the_operators_run_alone(activation, kernels):
    """As far as float32 shows: the float operator on the quantized model's activations."""
    net, outputs = branched(6, activation)
    float_model, drq = net.graph(*outputs), net.quantized(*outputs)
    x = net.random.normal(size=(1, 5, 4, 3)).astype(f32)
    ours, theirs = (drqsim.run(model, x, kernels)[1] for model in (float_model, drq))
    found = drqsim.attribute_error(float_model, drq, x, kernels, keep_values=True)
    rounded = unquantized(drq, net.random, 0)
    for name in (row.operator for row in found.net):
        read = theirs[f"{name}/input"].value
        in_float, of_float, of_rounded, in_drq = (
            ours[f"{name}/output"].value,
            *(
                next(iter(drqsim.run(model.extract(name), read, kernels)[0].values()))
                for model in (float_model, rounded)
            ),
            theirs[f"{name}/output"].value,
        )
        near = 1e-5 * np.abs(in_float).max()
        steps = of_float - in_float, of_rounded - of_float, in_drq - of_rounded, 0 * in_float
        for cause, expected in zip(CAUSES, steps, strict=True):
            part = found[name].parts[cause].values[0]
            assert np.abs(part - expected).max() <= near, (name, cause)
            assert cause == "inherited" or (part != part.astype(f32)).any(), (name, cause)
        assert np.abs(steps[2]).max() > 100 * near


@pytest.mark.parametrize("kernels", KERNELS)
def test_the_net_against_models_in_which_so_many_operators_are_quantized(kernels):
    """What an operator adds is what changes once it is quantized, as those before it are."""
    net, (output, _) = branched(5)
    x = net.random.normal(size=(1, 5, 4, 3)).astype(f32)
    found = drqsim.attribute_error(
        net.graph(output), net.quantized(output), x, kernels, keep_values=True
    )
    before, done = net.graph(output), []
    names = [row.operator for row in found.net]
    assert len(names) == 6
    for name in names:
        op = before.operator(name)
        done += [i for i in op.inputs if i in net.weights]
        after = net.quantized(output, only=done)
        change = np.subtract(
            *(next(iter(drqsim.run(g, x, kernels)[0].values())) for g in (after, before)), dtype=f64
        )
        row = next(row for row in found.net if row.operator == name)
        assert row.error.values[0] == pytest.approx(change, abs=1e-15)
        assert np.abs(change).max() > 0
        before = after


def unquantized(graph, random, spread=0.5):
    """A float model whose weights round to those of a quantized one of one operator."""
    tensors = list(graph.tensors)
    for index, tensor in enumerate(tensors):
        if tensor.quantization is not None:
            shape = [1] * tensor.value.ndim
            shape[tensor.quantization.axis] = -1
            steps = tensor.value + random.uniform(-spread, spread, tensor.shape)
            value = (steps * tensor.quantization.scale.reshape(shape)).astype(f32)
            tensors[index] = replace(tensor, dtype=value.dtype, value=value, quantization=None)
    return replace(graph, tensors=tuple(tensors))


LAYERS = ("convolutions", "depthwise", "dense", "batch_matmul", "transpose_conv")


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kernels", KERNELS)
@settings(max_examples=settings().max_examples // 4 + 1)  # each runs the layer a dozen times
@given(data=st.data(), seed=st.integers(0, 1000))
def test_random_layers(layer, kernels, data, seed):
    drq, x = data.draw(getattr(strategies, f"hybrid_{layer}")(kernels))
    random = np.random.default_rng(seed)
    exact, rounded = unquantized(drq, random, 0), unquantized(drq, random)
    for model in (drq, exact, rounded):
        assume(all(np.isfinite(y).all() for y in drqsim.run(model, x, kernels)[0].values()))
    found = assert_adds_up(rounded, drq, [x], kernels)
    assert found.rows[0].parts["inherited"].largest == 0
    # weights that are products of code and scale, rounded once to float32
    weights = drqsim.attribute_error(exact, drq, x, kernels).rows[0].parts["weight rounding"]
    assert weights.snr > 100 or weights.largest <= 1e-6 * found.rows[0].error.largest


def plain_convolution(x, weights, bias, options):
    """A convolution in float64 as a loop over taps."""
    from drqsim.arithmetic.window import axis

    out, kernel_h, kernel_w, depth = weights.shape
    strides = options["stride_h"], options["stride_w"]
    dilations = options["dilation_h_factor"], options["dilation_w_factor"]
    rows, cols = (
        axis(n, k, s, d, options["padding"])
        for n, k, s, d in zip(x.shape[1:3], (kernel_h, kernel_w), strides, dilations, strict=True)
    )
    x = np.pad(x, ((0, 0), (rows.before, rows.after), (cols.before, cols.after), (0, 0)))
    groups = x.shape[3] // depth
    y = np.zeros((len(x), rows.out, cols.out, out))
    for row in range(kernel_h):
        for col in range(kernel_w):
            top, left = row * dilations[0], col * dilations[1]
            pixels = x[:, top :: strides[0], left :: strides[1]][:, : rows.out, : cols.out]
            for o in range(out):
                own = slice(o // (out // groups) * depth, (o // (out // groups) + 1) * depth)
                y[..., o] += pixels[..., own] @ weights[o, row, col]
    return y + bias


BOUNDS = {"NONE": (None, None), "RELU": (0, None), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}


@pytest.mark.parametrize("kernels", KERNELS)
@settings(max_examples=settings().max_examples // 4 + 1)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_convolutions_against_a_loop_and_against_the_accumulator(kernels, data, seed):
    """F(x, W) from a plain loop, F(x^, W^) from the kernel's own int32 sums."""
    drq, x = data.draw(strategies.hybrid_convolutions(kernels))
    _, codes, bias, _ = drq.tensors
    assume((codes.value > -128).all())  # some kernels get their products wrong
    model = unquantized(drq, np.random.default_rng(seed))
    outputs, trace = drqsim.run(drq, x, kernels)
    assume(np.abs(x).max() < 1e30 and np.isfinite(outputs["y"]).all())
    row = drqsim.attribute_error(model, drq, x, kernels, keep_values=True).rows[0]
    parts = {cause: part.values[0] for cause, part in row.parts.items()}
    options = drq.operators[0].options
    low, high = BOUNDS[options["fused_activation_function"]]
    scale = codes.quantization.scale.astype(f64)
    dequantized = codes.value * scale.reshape(-1, 1, 1, 1)

    def value(x, weights):
        y = plain_convolution(x.astype(f64), weights, bias.value, options)
        return y if low is None and high is None else np.clip(y, low, high)

    s_in = trace["conv_2d_0/input_scale"].value.astype(f64)
    s_in = s_in.reshape(*x.shape[:3], 1) if s_in.size != len(x) else s_in.reshape(-1, 1, 1, 1)
    of_sums = trace["conv_2d_0/accumulator"].value * s_in * scale + bias.value
    if low is not None:
        of_sums = np.clip(of_sums, low, high)
    of_float, of_weights = value(x, model.tensors[1].value.astype(f64)), value(x, dequantized)
    # the sums of up to 102 products in another order
    size = value(np.abs(x), np.abs(dequantized)).max() + np.abs(bias.value).max() + s_in.max()
    near = 1e-12 * size
    assert np.abs(of_weights - of_float - parts["weight rounding"]).max() <= near
    assert np.abs(of_sums - of_weights - parts["input rounding"]).max() <= near
    rounding = (outputs["y"] - of_sums) + (of_float - drqsim.run(model, x, kernels)[0]["y"])
    assert np.abs(rounding - parts["float rounding"]).max() <= near


def layer(weights, x_shape, **options):
    net = Net(0, x_shape)
    out, depth = weights.shape
    filters = net.constant(weights[:, None, None, :].astype(f32), axis=0)
    options = WINDOW | {"fused_activation_function": "NONE"} | options
    options |= {"dilation_h_factor": 1, "dilation_w_factor": 1}
    net.add("CONV_2D", (0, filters, net.normal(out)), (*x_shape[:3], out), **options)
    return net.graph(len(net.tensors) - 1), net.quantized(len(net.tensors) - 1)


@pytest.mark.parametrize("kernels", KERNELS)
def test_weights_on_the_grid_round_to_themselves(kernels):
    """Multiples of a power of two up to 127 of it: a different scale for each channel."""
    random = np.random.default_rng(0)
    steps = random.integers(-126, 127, (5, 8))
    steps[:, 3] = 127
    weights = steps * 2.0 ** -np.arange(5)[:, None]
    models = layer(weights, (1, 3, 3, 8))
    x = random.normal(size=(1, 3, 3, 8)).astype(f32)
    row = drqsim.attribute_error(*models, x, kernels).rows[0]
    assert row.parts["weight rounding"].largest == 0
    assert row.parts["weight rounding"].snr == math.inf
    assert row.parts["input rounding"].largest > 0
    off = drqsim.attribute_error(*layer(weights + 0.01, (1, 3, 3, 8)), x, kernels).rows[0]
    assert off.parts["weight rounding"].largest > 0


@pytest.mark.parametrize("kernels", KERNELS)
def test_an_input_on_the_grid_rounds_to_itself(kernels):
    random = np.random.default_rng(1)
    models = layer(random.normal(size=(5, 8)), (1, 3, 3, 8))
    steps = random.integers(-100, 156, (1, 3, 3, 8))
    steps[..., 0], steps[..., 1] = -100, 155  # every pixel spans 255 steps
    x = (steps / 16).astype(f32)
    row = drqsim.attribute_error(*models, x, kernels).rows[0]
    assert row.parts["input rounding"].largest == row.clipping.largest == 0
    assert row.parts["weight rounding"].largest > 0
    row = drqsim.attribute_error(*models, x * f32(1.001) + f32(0.01), kernels).rows[0]
    assert row.parts["input rounding"].largest > 0


def test_an_outlier_costs_the_other_values_their_steps():
    random = np.random.default_rng(2)
    models = layer(random.normal(size=(5, 8)), (1, 6, 6, 8))
    x = random.normal(size=(1, 6, 6, 8)).astype(f32)
    usual = drqsim.attribute_error(*models, x).rows[0]
    x[0, 2, 4, 5] = 2000
    found = drqsim.attribute_error(*models, x)
    row = found.rows[0]
    apart = row.parts["input rounding"].largest / usual.parts["input rounding"].largest
    assert 100 < apart < 1000  # the range is some 300 times as wide
    assert row.parts["input rounding"].share > 0.5
    assert any("outliers" in text for _, text in found.hazards)


def test_a_range_about_zero_is_clipped_at_its_end():
    """From -127.5 to 127.5 steps the zero point is a tie, rounded to -1: the end would be -129."""
    models = layer(np.random.default_rng(3).normal(size=(5, 8)), (1, 2, 2, 8))
    x = np.zeros((1, 2, 2, 8), f32)
    x[0, 1, 0, :2] = 127.5 / 64, -127.5 / 64
    x[0, 0, 1, 2] = 0.3
    row = drqsim.attribute_error(*models, x, keep_values=True).rows[0]
    cut = row.clipping.values[0]
    assert np.abs(cut[0, 1, 0]).min() > 0
    assert np.array_equal(cut != 0, np.broadcast_to(x[..., 1:2] < 0, cut.shape))
    half_a_step = 0.5 / 64
    weights = np.abs(models[0].tensors[1].value[:, 0, 0, 1])
    assert np.abs(cut[0, 1, 0]) == pytest.approx(half_a_step * weights, rel=0.05)


def test_names_do_not_matter(images):
    float_model, drq = digits("float"), digits("drq")
    names = [tensor.name for tensor in drq.tensors]
    named = replace(
        drq,
        tensors=tuple(
            replace(tensor, name=name)
            for tensor, name in zip(drq.tensors, names[::-1], strict=True)
        ),
    )
    one_name = replace(drq, tensors=tuple(replace(t, name="arith.constant") for t in drq.tensors))
    found = [drqsim.attribute_error(float_model, d, images[0]) for d in (drq, named, one_name)]
    assert repr(found[0]) == repr(found[1]) == repr(found[2])


def test_several_inputs(images):
    models = digits("float"), digits("drq")
    found = drqsim.attribute_error(*models, list(images), keep_values=True)
    cut = drqsim.attribute_error(*models, images.reshape(-1, 8, 8, 1))
    name = models[0].tensors[models[0].inputs[0]].name
    by_name = drqsim.attribute_error(*models, [{name: image} for image in images])
    assert repr(found) == repr(cut) == repr(by_name) and found.inputs == 2
    single = [drqsim.attribute_error(*models, image) for image in images]
    for at, row in enumerate(found.rows):
        alone = [s.rows[at].error for s in single]
        assert sorted(part.snr for part in alone) == [row.error.lowest, row.error.highest]
        assert row.error.lowest <= row.error.snr <= row.error.highest
        assert row.error.largest == max(part.largest for part in alone)
        worst = alone[row.error.input]
        assert (worst.largest, worst.position) == (row.error.largest, row.error.position)
        value = row.error.values[row.error.input][row.error.position]
        assert abs(value) == row.error.largest
    assert f"({min(s.net_error.snr for s in single):.1f} to" in repr(found)
    assert cut.rows[0].error.values is None


def test_a_batch_that_the_caller_chooses_is_one_input():
    net = Net(4, (1, 8), signature=(-1, 8))
    options = {"keep_num_dims": False, "asymmetric_quantize_inputs": True}
    options |= {"fused_activation_function": "RELU"}
    for _ in range(2):
        reads = (
            len(net.tensors) - 1 if net.operators else 0,
            net.normal(8, 8, axis=0),
            net.normal(8),
        )
        last = net.add("FULLY_CONNECTED", reads, (1, 8), **options)
    x = net.random.normal(size=(5, 8)).astype(f32)
    found = assert_adds_up(net.graph(last), net.quantized(last), [x], "optimized")
    assert found.rows[0].error.values[0].shape == (5, 8)
    assert drqsim.attribute_error(net.graph(last), net.quantized(last), x).inputs == 1


def test_a_table_that_is_looked_up_rounds_its_weights():
    net = Net(6, (3,))
    net.tensors[0] = replace(net.tensors[0], dtype=np.dtype(np.int32))
    table = net.normal(7, 4, axis=0)
    rows = net.add("EMBEDDING_LOOKUP", (0, table), (3, 4))
    last = net.add("TANH", (rows,), (3, 4))
    x = np.array([6, 0, 2], np.int32)
    found = assert_adds_up(net.graph(last), net.quantized(last), [x], "optimized")
    parts = found["embedding_lookup_0"].parts
    assert parts["weight rounding"].share == pytest.approx(1)
    assert parts["float rounding"].largest == parts["input rounding"].largest == 0
    assert [row.operator for row in found.net] == ["embedding_lookup_0"]


def test_measures_of_a_part_worked_out_by_hand():
    tally = Tally("weight rounding", keep=False)
    error = np.array([[3.0, -4.0]])
    tally.add(np.array([[0.0, -2.0]]), error, signal=np.array([[20.0, 0.0]]))
    part = tally.part()
    assert part.snr == part.lowest == part.highest == pytest.approx(20)  # 400 over 4
    assert part.share == pytest.approx(8 / 25)
    assert (part.largest, part.position, part.channel, part.input) == (2, (0, 1), 1, 0)
    tally.add(np.zeros((1, 2)), np.zeros((1, 2)), signal=np.zeros((1, 2)))
    part = tally.part()
    assert (part.snr, part.lowest, part.highest) == (pytest.approx(20), pytest.approx(20), math.inf)
    silent = Tally("inherited", keep=False)
    silent.add(np.array(0.5), np.array(0.5), signal=np.array(0.0))
    assert (silent.part().snr, silent.part().channel) == (-math.inf, None)


def test_tables_and_their_order_of_attribution(images):
    found = drqsim.attribute_error(digits("float"), digits("drq"), images[0])
    for text in (repr(found), found._repr_html_()):
        assert text.count("Order of attribution") == 1
        assert all(cause in text for cause in CAUSES)
        assert "100.0%" in text
    without = drqsim.attribute_error(digits("float"), digits("drq"), images[0], end_to_end=False)
    assert without.net == [] and without.net_error is None
    assert repr(found).startswith(repr(without).split("\n\n")[0])
    with pytest.raises(InputError, match="No row for 'conv_2d_99'"):
        found["conv_2d_99"]


def test_what_is_made_of_constants_has_no_error(images):
    """A model whose weights pass through an operator; it may even be an output."""
    net = Net(10, (1, 4))
    doubled = net.add("ADD", (net.normal(4, 4), net.normal(4, 4)), (4, 4))
    options = {"keep_num_dims": False, "fused_activation_function": "NONE"}
    y = net.add("FULLY_CONNECTED", (0, doubled, net.normal(4)), (1, 4), **options)
    model = net.graph(y, doubled)
    x = net.random.normal(size=(1, 4)).astype(f32)
    found = drqsim.attribute_error(model, model, x)
    assert [row.operator for row in found.rows] == ["fully_connected_0"]
    for output, message in ((1, "the same for every input"), ("add_0", "expected a position")):
        with pytest.raises(InputError, match=message):
            drqsim.attribute_error(model, model, x, output=output)


# the converter puts a RESHAPE and its GATHER into one
DIFFER = {("gather_reshape", "file")}
FLOAT_RECURRENT = ("lstm", "sequence_rnn", "svdf")


@pytest.mark.parametrize("source", ["file", "ours"])
@pytest.mark.parametrize(
    "case_tool", sorted(set(quantized_models.made_int8()) - quantized_models.NOT_RUN)
)
def test_what_the_converters_made(case_tool, source, tmp_path):
    """Their float models with their quantized ones, and with ours."""
    (case, tool), kernels = case_tool, "optimized"

    def model(name):
        (tmp_path / "model.tflite").write_bytes(quantized_models.FILES[f"{case}/{name}"])
        return drqsim.load(tmp_path / "model.tflite")

    float_model = model("float")
    drq = model(tool) if source == "file" else quantized_models.quantized(case, tool)
    inputs = [quantized_models.feeds_of(float_model)]
    if (case, source) in DIFFER and tool.startswith("tensorflow"):
        with pytest.raises(InputError, match="not two forms of one model"):
            drqsim.attribute_error(float_model, drq, inputs, kernels)
    elif case.startswith(FLOAT_RECURRENT):
        with pytest.raises(UnsupportedOperatorError, match="with int8 weights only"):
            drqsim.attribute_error(float_model, drq, inputs, kernels)
    else:
        found = assert_adds_up(float_model, drq, inputs, kernels)
        assert found.net


@pytest.mark.parametrize("kernels", KERNELS)
def test_a_table_of_codes_that_are_moved_before_they_are_dequantized(kernels):
    """GATHER, RESHAPE, DEQUANTIZE: as if a float table were gathered from."""
    net = Net(11, (3,))
    net.tensors[0] = replace(net.tensors[0], dtype=np.dtype(np.int32))
    table = net.normal(7, 4, axis=0)
    rows = net.add("GATHER", (table, 0), (3, 4), axis=0, batch_dims=0)
    flat = net.add("RESHAPE", (rows, net.constant(np.array([2, 6], np.int32))), (2, 6))
    last = net.add("TANH", (flat,), (2, 6))
    float_model = net.graph(last)
    codes, *rest = qparams.quantize_weights(net.tensors[table].value, None)
    quantization = Quantization(*rest, 0)
    net.tensors[table] = Tensor("table", codes.shape, codes.dtype, codes, quantization)
    for index in (rows, flat):
        net.tensors[index] = replace(
            net.tensors[index], dtype=codes.dtype, quantization=quantization
        )
    code, _, writes, options = net.operators.pop()
    dequantized = net.add("DEQUANTIZE", (flat,), (2, 6))
    net.operators.append((code, (dequantized,), writes, options))
    drq, x = net.graph(last), np.array([6, 0, 2], np.int32)
    found = assert_adds_up(float_model, drq, [x], kernels)
    assert found["gather_0"].parts["weight rounding"].share == pytest.approx(1)
    assert found["reshape_0"].parts["inherited"].share == pytest.approx(1)
    (y,) = drqsim.run(drq, x, kernels)[0].values()
    (y_f,) = drqsim.run(float_model, x, kernels)[0].values()
    assert np.array_equal(found.net_error.values[0], y.astype(f64) - y_f)
    with_codes = replace(drq, outputs=(last, flat))  # then somebody does read the codes
    with pytest.raises(InputError, match="gather_0 with output 0"):
        drqsim.attribute_error(replace(float_model, outputs=(last, flat)), with_codes, x)


def test_codes_that_are_computed_with_stay_codes():
    """A CAST of codes is no float model's CAST of what they stand for."""
    models = []
    for dtype in (f32, np.int8):
        net = Net(13, (3,))
        net.tensors[0] = replace(net.tensors[0], dtype=np.dtype(np.int32))
        table = net.normal(7, 4)
        codes, *rest = qparams.quantize_weights(net.tensors[table].value, None)
        rows = net.add("GATHER", (table, 0), (3, 4), axis=0, batch_dims=0)
        if dtype == np.int8:
            quantization = Quantization(*rest, 0)
            net.tensors[table] = Tensor("table", codes.shape, codes.dtype, codes, quantization)
            net.tensors[rows] = replace(net.tensors[rows], dtype=codes.dtype)
        models.append(net.graph(net.add("CAST", (rows,), (3, 4))))
    with pytest.raises(InputError, match="gather_0 with output 0 float32"):
        drqsim.attribute_error(*models, np.array([6, 0, 2], np.int32))


def test_states_of_recurrent_operators():
    """The rest of the net goes on from the state that was passed in."""
    net = networks.Net(12, 2, 24)
    constants = net.codes(32, 40), net.codes(32, 8), net.bias(16), net.state(2, 8 * 32)
    options = {"rank": 2, "fused_activation_function": "RELU", "asymmetric_quantize_inputs": True}
    model = net.graph(net.op("SVDF", net.dense(net.x, 40), *constants, **options))
    drq = drqsim.quantize(model, min_elements=0)
    random = np.random.default_rng(12)
    x = random_input(model, 0) | {
        t.name: random.normal(size=t.shape).astype(f32) for t in model.tensors if t.is_variable
    }
    assert_adds_up(model, drq, [x], "optimized")
    tensors = [
        replace(t, quantization=replace(t.quantization, scale=t.quantization.scale * f32(2)))
        if t.quantization
        else t
        for t in model.tensors
    ]
    with pytest.raises(InputError, match="pass the model without quantization first"):
        drqsim.attribute_error(model, replace(drq, tensors=tuple(tensors)), x)


@pytest.mark.parametrize("name", ["keyword", "lstm", "recurrent", "transformer", "squeeze_excite"])
def test_networks(name):
    """Recurrent operators are int8 in both forms: what reaches them, they hand on."""
    model = getattr(networks, name)()
    drq = drqsim.quantize(model, min_elements=0)
    found = assert_adds_up(model, drq, [random_input(model, seed) for seed in (0, 1)], "optimized")
    assert found.net
    for row in found.rows:
        if row.operator.startswith(("svdf", "unidirectional")):
            assert row.parts["inherited"].largest == row.error.largest


def test_html_is_escaped():
    models = layer(np.ones((2, 2)), (1, 1, 1, 2))
    models = [
        replace(m, operators=tuple(replace(op, name="<b>&") for op in m.operators)) for m in models
    ]
    text = drqsim.attribute_error(*models, np.ones((1, 1, 1, 2), f32))._repr_html_()
    assert "&lt;b&gt;&amp;" in text and "<b>" not in text


def changed(graph, at=0, **fields):
    operators = list(graph.operators)
    operators[at] = replace(operators[at], **fields)
    return replace(graph, operators=tuple(operators))


def test_models_that_do_not_belong_together(images):
    float_model, drq = digits("float"), digits("drq")
    first = float_model.operators[1]
    others = {
        "conv_2d_0 in the float model, max_pool_2d_0 in": changed(
            drq, code="MAX_POOL_2D", name="max_pool_2d_0"
        ),
        "softmax_0 in the float model, no more operators": replace(
            drq, operators=drq.operators[:-1], outputs=drq.operators[-2].outputs
        ),
        "with stride_h 1 in": changed(drq, options=first.options | {"stride_h": 2}),
        "conv_2d_0 with input 2 constant .* left out": changed(
            drq, inputs=(*drq.operators[0].inputs[:2], -1)
        ),
        "1 outputs of the model": replace(drq, outputs=drq.outputs * 2),
    }
    for message, other in others.items():
        with pytest.raises(InputError, match=message):
            drqsim.attribute_error(float_model, other, images[0])
    with pytest.raises(InputError, match="pass the model without quantization first"):
        drqsim.attribute_error(drq, float_model, images[0])


def test_other_operands_and_outputs_are_a_difference():
    net, (last, left) = branched(7)
    x = np.zeros((1, 5, 4, 3), f32)
    drq = net.quantized(last, left)
    at = [op.name for op in drq.operators].index("add_0")
    crossed = changed(drq, at, inputs=drq.operators[at].inputs[::-1])
    with pytest.raises(InputError, match="add_0 with input 0 .* from another operator"):
        drqsim.attribute_error(net.graph(last, left), crossed, x)
    with pytest.raises(InputError, match="the model's output 1"):
        drqsim.attribute_error(net.graph(last, left), net.quantized(last, left + 1), x)
    swapped = drqsim.attribute_error(net.graph(last, left), net.quantized(left, last), x)
    assert repr(swapped) == repr(
        drqsim.attribute_error(net.graph(last, left), net.quantized(last, left), x)
    )


def test_operators_that_lead_nowhere_are_left_out(images):
    float_model, drq = digits("float"), digits("drq")
    operators = (*drq.operators[:3], replace(drq.operators[2], name="copy"), *drq.operators[3:])
    size = len(drq.tensors)
    copy = replace(operators[3], outputs=(size,))
    tensors = (*drq.tensors, drq.tensors[drq.operators[2].outputs[0]])
    longer = replace(drq, tensors=tensors, operators=(*operators[:3], copy, *operators[4:]))
    found = [drqsim.attribute_error(float_model, model, images[0]) for model in (drq, longer)]
    assert repr(found[0]) == repr(found[1])


def test_other_parameters_are_a_difference():
    net, outputs = branched(7)
    drq = net.quantized(*outputs)
    at = next(i for i, t in enumerate(drq.tensors) if t.shape == (2,) and t.dtype == np.int32)
    tensors = list(drq.tensors)
    tensors[at] = replace(tensors[at], value=np.array([1, -1], np.int32))
    x = np.zeros((1, 5, 4, 3), f32)
    with pytest.raises(InputError, match=r"reshape_0 with input 1 .* \[1, 60\] .* \[1, -1\]"):
        drqsim.attribute_error(net.graph(*outputs), replace(drq, tensors=tuple(tensors)), x)


def test_inputs_that_do_not_fit(images):
    models = digits("float"), digits("drq")
    for inputs, message in (
        ([], "empty list"),
        (images[0].astype(f64), "float64"),
        (images[0][:, :7], "got the shape"),
        ({"nobody": images[0]}, "nobody"),
        (np.full((1, 8, 8, 1), np.nan, f32), "nan"),
        (images[0] * f32(1e38), "NaN or infinity|a range that float32 cannot hold"),
    ):
        with pytest.raises(InputError, match=message):
            drqsim.attribute_error(*models, inputs)
    with pytest.raises(InputError, match="kernels is 'fast'"):
        drqsim.attribute_error(*models, images[0], "fast")
    for output in (1, -1, True, "nobody", None, [0]):
        with pytest.raises(InputError, match="output is"):
            drqsim.attribute_error(*models, images[0], output=output)


def test_an_output_of_integers_has_no_parts():
    net, (_, left) = branched(8)
    net.constant(np.array(1, np.int32))
    best = net.add("ARG_MAX", (left, len(net.tensors) - 1), (1,), output_type=4)
    net.tensors[best] = replace(net.tensors[best], dtype=np.dtype(np.int64))
    models = net.graph(best), net.quantized(best)
    x = net.random.normal(size=(1, 5, 4, 3)).astype(f32)
    with pytest.raises(InputError, match="no float"):
        drqsim.attribute_error(*models, x)
    found = drqsim.attribute_error(*models, x, output="split_0")
    assert "arg_max_0" not in [row.operator for row in found.rows]
    assert found.net_error.largest > 0


def test_recurrent_operators_have_no_float_form():
    drq = recurrent.lstm(np.random.default_rng(9))
    drq = drq[0] if isinstance(drq, tuple) else drq
    x = np.zeros(drq.tensors[0].shape, f32)
    with pytest.raises(UnsupportedOperatorError, match="unidirectional_sequence_lstm_0"):
        drqsim.attribute_error(unquantized(drq, np.random.default_rng(0)), drq, x)
