"""Grids of numbers: their text, their colours, their formats."""

import re

import numpy as np
import pytest

from drqsim import figures
from drqsim.figures.cells import STRONGEST
from drqsim.figures.style import DARK, LIGHT

PAGES = {"light": ("#ffffff", "#222832"), "dark": ("#121212", "#ced6dd")}


def test_grid_text():
    values = np.array([[-128, 3], [40, 127]], np.int8)
    figure = figures.grid(values, "codes", "int8", highlight={(1, 0)}, center=-128)
    assert repr(figure) == "codes  int8[2,2]  -128 … 127\n-128     3\n 40*   127"
    assert "drq-below" not in figure.body
    assert f"--shade:{STRONGEST}%" in figure.body
    assert figure.alt == (
        "codes: a table of 2 by 2 int8 numbers from -128 to 127, 1 of them outlined."
    )


def test_a_grid_says_what_its_colour_means():
    one = figures.grid(np.array([[9216, -1]]), "a", "int32")
    other = figures.grid(np.array([[3]]), "b", "int8", center=-128)
    assert repr(one).splitlines()[1] == "9,216     -1"
    assert "color: distance from 0<" in one.body
    assert "color: distance from \N{MINUS SIGN}128<" in other.body
    assert figures.grids([one, one]).body.count("color:") == 1
    assert figures.grids([one, other]).body.count("color:") == 2
    shared = figures.grids([one, other], note="color: <what> it is").body
    assert shared.count("color:") == 1 and shared.endswith("color: &lt;what&gt; it is</span></div>")


def test_grids_of_one_scale_have_the_same_colour_for_the_same_number():
    small, large = np.array([[1, 2]]), np.array([[4, 2]])
    shades = [
        re.findall(r"--shade:(\d+)%", figures.grid(values, "a", "int32", top=4).body)
        for values in (small, large)
    ]
    assert shades == [["10", "20"], ["40", "20"]]


def test_a_format_with_a_width_gives_every_cell_room():
    space = "\N{FIGURE SPACE}"
    body = figures.grid(np.array([[7, -128]]), "a", "int8", "4d").body
    assert f">{space * 3}7</td>" in body and ">\N{MINUS SIGN}128</td>" in body


def test_a_grid_of_fewer_bits_says_how_many():
    figure = figures.grid(np.array([[7, -7]], np.int8), "codes", "weight", bits=4)
    assert repr(figure).startswith("codes  int4[1,2]  -7 … 7\n")
    assert ">int4[1,2]<" in figure.body and "1 by 2 int4 numbers" in figure.alt


@pytest.mark.parametrize(
    ("largest", "text"),
    [(0.0, "0"), (3.14159, "3.14"), (31.4159, "31.4"), (0.0314159, "0.0314"), (3e-9, "3.0e-09")],
)
def test_grid_writes_three_digits_of_the_largest_value(largest, text):
    figure = figures.grid(np.array([[largest]]), "x", "float32")
    assert repr(figure).splitlines()[1] == text


def test_grid_takes_infinity_and_nan():
    figure = figures.grid(np.array([[np.nan, np.inf, 1.0]]), "x", "float32")
    assert repr(figure).splitlines()[1].split() == ["nan", "inf", "1.00"]


def test_grids_join_texts():
    one = figures.grid(np.array([[1]]), "a", "int32")
    assert repr(figures.grids([one, one])) == f"{one!r}\n\n{one!r}"
    rows = figures.grids({"first": [one, one], "second <b>": [one]})
    assert repr(rows) == f"first\n{one!r}\n\n{one!r}\n\nsecond <b>\n{one!r}"
    assert rows.alt == f"first. {one.alt} {one.alt} second <b>. {one.alt}"
    assert rows.body.count('class="drq-beside"') == 2 and "second &lt;b&gt;" in rows.body
    assert rows.body.count("color:") == 1


@pytest.mark.parametrize(("theme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_numbers_stay_readable_on_the_strongest_cell(theme, palette):
    page, ink = map(rgb, PAGES[theme])
    mixes = [(rgb(cell), STRONGEST / 100) for _, _, cell in palette.values()]
    for colour, share in [*mixes, (ink, 0.7 * STRONGEST / 100)]:
        assert contrast(ink, share * colour + (1 - share) * page) >= 4.5


def rgb(colour):
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], float)


def contrast(one, other):
    """The ratio of the WCAG."""
    light = sorted(luminance(colour) for colour in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


def luminance(colour):
    c = colour / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]
