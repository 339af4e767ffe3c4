"""The family of kernels that runs an operator: what the sources say of each processor."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import InputError, processor
from drqsim.kernels import KERNELS
from drqsim.ops.transpose_conv import rows_in_xnnpack
from drqsim.processor import NAMES, PROCESSORS
from drqsim.verdict.family import LOOPS, RUY
from tests.kit import plain_layers
from tests.kit.attribution import digits
from tests.kit.one_operator import one_operator
from tests.kit.strategies import HYBRID_LAYERS, hybrid_dense, int4, int8_weights

f32 = np.float32
RANDOM = np.random.default_rng(0)


def family(graph, kernels, name):
    (verdict,) = drqsim.explain(graph, kernels, name)
    return verdict.family


def conv(out=8, depth=4, size=1, stride=1, scales=None, groups=1, padding="SAME"):
    scale = np.full(out, 0.1, f32) if scales is None else f32(scales)
    return drqsim.conv_relu(
        np.ones((out, size, size, depth), np.int8),
        np.zeros(out, f32),
        input_shape=(1, 5, 5, depth * groups),
        stride=(stride, stride),
        padding=padding,
        filter_scale=scale,
    )


IN_XNNPACK = {
    "x86-64": ("up to AVX2, int8 codes",) * 2,
    "x86-64-vnni": ("AVX512-VNNI, uint8 codes",) * 2,
    "arm64": ("NEON", "NEON"),
    "arm64-dotprod": ("KleidiAI", "sdot assembly"),
    "arm64-i8mm": ("KleidiAI", "NEON i8mm"),
}


@pytest.mark.parametrize("name", IN_XNNPACK)
def test_xnnpack_picks_its_kernels_by_the_processor(name):
    dense, windows = IN_XNNPACK[name]
    assert family(conv(), "xnnpack", name) == dense
    for other in conv(size=3), conv(stride=2), conv(groups=2), conv(out=1, depth=1):
        assert family(other, "xnnpack", name) == windows
    one_row = "NEON dot products" if name == "arm64-dotprod" else windows
    assert family(conv(size=5, padding="VALID"), "xnnpack", name) == one_row


@pytest.mark.parametrize(
    "x, filters, stride, rows",
    [  # where the stride splits it, rows are images, else pixels
        ((1, 3, 3, 4), (5, 2, 2, 4), 2, 1),
        ((2, 3, 3, 4), (5, 2, 2, 4), 2, 2),
        ((1, 3, 3, 4), (5, 3, 3, 4), 1, 9),
        ((1, 3, 3, 4), (5, 1, 1, 4), 2, 36),
    ],
)
def test_a_transposed_convolution_takes_the_assembly_by_its_rows(x, filters, stride, rows):
    out = (x[0], x[1] * stride, x[2] * stride, filters[0])
    graph = one_operator(
        *("TRANSPOSE_CONV", [np.int32(out), int8_weights(RANDOM, filters, 0, "equal"), x], [out]),
        padding="SAME",
        stride_h=stride,
        stride_w=stride,
        fused_activation_function="NONE",
    )
    assert rows_in_xnnpack(filters, (stride, stride), out) == rows
    kernel = drqsim.explain(graph)["transpose_conv_0"].kernel
    if kernel == "XNNPACK":
        expected = "sdot assembly" if rows > 1 else "NEON dot products"
        assert family(graph, "xnnpack", "arm64-dotprod") == expected
    assert family(graph, "optimized", "arm64-dotprod") == LOOPS


# rows, depth and outputs of a dense layer: its kernel without dot product, and with it
DENSE = {
    (1, 32, 8): ("NEON loop", "NEON loop"),
    (4, 32, 8): ("NEON loop", "sdot assembly"),
    (2, 128, 128): ("NEON loop", "sdot assembly"),
    (4, 31, 8): ("NEON loop", "NEON loop"),
    (8, 32, 8): (RUY, "sdot assembly"),
    (16, 32, 32): (RUY, RUY),
    (8, 32, 6): ("NEON loop", "NEON loop"),
}


@pytest.mark.parametrize("sizes", DENSE)
def test_a_dense_layer_takes_its_kernel_by_the_rows(sizes):
    rows, depth, out = sizes
    graph = one_operator(
        *("FULLY_CONNECTED", [(rows, depth), int8_weights(RANDOM, (out, depth), 0, "equal")]),
        [(rows, out)],
        fused_activation_function="NONE",
        keep_num_dims=False,
        asymmetric_quantize_inputs=True,
    )
    for name, expected in zip(("arm64", "arm64-dotprod"), DENSE[sizes], strict=True):
        for kernels in "optimized", "reference":
            assert family(graph, kernels, name) == expected


def test_depthwise_layers():
    x = np.zeros((1, 8, 8, 8), f32)
    layer = plain_layers.depthwise(x)
    assert family(layer, "reference", "arm64") == LOOPS
    assert family(layer, "optimized", "x86-64") == "NEON's code as SSE"
    assert family(layer, "xnnpack", "arm64") == "3x3 assembly"
    assert family(plain_layers.depthwise(x[..., :7]), "optimized", "arm64") == "NEON"


@given(data=st.data())
def test_the_type_of_the_codes_is_the_recorded_one(data):
    layers = [*HYBRID_LAYERS.values(), lambda kernels: int4(hybrid_dense, kernels)]
    graph, x = data.draw(data.draw(st.sampled_from(layers))("xnnpack"))
    name = data.draw(st.sampled_from(("x86-64", "x86-64-vnni")))
    (verdict,) = drqsim.explain(graph, "xnnpack", name)
    trace = drqsim.run(graph, x, "xnnpack", processor=name)[1]
    made = [r for r in trace if r.name == "input_quantized" and r.stored == "delegate"]
    for record in made:
        assert verdict.family.endswith(f", {record.dtype} codes")


@pytest.mark.parametrize(
    "has, said",
    [
        ("avx2 avx_vnni", "AVX-VNNI, uint8 codes"),
        ("avx512f", "AVX-512 or AMX, int8 codes"),
        ("avx512f avx512_vnni amx_int8", "AVX-512 or AMX, int8 codes"),
    ],
)
def test_a_machine_between_the_rows(monkeypatch, has, said):
    found = processor.found_in("x86_64", frozenset(has.split()), processor.DEFAULT_L1_DATA)
    monkeypatch.setattr(processor, "native", lambda: found)
    assert family(conv(), "xnnpack", "native") == said


def test_builtin_kernels():
    equal, unequal = conv(out=8), conv(out=8, scales=np.linspace(0.1, 0.2, 8))
    assert family(equal, "optimized", "arm64") == RUY == family(unequal, "optimized", "x86-64")
    assert family(unequal, "reference", "x86-64") == LOOPS
    assert family(conv(out=7), "reference", "x86-64") == "SSE dot products"
    assert family(conv(out=7), "optimized", "arm64") == "NEON loop"
    assert family(conv(groups=2), "optimized", "arm64") == LOOPS


def test_only_hybrid_operators_have_a_family_and_only_with_a_processor():
    graph = digits("drq")
    for name in NAMES:
        told = drqsim.explain(graph, processor=name)
        assert {v.arithmetic for v in told if v.family} == {"int8"}
        assert [replace(v, family="") for v in told] == list(drqsim.explain(graph))
        assert processor.of(name).name in repr(told).splitlines()[0]
    assert not any(v.family for v in drqsim.explain(digits("int8"), processor="arm64"))
    assert drqsim.explain(graph).processor is None


def test_every_hybrid_operator_of_the_table_has_one():
    graph = digits("drq_all_layers")
    for kernels in KERNELS:
        for name in PROCESSORS:
            told = drqsim.explain(graph, kernels, name)
            assert all(v.family for v in told if v.arithmetic == "int8")


def test_an_unknown_processor_is_named():
    with pytest.raises(InputError, match="processor is 'm1'; expected one of x86-64, "):
        drqsim.explain(digits("drq"), processor="m1")
