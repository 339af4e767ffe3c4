"""A tensor or a graph that contradicts itself cannot be made, by whichever way."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim.graph import Graph, Operator, Quantization, Tensor
from drqsim.model_file.schema import completed

f32 = np.dtype(np.float32)


def tensor(shape=(2, 3), **parts) -> Tensor:
    return Tensor("t", shape, f32, **parts)


def scales(count: int, axis: int = 0, zero_points: int | None = None) -> Quantization:
    zeros = np.zeros(count if zero_points is None else zero_points, np.int64)
    return Quantization(np.ones(count, np.float32), zeros, axis)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"shape": (2, -1)}, r"'t' has the shape \[2, -1\]; no dimension may be negative"),
        ({"value": np.zeros((3, 2), f32)}, r"is float32\[2,3\], but its value is float32\[3, 2\]"),
        ({"value": np.zeros((2, 3), np.int8)}, r"but its value is int8\[2, 3\]"),
        ({"quantization": scales(2, zero_points=1)}, "has 2 scales but 1 zero points"),
        ({"quantization": scales(0)}, "is quantized without a scale"),
        ({"quantization": scales(1, axis=2)}, "is quantized along dimension 2 of 2"),
        ({"quantization": scales(2, axis=1)}, r"has 2 scales for dimension 1 of \[2, 3\]"),
    ],
)
def test_tensors(parts, says):
    with pytest.raises(drqsim.ModelFileError, match=says):
        tensor(**parts)


def test_right_tensors_are_made():
    made = Tensor("t", [2, 3], np.int8, np.zeros((2, 3), np.int8), scales(3, axis=1))
    assert (made.shape, made.dtype) == ((2, 3), np.dtype(np.int8))
    assert tensor((), quantization=scales(1)).shape == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"inputs": (2,)}, "the model names tensor 2, but there are 2 tensors"),
        ({"outputs": (-1,)}, "the model names tensor -1"),
        ({"operators": (Operator("RELU", "a", (5,), (1,)),)}, "a names tensor 5"),
        ({"operators": (Operator("RELU", "a", (-2,), (1,)),)}, "a names tensor -2"),
        ({"operators": (Operator("RELU", "a", (0,), (-1,)),)}, "a names tensor -1"),
        ({"operators": (Operator("RELU", "a", (0,), (1,)),) * 2}, "two operators are called 'a'"),
    ],
)
def test_graphs(change, says):
    op = Operator("RELU", "relu_0", (0,), (1,))
    graph = Graph((tensor(), tensor()), (op,), (0,), (1,))
    with pytest.raises(drqsim.ModelFileError, match=says):
        replace(graph, **change)


@pytest.mark.parametrize(
    ("code", "options", "says"),
    [
        ("CONV_2D", {"padding": "FULL"}, "CONV_2D has padding = 'FULL'; expected one of SAME, VA"),
        ("CONV_2D", {"stride_w": 1.5}, "stride_w = 1.5; expected a whole number"),
        ("CONV_2D", {"stride_w": 2**31}, "stride_w = 2147483648; expected a whole number"),
        ("MEAN", {"keep_dims": 2}, "keep_dims = 2; expected a truth"),
        ("CAST", {"out_data_type": 128}, "expected a number from -128 to 127"),
        ("SOFTMAX", {"beta": 1e39}, r"beta = 1e\+39; expected a number"),
        ("SOFTMAX", {"beta": "1"}, "beta = '1'; expected a number"),
        ("RESHAPE", {"new_shape": (1, None)}, "expected a vector"),
        ("FULLY_CONNECTED", {"quant_spec": "text"}, "expected bytes"),
    ],
)
def test_options(code, options, says):
    with pytest.raises(drqsim.ModelFileError, match=says):
        completed(code, options)


def test_right_options_are_kept():
    given = {"beta": np.float32(np.inf)}
    assert dict(completed("SOFTMAX", given)) == given
    assert completed("MEAN", {"keep_dims": np.True_})["keep_dims"]
    assert completed("RESHAPE", {"new_shape": np.array([1, -1])})["new_shape"].tolist() == [1, -1]
