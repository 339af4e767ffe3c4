"""Every float operator against the runtime: bit for bit, or within a bound that is named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drqsim
from drqsim import litert, ops, processor
from drqsim.graph import Tensor
from drqsim.litert.bounds import Fed, bound_of
from drqsim.litert.equality import part_of_bound
from drqsim.ops.fed import inputs_by_index
from drqsim.ops.float32 import activations
from tests.kit.float_cases import COMPARED, GENERATORS, cases
from tests.kit.full_integer import quantized
from tests.kit.one_operator import (
    Case,
    Operand,
    constants,
    f32,
    fed,
    graph,
    integers,
    one_operator,
    run_both,
    same_bits,
)
from tests.kit.strategies import KERNELS


def test_every_operator_is_judged():
    elsewhere = {"EMBEDDING_LOOKUP", *activations.FUNCTIONS}
    recurrent = {"RNN", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"}
    assert set(GENERATORS) | elsewhere | recurrent == set(ops.TABLE)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("code", [*sorted(set(GENERATORS) - set(COMPARED)), "/".join(COMPARED)])
@settings(max_examples=settings().max_examples // 2 + 1)  # of so many operators
@given(data=st.data())
def test_as_the_runtime(code, kernels, data):
    case = data.draw(cases(code))
    bare, feeds = graph(case)
    (op,) = bare.operators
    bound, read = bound_of(bare, op, kernels), inputs_by_index(bare, feeds, True)
    for ours, theirs in run_both(case, kernels):
        part = part_of_bound(bound, Fed(bare, op, read, ours), theirs)
        assert part <= 1, f"{case}\n{ours}\n{theirs}\n{part} of {bound}"


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("length", [3, 16, 37, 150])
def test_denormal_sums(length, kernels):
    """Of values that are not denormal: XNNPACK takes the sums for zero at every step."""
    parts = np.random.default_rng(length).choice(f32([1, 1.5, -1, -1.25]), (50, length))
    case = Case("SUM", fed(parts * f32(2.0**-126)) + integers([1]), {"keep_dims": False})
    ((ours, theirs),) = run_both(case, kernels)
    assert same_bits(ours, theirs)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("kernels", KERNELS)
def test_integers_flow_too(kernels, dtype):
    """What models compute shapes and indices with."""
    a, b = np.array([[3, -4, 5]], dtype), np.array([[2], [-7]], dtype)
    none = {"fused_activation_function": "NONE"}
    for code in ("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"):
        options = none if code in ("ADD", "SUB", "MUL") else {}
        for ours, theirs in run_both(Case(code, fed(a, b), options, (dtype,)), kernels):
            assert same_bits(ours, theirs)
    unary = [Case("NEG", fed(a), {}, (dtype,))]
    unary += [
        Case(code, fed(a) + integers([1]), {"keep_dims": False}, (dtype,))
        for code in ("SUM", "REDUCE_MAX", "REDUCE_MIN")
    ]
    for case in unary:
        for ours, theirs in run_both(case, kernels):
            assert same_bits(ours, theirs)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(
    "case",
    [
        Case("CAST", fed(f32([3e9, -3e9, 1e30, 0.9, -0.9, 255.9])), {}, (np.int32,)),
        Case("CAST", fed(f32([3e9, 1e30, 300, -5])), {}, (np.uint8,)),
        Case("CAST", fed(f32([1e30, -1e30, 2.0**63, -(2.0**63)])), {}, (np.int64,)),
        Case("RESHAPE", fed(f32([5])) + integers([]), {}),
        Case("RESHAPE", fed(f32([5])), {"new_shape": (0,)}),
        Case("RSQRT", fed(f32([0, 1, 4]))),
        *(
            Case(code, fed(x) + integers([0]), {"keep_dims": False}, (x.dtype,))
            for code in ("REDUCE_MAX", "REDUCE_MIN")
            for x in (
                f32([[0, -0.0, 0, 0], [-0.0, 0, 1, -1], [0, 0, -0.0, -0.0]]),
                np.int32([[-(2**31)], [2**31 - 1]]),
            )
        ),
        Case("LOG", fed(f32([0, -0.0, 1, 2.5e38, 3e38]))),
        *(  # eight values at a time, a ninth by itself
            Case("QUANTIZE", fed(np.full(9, x, f32)), {}, (np.int8,), quantized(scale))
            for x, scale in ((0.25, 0.1), (0.25, 0.5), (-0.25, 0.5), (9e-39, 1.2e-38))
        ),
        Case("EQUAL", fed(f32([0, 1e-40, -1e-40]), f32(0)), {}, (np.bool_,)),
        Case("SELECT", fed(np.array(True), f32([[1, 2]]), f32([[3, 4]]))),
        Case("STRIDED_SLICE", fed(f32([1, 2, 3])) + integers([-2], [0], [1])),
        *(
            Case("STRIDED_SLICE", [x, *integers([-2], [0], [1])], {}, (x.value.dtype,), half)
            for half in [quantized(0.5)]
            for x in (Operand(np.arange(3, dtype=t), False, half) for t in (np.int8, np.uint8))
        ),
    ],
    ids=lambda case: case.code,
)
def test_corners(case, kernels):
    for ours, theirs in run_both(case, kernels):
        assert same_bits(ours, theirs), f"{ours} {theirs}"


def test_where_xnnpack_gives_another_result():
    """Differences between the paths, and between processors, that are no matter of rounding."""
    here = processor.native()
    overflown = np.inf if here.avx512 else 88.37627
    zero = Case("RSQRT", fed(f32([0])))
    huge = Case("LOG", fed(f32([2.5e38])))
    ends = Case("STRIDED_SLICE", fed(f32([1, 2, 3])) + integers([-2], [0], [1]))
    for case, builtin, default in (
        (zero, [np.inf], [np.inf if here.neon else np.nan]),
        (huge, [88.41453], [overflown]),
        (ends, [], [2, 3]),
    ):
        for kernels, expected in (("optimized", builtin), ("xnnpack", default)):
            ((_, theirs),) = run_both(case, kernels)
            assert np.array_equal(theirs, f32(expected), equal_nan=True)


@pytest.mark.parametrize("kernels", KERNELS)
def test_fused_activations_that_the_kernels_leave_out(kernels):
    """TANH and SIGN_BIT have no range; a concatenation has none of its own on the default path."""
    x = f32([[[[-3], [-0.5]], [[0.25], [9]]]])
    window = dict(stride_h=1, stride_w=1, filter_height=2, filter_width=2, padding="VALID")
    for activation in ("TANH", "SIGN_BIT"):
        option = {"fused_activation_function": activation}
        cases_ = [Case(code, fed(x, x), option) for code in ("ADD", "SUB", "MUL", "DIV")]
        cases_ += [
            Case(code, fed(x), option | window) for code in ("MAX_POOL_2D", "AVERAGE_POOL_2D")
        ]
        for case in cases_:
            ((ours, theirs),) = run_both(case, kernels)
            assert same_bits(ours, theirs)
    joined = Case("CONCATENATION", fed(x, x), {"fused_activation_function": "RELU"})
    if kernels == "xnnpack":
        ((ours, theirs),) = run_both(joined, kernels)
        assert same_bits(ours, theirs) and theirs.min() < 0


def test_inputs_and_outputs_are_recorded_by_number():
    parts = Case("CONCATENATION", fed(f32([1]), f32([2]), f32([3])), {"axis": 0})
    bare, feeds = graph(parts)
    _, trace = drqsim.run(bare, feeds)
    assert [r.name for r in trace] == ["input", "input_2", "input_3", "output"]
    assert [r.tensor_index for r in trace] == [0, 1, 2, 3]
    halves = Case("SPLIT", constants(np.int32(0)) + fed(f32([1, 2])), {"num_splits": 2}, (f32, f32))
    bare, feeds = graph(halves)
    _, trace = drqsim.run(bare, feeds)
    assert [(r.name, r.tensor_index) for r in trace] == [
        ("input", 1),
        ("output", 2),
        ("output_2", 3),
    ]
    shifted = Case("ADD", fed(f32([1])) + constants(f32([2])), {})
    bare, feeds = graph(shifted)
    roles = {r.name: r.role for r in drqsim.run(bare, feeds)[1]}
    assert roles["constant"] == "constant"


def test_a_dynamic_batch_takes_any_size():
    signature = (-1, 3)
    x = Tensor("x", (1, 3), np.dtype(f32), signature=signature)
    y = Tensor("y", (1,), np.dtype(f32), signature=(-1,))
    reads = [x, np.array([1], np.int32)]
    bare = one_operator("SUM", reads, [y], keep_dims=False)
    model = drqsim.load(drqsim.model_file.write.to_bytes(bare))
    assert model.tensors[0].signature == signature
    for batch in (1, 5):
        x = np.arange(3 * batch, dtype=f32).reshape(batch, 3)
        for kernels in KERNELS:
            assert litert.compare(model, x, kernels).exact
            assert drqsim.run(model, x, kernels)[0]["y"].shape == (batch,)
    with pytest.raises(drqsim.InputError, match=r"got the shape \[2, 4\].* reads \[-1, 3\]"):
        drqsim.run(model, np.zeros((2, 4), f32))


def test_xnnpack_follows_align_corners_where_both_are_set():
    both = {"align_corners": True, "half_pixel_centers": True}
    random = np.random.default_rng(7)
    for n, high, wide, channels, *size in random.integers(1, 7, (30, 6)):
        x = random.normal(size=(n, high, wide, channels)).astype(f32)
        layer = one_operator("RESIZE_BILINEAR", [x.shape, np.int32(size)], [(n, *size, 1)], **both)
        assert litert.compare(layer, x, "xnnpack").exact
    for kernels in ("reference", "optimized"):
        with pytest.raises(drqsim.DrqsimError, match="refuses this model"):
            litert.run(layer, x, kernels)
        with pytest.raises(drqsim.ModelFileError, match="exclude each other"):
            drqsim.run(layer, x, kernels)
