"""The other hybrid operators against the runtime: every readable tensor, bit for bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert, processor
from drqsim.graph import Tensor
from tests.kit.full_integer import quantized
from tests.kit.one_operator import one_operator
from tests.kit.strategies import HYBRID_LAYERS, KERNELS

f32 = np.float32
LAYERS = {name: drawn for name, drawn in HYBRID_LAYERS.items() if name != "conv_2d"}


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", LAYERS)
@given(data=st.data())
def test_every_readable_tensor_has_the_bits_of_the_runtime(name, kernels, data):
    graph, x = data.draw(LAYERS[name](kernels))
    comparison = litert.compare(graph, x, kernels)
    assert comparison.exact, f"\n{graph}\n{comparison}"


def int8_matrix(values, scale):
    values = np.asarray(values, np.int8)
    return Tensor("filter", values.shape, values.dtype, values, quantized(scale))


def matrix_product(matrix, rows):
    shapes = (rows, matrix.shape[1]), (rows, matrix.shape[0])
    return one_operator(
        "BATCH_MATMUL",
        [shapes[0], matrix],
        [shapes[1]],
        adj_x=False,
        adj_y=True,
        asymmetric_quantize_inputs=True,
    )


@pytest.mark.parametrize("kernels", KERNELS)
def test_the_zero_point_of_a_matrix_product_is_taken_off_in_float32(kernels):
    """Row sum times zero point passes 2^24 here, where float32 has no odd numbers."""
    random = np.random.default_rng(0)
    matrix = random.integers(64, 128, (5, 2001), dtype=np.int8)
    graph = matrix_product(int8_matrix(matrix, 0.01), rows=4)
    x = random.uniform(0, 1, (4, 2001)).astype(f32)
    assert litert.compare(graph, x, kernels).exact
    _, trace = drqsim.run(graph, x, kernels)
    codes, zero_point, sums = (
        trace[f"batch_matmul_0/{name}"].value
        for name in ("input_quantized", "input_zero_point", "accumulator")
    )
    in_integers = (codes.astype(int) - zero_point.reshape(-1, 1)) @ matrix.astype(int).T
    assert (in_integers > 2**24).all()
    assert (sums != in_integers).any() == (kernels != "xnnpack")


def dense(matrix, rows, bias=None):
    out, depth = matrix.shape
    return one_operator(
        "FULLY_CONNECTED",
        [(rows, depth), matrix, *([] if bias is None else [f32(bias)])],
        [(rows, out)],
        fused_activation_function="NONE",
        keep_num_dims=False,
        asymmetric_quantize_inputs=True,
    )


def test_sums_that_ruy_leaves_in_memory_are_read():
    """Of the dense products that of arm64 for many rows alone writes its sums down."""
    random = np.random.default_rng(0)
    matrix = random.integers(-127, 128, (64, 64), dtype=np.int8)
    x = random.uniform(-1, 2, (17, 64)).astype(f32)
    comparison = litert.compare(dense(int8_matrix(matrix, 0.01), 17), x, "optimized")
    assert comparison.exact
    read = {row.tensor for row in comparison.rows}
    assert ("accumulator_raw" in read) == processor.of().neon


TINY = np.finfo(f32).tiny  # what is nearer to zero is denormal: to XNNPACK zero
DENORMALS = {
    # x, scale of the weights, bias
    "one among ordinary values": ([255 * TINY, 0.75 * TINY, -TINY], 1e30, None),
    "all of them": ([TINY / 2, -TINY / 4, 0], 1e30, [1, 2, 3]),
    "after the scaling": ([1e-20, 3e-20, -2e-20], 5e-21, None),
    "after the scaling, with a bias": ([1e-20, 3e-20, -2e-20], 1e-18, [-3e-38, 1e-38, 3e-38]),
}


@pytest.mark.parametrize("kernels", ["optimized", "xnnpack"])
@pytest.mark.parametrize("what", DENORMALS)
def test_denormals(what, kernels):
    values, scale, bias = DENORMALS[what]
    weights = int8_matrix([[1, 127, 0], [-3, 5, 100], [127, -127, 1]], scale)
    x = f32([values, values[::-1]])
    graphs = [dense(weights, 2, bias)]
    if bias is None:
        graphs += [matrix_product(weights, 2)]
        graphs += [
            drqsim.conv_relu(
                weights.value.reshape(3, 1, 1, 3),
                input_shape=(1, 1, 2, 3),
                activation="NONE",
                filter_scale=f32([scale]),
            )
        ]
    for graph in graphs:
        fed = x.reshape(graph.tensors[0].shape)
        comparison = litert.compare(graph, fed, kernels)
        assert comparison.exact, comparison
