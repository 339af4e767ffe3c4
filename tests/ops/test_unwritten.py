"""Outputs that are constants of the file, what XNNPACK does not write, what is read before that."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.graph import Graph, Operator, Quantization, Tensor
from drqsim.kernels import KERNELS
from drqsim.ops import option_checks, refusals
from drqsim.ops.delegate import taken
from tests.kit.one_operator import f32, one_operator, with_options
from tests.kit.pool import layers
from tests.kit.uses import feeds

SCALE = Quantization(f32([0.5]), np.zeros(1, np.int64))
NONE = {"fused_activation_function": "NONE"}
X, Y, Z = (Tensor(name, (3,), np.dtype(f32)) for name in "xyz")


def constant(dtype, shape=(3,)) -> Tensor:
    scale = SCALE if dtype in (np.int8, np.uint8) else None
    return Tensor("c", shape, np.dtype(dtype), np.ones(shape, dtype), scale)


def of_each_code() -> dict[str, Graph]:
    return {g.operators[0].code: g for g in layers() if g.operators[0].code != "SHAPE"}


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("code", sorted(of_each_code()))
def test_an_output_that_is_a_constant_is_written_over_or_refused_as_in_the_runtime(code, kernels):
    graph = of_each_code()[code]
    (op,), tensors = graph.operators, list(graph.tensors)
    fed = feeds(np.random.default_rng(0), graph)
    if refusals.why_refused(graph, op, kernels):
        return  # ELU has no reference kernel
    for shape in (tensors[op.outputs[0]].shape, (7, 7, 7)):
        at = op.outputs[0]
        plain = replace(tensors[at], quantization=None) if len(shape) == 3 else tensors[at]
        made = replace(plain, shape=shape, value=np.zeros(shape, plain.dtype))
        changed = replace(graph, tensors=(*tensors[:at], made, *tensors[at + 1 :]))
        ended = []
        for run in (drqsim.run, litert.run):
            try:
                found = run(changed, fed, kernels)
                found = found[0] if run is drqsim.run else found.outputs
                ended.append([v.shape for v in found.values()])
                if code == "CONCATENATION":  # it takes the constant for what it computed
                    assert not next(iter(found.values())).any()
            except drqsim.DrqsimError as error:
                ended.append(type(error))
        assert ended[0] == ended[1], (code, kernels, shape)
        if shape == (7, 7, 7) or (kernels == "xnnpack" and taken(graph)):
            assert ended[0] is drqsim.ModelFileError


def test_a_constant_that_is_written_over_and_read_is_refused():
    c = constant(f32)
    mul, add = (
        Operator("MUL", "mul_0", (0, 0), (1,), NONE),
        Operator("ADD", "add_0", (0, 1), (2,), NONE),
    )
    for kernels in KERNELS:
        with pytest.raises(drqsim.UnsupportedOperatorError, match="add_0 reads 'c', .* mul_0"):
            drqsim.run(Graph((X, c, Z), (mul, add), (0,), (2,)), f32([1, 2, 3]), kernels)


@pytest.mark.parametrize("dtype", (np.int8, np.float16))
def test_what_xnnpack_makes_of_a_constant_is_no_output(dtype):
    alone = one_operator("DEQUANTIZE", [constant(dtype)], [Y])
    for kernels in ("reference", "optimized"):
        ours, theirs = drqsim.run(alone, {}, kernels)[0], litert.run(alone, {}, kernels).outputs
        assert ours["y"].tobytes() == theirs["y"].tobytes()
    add = Operator("ADD", "add_0", (2, 1), (3,), NONE)
    unpack = Operator("DEQUANTIZE", "dequantize_0", (0,), (1,))
    read = Graph((constant(dtype), Y, X, Z), (unpack, add), (2,), (3,))
    x = f32([1, 2, 3])
    ours, theirs = drqsim.run(read, x, "xnnpack")[0], litert.run(read, x, "xnnpack").outputs
    assert ours["z"].tobytes() == theirs["z"].tobytes()
    for graph, fed in ((alone, {}), (replace(read, outputs=(3, 1)), x)):
        with pytest.raises(drqsim.ModelFileError, match="XNNPACK, which .* does not write it"):
            drqsim.run(graph, fed, "xnnpack")
        assert drqsim.explain(graph, "xnnpack")["dequantize_0"].arithmetic == "not known"
    # in the runtime the output has nothing of the constant
    made = drqsim.run(alone, {}, "optimized")[0]["y"]
    assert litert.run(replace(read, outputs=(3, 1)), x, "xnnpack").outputs["y"].tobytes() != (
        made.tobytes()
    )


@pytest.mark.parametrize("kernels", KERNELS)
def test_what_is_read_before_it_is_written(kernels):
    own = one_operator("POW", [X, Y], [Y])
    own = replace(own, inputs=(0,))
    litert.run(own, f32([1, 2, 3]), kernels)
    with pytest.raises(drqsim.ModelFileError, match="what its memory happens to hold, or refuses"):
        drqsim.run(own, f32([1, 2, 3]), kernels)


@pytest.mark.parametrize("kernels", KERNELS)
def test_empty_inputs_are_not_run(kernels):
    graph = one_operator("RELU", [replace(X, shape=(0, 3))], [replace(Y, shape=(0, 3))])
    with pytest.raises(drqsim.InputError, match="drqsim does not run empty inputs"):
        drqsim.run(graph, np.zeros((0, 3), f32), kernels)


IMAGE, FILTER = (1, 4, 4, 4), np.ones((4, 2, 2, 4), f32)
WINDOWS = {
    "CONV_2D": [IMAGE, FILTER, np.ones(4, f32)],
    "DEPTHWISE_CONV_2D": [IMAGE, FILTER[:1], np.ones(4, f32)],
    "AVERAGE_POOL_2D": [IMAGE],
    "MAX_POOL_2D": [IMAGE],
    "TRANSPOSE_CONV": [np.int32([1, 4, 4, 4]), FILTER, IMAGE],
}


@pytest.mark.parametrize("value", (0, -1, 2**15))
@pytest.mark.parametrize("code", sorted(option_checks.STEPS))
def test_strides_and_dilations_are_refused_with_the_runtime_s_words(code, value):
    ones = dict.fromkeys(("stride_h", "stride_w", "dilation_h_factor", "dilation_w_factor"), 1)
    ones |= {"filter_height": 2, "filter_width": 2, "depth_multiplier": 1} | NONE
    bare = one_operator(code, WINDOWS[code], [IMAGE], padding="SAME", **ones)
    for option, _, _, most in option_checks.STEPS[code][1]:
        graph = with_options(bare, **{option: value})
        why = refusals.why_refused(graph, graph.operators[0], "optimized")
        assert bool(why) == (value <= 0 or most is not None)
        if why:
            assert drqsim.explain(graph, "optimized")[graph.operators[0].name].why == why
            with pytest.raises(drqsim.ModelFileError) as refused:
                litert.run(graph, np.ones(IMAGE, f32), "optimized")
            assert why.partition(": ")[2] in str(refused.value)
