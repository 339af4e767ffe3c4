"""Number lines, histograms, bars and lines: nothing is lost, and scales are what they say."""

import re

import numpy as np
import pytest

from drqsim import figures
from drqsim.figures.histograms import bin_edges
from drqsim.figures.svg import tick
from tests.kit.digits import small_layer


def test_number_line_text():
    figure = figures.number_line(-1, 2, 0.5, -2, [0.24, 0.25, -9], codes=(-4, 3))
    assert repr(figure) == (
        "Real numbers and their codes: -1 to 2, scale 0.5, zero point -2, codes -4 to 3\n"
        "  codes: -4 = -1, -3 = -0.5, -2 = 0, -1 = 0.5, 0 = 1, 1 = 1.5, 2 = 2, 3 = 2.5\n"
        "  values: 0.24 -> -2, 0.25 -> -1, -9 -> -4"
    )


def test_histogram_text():
    figure = figures.histogram(np.array([0, 1, 1, 3]), "codes", "int8", marks={"zero": 0})
    assert repr(figure) == (
        "codes: 4 values from 0 to 3, mean 1.25, standard deviation 1.09\n"
        "  counts from left to right: 1 2 0 1\n"
        "  marks: zero = 0"
    )


def test_bars_are_as_high_as_their_counts():
    """Measured in the picture: each bar's corners, left of it its bin's edge."""
    values = np.repeat([0, 1, 2, 5], [3, 7, 1, 4])
    body = figures.histogram(values, "codes", "int8").body
    bars = re.findall(r'<path d="([^"]*)"[^>]*fill: var\(--drq-int8', body)
    corners = np.array([re.findall(r"[\d.]+", bar) for bar in bars], float).reshape(-1, 4, 2)
    height = corners[:, 0, 1] - corners[:, 1, 1]
    assert height / height.sum() * values.size == pytest.approx([3, 7, 1, 4], abs=1e-4)
    left = corners[:, 0, 0] - corners[0, 0, 0]
    assert left / left[1] == pytest.approx([0, 1, 2, 5], abs=1e-4)


@pytest.mark.parametrize("bins", [1, 2, 7, 40])
@pytest.mark.parametrize(
    "values",
    [
        np.array([-3.1, 0.0, 2.0]),
        np.array([-1e-9, 1e9]),
        np.array([-0.1, 0.3], np.float32),
        np.array([-128, 0, 127], np.int8),
        np.array([-185787, 158167], np.int32),
        np.array([-1, 1]),
    ],
)
def test_a_bin_begins_at_zero_and_none_is_lost(values, bins):
    edges = bin_edges(values, bins)
    zero = -0.5 if values.dtype.kind == "i" else 0
    assert zero in edges
    assert len(edges) - 1 <= max(bins, 2)
    assert np.histogram(values, edges)[0].sum() == values.size


def test_codes_are_binned_from_their_zero_point():
    edges = bin_edges(np.arange(-128, 128), 40, zero=5)
    assert 4.5 in edges
    assert edges[0] <= -128 and edges[-1] >= 127


def test_two_histograms_say_when_their_heights_differ():
    few, many = np.arange(-3.0, 4), np.zeros(90)
    titles, kinds = ("a", "b"), ("int8", "int8")
    assert "other scale" in figures.two_histograms(few, many, titles, kinds).body
    assert "other scale" not in figures.two_histograms(few, few + 1, titles, kinds).body


def test_two_histograms_count_the_same_bins():
    real = np.array([0.0, 0.5, 0.5, 1.5], np.float32)
    figure = figures.two_histograms(
        real, np.array([-4, -3, -3, -1], np.int8), ("x", "q"), ("float32", "int8"), 0.5, -4
    )
    counts = [line for line in repr(figure).splitlines() if "counts" in line]
    assert counts == ["  counts from left to right: 1 2 0 1"] * 2


def test_two_histograms_name_their_axes():
    real, codes, kinds = np.array([0.0, 1.5]), np.array([-4, -1], np.int8), ("float32", "int8")
    for upper, lower, scale, names in (
        (real, codes, 0.5, ["value", "code"]),
        (codes, codes, None, ["code"]),
        (real, real, None, ["value"]),
    ):
        body = figures.two_histograms(
            upper, lower, ("x", "q"), kinds, scale, -4 if scale else 0
        ).body
        assert re.findall(r">(value|code)</text>", body) == names


def test_a_value_of_0_has_no_bar():
    body = figures.bars([("a", 4, "int8"), ("b", 0, "int32")], "Bytes").body
    assert body.count('class="drq-track"') == 2 and body.count("<div style=") == 1


def test_bars_of_one_scale_have_the_same_length_for_the_same_number():
    for values, widths in (((1, 2), ["25.00", "50.00"]), ((8, 2), ["100.00", "25.00"])):
        body = figures.bars([("a", v, "int8") for v in values], "Bytes", top=4).body
        assert re.findall(r"width:([\d.]+)%", body) == widths


def test_bars_write_numbers_as_they_are_told():
    figure = figures.bars([("a", 0.00044, "weight"), ("b", 0.5, "weight")], "e", "", 0, ".4f")
    assert repr(figure) == "e: 2 bars up to 0.5000\n  a  0.0004\n  b  0.5000"
    assert "<td>0.0004</td>" in figure.body and "a 0.0004; b 0.5000" in figure.alt


def test_bars_text():
    figure = figures.bars([("filter", 4608, "weight"), ("bias", 128, "weight")], "Size", "bytes")
    assert repr(figure) == (
        "Size: 2 bars up to 4,608 bytes\n  filter  4,608 bytes\n  bias    128 bytes"
    )


def test_lifetimes_text():
    layer, _ = small_layer()
    assert repr(figures.lifetimes(layer)) == (
        "lifetimes: at most 48 bytes alive, during conv_2d_0\n"
        "  input        float32[1,2,3,1]         24 bytes, 0 to the end\n"
        "  0 conv_2d_0  float32[1,2,3,1]         24 bytes, 0 to the end\n"
        "  alive: 48"
    )


def test_lines_text():
    figure = figures.lines([1, 2], {"a": [0.5, 0.25], "long name": [1, 2]}, "t", "bits")
    assert repr(figure) == (
        "t\n  bits     a  long name\n     1   0.5          1\n     2  0.25          2"
    )


def test_ticks_of_millions_are_written_out():
    shown = {1.25e6: "1,250,000", -2e7: "\u221220,000,000", 0.25: "0.25", 1e15: "1e+15"}
    assert {value: tick(value, 0) for value in shown} == shown
