"""What a plan says: worked out by hand, as a table, beside a trace."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.graph import Graph, Operator, Tensor
from tests.kit.memory_graphs import conv_2d, matmul
from tests.kit.memory_layers import LAYERS, chain
from tests.kit.memory_net import Net
from tests.kit.places import CASES, MODELS
from tests.kit.recurrent import lstm
from tests.kit.strategies import KERNELS

f32 = np.float32


def test_a_chain_by_hand():
    """256 bytes each; the input stays, the others take turns: two places are enough."""
    plan = drqsim.plan_memory(chain(("RELU", 0), ("RELU", 1), ("RELU", 2), ("RELU", 3)))
    offsets = {block.key: block.offset for block in plan.blocks}
    assert offsets == {
        "t0": 0,
        "relu_0/output": 256,
        "relu_1/output": 512,
        "relu_2/output": 256,
        "relu_3/output": 512,
    }
    assert plan.steps == ("relu_0", "relu_1", "relu_2", "relu_3")
    lives = [(block.first, block.last) for block in plan.blocks]
    assert lives == [(0, 4), (0, 1), (1, 2), (2, 3), (3, 4)]
    assert plan.timeline == [512, 768, 768, 768]
    assert (plan.arena_bytes, plan.lower_bound, plan.without_reuse) == (768, 768, 5 * 256)
    kept = drqsim.plan_memory(
        chain(("RELU", 0), ("RELU", 1), ("RELU", 2)), preserve_all_tensors=True
    )
    assert kept.arena_bytes == kept.without_reuse == 4 * 256


def test_only_offsets_are_rounded():
    plan = drqsim.plan_memory(chain(("RELU", 0), ("RELU", 1), shape=(1, 5)))
    assert [block.offset for block in plan.blocks] == [0, 64, 128]
    assert plan.arena_bytes == 128 + 20


def test_operators_that_work_in_place():
    graph = chain(("RELU", 0), ("ADD", 1, 0), ("SOFTMAX", 2), ("RELU", 3), ("RELU", 4))
    plan = drqsim.plan_memory(graph)
    assert plan["add_0/output"].shares == plan["softmax_0/output"].shares == 1
    assert plan["add_0/output"].offset == plan["relu_0/output"].offset
    assert plan["relu_0/output"].last == 3  # until the last reader of those that took its place
    assert plan["relu_1/output"].shares is None  # RELU never does
    assert plan.alive(2) == [plan["t0"], plan["relu_0/output"]]
    assert litert.compare_memory(graph).exact
    for shares in (
        chain(("SOFTMAX", 0), ("RELU", 1)),  # an input of the graph is never written over
        chain(("RELU", 0), ("SOFTMAX", 1)),  # an output of the graph has a place of its own
        chain(("RELU", 0), ("SOFTMAX", 1), ("ADD", 1, 2), ("RELU", 3)),  # somebody still needs it
    ):
        assert drqsim.plan_memory(shares)["softmax_0/output"].shares is None


def test_the_second_operand_gives_its_place_where_the_first_is_still_needed():
    graph = chain(("RELU", 0), ("RELU", 0), ("ADD", 1, 2), ("ADD", 1, 3), ("RELU", 4))
    plan = drqsim.plan_memory(graph)
    assert (plan["add_0/output"].shares, plan["add_1/output"].shares) == (2, 2)
    assert litert.compare_memory(graph).exact


@pytest.mark.parametrize(("size", "shares"), [(1, None), (2, 1)])
def test_a_scalar_is_never_written_over(size, shares):
    """The runtime writes over an input of more than four bytes."""
    graph = chain(("RELU", 0), ("SOFTMAX", 1), ("RELU", 2), shape=(1, size))
    assert drqsim.plan_memory(graph)["softmax_0/output"].shares == shares
    assert litert.compare_memory(graph).exact


def test_of_equal_sizes_the_one_needed_earlier_is_placed_first():
    """More of them than std::sort leaves in their order: two places take turns all the same."""
    graph = chain(*(("RELU", at) for at in range(40)))
    offsets = [block.offset for block in drqsim.plan_memory(graph).blocks]
    assert offsets == [0] + [256, 512] * 20
    assert litert.compare_memory(graph).exact


@pytest.mark.parametrize(("projection", "rows"), [(3, 9), (4, 9), (6, 10)])
def test_row_sums_of_a_projection_fill_whole_rows_of_cells(projection, rows):
    """Eight rows of four cells for the gates; then what the projection's outputs take."""
    layer = lstm(np.random.default_rng(0), n_cell=4, projection=projection)
    sums = drqsim.plan_memory(layer)["unidirectional_sequence_lstm_0/row_sums"]
    assert sums.shape == (rows, 4)
    assert litert.compare_memory(layer).exact


def test_threads_trade_the_unfolded_input_for_a_second_copy_of_the_weights():
    net = Net(0, share_of_int8=0)
    net.input(1, 8, 8, 4)
    for _ in range(20):
        conv_2d(net, net.inputs[0])
    graph = net.graph(shuffled=False)
    one, four = (drqsim.plan_memory(graph, threads=n, processor="x86-64") for n in (1, 4))
    names = [{b.name for b in plan.blocks if b.role == "scratch"} for plan in (one, four)]
    assert names == [{"im2col"}, {"im2col", "filter_transposed"}]  # dilated ones still unfold
    assert one.persistent_bytes == 0 < four.persistent_bytes
    assert four.of("persistent") and not one.of("persistent")
    assert drqsim.plan_memory(graph, "reference").of_operator("conv_2d_0")[1:] == []
    on_arm64 = (drqsim.plan_memory(graph, threads=n, processor="arm64") for n in (1, 4))
    assert [repr(plan) for plan in on_arm64] == [repr(one)] * 2


def test_the_default_path_with_a_given_partition():
    model = drqsim.load(MODELS / "digits_drq.tflite")
    taken = litert.delegated(model)
    plan = drqsim.plan_memory(model, "xnnpack", partition=sorted(taken))
    assert repr(plan) == repr(drqsim.plan_memory(model, "xnnpack"))
    assert plan.steps == ("delegate_0", "depthwise_conv_2d_1", "delegate_1")
    assert {name for part in plan.partition for name in part} == taken
    assert plan["conv_2d_0/output"].stored == "delegate"
    assert plan["conv_2d_0/output"].offset is None
    assert plan["max_pool_2d_0/output"].stored == "arena"  # between XNNPACK and a builtin kernel
    assert "not planned" in plan.not_planned and plan.not_planned in repr(plan)
    nothing = drqsim.plan_memory(model, "xnnpack", partition=[])
    assert nothing.arena_bytes == drqsim.plan_memory(model, "optimized").arena_bytes
    assert nothing.not_planned == ""


def test_the_table_as_text_and_html():
    graph = chain(("RELU", 0), ("ADD", 1, 0), ("RELU", 2))
    graph = replace(graph, tensors=(replace(graph.tensors[0], name="<b>x"), *graph.tensors[1:]))
    plan = drqsim.plan_memory(graph)
    lines = repr(plan).splitlines()
    assert lines[0].split("  ")[0] == "tensor"
    assert lines[0].split() == ["tensor", "bytes", "offset", "needed", "from", "type"]
    assert lines[1].startswith("<b>x ") and "256       0  relu_0 to the end" in lines[1]
    assert "in place" in lines[3] and "in place" not in lines[2]
    mixed = repr(drqsim.plan_memory(drqsim.load(MODELS / "digits_drq.tflite"))).splitlines()
    assert mixed[0].split()[-3:] == ["role", "stored", "in"]
    assert {line.split()[-1] for line in mixed[1:-2]} == {"arena", "persistent", "heap"}
    assert "arena: 768 bytes; 768 are alive at once at most, 1,024 would be" in lines[-2]
    html = plan._repr_html_()
    assert "&lt;b&gt;x" in html and "<b>x" not in html
    compared = litert.compare_memory(graph)
    assert "arena: planned 768 bytes, really 768" in repr(compared)
    assert "<b>x" not in compared._repr_html_()
    with pytest.raises(drqsim.InputError, match="relu_0/output"):
        plan["relu_9/output"]


@pytest.mark.parametrize("kernels", KERNELS)
def test_a_trace_learns_its_offsets(kernels):
    model = drqsim.load(MODELS / "digits_drq.tflite")
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype(f32)
    bare = drqsim.run(model, x, kernels)[1]
    plan = drqsim.plan_memory(model, kernels)
    trace = plan.annotate(bare)
    assert [r.key for r in trace] == [r.key for r in bare]
    for record in trace:
        if record.stored == "arena" and record.role == "activation":
            assert record.offset == plan[named(plan, record)].offset is not None
    known = [r for r in trace if r.offset is not None]
    if kernels == "xnnpack":
        assert trace["conv_2d_1/output"].stored == "delegate"
        assert {r.op for r in known} >= {"depthwise_conv_2d_1", "max_pool_2d_0", "softmax_0"}
    else:
        assert trace["conv_2d_1/input_scale"].reserved == 64 * 4
        held = "accumulator_raw" if kernels == "optimized" else "accumulator"
        assert trace[f"conv_2d_1/{held}"].reserved == 8192
        assert trace["conv_2d_1/output"].dies == 2
        assert {r.name for r in known} >= {"input_quantized", "input_scale", "input", "output"}
    with pytest.raises(drqsim.InputError, match="same"):
        drqsim.plan_memory(model, "optimized").annotate(drqsim.run(model, x, "reference")[1])


@given(
    layer=st.sampled_from(["convolution", "convolution, int4", "dense", "dense, int4", "matmul"]),
    kernels=st.sampled_from(("reference", "optimized")),
    data=st.data(),
)
def test_a_buffer_is_called_what_the_kernel_writes_into_it(layer, kernels, data):
    graph, x = data.draw(LAYERS[layer](kernels))
    trace, plan = drqsim.run(graph, x, kernels)[1], drqsim.plan_memory(graph, kernels)
    sums = {r.key: r for r in trace if r.name in ("accumulator", "accumulator_raw")}
    blocks = [b for b in plan.of("arena") if b.name.startswith("accumulator")]
    written = [key for key, r in sums.items() if r.stored == "arena"]
    assert [b.key for b in blocks] == (written or [f"{graph.operators[0].name}/accumulator"])
    for record in plan.annotate(trace):
        if record.key in sums and record.stored == "arena":
            (block,) = blocks
            assert (record.offset, record.reserved) == (block.offset, block.nbytes)


def named(plan, record):
    return next(b.key for b in plan.blocks if b.index == record.tensor_index)


def test_buffers_that_no_record_lies_in_are_in_the_plan():
    net = Net(3, share_of_int8=1)
    matmul(net, net.input(2, 3, 4))
    graph = net.graph(shuffled=False)
    names = [block.name for block in drqsim.plan_memory(graph).of_operator("batch_matmul_0")]
    assert names[:3] == ["output", "input_transposed", "filter_transposed"]


def test_the_plan_needs_numpy_alone():
    code = (
        "import sys; sys.modules['ai_edge_litert'] = sys.modules['tflite'] = None\n"
        "import numpy as np, drqsim\n"
        "layer = drqsim.conv_relu(np.ones((2, 3, 3, 1), 'f4'), input_shape=(1, 4, 4, 1))\n"
        "print(drqsim.plan_memory(layer).arena_bytes)\n"
        "print(drqsim.plan_memory(layer, 'xnnpack').steps)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(64 + 2 * 64 + 9 * 64), "('delegate_0',)"]


def test_bytes_of_the_file_that_two_tensors_share_count_once():
    weights = np.ones((4, 4), np.float32)
    one, two = (Tensor(name, (4, 4), weights.dtype, weights) for name in "ab")
    x, y, z = (Tensor(name, (4, 4), weights.dtype) for name in "xyz")
    none = {"fused_activation_function": "NONE"}
    adds = (
        Operator("ADD", "add_0", (0, 2), (3,), none),
        Operator("ADD", "add_1", (3, 1), (4,), none),
    )
    graph = Graph((one, two, x, y, z), adds, (2,), (4,))
    plan = drqsim.plan_memory(graph)
    assert [block.shares for block in plan.of("file")] == [None, 0] and plan.file_bytes == 64
    read = drqsim.plan_memory(drqsim.load(CASES / "shared_drq.tflite"))
    assert sum(block.nbytes for block in read.of("file")) == 8192 and read.file_bytes == 4096
    copied = replace(two, value=weights.copy())
    assert drqsim.plan_memory(replace(graph, tensors=(one, copied, x, y, z))).file_bytes == 128
