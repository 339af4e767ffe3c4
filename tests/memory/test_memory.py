"""The memory plan against the addresses that the runtime really uses."""

import ctypes
import platform
import subprocess
import sys
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.graph import Graph, Operator, Tensor, operator_names
from drqsim.memory import arena, libstdcxx, lifetimes, planner, prepare, schedule, scratch
from tests.kit import full_integer, recurrent, strategies
from tests.kit.memory_graphs import Net, conv_2d, matmul, random_graph
from tests.kit.places import GOLDEN, MODELS
from tests.kit.strategies import KERNELS

GOLDENS = GOLDEN / "libstdcxx_orders.txt"
f32 = np.float32
SETTINGS = {
    "kernels": st.sampled_from(KERNELS),
    "threads": st.sampled_from((1, 4)),
    "preserve": st.sampled_from((False, False, False, True)),
}


def chain(*operators, shape=(1, 4, 4, 4)):
    """A graph of operators on one shape: (code, indices of what it reads); 0 is the input."""
    count = len(operators) + 1
    tensors = tuple(Tensor(f"t{i}", shape, np.dtype(f32)) for i in range(count))
    names = operator_names([code for code, *_ in operators])
    made = tuple(
        Operator(code, name, reads, (at,), MappingProxyType({}))
        for at, ((code, *reads), name) in enumerate(zip(operators, names, strict=True), 1)
    )
    made = tuple(replace(op, inputs=tuple(op.inputs)) for op in made)
    return Graph(tensors, made, (0,), (count - 1,))


def golden(what):
    for line in GOLDENS.read_text().splitlines():
        kind, *numbers = line.split()
        if kind == what:
            bar = numbers.index("|")
            yield [int(n) for n in numbers[:bar]], [int(n) for n in numbers[bar + 1 :]]


def test_the_order_of_a_set_is_that_of_gcc():
    cases = list(golden("set"))
    assert len(cases) == 34
    for inserted, order in cases:
        assert libstdcxx.set_order(inserted) == order
    ((_, buckets),) = golden("rehash")
    assert list(libstdcxx.BUCKETS) == buckets


def test_the_order_of_a_sort_is_that_of_gcc(monkeypatch):
    cases = list(golden("sort")) + list(golden("killer"))
    assert len(cases) == 60
    for sizes, order in cases:
        assert libstdcxx.introsort(range(len(sizes)), lambda i, s=sizes: (-s[i],)) == order
    # the killers get as far as the heap sort
    monkeypatch.setattr(libstdcxx, "_heapsort", lambda a: 1 / 0)
    for sizes, _ in golden("killer"):
        with pytest.raises(ZeroDivisionError):
            libstdcxx.introsort(range(len(sizes)), lambda i, s=sizes: (-s[i],))


@pytest.mark.parametrize("preserve", (False, True))
@pytest.mark.parametrize("threads", (1, 4))
@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", sorted(file.name for file in MODELS.glob("*.tflite")))
def test_the_plan_of_a_file_is_the_runtimes(name, kernels, threads, preserve):
    compared = litert.compare_memory(MODELS / name, kernels, threads, preserve)
    assert compared.exact, compared
    assert len(compared.rows) >= 2
    assert sum(planned for planned, _ in compared.totals.values()) == sum(
        (compared.plan.arena_bytes, compared.plan.persistent_bytes)
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 30),
    int8=st.sampled_from((0, 0.5, 1)),
    run_time=st.sampled_from((False, False, True)),
    **SETTINGS,
)
def test_the_plan_of_a_random_graph_is_the_runtimes(
    seed, length, int8, run_time, kernels, threads, preserve
):
    graph = random_graph(seed, length, int8, run_time)
    compared = litert.compare_memory(graph, kernels, threads, preserve)
    assert compared.exact, compared
    plan = compared.plan
    assert plan.lower_bound <= plan.arena_bytes
    if not run_time:
        assert plan.arena_bytes <= plan.without_reuse + arena.ALIGNMENT * len(plan.blocks)


LAYERS = {
    "lstm": lambda kernels: recurrent.hybrid_lstm(),
    "rnn": lambda kernels: recurrent.hybrid_rnn(),
    "svdf": lambda kernels: recurrent.hybrid_svdf(),
    "convolution": strategies.hybrid_convolutions,
    "depthwise": strategies.hybrid_depthwise,
    "convolution, int4": partial(strategies.int4, strategies.hybrid_convolutions),
    "convolution, int8 activations": lambda kernels: full_integer.convolutions(),
    "convolution, int16 activations": lambda kernels: full_integer.convolutions(np.int16),
    "depthwise, int8 activations": lambda kernels: full_integer.depthwise(),
    "dense": strategies.hybrid_dense,
    "dense, int8 activations": lambda kernels: full_integer.dense(),
    "dense, int4": partial(strategies.int4, strategies.hybrid_dense),
    "matmul": strategies.hybrid_batch_matmul,
    "transpose": strategies.hybrid_transpose_conv,
}


@given(layer=st.sampled_from(sorted(LAYERS)), floats=st.booleans(), data=st.data(), **SETTINGS)
def test_the_plan_of_one_layer_is_the_runtimes(layer, floats, data, kernels, threads, preserve):
    """Layers with int8 weights, and the same with float32 weights."""
    drawn = data.draw(LAYERS[layer](kernels))
    graph = drawn[0] if isinstance(drawn, tuple) else drawn
    full_integer = graph.tensors[graph.inputs[0]].dtype != f32
    if floats and not full_integer and not overflows(graph.operators[0], graph):
        graph = with_float_weights(graph)
    compared = litert.compare_memory(graph, kernels, threads, preserve)
    assert compared.exact, compared


def overflows(op: Operator, graph: Graph) -> bool:
    """The runtime's float LSTM writes the projection's bias into a buffer for its cells.

    With more outputs than cells that is past the end: 2.3.0 damages its own heap and aborts.
    """
    projection = graph.tensor_of(op, 16) if op.code.endswith("LSTM") else None
    return projection is not None and projection.shape[0] > projection.shape[1]


def with_float_weights(graph: Graph) -> Graph:
    def in_floats(tensor: Tensor) -> Tensor:
        if tensor.dtype != np.int8:
            return tensor
        return replace(
            tensor,
            dtype=np.dtype(f32),
            value=tensor.value.astype(f32),
            quantization=None,
            bits=None,
        )

    return replace(graph, tensors=tuple(map(in_floats, graph.tensors)))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc for the size of a block")
@pytest.mark.parametrize("seed", range(12))
def test_the_totals_are_the_sizes_of_the_runtimes_two_blocks(seed):
    """Not from the tensors: what malloc says of the blocks in which they lie."""
    graph = random_graph(seed, 25, run_time=seed % 2 == 0)
    plan = drqsim.plan_memory(graph)
    usable = ctypes.CDLL(None).malloc_usable_size
    usable.restype, usable.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
    sizes = {}

    def look(real):
        for stored in ("arena", "persistent"):
            seen = [b.index for b in plan.of(stored) if b.index in real.addresses and b.nbytes]
            sizes[stored] = usable(real.span(seen)[0]) if seen else 0

    litert.read_memory(graph, look=look)
    for stored, planned in (("arena", plan.arena_bytes), ("persistent", plan.persistent_bytes)):
        # the allocator rounds up to the alignment, and a large block to whole pages
        assert planned <= sizes[stored] <= planned + 4096 + 256, stored


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


def test_threads_trade_the_unfolded_input_for_a_second_copy_of_the_weights():
    net = Net(0, share_of_int8=0)
    net.input(1, 8, 8, 4)
    for _ in range(20):
        conv_2d(net, net.inputs[0])
    graph = net.graph(shuffled=False)
    one, four = (drqsim.plan_memory(graph, threads=n) for n in (1, 4))
    names = [{b.name for b in plan.blocks if b.role == "scratch"} for plan in (one, four)]
    assert names == [{"im2col"}, {"im2col", "filter_transposed"}]  # dilated ones still unfold
    assert one.persistent_bytes == 0 < four.persistent_bytes
    assert four.of("persistent") and not one.of("persistent")
    assert drqsim.plan_memory(graph, "reference").of_operator("conv_2d_0")[1:] == []


@pytest.mark.parametrize("kernels", ("reference", "optimized"))
@pytest.mark.parametrize("shape", ((2, 8, 8, 1), (8, 8, 8, 1), (1, 30, 17, 1)))
def test_other_input_shapes(kernels, shape):
    name = "serving_default_image:0"
    compared = litert.compare_memory(
        MODELS / "digits_drq.tflite", kernels, input_shapes={name: shape}
    )
    assert compared.exact, compared
    assert compared.plan[name].shape == shape
    as_in_file = drqsim.plan_memory(drqsim.load(MODELS / "digits_drq.tflite"), kernels)
    pixels = np.prod(shape) // 64
    peak = [sum(b.nbytes for b in p.of("arena")) for p in (compared.plan, as_in_file)]
    assert 0.9 < peak[0] / peak[1] / pixels <= 1.3


@given(
    seed=st.integers(0, 2**32 - 1), length=st.integers(1, 12), batch=st.integers(1, 5), **SETTINGS
)
def test_a_batch_that_the_file_does_not_have(seed, length, batch, kernels, threads, preserve):
    """Where the model can run with it at all: a RESHAPE to fixed numbers cannot."""
    graph = random_graph(seed, length)
    shapes = {t.name: (batch, *t.shape[1:]) for t in (graph.tensors[i] for i in graph.inputs)}
    try:
        drqsim.plan_memory(graph, "optimized", input_shapes=shapes)
    except drqsim.DrqsimError as error:
        assert str(error)
        return
    try:
        compared = litert.compare_memory(graph, kernels, threads, preserve, shapes)
    except drqsim.ModelFileError:
        return  # what the runtime refuses has no plan to compare with
    assert compared.exact, compared


def test_shapes_that_the_model_cannot_take():
    net = Net(0, 0)
    x = net.input(2, 3)
    net.add("RESHAPE", (x, net.numbers((3, 2))), (3, 2), new_shape=(3, 2))
    model = net.graph(shuffled=False)
    with pytest.raises(drqsim.InputError, match="reshape_0"):
        drqsim.plan_memory(model, input_shapes={"tensor 0": (4, 3)})
    for shapes, says in (
        ({"other": (2, 3)}, "inputs are tensor 0"),
        ({"tensor 0": (2, 0)}, "positive"),
        ({"tensor 0": 7}, "positive"),
        ({"tensor 0": (2**20, 2**20)}, "at most"),
    ):
        with pytest.raises(drqsim.InputError, match=says):
            drqsim.plan_memory(model, input_shapes=shapes)
    for wrong in ({"kernels": "fast"}, {"threads": 0}, {"threads": True}, {"partition": ["x"]}):
        with pytest.raises(drqsim.InputError):
            drqsim.plan_memory(model, **wrong)
    with pytest.raises(drqsim.InputError, match="not in this model"):
        drqsim.plan_memory(model, "xnnpack", partition=["conv_2d_7"])


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


def test_operators_that_nobody_modelled_are_named():
    with pytest.raises(drqsim.UnsupportedOperatorError, match="add_n_0.*ADD_N"):
        drqsim.plan_memory(chain(("ADD_N", 0, 0)))
    net = Net(0, 0)
    x = net.input(2, 3)
    axes = net.tensor((1,), np.dtype(np.int32))
    net.inputs.append(axes)
    net.add("MEAN", (x, axes), (2,))
    with pytest.raises(drqsim.UnsupportedOperatorError, match="mean_0 computes its axes"):
        drqsim.plan_memory(net.graph(shuffled=False))
    graph = chain(("RELU", 0))
    silent = replace(graph, operators=(replace(graph.operators[0], outputs=()),))
    with pytest.raises(drqsim.ModelFileError, match="no output"):
        drqsim.plan_memory(silent)


@pytest.mark.parametrize("code", sorted(scratch.TABLE))
def test_damaged_operators_are_refused_in_words(code):
    """No inputs, and inputs of another rank."""
    graph = chain((code, 0), shape=(3,))
    for reads in ((), (0,), (0,) * 24):
        damaged = replace(graph, operators=(replace(graph.operators[0], inputs=reads),))
        with pytest.raises(drqsim.DrqsimError, match=graph.operators[0].name):
            drqsim.plan_memory(damaged)


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
        "try: drqsim.plan_memory(layer, 'xnnpack')\n"
        "except drqsim.InputError as error: print('partition' in str(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(64 + 2 * 64 + 9 * 64), "True"]


def in_index_order(values):
    return sorted(set(values))


BREAKS = {
    "order of a set": (planner, "set_order", in_index_order),
    "order of equal sizes": (arena, "introsort", lambda items, key: sorted(items, key=key)),
    "alignment": (arena, "ALIGNMENT", 32),
    "rounding of gaps": (arena, "_rounded", lambda offset: offset),
    "aliases": (lifetimes, "ALIASES", ()),
    "writing over an input": (lifetimes, "OVERWRITES", {}),
    "smallest tensor to write over": (lifetimes, "SCALAR", 0),
    "writing over the second input": (
        *(lifetimes, "OVERWRITES"),
        dict.fromkeys(lifetimes.OVERWRITES, 1),
    ),
    "outputs known early": (prepare, "EARLY", ()),
    "scratch": (scratch, "TABLE", {k: v for k, v in scratch.TABLE.items() if k != "CONV_2D"}),
    "outputs of a delegate": (schedule, "_delegate", None),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_rule_is_seen(what, monkeypatch):
    module, name, broken = BREAKS[what]
    if what == "outputs of a delegate":
        real = schedule._delegate

        def broken(graph, part, number):
            step = real(graph, part, number)
            return replace(step, writes=tuple(i for op in part for i in op.outputs))

    monkeypatch.setattr(module, name, broken)
    kernels = "xnnpack" if what == "outputs of a delegate" else "optimized"
    graphs = (random_graph(seed, 25, run_time=True) for seed in range(40))
    assert not all(litert.compare_memory(graph, kernels).exact for graph in graphs)
