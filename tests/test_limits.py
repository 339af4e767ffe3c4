"""Budgets: small files that ask for much get the right number, or one sentence at once."""

import re
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import limits
from drqsim.ops.float32 import pooling
from tests.kit import pace
from tests.kit.command import refused, run
from tests.kit.large_files import relu_chain
from tests.kit.one_operator import one_operator
from tests.kit.places import CASES

GIB, SECONDS = 2**30, pace.seconds(5)
DRAWN = np.float32(0.273923)  # the first of seed 0


@pytest.fixture(autouse=True)
def _in_bounds():
    """Nothing here takes a GiB, or five seconds of work."""
    tracemalloc.start()
    began = time.process_time()
    yield
    took, (_, most) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < GIB and took < SECONDS


@pytest.mark.parametrize("name", ["avgpool_1024", "avgpool_16384"])
def test_pooling_looks_at_the_image_alone(name):
    graph = drqsim.load(CASES / f"{name}.tflite")
    (output,) = drqsim.run(graph, np.full((1, 1, 1, 1), DRAWN))[0].values()
    assert output.tolist() == [[[[DRAWN]]]]


def test_pooling_on_xnnpack_looks_at_the_image_alone(monkeypatch):
    graph = drqsim.load(CASES / "avgpool_1024.tflite")
    joined = []
    tree = pooling._tree
    monkeypatch.setattr(pooling, "_tree", lambda *taps: joined.append(1) or tree(*taps))
    (output,) = drqsim.run(graph, np.full((1, 1, 1, 1), DRAWN), kernels="xnnpack")[0].values()
    assert output.tolist() == [[[[DRAWN]]]]
    assert len(joined) == 1  # of the 116,509 nines of taps, the others lie on padding alone


def test_a_maximum_of_a_million_taps_is_work_on_xnnpack():
    graph = drqsim.load(CASES / "avgpool_1024.tflite")
    (op,) = graph.operators
    op = replace(op, code="MAX_POOL_2D", name="max_pool_2d_0")
    with pytest.raises(drqsim.UnsupportedOperatorError, match="max_pool_2d_0: .* units of work"):
        graph = replace(graph, operators=(op,))
        drqsim.run(graph, np.full((1, 1, 1, 1), DRAWN), kernels="xnnpack")


def test_a_dilated_window_looks_at_the_image_alone():
    graph = drqsim.load(CASES / "convf_dilation.tflite")
    (op,) = graph.operators
    x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    (output,) = drqsim.run(graph, x)[0].values()
    filters, bias = (graph.tensors[i].value for i in op.inputs[1:])
    step = op.options["dilation_h_factor"]
    before = step // 2 if op.options["padding"] == "SAME" else 0
    expected = np.full(output.shape, bias[0])
    for at in np.ndindex(output.shape[1:3]):
        for tap in np.ndindex(2, 2):
            seen = [place + step * k - before for place, k in zip(at, tap, strict=True)]
            if all(0 <= place < 4 for place in seen):
                expected[(0, *at)] += x[(0, *seen)] * filters[(0, *tap)]
    assert output.tolist() == expected.tolist()
    assert tracemalloc.get_traced_memory()[1] < GIB // 64  # the padded image would take one


REFUSED = {
    "add_bcast": "add_0: making float32[16384,16384] takes",
    "concat_100": "concatenation_2: it takes",
    "concat_double": "concatenation_15: it takes",
    "conv_im2col": "conv_2d_0: it takes",
    "fc_outer": "fully_connected_0: making float32[16384,16384] takes",
    "pad": "pad_0: making float32[",
    "resize_bilinear": "resize_bilinear_0: making float32[1,16384,16384,1] takes",
    "tanh_chain": "add_0: making float32[8192,8192] takes",
    "tconv": "transpose_conv_0: making float32[1,16384,16384,1] takes",
    "in_2e31": "Random inputs: it takes",
}
SENTENCE = (
    r"up to [\d,]{9,} bytes( beside [\d,]+ that are in use)?, and a run may use 805,306,368; "
    r"raise that with --max-memory\.\n"
)


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_one_sentence(name):
    error = refused(1, "trace", CASES / f"{name}.tflite", "--input", "random")
    said = re.escape(f"Error: {REFUSED[name]}")
    assert re.fullmatch(rf"{said}.*{SENTENCE}", error), error


def test_a_report_says_it_and_goes_on(tmp_path):
    page = tmp_path / "report.md"
    status, out, _ = run("report", CASES / "pad.tflite", "--format", "md", "-o", page)
    assert status == 0 and "Every tensor: left out. pad_0: making float32[" in out
    assert "raise that with --max-memory." in out


def test_limits_are_raised_by_who_asks_for_it():
    graph = one_operator("PAD", [(1,), np.array([[0, 999]], np.int32)], [(1000,)])
    x = np.ones(1, np.float32)
    little = drqsim.Limits(memory=10_000)
    with pytest.raises(drqsim.UnsupportedOperatorError, match="pad_0: making float32.1000. takes"):
        drqsim.run(graph, x, limits=little)
    assert drqsim.run(graph, x, limits=drqsim.Limits(memory=50_000))[0]
    with limits.using(little), pytest.raises(drqsim.UnsupportedOperatorError, match="10,000;"):
        drqsim.run(graph, x)
    assert drqsim.run(graph, x)[0]
    with pytest.raises(drqsim.InputError, match="memory=-1"):
        drqsim.Limits(memory=-1)


def test_work_is_counted_and_refused():
    graph = drqsim.load(relu_chain(100))
    x = np.ones(1, np.float32)
    drqsim.run(graph, x, limits=drqsim.Limits(work=2 * 100 * limits.PER_OPERATOR))
    with pytest.raises(drqsim.UnsupportedOperatorError, match=r"relu_4\d: .*work=\.\.\."):
        drqsim.run(graph, x, limits=drqsim.Limits(work=50 * limits.PER_OPERATOR))


def test_a_pooling_of_many_real_taps_is_work():
    options = {"filter_height": 1500, "filter_width": 1500, "stride_h": 1, "stride_w": 1}
    shape = (1, 800, 800, 1)
    graph = one_operator("MAX_POOL_2D", [shape], [shape], **options)
    with pytest.raises(drqsim.UnsupportedOperatorError, match="max_pool_2d_0: .* units of work"):
        drqsim.run(graph, np.zeros(shape, np.float32))


def test_what_nobody_needs_any_more_is_not_counted():
    graph = drqsim.load(relu_chain(200))
    x, enough = np.ones(1, np.float32), drqsim.Limits(memory=200)
    assert drqsim.run(graph, x, record="shapes", limits=enough)[0]
    with pytest.raises(drqsim.UnsupportedOperatorError, match="that are in use"):
        drqsim.run(graph, x, limits=enough)  # which keeps the records


def test_one_memory_counts_once():
    budget, whole = limits.Budget(), np.zeros(1000, np.uint8)
    for view in (whole, whole[10:], whole.reshape(10, 100)):
        budget.hold(view)
    assert budget.alive == 1000
    for view in (whole[5:], whole):
        budget.release(view)
    assert budget.alive == 1000
    budget.release(whole)
    assert budget.alive == 0
