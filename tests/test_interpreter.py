"""run(): what it records, and what it refuses."""

import numpy as np
import pytest

import drqsim
from tests.kit.places import MODELS
from tests.kit.strategies import KERNELS

f32 = np.float32
BUILTIN = ["input", "filter", "filter_scale", "bias", "input_scale"]
FLOATS = ["dequantized", "pre_activation", "output"]


def layer(per_channel=True, channels=4, kernel=3, **options):
    random = np.random.default_rng(0)
    weights = random.normal(size=(8, kernel, kernel, channels)).astype(f32)
    model = drqsim.conv_relu(weights, input_shape=(1, 5, 5, channels), **options)
    return drqsim.quantize(model, per_channel=per_channel, min_elements=0)


def image(channels=4):
    return np.random.default_rng(1).normal(size=(1, 5, 5, channels)).astype(f32)


@pytest.mark.parametrize(
    ("kernels", "per_channel", "between"),
    [
        (
            "optimized",
            True,
            [
                "input_zero_point",
                "input_quantized",
                "im2col",
                "filter_row_sums",
                "accumulator_raw",
                "accumulator",
            ],
        ),
        ("reference", True, ["input_zero_point", "input_quantized", "accumulator"]),
        ("optimized", False, ["input_quantized", "im2col", "accumulator"]),
        ("reference", False, ["input_quantized", "im2col", "accumulator"]),
        (
            "xnnpack",
            True,
            ["input_zero_point", "input_quantized", "filter_row_sums", "accumulator"],
        ),
        (
            "xnnpack",
            False,
            ["input_zero_point", "input_quantized", "filter_row_sums", "accumulator"],
        ),
    ],
)
def test_each_path_records_what_it_makes(kernels, per_channel, between):
    _, trace = drqsim.run(layer(per_channel), image(), kernels)
    assert [record.name for record in trace.op("conv_2d_0")] == BUILTIN + between + FLOATS


@pytest.mark.parametrize("kernels", KERNELS)
def test_the_records_obey_the_formula(kernels):
    _, trace = drqsim.run(layer(), image(), kernels)
    value = {record.name: record.value for record in trace}
    accumulator = value["accumulator"].astype(np.float64)
    scaled = accumulator * value["input_scale"][0] * value["filter_scale"].astype(np.float64)
    assert np.allclose(value["dequantized"], scaled, rtol=1e-6)
    assert np.allclose(value["pre_activation"], scaled + value["bias"], rtol=1e-5, atol=1e-6)
    assert np.array_equal(value["output"], np.maximum(value["pre_activation"], 0))
    if "accumulator_raw" in value:
        correction = value["input_zero_point"][0] * value["filter_row_sums"]
        assert np.array_equal(value["accumulator"], value["accumulator_raw"] - correction)


def test_dtypes_roles_and_places():
    _, trace = drqsim.run(layer(), image())
    kinds = {r.name: (r.dtype.name, r.role, r.stage, r.stored) for r in trace}
    assert kinds["input"] == ("float32", "activation", "on-device", "arena")
    assert kinds["filter"] == ("int8", "constant", "offline", "file")
    assert kinds["bias"] == ("float32", "constant", "offline", "file")
    assert kinds["input_quantized"] == ("int8", "scratch", "on-device", "arena")
    assert kinds["filter_row_sums"] == ("int32", "scratch", "on-device", "persistent")
    assert kinds["accumulator_raw"] == ("int32", "scratch", "on-device", "arena")
    assert kinds["accumulator"] == ("int32", "intermediate", "on-device", "not stored")
    assert kinds["pre_activation"] == ("float32", "intermediate", "on-device", "not stored")
    assert kinds["output"] == ("float32", "activation", "on-device", "arena")
    for record in trace:
        assert record.nbytes == record.value.nbytes
        assert record.dtype == record.value.dtype
        assert record.shape == record.value.shape


def test_scratch_that_is_reserved_but_not_written():
    _, trace = drqsim.run(layer(), image(), "reference")
    record = trace["conv_2d_0/accumulator"]
    assert (record.stored, record.reserved) == ("not stored", 8 * 25 * 4)
    assert "not stored, 800 set aside in vain" in repr(trace)
    scale = drqsim.run(layer(), image())[1]["conv_2d_0/input_scale"]
    assert (scale.nbytes, scale.reserved) == (4, 25 * 4)  # one slot used of one per pixel


def test_a_float_layer_runs_too():
    model = layer()
    weights = model.tensors[1]
    restored = weights.value * weights.quantization.scale.reshape(-1, 1, 1, 1)
    floats = drqsim.conv_relu(restored, input_shape=(1, 5, 5, 4))
    expected = drqsim.run(floats, image())[0]["y"]
    by_blas = drqsim.run(floats, image(), float_order="blas")[0]["y"]
    assert np.allclose(expected, by_blas, rtol=1e-5, atol=1e-5)  # the order of the sums differs
    assert drqsim.run(floats, image(), float_order="exact")[0]["y"].tobytes() == expected.tobytes()
    with pytest.raises(drqsim.InputError, match="float_order is 'fast'; expected 'exact' or"):
        drqsim.run(floats, image(), float_order="fast")
    assert np.abs(expected - drqsim.run(model, image())[0]["y"]).max() < 0.2


@pytest.mark.parametrize("kernels", KERNELS)
def test_a_pixel_per_scale_only_in_xnnpack_and_only_for_1x1(kernels):
    for kernel, expected in ((1, 25 if kernels == "xnnpack" else 1), (3, 1)):
        _, trace = drqsim.run(layer(kernel=kernel), image(), kernels)
        assert trace["conv_2d_0/input_scale"].value.size == expected


@pytest.mark.parametrize(("kernels", "symmetric"), [("optimized", True), ("xnnpack", False)])
def test_one_scale_means_symmetric_input_on_the_builtin_kernels(kernels, symmetric):
    _, trace = drqsim.run(layer(per_channel=False), image(), kernels)
    assert ("conv_2d_0/input_zero_point" not in trace) == symmetric


def test_record_shapes_and_patterns():
    outputs, full = drqsim.run(layer(), image())
    again, shapes = drqsim.run(layer(), image(), record="shapes")
    assert np.array_equal(outputs["y"], again["y"])
    assert [str(r) for r in shapes] == [str(r) for r in full]
    assert all(r.value is None for r in shapes)
    _, some = drqsim.run(layer(), image(), record=["*/accumulator", "conv_2d_0/in*"])
    kept = {r.name for r in some if r.value is not None}
    assert kept == {
        "accumulator",
        "input",
        "input_scale",
        "input_zero_point",
        "input_quantized",
    }


def test_lifetimes_on_the_digits_net():
    graph = drqsim.load(MODELS / "digits_drq.tflite")
    first = graph.extract("conv_2d_0")
    data = np.load(MODELS / "digits_inputs.npz")["images"][:1]
    _, trace = drqsim.run(first, data)
    assert (trace["conv_2d_0/output"].born, trace["conv_2d_0/output"].dies) == (0, 1)
    births = [graph.lifetime(op.outputs[0]) for op in graph.operators]
    # the runtime never overwrites what the caller passed in
    assert graph.lifetime(graph.inputs[0]) == (0, len(births))
    assert births[0] == (0, 1)
    assert births[-1] == (len(births) - 1, len(births))


def test_trace_by_name_and_by_index():
    _, trace = drqsim.run(layer(), image())
    assert trace["conv_2d_0/output"] is trace.tensor(3)
    assert trace["conv_2d_0/input"] is trace.tensor(0)
    assert len(trace.op("conv_2d_0")) == len(trace)
    for lookup in (lambda: trace["x/y"], lambda: trace.op("dense_9"), lambda: trace.tensor(99)):
        with pytest.raises(drqsim.InputError):
            lookup()


def test_the_trace_prints_as_a_table():
    _, trace = drqsim.run(layer(), image())
    text = repr(trace)
    assert "input_quantized   int8[1,5,5,4]     scratch       arena " in text
    assert "conv_2d_0" not in text  # of one operator the name goes without saying
    markup = trace._repr_html_()
    assert "<table" in markup and "int8[1,5,5,4]" in markup
    assert markup.count("<tr>") == len(trace) + 1


WRONG = [
    (lambda x: x[0], r"got the shape \[5, 5, 4\]; this model reads \[1, 5, 5, 4\]"),
    (lambda x: x[..., :3], r"got the shape \[1, 5, 5, 3\]"),
    (lambda x: np.concatenate([x, x]), r"got the shape \[2, 5, 5, 4\]"),
    (lambda x: x.astype(np.int8), "got int8.*floats stay float32"),
    (lambda x: x.astype(np.float64), "got float64"),
    (lambda x: x[:0], r"got the shape \[0, 5, 5, 4\]"),
    (lambda x: np.where(x == x[0, 1, 2, 3], f32(np.nan), x), r"holds nan at \(0, 1, 2, 3\)"),
    (lambda x: np.where(x == x[0, 1, 2, 3], f32(np.inf), x), "holds inf"),
    (lambda x: {"z": x}, r"named \['z'\]; this model has \['x'\]"),
    (lambda x: {"x": x, "z": x}, "this model has"),
]


@pytest.mark.parametrize(("spoil", "says"), WRONG)
def test_input_that_makes_no_sense_is_named(spoil, says):
    with pytest.raises(drqsim.InputError, match=says):
        drqsim.run(layer(), spoil(image()))


def test_an_input_whose_range_has_no_scale_is_named():
    x = image()
    x[0, 0, 0, :2] = 3e38, -3e38
    with pytest.raises(drqsim.InputError, match="While running conv_2d_0: the input spans"):
        drqsim.run(layer(), x)


@pytest.mark.parametrize("options", [{"kernels": "fast"}, {"record": "everything"}])
def test_unknown_options_are_named(options):
    with pytest.raises(drqsim.InputError, match=next(iter(options.values()))):
        drqsim.run(layer(), image(), **options)


def test_an_operator_that_is_not_simulated_is_named():
    from dataclasses import replace

    sound = layer()
    unknown = replace(sound.operators[0], code="CONV_3D", name="conv_3d_0")
    with pytest.raises(drqsim.UnsupportedOperatorError, match="CONV_3D"):
        drqsim.run(replace(sound, operators=(unknown,)), image())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"filter": np.zeros((2, 3, 3), f32)}, "filter is float32"),
        ({"filter": np.zeros((2, 3, 3, 4), np.float64)}, "filter is float64"),
        ({"filter": np.zeros((2, 3, 3, 0), f32)}, "no dimension zero"),
        ({"filter": np.full((2, 3, 3, 4), np.nan, f32)}, "filter holds NaN"),
        ({"bias": np.zeros(3, f32)}, r"bias is float32\[3\]; expected float32\[2\]"),
        ({"input_shape": (5, 5, 4)}, "input_shape is"),
        ({"input_shape": (1, 5, 5, 6)}, "do not divide into groups"),
        ({"input_shape": (1, 5, 5, 12)}, "do not divide into groups"),
        ({"stride": 0}, "stride is 0"),
        ({"dilation": (1, -1)}, "dilation is"),
        ({"padding": "same"}, "padding is 'same'"),
        ({"activation": "TANH"}, "activation 'TANH'"),
        ({"padding": "VALID", "dilation": 3}, "does not fit"),
        ({"filter_scale": np.ones(2, f32)}, "filter_scale is given"),
        ({"filter": np.zeros((2, 3, 3, 4), np.int8)}, "filter_scale is missing"),
        (
            {"filter": np.zeros((2, 3, 3, 4), np.int8), "filter_scale": np.zeros(2, f32)},
            "expected one positive number",
        ),
    ],
)
def test_a_layer_that_makes_no_sense_is_named(arguments, says):
    sound = {"filter": np.zeros((2, 3, 3, 4), f32), "input_shape": (1, 5, 5, 4)}
    drqsim.conv_relu(**sound)
    with pytest.raises(drqsim.InputError, match=says):
        drqsim.conv_relu(**(sound | arguments))


def spoiled(graph, position, **changes):
    """A graph whose tensor at ``position`` contradicts the others, as in a damaged file."""
    from dataclasses import replace

    tensors = list(graph.tensors)
    tensors[position] = replace(tensors[position], **changes)
    return replace(graph, tensors=tuple(tensors))


def test_files_that_contradict_themselves_are_named():
    sound = layer()
    scale = sound.tensors[1].quantization.scale.copy()
    scale[3] = 0
    zero = drqsim.Quantization(scale, np.zeros(8, np.int64), 0)
    cases = [
        (spoiled(sound, 1, quantization=zero), drqsim.ModelFileError, "filter scale 3 is 0"),
        (spoiled(sound, 1, quantization=None), drqsim.UnsupportedOperatorError, "with scales"),
        (
            spoiled(sound, 2, shape=(7,), value=np.zeros(7, f32)),
            drqsim.ModelFileError,
            r"bias is float32\[7\]",
        ),
        (
            spoiled(sound, 1, shape=(8, 3, 3, 3), value=np.zeros((8, 3, 3, 3), np.int8)),
            drqsim.ModelFileError,
            "do not divide into groups",
        ),
    ]
    for graph, error, says in cases:
        with pytest.raises(error, match=says):
            drqsim.run(graph, image())


def test_a_convolution_without_bias_is_refused_here_and_by_the_runtime():
    from dataclasses import replace

    from drqsim import litert

    sound = layer()
    bare = replace(sound, operators=(replace(sound.operators[0], inputs=(0, 1)),))
    with pytest.raises(drqsim.ModelFileError, match="has no bias"):
        drqsim.run(bare, image())
    for kernels in KERNELS:
        with pytest.raises(drqsim.ModelFileError, match="has_bias was not true"):
            litert.run(bare, image(), kernels)


def test_the_core_needs_numpy_alone():
    import subprocess
    import sys

    code = (
        "import sys, numpy\n"
        "class Block:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.split('.')[0] in ('tflite', 'flatbuffers', 'ai_edge_litert', 'matplotlib',"
        " 'ipywidgets', 'scipy'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "import drqsim\n"
        "assert all(getattr(drqsim, name) for name in drqsim.__all__)\n"
        "m = drqsim.quantize(drqsim.conv_relu(numpy.ones((2,3,3,4),'f4'), input_shape=(1,5,5,4)))\n"
        "print(drqsim.run(m, numpy.ones((1,5,5,4),'f4'))[0]['y'].shape)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 5, 5, 2)"
