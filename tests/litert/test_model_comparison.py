"""A whole model judged twice: it must see a flipped code, and tell it from a wrong operator."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert, ops
from drqsim.ops import conv_2d
from tests.kit.places import MODELS
from tests.kit.strategies import KERNELS

f32 = np.float32
DRQ = MODELS / "digits_drq.tflite"
IMAGE = np.load(MODELS / "digits_inputs.npz")["images"][:1]


@pytest.mark.parametrize("kernels", KERNELS)
def test_each_hybrid_operator_gives_the_bits_of_the_runtime(kernels):
    compared = litert.compare_model(DRQ, IMAGE, kernels)
    model = drqsim.load(DRQ)
    assert [row.operator for row in compared] == [op.name for op in model.operators]
    hybrid = [row for row in compared if row.is_hybrid]
    assert compared.exact and len(hybrid) == 6
    # the codes are as many as the inputs have elements
    sizes = [np.prod(model.tensors[model.operator(r.operator).inputs[0]].shape) for r in hybrid]
    assert [row.codes for row in hybrid] == sizes and compared.codes == sum(sizes)
    assert not any(row.codes for row in compared if not row.is_hybrid)
    (name,) = compared.theirs
    assert np.array_equal(compared.theirs[name], litert.run(DRQ, IMAGE, kernels).outputs[name])
    assert np.array_equal(compared.ours[name], drqsim.run(model, IMAGE, kernels)[0][name])
    assert np.array_equal(compared.ours[name], compared.theirs[name])
    assert compared.difference == 0 and all(row.is_exact for row in compared)


def nudged(by):
    """A MAX_POOL_2D whose first value is off by so many steps of the next operator's codes."""
    real = ops.TABLE["MAX_POOL_2D"]

    def run(call):
        (output,) = real(call)
        x = output.copy()
        span = x.max() - min(x.min(), 0)
        codes = np.rint(x[0, 0, 0] / span * 255)
        at = np.flatnonzero((codes > 20) & (codes < 230))[0]  # not an end of the range
        x[0, 0, 0, at] = (codes[at] + by) * span / 255
        call.record("output", x)
        return [x]

    return run


def test_a_flipped_code_is_counted_and_blamed_on_nobody(monkeypatch):
    base = litert.compare_model(DRQ, IMAGE, "reference")
    monkeypatch.setitem(ops.TABLE, "MAX_POOL_2D", nudged(1))
    moved = litert.compare_model(DRQ, IMAGE, "reference")
    assert moved.exact  # each hybrid operator still gives the runtime's bits of the runtime's input
    # counted as differences: the processor's sums may flip codes of their own
    more = {row.operator: row.flipped - base[row.operator].flipped for row in moved}
    assert more["depthwise_conv_2d_1"] == 1 and more["conv_2d_3"] > 0 == more["conv_2d_2"]
    assert moved["depthwise_conv_2d_1"].apart > 1e-3
    pooled = moved["max_pool_2d_0"]
    assert pooled.equal == pooled.elements - 1 and 1 / 300 < pooled.fed < 1 / 200
    assert moved.relative_difference > base.relative_difference


def test_a_wrong_rule_is_no_flipped_code(monkeypatch):
    monkeypatch.setattr(conv_2d.fused, "apply", lambda x, *a, **k: x)
    compared = litert.compare_model(DRQ, IMAGE, "optimized")
    assert not compared.exact
    assert not compared["conv_2d_1"].is_exact


def test_it_prints_as_a_table():
    compared = litert.compare_model(DRQ, IMAGE, "xnnpack")
    text = repr(compared)
    assert text.splitlines()[0].split()[:4] == ["operator", "arithmetic", "elements", "equal"]
    assert "6 of 6 hybrid operators give its bits in every element." in text
    assert "of 7,744 codes are flipped" in text
    assert "no tensor holds XNNPACK's codes" in text
    markup = compared._repr_html_()
    assert markup.count("<tr>") == 13 and "6 of 6 hybrid" in markup
    with pytest.raises(drqsim.InputError, match="conv_2d_9"):
        compared["conv_2d_9"]


def test_what_the_runtime_leaves_unwritten_is_not_compared():
    file = MODELS / "digits_weight_only.tflite"
    compared = litert.compare_model(file, IMAGE, "xnnpack")
    assert not any(row.elements for row in compared if row.operator.startswith("dequantize"))
    assert all(row.elements for row in compared if not row.operator.startswith("dequantize"))
    assert "leaves their tensor unwritten" in repr(compared)
    assert "all is float32" in repr(compared)
    for kernels in ("reference", "optimized"):
        compared = litert.compare_model(file, IMAGE, kernels)
        assert compared["dequantize_0"].is_exact and not compared.notes


def test_a_model_that_cannot_run_as_a_whole_is_named():
    model = drqsim.load(DRQ)
    odd = replace(model.operators[-1], code="HASHTABLE", name="hashtable_0")
    with pytest.raises(drqsim.UnsupportedOperatorError, match="HASHTABLE"):
        litert.compare_model(replace(model, operators=(*model.operators[:-1], odd)), IMAGE)
