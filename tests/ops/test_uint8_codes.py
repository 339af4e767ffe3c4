"""XNNPACK's uint8 codes: 128 more than the int8 ones, and everything told of them is the same."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import drqsim
from drqsim import figures, litert, processor, walk
from drqsim.processor import PROCESSORS
from drqsim.report import plain
from drqsim.report.drawn import of_operator
from tests.kit.attribution import digits
from tests.kit.one_operator import one_operator
from tests.kit.places import MODELS
from tests.kit.strategies import (
    HYBRID_LAYERS,
    hybrid_convolutions,
    hybrid_dense,
    int4,
    int4_tensor,
    int8_weights,
)

TAKEN = [name for name in HYBRID_LAYERS if name != "depthwise_conv_2d"]
MOVED = ("input_quantized", "input_zero_point")


def ran(graph, x, name):
    return drqsim.run(graph, x, "xnnpack", processor=name)[1]


def centred(records):
    codes, zero_point = (records[name].value.astype(int) for name in MOVED)
    return codes.reshape(zero_point.size, -1) - zero_point.reshape(-1, 1)


@pytest.mark.parametrize("name", HYBRID_LAYERS)
@given(data=st.data())
def test_only_codes_and_zero_point_are_moved(name, data):
    graph, x = data.draw(HYBRID_LAYERS[name]("xnnpack"))
    ours, theirs = ran(graph, x, "x86-64"), ran(graph, x, "x86-64-vnni")
    (op,) = graph.operators
    old, new = ({r.name: r for r in trace.op(op.name)} for trace in (ours, theirs))
    assert list(old) == list(new)
    moved = MOVED if old["input_quantized"].stored == "delegate" else ()
    for record in old.values():
        if record.name not in moved:
            assert np.array_equal(record.value, new[record.name].value, equal_nan=True)
            assert record.dtype == new[record.name].dtype
    if moved:
        assert [r["input_quantized"].dtype for r in (old, new)] == [np.int8, np.uint8]
        assert (new["input_zero_point"].value == old["input_zero_point"].value + 128).all()
        assert np.array_equal(centred(old), centred(new))
        assert old["input_quantized"].nbytes == new["input_quantized"].nbytes
    assert ours.hazards == theirs.hazards


@given(data=st.data())
def test_codes_that_meet_int4_weights_are_uint8_on_every_x86(data):
    graph, x = data.draw(int4(hybrid_dense, "xnnpack"))
    (op,) = graph.operators
    by_name = {name: ran(graph, x, name) for name in PROCESSORS}
    key = f"{op.name}/input_quantized"
    if key not in by_name["x86-64"] or by_name["x86-64"][key].stored != "delegate":
        return  # left to the builtin kernels
    for name, trace in by_name.items():
        expected = np.uint8 if name.startswith("x86") else np.int8
        assert trace[key].dtype == expected
    traces = by_name["x86-64"], by_name["arm64"]
    records = [{r.name: r for r in trace.op(op.name)} for trace in traces]
    assert np.array_equal(*map(centred, records))


ON_ARM64 = processor.native().neon  # KleidiAI packs the codes in an order of its own


@pytest.mark.skipif(sys.platform != "linux" or ON_ARM64, reason="reads /proc, in x86's order")
@pytest.mark.parametrize("bits", [8, 4])
def test_the_runtime_holds_codes_of_the_recorded_type(bits):
    """One row, so that XNNPACK packs the codes in their own order."""
    random = np.random.default_rng(0)
    filters = int8_weights(random, (32, 64), 0, "per-channel")
    filters = int4_tensor(random, (32, 64), 0) if bits == 4 else filters
    dense = {"fused_activation_function": "NONE", "keep_num_dims": False}
    graph = one_operator(
        *("FULLY_CONNECTED", [(1, 64), filters], [(1, 32)]),
        **dense,
        asymmetric_quantize_inputs=True,
    )
    x = random.normal(size=(1, 64)).astype(np.float32)
    codes = ran(graph, x, "native")["fully_connected_0/input_quantized"].value
    other = (codes ^ 128).view(np.int8 if codes.dtype == np.uint8 else np.uint8)
    found = litert.find_in_memory(graph, x, {"recorded": codes, "the other": other}, "xnnpack")
    assert found["recorded"] > 0 == found["the other"], found


@given(case=hybrid_convolutions("xnnpack"))
def test_the_walk_tells_the_same_numbers(case):
    graph, x = case
    (op,) = graph.operators
    assume(np.abs(x).max() < 1e30)  # it draws finite values only
    old, new = (walk.read(ran(graph, x, name), op, 0) for name in ("x86-64", "x86-64-vnni"))
    assert np.array_equal(old.accumulator, new.accumulator)
    a, b = (layer.numbers((0, 0, 0, 0)) for layer in (old, new))
    assert [q - a.zero_point for q in a.q] == [q - b.zero_point for q in b.q]
    assert b.zero_point == a.zero_point + 128
    for name in ("x", "w", "row_sum", "accumulator", "dequantized", "pre_activation", "output"):
        assert getattr(a, name) == getattr(b, name)
    assert b.raw - b.correction == b.accumulator


@pytest.mark.parametrize("name", ["digits_drq", "digits_drq_per_tensor", "digits_int4"])
def test_drawings_are_of_the_same_values(name):
    graph = drqsim.load(MODELS / f"{name}.tflite")
    x = np.load(MODELS / "digits_inputs.npz")["images"][:1]
    old, new = (ran(graph, x, p) for p in ("x86-64", "x86-64-vnni"))
    rows = [[row[:1] + row[2:] for row in trace.rows()] for trace in (old, new)]
    assert rows[0] == rows[1]
    hybrid = {op.code: op for op in graph.operators if f"{op.name}/input_quantized" in old}
    assert hybrid
    for op in hybrid.values():
        drawn = [[f.alt for f in of_operator(trace.op(op.name))] for trace in (old, new)]
        assert len(drawn[0]) == len(drawn[1])
        for trace in (old, new):
            assert figures.layer(trace, op).text


def test_the_error_is_the_same(monkeypatch):
    # not AVX-512, whose float functions are others
    vnni = replace(PROCESSORS["x86-64"], name="x86-64-vnni", uint8_codes=True)
    monkeypatch.setitem(PROCESSORS, vnni.name, vnni)
    images = np.load(MODELS / "digits_inputs.npz")["images"][:2]
    found = []
    for name in ("x86-64", "x86-64-vnni"):
        with processor.using(name):
            pair = digits("float"), digits("drq_all_layers")
            found.append(drqsim.attribute_error(*pair, [images[:1], images[1:]], "xnnpack"))
    ours, theirs = map(plain.of_attribution, found)
    assert ours == theirs and ours["operators"]


def test_the_memory_plan_is_the_same():
    graph = digits("drq")
    plans = []
    for name in ("x86-64", "x86-64-vnni"):
        with processor.using(name):
            plans.append(repr(drqsim.plan_memory(graph, "xnnpack")))
    assert plans[0] == plans[1]
