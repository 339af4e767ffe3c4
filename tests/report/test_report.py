"""The report: what it says, that it is one safe file, and that its numbers are the right ones."""

import base64
import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim.report import as_data, as_html, as_markdown, make, node_data, plain
from drqsim.report.drawn import corner, of_operator
from drqsim.report.words import about_the_file, listed, weigh
from tests.kit.corpus import random_input
from tests.kit.html import Checked
from tests.kit.places import MODELS

f32 = np.float32
EVIL = "<b onload=\"x('&')\">$x_1$|`*"


def digits(name: str) -> drqsim.Graph:
    return drqsim.load(MODELS / f"digits_{name}.tflite")


@pytest.fixture(scope="module")
def report():
    with np.load(MODELS / "digits_inputs.npz") as inputs:
        x = inputs["images"][:1]
    return make(digits("drq"), x, digits("float"), name=f"{EVIL}.tflite", fed=EVIL)


@pytest.fixture(scope="module")
def page(report):
    return as_html(report)


def test_the_page_is_one_safe_file(report, page):
    checked = Checked(page)
    assert checked.links == ["data:,"]  # no icon; nothing else is asked for
    assert set(checked.hashes) <= set(checked.ids)
    assert not re.search(r"@import|url\((?!#)|https?://(?!www\.w3\.org)", page)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page and "default-src 'none'" in page
    assert len(page) < 1e6


def test_the_page_has_everything_in_order(report, page):
    checked = Checked(page)
    assert checked.headings[0] == 1 and checked.headings.count(1) == 1
    steps = zip(checked.headings, checked.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps)
    for op in report.graph.operators:
        fold = page.partition(f'id="op-{op.name}"')[2].partition('<details class="op"')[0]
        hybrid = report.explanation[op.name].arithmetic == "int8"
        assert fold.count("<figure") == (3 if hybrid else 0), op.name
        for record in report.trace.op(op.name):
            assert f"<td>{record.name}</td>" in fold
        assert f'href="#op-{op.name}"' in page
    # two plans in one map, their bars, the errors' bars, and three figures for an int8 operator
    assert checked.tags.count("figure") == 3 + 3 * 6
    assert page.count("<style>") == 2 and "prefers-color-scheme:dark" in page


def test_names_are_text(report, page):
    filters, bias = np.ones((4, 1, 1, 2), f32), np.zeros(4, f32)
    graph = drqsim.conv_relu(filters, bias, input_shape=(1, 3, 3, 2))
    graph = drqsim.quantize(graph, min_elements=0)
    evil = replace(graph, tensors=tuple(replace(t, name=EVIL + t.name) for t in graph.tensors))
    (name,) = (evil.tensors[i].name for i in evil.inputs)
    other = make(evil, {name: np.zeros((1, 3, 3, 2), f32)})
    assert as_html(other) == as_html(other)
    for html in (page, as_html(other)):
        assert "<b onload" not in html and html.count("&lt;b onload=") >= 1
        assert "b" not in Checked(html).tags[: Checked(html).tags.index("main")]
    text = as_markdown(report)
    assert "<b" not in text and r"\|\`\*" in text


def test_words(report):
    graph = report.graph
    weights = weigh(graph)
    codes = [t for t in graph.constants if t.dtype == np.int8]
    assert weights.quantized == len(codes) == 6
    assert weights.quantized_bytes == sum(t.value.nbytes for t in codes)
    assert weights.as_float_bytes == 4 * weights.quantized_bytes
    assert weights.float_bytes == sum(t.value.nbytes for t in graph.constants if t.dtype == f32)
    said = " ".join(line for part in as_data(report)["summary"] for line in part["answer"])
    for number in (
        weights.quantized_bytes,
        report.plan.arena_bytes,
        report.plan.lower_bound,
        report.float_plan.arena_bytes,
    ):
        assert f"{number:,}" in said
    assert f"{report.error.net_error.snr:.1f} dB" in said
    assert "6 of 12 operators compute in int8: conv_2d_1, conv_2d_2" in said


def test_the_file_in_words():
    assert about_the_file(digits("float"))[0].startswith("No constant is int8")
    assert "9 constants are int4 and int8" in " ".join(about_the_file(mixed()))
    assert "1 of 6 has" not in about_the_file(digits("drq"))[1]
    assert "5 of 6 have one scale for every channel" in about_the_file(one_scale())[1]
    assert listed(list("abcdef")) == "a, b, c, d, e, f"
    assert listed(list("abcdefg")) == "a, b, c, d, e, f, g"
    assert listed(list("abcdefgh")) == "a, b, c, d, e, f and 2 more"


def mixed() -> drqsim.Graph:
    """int4 weights, and int8 ones beside them."""
    return drqsim.quantize(digits("int4"), min_elements=0)


def one_scale() -> drqsim.Graph:
    model = digits("drq")
    tensors = list(model.tensors)
    at = next(i for i, t in enumerate(tensors) if t.dtype == np.int8)
    short = replace(tensors[at].quantization, scale=f32([0.1]), zero_point=np.zeros(1, np.int64))
    tensors[at] = replace(tensors[at], quantization=short)
    return replace(model, tensors=tuple(tensors))


def test_data_is_json_and_the_trace_is_the_trace(report):
    data = json.loads(plain.as_json(as_data(report)), parse_constant=pytest.fail)
    _, trace = drqsim.run(report.graph, np.zeros((1, 8, 8, 1), f32))
    assert [record["key"] for record in data["trace"]["records"]] == [r.key for r in trace]
    assert [v["kernels"] for v in data["verdicts"]] == ["optimized", "xnnpack", "reference"]
    assert data["error"]["operators"][0]["error"]["snr_db"] is None  # a float operator: no error
    snr = {row["operator"]: row["error"]["snr_db"] for row in data["error"]["operators"]}
    assert snr["conv_2d_1"] == report.error["conv_2d_1"].error.snr
    assert data["memory"]["arena_bytes"] == drqsim.memory.plan_memory(report.graph).arena_bytes


def test_markdown_tables_have_a_cell_for_every_column(report):
    width = 0
    for line in as_markdown(report).splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line))
        assert cells == 0 or width in (0, cells), line
        width = cells
    assert as_markdown(report).count("\n## ") >= 8


def test_a_report_names_whose_kernels_it_follows(report):
    x = np.zeros((1, 8, 8, 1), np.float32)
    with drqsim.processor.using("arm64-dotprod"):
        other = make(digits("drq"), x, kernels="xnnpack")
    assert other.trace.processor == other.processor == "arm64-dotprod"
    followed = "followed on the xnnpack kernels of arm64-dotprod."
    assert followed in as_html(other) and followed in as_markdown(other)
    assert "KleidiAI" in as_html(other) and "KleidiAI" not in as_html(report)
    data = as_data(other)
    assert data["processor"] == "arm64-dotprod" == data["verdicts"][0]["processor"]
    assert "optimized kernels of x86-64." in as_html(report)


def test_what_cannot_be_made_is_left_out(monkeypatch):
    from drqsim import ops

    monkeypatch.delitem(ops.TABLE, "MAX_POOL_2D")
    x = np.zeros((1, 8, 8, 1), f32)
    found = make(digits("drq"), x, digits("float"))
    assert (found.trace, found.error, found.plan, found.float_plan) == (None,) * 4
    assert len(found.left_out) == 4 and all("MAX_POOL_2D" in text for text in found.left_out)
    assert len(found.explanation) == 12
    assert "What is missing here?" in as_html(found) and "MAX_POOL_2D" in as_markdown(found)
    monkeypatch.undo()
    whole = digits("float")
    shorter = replace(whole, operators=whole.operators[:-1], outputs=whole.operators[-1].inputs)
    other = make(digits("drq"), x, shorter)
    assert other.error is None and other.left_out[0].startswith("Error: left out.")
    quick = make(digits("drq"), x, digits("float"), end_to_end=False)
    assert quick.error.net_error is None and "--end-to-end" in quick.left_out[0]


def test_corners():
    picture = np.arange(2 * 9 * 20 * 3).reshape(2, 9, 20, 3)
    assert np.array_equal(corner(picture), picture[0, :8, :12, 0])
    assert corner(np.zeros((128, 1, 1, 32))).shape == (8, 12)
    assert corner(np.zeros((5, 3))).shape == (5, 3) and corner(np.zeros(4)).shape == (1, 4)
    assert corner(np.zeros(())).shape == (1, 1)


def test_figures_show_the_codes():
    model = digits("drq")
    _, trace = drqsim.run(model, np.ones((1, 8, 8, 1), f32))
    weights, spread, corners = of_operator(trace.op("conv_2d_1"))
    codes = trace["conv_2d_1/input_quantized"].value
    assert f"{codes.size:,} values from {codes.min()} to {codes.max()}" in spread.text
    assert "filter: codes: 4,608 values" in weights.text
    assert str(codes[0, 0, 0, 0]) in corners.text and str(codes[0, 7, 7, 0]) in corners.text
    assert list(of_operator(trace.op("softmax_0"))) == []
    _, shapes = drqsim.run(model, np.ones((1, 8, 8, 1), f32), record="shapes")
    assert list(of_operator(shapes.op("conv_2d_1"))) == []


# google-ai-edge/model-explorer at c0f8dba, node_data_builder.py: the fields of GraphNodeData,
# NodeDataResult and GradientItem, and what their comments say
GRAPH_NODE_DATA = {"results": dict, "name": str, "gradient": list}
RESULT = {"value": (int, float, str), "bgColor": str}


def check_node_data(data: dict, graph: drqsim.Graph) -> None:
    data = json.loads(plain.as_json(data), parse_constant=pytest.fail)
    assert "results" in data and "results" not in data["results"]
    for key, value in data.items():
        assert isinstance(value, GRAPH_NODE_DATA[key]), key
    for key, result in data["results"].items():
        assert 0 <= int(key) < len(graph.operators) and key == str(int(key))
        assert "value" in result
        for field, value in result.items():
            assert isinstance(value, RESULT[field]) and not isinstance(value, bool)
    if "gradient" in data:
        assert [item["stop"] for item in data["gradient"]][:: len(data["gradient"]) - 1] == [0, 1]
        for item in data["gradient"]:
            assert set(item) <= {"stop", "bgColor", "textColor"} and 0 <= item["stop"] <= 1
            assert re.fullmatch("#[0-9a-f]{6}", item["bgColor"])


def test_node_data(report):
    graph = report.graph
    errors = node_data.of_errors(graph, report.error)
    check_node_data(errors, graph)
    names = [op.name for op in graph.operators]
    at = str(names.index("conv_2d_3"))
    assert errors["results"][at]["value"] == round(report.error["conv_2d_3"].error.snr, 2)
    assert str(names.index("conv_2d_0")) not in errors["results"]  # it has no error
    arithmetic = node_data.of_arithmetic(graph, report.explanation)
    check_node_data(arithmetic, graph)
    assert [r["value"] for r in arithmetic["results"].values()] == [
        verdict.arithmetic for verdict in report.explanation
    ]


@pytest.mark.parametrize("name", ["weight_only", "int4", "drq_per_tensor", "float"])
def test_other_models(name):
    model = digits(name)
    found = make(model, random_input(model, 0), digits("float"), kernels="reference")
    assert found.left_out == []
    if name in ("weight_only", "drq_per_tensor"):
        Checked(as_html(found))
    json.loads(plain.as_json(as_data(found)), parse_constant=pytest.fail)
    has_hazard = any(v.hazards for v in found.explanation)
    assert has_hazard == ("Beware" in as_markdown(found))


def test_of_which_subgraph_the_tables_are_is_told_on_both():
    graph = digits("drq")
    graph = replace(graph, name="main", others=(replace(digits("float"), name="helper"),))
    made = make(graph, np.zeros((1, 8, 8, 1), f32))
    said = "a run is of main, the first, and so is every table of operators."
    for written in (as_html(made), as_markdown(made)):
        assert said in " ".join(written.split())
    alone = make(digits("drq"), np.zeros((1, 8, 8, 1), f32))
    assert "so is every table" not in as_html(alone) + as_markdown(alone)
