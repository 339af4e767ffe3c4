"""Operators whose tensors and options were damaged at random end in an error that has a name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drqsim
from tests.kit.float_cases import GENERATORS, cases
from tests.kit.one_operator import Case, graph
from tests.kit.strategies import KERNELS

DTYPES = (np.int8, np.uint8, np.int32, np.int64, np.float16, np.float32, np.bool_)
NUMBERS = (-(2**31), -3, -1, 0, 1, 2, 5, 100, 2**31 - 1)


def other_type(random, value):
    with np.errstate(invalid="ignore", over="ignore"):
        return value.astype(random.choice(DTYPES))


def other_shape(random, value):
    shape = tuple(int(n) for n in random.integers(0, 5, random.integers(0, 6)))
    return np.resize(value, shape) if value.size else np.zeros(shape, value.dtype)


def other_numbers(random, value):
    if value.dtype.kind != "i":
        return value
    return np.full(value.shape, int(random.choice(NUMBERS)) % 2**31).astype(value.dtype)


def damaged(random, case: Case) -> Case:
    """The case with an operand, an option or an output that is not what it was."""
    operands, options, outputs = list(case.operands), dict(case.options), case.outputs
    what = random.integers(6)
    if what < 3:
        at = random.integers(len(operands))
        value = operands[at].value
        if value is not None:
            change = (other_type, other_shape, other_numbers)[what]
            operands[at] = operands[at]._replace(value=change(random, value))
    elif what == 3:
        operands.pop(random.integers(len(operands)))
    elif what == 4 and options:
        name = list(options)[random.integers(len(options))]
        if isinstance(options[name], tuple):
            options[name] = tuple(int(n) for n in random.integers(-5, 5, random.integers(0, 5)))
        elif not isinstance(options[name], str):
            options[name] = int(random.choice(NUMBERS))
    else:
        outputs = outputs * int(random.integers(0, 3))
    return case._replace(operands=operands, options=options, outputs=outputs)


@pytest.mark.parametrize("code", sorted(GENERATORS))
@settings(max_examples=settings().max_examples // 4 + 1)  # each on every kernel path
@given(data=st.data())
def test_no_damage_ends_inside_numpy(code, data):
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    bare, feeds = graph(damaged(random, data.draw(cases(code))))
    for kernels in KERNELS:
        try:
            drqsim.run(bare, feeds, kernels)
        except drqsim.DrqsimError as error:
            assert str(error)
