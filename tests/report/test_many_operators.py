"""Models of thousands of operators and tensors: no step looks at all of them for each of them."""

import time

import numpy as np
import pytest

import drqsim
from drqsim import report
from drqsim.graph import Graph
from tests.kit import large_files, pace
from tests.kit.command import DRQ, run

SECONDS = pace.seconds(5)


def test_a_report_of_a_long_chain(tmp_path):
    model, page = tmp_path / "chain.tflite", tmp_path / "report.html"
    model.write_bytes(large_files.relu_chain())
    began = time.process_time()
    assert run("report", model, "-o", page)[0] == 0
    assert time.process_time() - began < SECONDS
    text = page.read_text()
    assert text.count('<details class="op"') == 2000 and "relu_1999" in text


def test_inspect_finds_the_writer_of_each_of_many(tmp_path):
    model = tmp_path / "split.tflite"
    model.write_bytes(large_files.split_many(20_000))
    began = time.process_time()
    status, out, _ = run("inspect", model)
    assert time.process_time() - began < SECONDS
    rows = out.splitlines()
    assert status == 0 and len([row for row in rows if "split_0" in row]) == 20_000
    assert rows[2].split() == ["1", "int32[]", "4", "constant", "axis"]


def test_what_is_not_drawn_is_said():
    graph = drqsim.load(DRQ)
    x = np.zeros(graph.tensors[graph.inputs[0]].shape, np.float32)
    whole = report.make(graph, x)
    less = report.make(graph, x, limits=drqsim.Limits(drawn=1))
    assert whole.left_out == []
    hybrid = [v.operator for v in whole.explanation if "int8" in v.arithmetic]
    assert less.left_out == [
        f"Codes are drawn for the first 1 of the {len(hybrid)} operators that have them; raise "
        "that with limits=drqsim.Limits(drawn=...)."
    ]
    drawn = [op for op in hybrid if less.trace[f"{op}/filter"].value is not None]
    assert drawn == hybrid[:1]
    assert report.as_html(less).count("<svg") < report.as_html(whole).count("<svg")


def test_a_map_of_too_many_tensors_is_left_out(monkeypatch):
    graph = drqsim.load(large_files.relu_chain(20))
    x = np.ones(1, np.float32)
    assert "Memory map." in report.as_html(report.make(graph, x))
    for module in (report.gather, report.page):
        monkeypatch.setattr(module, "MOST_MAPPED", 20)
    made = report.make(graph, x)
    assert "Memory map." not in report.as_html(made)
    assert made.left_out[0].startswith("The map of the memory is left out: it would show 21")


def test_the_timeline_adds_up_what_is_alive():
    plan = drqsim.plan_memory(drqsim.load(DRQ))
    expected = [sum(b.nbytes for b in plan.alive(at)) for at in range(len(plan.steps))]
    assert plan.timeline == expected and min(expected) > 0


@pytest.mark.parametrize("operators", [0, 1])
def test_the_timeline_of_almost_nothing(operators):
    graph = drqsim.load(large_files.relu_chain(1))
    graph = Graph(graph.tensors, graph.operators[:operators], graph.inputs, graph.inputs)
    plan = drqsim.plan_memory(graph)
    assert plan.timeline == [sum(b.nbytes for b in plan.alive(0))]
