"""What is measured of a part, and the tables that show it."""

import math
from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import InputError
from drqsim.attribution.parts import CAUSES, Attribution, Row, Tally
from tests.kit.attribution import digits, layer

f32 = np.float32


def test_hazards_are_named(images):
    found = drqsim.attribute_error(digits("float"), digits("drq_per_tensor"), images[0])
    assert any(op == "depthwise_conv_2d_1" and "one scale" in text for op, text in found.hazards)
    assert "one scale" in repr(found) and "one scale" in found._repr_html_()


def test_measures_of_a_part_worked_out_by_hand():
    tally = Tally("weight rounding", keep=False)
    error = np.array([[3.0, -4.0]])
    tally.add(np.array([[0.0, -2.0]]), error, signal=np.array([[20.0, 0.0]]))
    part = tally.part()
    assert part.snr == part.lowest == part.highest == pytest.approx(20)  # 400 over 4
    assert part.share == pytest.approx(8 / 25)
    assert (part.largest, part.position, part.channel, part.input) == (2, (0, 1), 1, 0)
    tally.add(np.zeros((1, 2)), np.zeros((1, 2)), signal=np.zeros((1, 2)))
    part = tally.part()
    assert (part.snr, part.lowest, part.highest) == (pytest.approx(20), pytest.approx(20), math.inf)
    silent = Tally("inherited", keep=False)
    silent.add(np.array(0.5), np.array(0.5), signal=np.array(0.0))
    assert (silent.part().snr, silent.part().channel) == (-math.inf, None)


def test_float_noise_has_no_digits_in_a_table():
    """A millionth of the output is 120 dB. The number itself stays in the result."""
    row = {}
    for cause, size in (("error", 1.1e-6), *zip(CAUSES, (0.0, 0.9e-6, 0.0, 1.1e-6), strict=True)):
        row[cause] = Tally(cause, keep=False)
        row[cause].add(np.full(1, size), np.ones(1), signal=np.ones(1))
    parts = {cause: tally.part() for cause, tally in row.items()}
    made = Attribution([Row("add_0", parts.pop("error"), parts)], [], None, 1, [])
    assert made["add_0"].parts["weight rounding"].snr == pytest.approx(120.91515)
    (cells,) = made.tables()[0][2]
    assert cells[:6] == ("add_0", "119.2", "none", "over 120", "none", "119.2")


def test_tables_and_their_order_of_attribution(images):
    found = drqsim.attribute_error(digits("float"), digits("drq"), images[0])
    for text in (repr(found), found._repr_html_()):
        assert text.count("Order of attribution") == 1
        assert all(cause in text for cause in CAUSES)
        assert "100.0%" in text
    without = drqsim.attribute_error(digits("float"), digits("drq"), images[0], end_to_end=False)
    assert without.net == [] and without.net_error is None
    assert repr(found).startswith(repr(without).split("\n\n")[0])
    with pytest.raises(InputError, match="No row for 'conv_2d_99'"):
        found["conv_2d_99"]


def test_html_is_escaped():
    models = layer(np.ones((2, 2)), (1, 1, 1, 2))
    models = [
        replace(m, operators=tuple(replace(op, name="<b>&") for op in m.operators)) for m in models
    ]
    text = drqsim.attribute_error(*models, np.ones((1, 1, 1, 2), f32))._repr_html_()
    assert "&lt;b&gt;&amp;" in text and "<b>" not in text
