"""Which operators belong together, and what is a difference between two models."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import InputError, UnsupportedOperatorError, qparams
from drqsim.graph import Quantization, Tensor
from tests.kit import recurrent
from tests.kit.attribution import Net, assert_adds_up, branched, digits, unquantized
from tests.kit.one_operator import one_operator
from tests.kit.places import MODELS
from tests.kit.strategies import KERNELS

f32, f64 = np.float32, np.float64

FULL_INTEGER = ("digits_int8", "digits_16x8")


@pytest.mark.parametrize("name", FULL_INTEGER)
def test_a_full_integer_model_is_another_graph(name, images):
    with pytest.raises(drqsim.InputError, match="Their first difference: conv_2d_0 with input 0"):
        drqsim.attribute_error(digits("float"), drqsim.load(MODELS / f"{name}.tflite"), images[0])


def test_names_do_not_matter(images):
    float_model, drq = digits("float"), digits("drq")
    names = [tensor.name for tensor in drq.tensors]
    named = replace(
        drq,
        tensors=tuple(
            replace(tensor, name=name)
            for tensor, name in zip(drq.tensors, names[::-1], strict=True)
        ),
    )
    one_name = replace(drq, tensors=tuple(replace(t, name="arith.constant") for t in drq.tensors))
    found = [drqsim.attribute_error(float_model, d, images[0]) for d in (drq, named, one_name)]
    assert repr(found[0]) == repr(found[1]) == repr(found[2])


@pytest.mark.parametrize("kernels", KERNELS)
def test_a_table_of_codes_that_are_moved_before_they_are_dequantized(kernels):
    """GATHER, RESHAPE, DEQUANTIZE: as if a float table were gathered from."""
    net = Net(11, (3,))
    net.tensors[0] = replace(net.tensors[0], dtype=np.dtype(np.int32))
    table = net.normal(7, 4, axis=0)
    rows = net.add("GATHER", (table, 0), (3, 4), axis=0, batch_dims=0)
    flat = net.add("RESHAPE", (rows, net.constant(np.array([2, 6], np.int32))), (2, 6))
    last = net.add("TANH", (flat,), (2, 6))
    float_model = net.graph(last)
    codes, *rest = qparams.quantize_weights(net.tensors[table].value, None)
    quantization = Quantization(*rest, 0)
    net.tensors[table] = Tensor("table", codes.shape, codes.dtype, codes, quantization)
    for index in (rows, flat):
        net.tensors[index] = replace(
            net.tensors[index], dtype=codes.dtype, quantization=quantization
        )
    code, _, writes, options = net.operators.pop()
    dequantized = net.add("DEQUANTIZE", (flat,), (2, 6))
    net.operators.append((code, (dequantized,), writes, options))
    drq, x = net.graph(last), np.array([6, 0, 2], np.int32)
    found = assert_adds_up(float_model, drq, [x], kernels)
    assert found["gather_0"].parts["weight rounding"].share == pytest.approx(1)
    assert found["reshape_0"].parts["inherited"].share == pytest.approx(1)
    (y,) = drqsim.run(drq, x, kernels)[0].values()
    (y_f,) = drqsim.run(float_model, x, kernels)[0].values()
    assert np.array_equal(found.net_error.values[0], y.astype(f64) - y_f)
    with_codes = replace(drq, outputs=(last, flat))  # then somebody does read the codes
    with pytest.raises(InputError, match="gather_0 with output 0"):
        drqsim.attribute_error(replace(float_model, outputs=(last, flat)), with_codes, x)


def test_codes_that_are_computed_with_stay_codes():
    """A CAST of codes is no float model's CAST of what they stand for."""
    models = []
    for dtype in (f32, np.int8):
        net = Net(13, (3,))
        net.tensors[0] = replace(net.tensors[0], dtype=np.dtype(np.int32))
        table = net.normal(7, 4)
        codes, *rest = qparams.quantize_weights(net.tensors[table].value, None)
        rows = net.add("GATHER", (table, 0), (3, 4), axis=0, batch_dims=0)
        if dtype == np.int8:
            quantization = Quantization(*rest, 0)
            net.tensors[table] = Tensor("table", codes.shape, codes.dtype, codes, quantization)
            net.tensors[rows] = replace(net.tensors[rows], dtype=codes.dtype)
        models.append(net.graph(net.add("CAST", (rows,), (3, 4))))
    with pytest.raises(InputError, match="gather_0 with output 0 float32"):
        drqsim.attribute_error(*models, np.array([6, 0, 2], np.int32))


def changed(graph, at=0, **fields):
    operators = list(graph.operators)
    operators[at] = replace(operators[at], **fields)
    return replace(graph, operators=tuple(operators))


def test_models_that_do_not_belong_together(images):
    float_model, drq = digits("float"), digits("drq")
    first = float_model.operators[1]
    others = {
        "conv_2d_0 in the float model, max_pool_2d_7 in": changed(
            drq, code="MAX_POOL_2D", name="max_pool_2d_7"
        ),
        "softmax_0 in the float model, no more operators": replace(
            drq, operators=drq.operators[:-1], outputs=drq.operators[-2].outputs
        ),
        "with stride_h 1 in": changed(drq, options=first.options | {"stride_h": 2}),
        "conv_2d_0 with input 2 constant .* left out": changed(
            drq, inputs=(*drq.operators[0].inputs[:2], -1)
        ),
        "1 outputs of the model": replace(drq, outputs=drq.outputs * 2),
    }
    for message, other in others.items():
        with pytest.raises(InputError, match=message):
            drqsim.attribute_error(float_model, other, images[0])
    with pytest.raises(InputError, match="pass the model without quantization first"):
        drqsim.attribute_error(drq, float_model, images[0])


def test_other_operands_and_outputs_are_a_difference():
    net, (last, left) = branched(7)
    x = np.zeros((1, 5, 4, 3), f32)
    drq = net.quantized(last, left)
    at = [op.name for op in drq.operators].index("add_0")
    crossed = changed(drq, at, inputs=drq.operators[at].inputs[::-1])
    with pytest.raises(InputError, match="add_0 with input 0 .* from another operator"):
        drqsim.attribute_error(net.graph(last, left), crossed, x)
    with pytest.raises(InputError, match="the model's output 1"):
        drqsim.attribute_error(net.graph(last, left), net.quantized(last, left + 1), x)
    swapped = drqsim.attribute_error(net.graph(last, left), net.quantized(left, last), x)
    assert repr(swapped) == repr(
        drqsim.attribute_error(net.graph(last, left), net.quantized(last, left), x)
    )


def test_operators_that_lead_nowhere_are_left_out(images):
    float_model, drq = digits("float"), digits("drq")
    operators = (*drq.operators[:3], replace(drq.operators[2], name="copy"), *drq.operators[3:])
    size = len(drq.tensors)
    copy = replace(operators[3], outputs=(size,))
    tensors = (*drq.tensors, drq.tensors[drq.operators[2].outputs[0]])
    longer = replace(drq, tensors=tensors, operators=(*operators[:3], copy, *operators[4:]))
    found = [drqsim.attribute_error(float_model, model, images[0]) for model in (drq, longer)]
    assert repr(found[0]) == repr(found[1])


def test_other_parameters_are_a_difference():
    net, outputs = branched(7)
    drq = net.quantized(*outputs)
    at = next(i for i, t in enumerate(drq.tensors) if t.shape == (2,) and t.dtype == np.int32)
    tensors = list(drq.tensors)
    tensors[at] = replace(tensors[at], value=np.array([1, -1], np.int32))
    x = np.zeros((1, 5, 4, 3), f32)
    with pytest.raises(InputError, match=r"reshape_0 with input 1 .* \[1, 60\] .* \[1, -1\]"):
        drqsim.attribute_error(net.graph(*outputs), replace(drq, tensors=tuple(tensors)), x)


def test_inputs_that_do_not_fit(images):
    models = digits("float"), digits("drq")
    for inputs, message in (
        ([], "empty list"),
        (images[0].astype(f64), "float64"),
        (images[0][:, :7], "got the shape"),
        ({"nobody": images[0]}, "nobody"),
        (np.full((1, 8, 8, 1), np.nan, f32), "nan"),
        (images[0] * f32(1e38), "NaN or infinity|a range that float32 cannot hold"),
    ):
        with pytest.raises(InputError, match=message):
            drqsim.attribute_error(*models, inputs)
    with pytest.raises(InputError, match="kernels is 'fast'"):
        drqsim.attribute_error(*models, images[0], "fast")
    for output in (1, -1, True, "nobody", None, [0]):
        with pytest.raises(InputError, match="output is"):
            drqsim.attribute_error(*models, images[0], output=output)


def test_recurrent_operators_have_no_float_form():
    drq = recurrent.lstm(np.random.default_rng(9))
    drq = drq[0] if isinstance(drq, tuple) else drq
    x = np.zeros(drq.tensors[0].shape, f32)
    with pytest.raises(UnsupportedOperatorError, match="unidirectional_sequence_lstm_0"):
        drqsim.attribute_error(unquantized(drq, np.random.default_rng(0)), drq, x)


def test_two_tensors_are_not_one():
    x, z = (Tensor(name, (1, 4), np.dtype(f32)) for name in "xz")
    once, both = (one_operator("ADD", [x, other], [(1, 4)]) for other in (x, z))
    for models in ((once, both), (both, once)):
        with pytest.raises(InputError, match="add_0 with input 1 .* from another operator"):
            drqsim.attribute_error(*models, np.ones((1, 4), f32))


def test_an_operator_that_writes_over_a_constant_has_no_error_to_split():
    values = np.ones(3, np.float32)
    written = drqsim.Tensor("y", values.shape, values.dtype, values)
    graph = one_operator("RELU", [(3,)], [written])
    with pytest.raises(drqsim.InputError, match="relu_0 writes over a constant of its file"):
        drqsim.attribute_error(graph, graph, values)
