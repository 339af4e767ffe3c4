"""What the runtime takes where the file gives an operator no table of options."""

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.graph import Tensor
from drqsim.model_file import write
from drqsim.model_file.schema import OPTIONS, completed
from drqsim.ops import TABLE
from tests.kit.one_operator import one_operator
from tests.kit.recurrent import int8_weights

f32 = np.float32
RANDOM = np.random.default_rng(2)
IMAGE, ROWS = (1, 4, 4, 4), (2, 4)


def floats(*shape):
    return RANDOM.standard_normal(shape).astype(f32)


def int32(*values):
    return np.array(values, np.int32)


def codes(*shape):
    return int8_weights(RANDOM, "w", shape)


def state(*shape):
    return Tensor("s", shape, np.dtype(f32), is_variable=True)


def made(dtype, *shape):
    return Tensor("y", shape, np.dtype(dtype))


# operator code -> what it reads and writes
OPERANDS = {
    "CONV_2D": ([IMAGE, floats(2, 1, 1, 4), floats(2)], [(1, 4, 4, 2)]),
    "DEPTHWISE_CONV_2D": ([IMAGE, floats(1, 1, 1, 4), floats(4)], [IMAGE]),
    "TRANSPOSE_CONV": ([int32(1, 4, 4, 2), floats(2, 1, 1, 4), IMAGE], [(1, 4, 4, 2)]),
    "FULLY_CONNECTED": ([(2, 1, 4), codes(3, 4), floats(3)], [(2, 3)]),
    "BATCH_MATMUL": ([ROWS, codes(4, 3)], [(2, 3)]),
    **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D"), ([IMAGE], [IMAGE])),
    **dict.fromkeys(("ADD", "SUB", "MUL", "DIV"), ([ROWS, ROWS], [ROWS])),
    **dict.fromkeys(("L2_NORMALIZATION", "SOFTMAX", "LEAKY_RELU", "GELU"), ([ROWS], [ROWS])),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), ([ROWS, int32(1)], [(2,)])),
    "CONCATENATION": ([ROWS, ROWS], [(4, 4)]),
    "ARG_MAX": ([ROWS, int32(1)], [made(np.int32, 2)]),
    "RESHAPE": ([ROWS, int32(4, 2)], [(4, 2)]),
    "SQUEEZE": ([(1, 4, 1)], [(4,)]),
    "MIRROR_PAD": ([ROWS, int32(1, 0, 0, 1).reshape(2, 2)], [(3, 5)]),
    "STRIDED_SLICE": ([ROWS, int32(0, 0), int32(2, 2), int32(1, 1)], [(2, 2)]),
    "SPLIT": ([int32(0).reshape(()), ROWS], [(1, 4), (1, 4)]),
    "PACK": ([ROWS, ROWS], [(2, 2, 4)]),
    "UNPACK": ([ROWS], [(4,), (4,)]),
    "GATHER": ([ROWS, int32(1, 0)], [ROWS]),
    **dict.fromkeys(
        ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), ([IMAGE, int32(6, 6)], [(1, 6, 6, 4)])
    ),
    "DEPTH_TO_SPACE": ([IMAGE], [(1, 8, 8, 1)]),
    "SPACE_TO_DEPTH": ([IMAGE], [(1, 2, 2, 16)]),
    "SHAPE": ([ROWS], [made(np.int32, 2)]),
    "CAST": ([ROWS], [made(np.int32, 2, 4)]),
    "RNN": ([(2, 5), codes(4, 5), codes(4, 4), floats(4), state(2, 4)], [(2, 4)]),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (
        [(2, 3, 5), codes(4, 5), codes(4, 4), floats(4), state(2, 4)],
        [(2, 3, 4)],
    ),
    "SVDF": ([(2, 5), codes(4, 5), codes(4, 3), floats(4), state(2, 12)], [(2, 4)]),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        dict.fromkeys(range(1, 5), codes(4, 5))
        | dict.fromkeys(range(5, 9), codes(4, 4))
        | dict.fromkeys(range(12, 16), floats(4))
        | {0: (2, 3, 5), 18: state(2, 4), 19: state(2, 4)},
        [(2, 3, 4)],
    ),
}
# their float arithmetic ends in other last bits on some processors
NEAR = ("GELU", "MEAN", "SUM", "L2_NORMALIZATION")


def test_every_operator_with_options_is_here():
    assert set(OPERANDS) == set(OPTIONS) & set(TABLE)


@pytest.mark.parametrize("code", OPERANDS)
def test_without_a_table_it_computes_what_the_runtime_does_or_is_refused(code, monkeypatch):
    graph = one_operator(code, *OPERANDS[code])
    with monkeypatch.context() as patch:
        patch.setattr(write, "OPTIONS", {})
        patch.setattr(write, "WITHOUT_OPTIONS", {code})
        content = write.to_bytes(graph)
    graph = drqsim.load(content)
    inputs = (graph.tensors[i] for i in graph.inputs)
    fed = {n: floats(*t.shape) for n, t in zip(graph.input_names, inputs, strict=True)}
    try:
        theirs = litert.run(content, fed).outputs
    except drqsim.ModelFileError:
        with pytest.raises(drqsim.ModelFileError):
            drqsim.run(graph, fed)
        return
    ours, _ = drqsim.run(graph, fed)
    for mine, real in zip(ours.values(), theirs.values(), strict=True):
        assert mine.shape == real.shape and mine.dtype == real.dtype
        if code in NEAR:
            np.testing.assert_allclose(mine, real, rtol=1e-6, atol=1e-6)
        else:
            assert mine.tobytes() == real.tobytes()
    assert write.to_bytes(drqsim.load(write.to_bytes(graph))) == write.to_bytes(graph)
    again = drqsim.load(write.to_bytes(graph)).operators[0]
    assert completed(code, again.options) == completed(code, graph.operators[0].options)


def test_the_table_of_another_operator_counts_for_nothing(monkeypatch):
    graph = one_operator("SOFTMAX", *OPERANDS["SOFTMAX"])
    with monkeypatch.context() as patch:
        patch.setitem(write.OPTIONS, "SOFTMAX", OPTIONS["LEAKY_RELU"])
        content = write.to_bytes(graph)
    x = floats(*ROWS)
    (ours,), (theirs,) = (
        drqsim.run(drqsim.load(content), x)[0].values(),
        litert.run(content, x).outputs.values(),
    )
    assert ours.tobytes() == theirs.tobytes() and (ours == 0.25).all()
