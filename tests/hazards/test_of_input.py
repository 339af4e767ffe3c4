"""Every check of an input alone: what it says, and that it says it in a string."""

import numpy as np
import pytest

from drqsim.graph import Operator
from drqsim.hazards import of_input

f32 = np.float32
SOUND = np.linspace(-1, 1, 8, dtype=f32)
LONG = np.ones(70_000)


def fed(x, scale, codes=None, zero_point=0, weights=None, in_delegate=False):
    """One row of an input and what a dense layer made of it."""
    x = f32(x)[None]
    codes = np.arange(x.size, dtype=np.int8) if codes is None else np.int8(codes)
    weights = np.ones((1, x.size), np.int8) if weights is None else weights
    op = Operator("FULLY_CONNECTED", "fully_connected_0", (0, 1), (2,))
    rows = codes.reshape(x.shape), f32([scale]), np.int32([zero_point])
    return of_input.Fed(op, x, *rows, weights, "row", in_delegate)


CASES = {
    "sound": (fed(SOUND, 2 / 255), ""),
    "NaN": (fed([np.nan, *SOUND], 0.01), "its input holds NaN"),
    "infinity": (fed([np.inf, *SOUND], np.inf), "its input holds infinity"),
    "endless range": (fed([3e38, -3e38], np.inf), "its input spans more than float32 can hold"),
    "no scale": (fed([1e-45, 0], 1e-45), "its input spans so little that 1/scale overflows"),
    "no scale, XNNPACK": (fed([1e-45, 0], 0, in_delegate=True), "the output is the bias alone"),
    "outliers": (fed([1e6, *np.tile(SOUND, 3)], 8e3, codes=[127] + [0] * 24), "the code of zero"),
    "all zero": (fed(SOUND * 0, 1, codes=[0] * 8), "its input is all zero"),
    "wraps": (
        fed(LONG, 1 / 255, LONG * 127, -128, np.full((1, LONG.size), 127, np.int8)),
        "a sum of 70,000 products is past int32",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_check_says_it_in_a_string(name):
    case, expected = CASES[name]
    checks = (*of_input._NONFINITE, *of_input._OF_INPUT)
    said = [check(case) for check in checks]
    assert [type(text) for text in said] == [str] * len(checks)
    assert any(said) == bool(expected) and all(expected in text for text in said if text)


def test_every_check_has_a_case():
    hit = {
        check.__name__
        for check in (*of_input._NONFINITE, *of_input._OF_INPUT)
        if any(check(case) for case, _ in CASES.values())
    }
    assert len(hit) == len(of_input._NONFINITE) + len(of_input._OF_INPUT)
