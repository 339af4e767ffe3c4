"""Two processors side by side: who differs on its own, what that does further down, which codes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import drqsim
from drqsim import InputError
from drqsim.across_processors.differences import centred, flipped
from drqsim.ops import xnnpack
from drqsim.processor import PROCESSORS
from drqsim.report import plain
from drqsim.trace import Trace, make_record
from tests.kit.attribution import digits
from tests.kit.command import DRQ, run
from tests.kit.places import CASES, MODELS
from tests.kit.recurrent import hybrid_lstm
from tests.kit.strategies import HYBRID_LAYERS, KERNELS

X86 = ("x86-64", "x86-64-vnni")


@pytest.fixture(scope="module")
def image():
    with np.load(MODELS / "digits_inputs.npz") as inputs:
        return inputs["images"][:1]


@pytest.fixture
def one_code_differs(monkeypatch):
    """Two of a kind, but that on the second the first code of conv_2d_3 is one more."""
    twin = replace(PROCESSORS["x86-64"], name="x86-64-vnni")
    monkeypatch.setitem(PROCESSORS, twin.name, twin)
    quantize_input = xnnpack.quantize_input

    def nudged(call, *operands, **options):
        def record(name, value, *where, **place):
            if name == "input_quantized":
                value[0, 0, 0, 0] += 1
            call.record(name, value, *where, **place)

        hit = call.processor is twin and call.operator.name == "conv_2d_3"
        return quantize_input(replace(call, record=record) if hit else call, *operands, **options)

    monkeypatch.setattr(xnnpack, "quantize_input", nudged)


@pytest.mark.parametrize("name", HYBRID_LAYERS)
@given(data=st.data())
def test_uint8_codes_are_no_difference(name, data):
    kernels = data.draw(st.sampled_from(KERNELS))
    graph, x = data.draw(HYBRID_LAYERS[name](kernels))
    found = drqsim.compare_processors(graph, x, kernels, X86)
    (row,) = found
    assert found.same and not found.differing and row.flips == ()
    assert (row.equal, row.equal_through, row.flipped_through) == (row.elements, row.elements, 0)
    on_both = [drqsim.run(graph, x, kernels, processor=processor) for processor in X86]
    for outputs, (expected, trace), kind in zip(
        (found.first, found.second), on_both, row.code_types, strict=True
    ):
        assert outputs.keys() == expected.keys()
        assert all(np.array_equal(outputs[n], expected[n], equal_nan=True) for n in outputs)
        made = [str(r.dtype) for r in trace if r.name == "input_quantized"]
        assert [kind] == made or (kind == "" and not made)
    assert row.elements == trace[f"{row.operator}/output"].value.size
    assert len(found.tables()) == 1


def test_who_differs_of_itself_and_who_after_it(one_code_differs, image):
    graph = digits("drq")
    found = drqsim.compare_processors(graph, image, processors=X86)
    assert found.differing == ["conv_2d_3"] and not found.same
    names = [op.name for op in graph.operators]
    at = names.index("conv_2d_3")
    for row in found:
        fed_alike = (row.equal, row.apart, row.flipped, row.flips) == (row.elements, 0, 0, ())
        assert fed_alike == (row.operator != "conv_2d_3")
        if names.index(row.operator) < at:
            assert (row.equal_through, row.apart_through) == (row.elements, 0)
            assert row.flipped_through == 0
    row = found["conv_2d_3"]
    (flip,) = row.flips
    assert flip.tensor == "input_quantized" and flip.position == (0, 0, 0, 0)
    assert flip.second == flip.first + 1 and row.flipped == 1 == row.flipped_through
    assert 0 < row.elements - row.equal == row.elements - row.equal_through
    assert 0 < row.apart == row.apart_through
    # all channels of one pixel read it
    trace = drqsim.run(graph, image, "xnnpack")[1]
    codes, zero_point = (
        trace[f"conv_2d_3/input_{name}"].value for name in ("quantized", "zero_point")
    )
    assert flip.first == int(codes[0, 0, 0, 0]) - int(zero_point[0])
    assert found["softmax_0"].equal_through < found["softmax_0"].elements


def test_it_prints_and_is_data(one_code_differs, image):
    found = drqsim.compare_processors(digits("drq"), image, processors=X86)
    text = repr(found)
    assert "1 of 12 operators give other bits on x86-64-vnni than on x86-64" in text
    assert "and 1 of 7,744 codes flip" in text and "Through the whole model" in text
    assert "conv_2d_1" not in text.partition("Through the whole model")[2]
    data = plain.of_processors(found)
    assert plain.as_json(data) and data["processors"] == list(X86) and not data["same"]
    (row,) = (r for r in data["operators"] if r["flips"])
    assert row["operator"] == "conv_2d_3" and row["flips"][0]["position"] == [0, 0, 0, 0]


def test_a_zero_point_that_moves_with_its_codes_flips_none():
    codes, zero_point = np.int8([[1, 2], [3, 4]]), np.int32([5, -6])
    both = [
        Trace(
            [
                make_record("op", "input_quantized", (codes + moved).astype(np.int8)),
                make_record("op", "input_zero_point", zero_point + moved),
            ],
            "xnnpack",
        )
        for moved in (0, 1)
    ]
    before, after = (centred(trace, "op") for trace in both)
    assert before["input_quantized"].tolist() == [[-4, -3], [9, 10]]
    assert flipped(before, after) == 0
    after["input_quantized"][1, 0] += 1
    assert flipped(before, after) == 1
    assert flipped({}, after) == flipped(after, {}) == 4  # a dense layer makes no codes of zeros


def test_a_half_has_two_codes():
    """KleidiAI rounds it away from zero, XNNPACK's other kernels to even."""
    x = np.float32([0, 255, 0.5, 1.5, 2.5, 3.5]).reshape(1, 1, 1, 6)  # 255 steps of 1
    layer = drqsim.conv_relu(
        np.ones((1, 1, 1, 6), np.int8),
        np.zeros(1, np.float32),
        input_shape=(1, 1, 1, 6),
        filter_scale=np.ones(1, np.float32),
    )
    for other in "arm64-dotprod", "arm64-i8mm":
        found = drqsim.compare_processors(layer, x, processors=("x86-64", other))
        flips = found["conv_2d_0"].flips
        assert [(f.position[3], f.first, f.second) for f in flips] == [(2, 0, 1), (4, 2, 3)]
        (first,), (second,) = found.first.values(), found.second.values()
        assert second - first == 2
    found = drqsim.compare_processors(layer, x, processors=("x86-64", "arm64"))
    assert found.same


@pytest.mark.parametrize("name", sorted(set(HYBRID_LAYERS) - {"depthwise_conv_2d"}))
@given(data=st.data())
def test_without_dot_products_xnnpack_computes_what_it_does_on_x86(name, data):
    graph, x = data.draw(HYBRID_LAYERS[name]("xnnpack"))
    (op,) = graph.operators
    assume(drqsim.explain(graph)[op.name].kernel == "XNNPACK")
    found = drqsim.compare_processors(graph, x, processors=("x86-64", "arm64"))
    assert all(np.array_equal(found.first[n], found.second[n]) for n in found.first)  # but for -0
    assert found[op.name].code_types == ("int8", "int8")


@given(case=hybrid_lstm())
def test_steps_of_a_sequence_have_a_zero_point_each(case):
    graph, fed = case
    (row,) = drqsim.compare_processors(graph, fed, "optimized", X86)
    assert row.equal == row.elements and row.codes and not row.flipped


def test_states_are_carried_along():
    """The second operator on a state reads in the comparison what the first left."""
    graph = drqsim.load(CASES / "unrolled_rnn_shared_state.tflite")
    random = np.random.default_rng(0)
    fed = {graph.fed_names[i]: random.normal(size=graph.tensors[i].shape) for i in graph.inputs}
    fed = {name: value.astype(np.float32) for name, value in fed.items()}
    found = drqsim.compare_processors(graph, fed, "optimized", X86)
    assert found.same and len(found) == len(graph.operators)


@pytest.mark.parametrize(
    "names", ["arm64", 2, None, ("arm64",), ("x86-64", "arm64", "arm64-i8mm"), ("x86-64", "m1")]
)
def test_it_takes_two_known_names(names, image):
    with pytest.raises(InputError, match="processors? is "):
        drqsim.compare_processors(digits("drq"), image, processors=names)


def test_the_command(one_code_differs):
    fed = ["--input", f"{MODELS / 'digits_inputs.npz'}:images[0]"]
    status, out, error = run("processors", DRQ, *fed, "--processors", *X86)
    assert (status, error) == (0, "")
    assert "1 of 12 operators give other bits on x86-64-vnni than on x86-64" in " ".join(
        out.split()
    )
    assert "conv_2d_3/input_quantized[0, 0, 0, 0]: " in out
    status, out, error = run("processors", DRQ, *fed, "--processors", "arm64", "m1")
    assert status == 2 and "'m1'" in error


def test_what_is_written_over_in_a_run_cannot_be_compared_alone():
    tensors = tuple(drqsim.Tensor(name, (2,), np.dtype(np.float32)) for name in "xy")
    first = drqsim.Operator("RELU", "relu_0", (0,), (1,))
    again = drqsim.Operator("NEG", "neg_0", (1,), (1,))
    graph = drqsim.Graph(tensors, (first, again), (0,), (1,))
    x = np.ones(2, np.float32)
    assert drqsim.run(graph, x)[0]["y"].tolist() == [-1, -1]
    with pytest.raises(drqsim.UnsupportedOperatorError, match="neg_0 reads tensor 1, which is wr"):
        drqsim.compare_processors(graph, x)
