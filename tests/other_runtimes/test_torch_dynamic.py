"""PyTorch's dynamic quantization; compared with torch where it is installed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim.other_runtimes import torch_dynamic
from tests.kit.one_operator import same_bits
from tests.kit.strategies import DISTRIBUTIONS, inputs

try:
    import torch
except ImportError:
    torch = None
needs_torch = pytest.mark.skipif(torch is None, reason="torch is not installed")
# torch 2.13 announces the end of its quantized tensors with every call
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
f32 = np.float32
shapes = st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple)


@needs_torch
@given(data=st.data(), reduce_range=st.booleans())
def test_inputs_are_quantized_as_torch_does(data, reduce_range):
    x = data.draw(inputs(data.draw(shapes)))
    ours = torch_dynamic.quantize_input(x, reduce_range)
    real = torch.quantize_per_tensor_dynamic(torch.from_numpy(x), torch.quint8, reduce_range)
    assert (float(ours.scale), ours.zero_point) == (real.q_scale(), real.q_zero_point())
    assert np.array_equal(ours.codes, real.int_repr().numpy())


@needs_torch
@given(data=st.data())
def test_a_dense_layer_is_torch_s(data):
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    depth, out = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 20))
    layer = torch.nn.Linear(depth, out, bias=data.draw(st.booleans()))
    weights = DISTRIBUTIONS[data.draw(st.sampled_from(("normal", "outliers", "small")))]
    layer.weight.data = torch.from_numpy(weights(random, (out, depth)).astype(f32))
    bias = None
    if layer.bias is not None:
        bias = random.normal(size=out).astype(f32)
        layer.bias.data = torch.from_numpy(bias)
    x = data.draw(inputs((data.draw(st.integers(1, 5)), depth)))
    torch.backends.quantized.engine = "fbgemm"
    float_model = torch.nn.Sequential(layer)
    made = torch.ao.quantization.quantize_dynamic(float_model, {torch.nn.Linear})
    codes = torch_dynamic.quantize_weights(layer.weight.detach().numpy())
    held = made[0].weight()
    assert held.q_scale() == float(codes.scale)
    assert np.array_equal(held.int_repr().numpy(), codes.codes)
    real = made(torch.from_numpy(x)).detach().numpy()
    ours = torch_dynamic.linear(x, layer.weight.detach().numpy(), bias)
    assert same_bits(ours, real), (ours, real)


@pytest.mark.parametrize(
    ("x", "reduce_range", "scale", "zero_point", "codes"),
    [
        ([0, 127, 63.5, 0.5], True, 1, 0, [0, 127, 64, 0]),  # half to even
        ([0, 255], False, 1, 0, [0, 255]),
        ([-127, 0], True, 1, 127, [0, 127]),
        ([0, 0], True, 0.1, 0, [0, 0]),  # no range
    ],
)
def test_scales_and_codes_by_hand(x, reduce_range, scale, zero_point, codes):
    ours = torch_dynamic.quantize_input(np.array(x, f32), reduce_range)
    assert (ours.scale, ours.zero_point, ours.codes.tolist()) == (scale, zero_point, codes)


def test_weights_and_a_layer_by_hand():
    """Weights reach -128, since the scale is the largest of them by 127.5."""
    weights = np.array([[-127.5, 64, 0.5]], f32)
    made = torch_dynamic.quantize_weights(weights)
    assert made.scale == 1 and made.codes.tolist() == [[-128, 64, 0]]
    output = torch_dynamic.linear(np.array([[0, 127, 1]], f32), weights, np.array([0.25], f32))
    assert output.tolist() == [[127 * 64 + 0.25]]


@pytest.mark.parametrize("function", [torch_dynamic.quantize_input, torch_dynamic.quantize_weights])
@pytest.mark.parametrize("bad", [np.ones(2), np.array([np.nan], f32), np.zeros(0, f32)])
def test_what_is_no_float32_is_refused(function, bad):
    with pytest.raises(drqsim.InputError, match="expected finite float32"):
        function(bad)
