"""The memory map shows every block of a plan where the plan puts it."""

import re
from dataclasses import replace

import pytest

import drqsim
from drqsim import figures
from drqsim.figures.memory_map import HIGH, WIDE, _called, _label
from drqsim.memory import MemoryPlan, plan_memory
from tests.kit.places import MODELS


@pytest.fixture(scope="module")
def plan():
    return plan_memory(drqsim.load(MODELS / "digits_drq.tflite"))


def rectangles(figure):
    """Left, right, top and bottom of every framed block of the drawing, in points."""
    paths = re.findall(r'd="([^"]*)"[^>]*fill: (?:none|url)[^>]*stroke-width: 0.9', figure.body)
    boxes = []
    for path in paths:
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", path)]
        xs, ys = numbers[::2], numbers[1::2]
        boxes.append((min(xs), max(xs), min(ys), max(ys)))
    return boxes


def test_blocks_that_are_alive_together_do_not_overlap_and_are_drawn_to_scale(plan):
    looks: dict[tuple, list] = {}  # those that look alike are drawn together
    for block in plan.of("arena"):
        if block.shares is None:
            looks.setdefault((block.dtype, block.role == "scratch"), []).append(block)
    blocks = [block for alike in looks.values() for block in alike]
    boxes = rectangles(figures.memory_map(plan, table=False))
    assert len(boxes) == len(blocks) > 40
    bottom = max(box[3] for box in boxes)
    largest = max(range(len(blocks)), key=lambda at: blocks[at].nbytes)
    per_byte = (boxes[largest][3] - boxes[largest][2]) / blocks[largest].nbytes
    per_step = (boxes[-1][1] - boxes[-1][0]) / (
        min(blocks[-1].last, len(plan.steps) - 1) - blocks[-1].first + 1
    )
    left = min(box[0] for box in boxes)
    for block, (x0, x1, y0, y1) in zip(blocks, boxes, strict=True):
        last = min(block.last, len(plan.steps) - 1)
        assert bottom - y1 == pytest.approx(block.offset * per_byte, abs=0.01)
        assert y1 - y0 == pytest.approx(block.nbytes * per_byte, abs=0.01)
        assert x0 - left == pytest.approx(block.first * per_step, abs=0.01)
        assert x1 - left == pytest.approx((last + 1) * per_step, abs=0.01)


def test_top_makes_one_scale_for_two_figures(plan):
    alone, shrunk = (
        rectangles(figures.memory_map(plan, table=False, top=top))
        for top in (0, 2 * plan.arena_bytes)
    )
    for (_, _, y0, y1), (_, _, z0, z1) in zip(alone, shrunk, strict=True):
        assert z1 - z0 == pytest.approx((y1 - y0) / 2, abs=0.01)
    assert rectangles(figures.memory_map(plan, table=False, top=1)) == alone


def test_the_text_names_the_fullest_step(plan):
    lines = repr(figures.memory_map({"DRQ": plan})).splitlines()
    assert lines[0] == f"DRQ: arena {plan.arena_bytes:,} bytes, at most {plan.lower_bound:,} alive,"
    assert lines[1] == "  during conv_2d_2:"
    sizes = [int(re.search(r"([\d,]+) bytes", line)[1].replace(",", "")) for line in lines[2:]]
    assert sum(sizes) == plan.lower_bound
    outputs = [line.split()[0] for line in lines if "/output" in line]
    assert outputs == ["conv_2d_2/output", "depthwise_conv_2d_0/output"]


def test_only_scratch_is_hatched(plan):
    body = figures.memory_map(plan, table=False).body
    hatched = len(re.findall(r"fill: url\(#[^)]*\)[^>]*stroke-width: 0.9", body))
    assert hatched == sum(b.role == "scratch" for b in plan.of("arena"))


def test_a_label_fits_into_its_block():
    assert _label("accumulator_raw", 100, 20) == ("accumulator_raw", 0)
    assert _label("accumulator_raw", 15, 100) == ("accumulator_raw", 90)
    assert _label("accumulator_raw", 70, 25) == ("accumulator_\nraw", 0)
    assert _label("accumulator_raw", 25, 70) == ("accumulator_\nraw", 90)
    assert _label("conv_2d_2, then add_0", 70, 25) == ("conv_2d_2,\nthen add_0", 0)
    assert _label("accumulator_raw", 60, 20) == _label("image", 25, 25) == ("", 0)
    assert _label("conv_2d_2", WIDE, 4) == ("", 0)
    assert _label("conv_2d_2", 4, HIGH) == ("", 0)


def test_a_label_names_the_operators_of_an_output_and_scratch_itself(plan):
    assert _called(plan, plan["conv_2d_2/accumulator_raw"]) == "accumulator_raw"
    assert _called(plan, plan["conv_2d_2/output"]) == "conv_2d_2"
    model_input = next(b for b in plan.of("arena") if not b.op)
    assert _called(plan, model_input) == model_input.name
    in_place = replace(plan["softmax_0/output"], shares=plan["conv_2d_2/output"].index)
    blocks = [in_place if b.op == "softmax_0" and b.name == "output" else b for b in plan.blocks]
    shared = MemoryPlan(
        *(blocks, plan.steps, (), plan.arena_bytes, plan.persistent_bytes),
        kernels=plan.kernels,
        threads=1,
        preserve_all_tensors=False,
    )
    assert _called(shared, shared["conv_2d_2/output"]) == "conv_2d_2, then softmax_0"


@pytest.mark.parametrize("kernels", ["reference", "optimized"])
def test_the_legend_tells_what_is_drawn(kernels):
    layer = drqsim.load(MODELS / "digits_float.tflite").extract("conv_2d_1")
    body = figures.memory_map(plan_memory(layer, kernels), table=False).body
    assert (">scratch<" in body) == (kernels == "optimized")
    assert ">end of the arena<" in body and ">int8<" not in body


def test_names_with_markup_are_text(plan):
    evil = "<b onload=alert(1)>"
    blocks = [replace(b, name=evil, op=evil) if b.index == 9 else b for b in plan.blocks]
    wicked = MemoryPlan(
        *(blocks, [evil, *plan.steps[1:]], (), plan.arena_bytes, plan.persistent_bytes),
        kernels=plan.kernels,
        threads=1,
        preserve_all_tensors=False,
    )
    page = figures.memory_map({evil: wicked})._repr_html_()
    assert "<b " not in page and "&lt;b onload" in page


def test_bars_add_up_to_the_fullest_step(plan):
    values = dict(
        re.findall(r"DRQ(?:, |: )(.*?)  +([\d,]+) bytes", repr(figures.memory_bars({"DRQ": plan})))
    )
    numbers = {name: int(value.replace(",", "")) for name, value in values.items()}
    alive = [n for name, n in numbers.items() if name.startswith("conv_2d_2: ")]
    assert len(alive) == 4 and sum(alive) == plan.lower_bound
    accumulator, zero_point = 4 * 64 * 128, 4 * 64
    assert numbers["conv_2d_2: scratch, int32"] == accumulator + zero_point
    assert numbers["constants in the file"] == plan.file_bytes
    assert numbers["persistent arena, int32"] == plan.persistent_bytes


def test_a_bar_has_the_colour_of_its_dtype():
    # a float convolution unfolds into float32, and keeps none of its scratch between runs
    page = figures.memory_bars(plan_memory(drqsim.load(MODELS / "digits_float.tflite"))).body
    assert re.findall(r'<tr class="drq-(\w+)"><th scope="row">[^<]*scratch', page) == ["float32"]
    assert "persistent" not in page


def test_a_plan_without_an_arena_is_refused():
    with pytest.raises(drqsim.InputError, match="needs a plan with a tensor in the arena"):
        figures.memory_map({})
