"""Operators that compare and choose: what they give is true or false, or one of two values.

Nothing is rounded, so they are exact. No delegate takes them: denormals count as what they are.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/comparisons.cc``, ``logical.cc``,
``elementwise.cc`` (LOGICAL_NOT), ``select.cc``.
"""

from __future__ import annotations

import numpy as np

from drqsim.ops.call import Call

COMPARED = (np.float32, np.int32, np.int64)

COMPARISONS = {
    "EQUAL": np.equal,
    "NOT_EQUAL": np.not_equal,
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
    "LESS": np.less,
    "LESS_EQUAL": np.less_equal,
}
LOGICAL = {"LOGICAL_AND": np.logical_and, "LOGICAL_OR": np.logical_or}
# these also compare true and false
OF_TRUTH = (*LOGICAL, "EQUAL", "NOT_EQUAL")


def compare(call: Call) -> list[np.ndarray]:
    """a == b, a < b, a and b, ...: true or false, value by value, broadcast"""
    code = call.operator.code
    a, b = call.value(0, "first operand"), call.value(1, "second operand")
    if a.dtype != b.dtype:
        raise call.contradiction(f"it compares {a.dtype} with {b.dtype}; both must be the same.")
    types = (() if code in LOGICAL else COMPARED) + ((np.bool_,) if code in OF_TRUTH else ())
    if a.dtype not in types:
        known = ", ".join(np.dtype(t).name for t in types)
        raise call.refuse(f"it compares {a.dtype}; drqsim compares {known}.")
    call.broadcast(a, b)
    call.record_inputs()
    output = (COMPARISONS | LOGICAL)[code](a, b)
    call.record("output", output)
    return [output]


def negate(call: Call) -> list[np.ndarray]:
    """not x"""
    x = call.value(0, "operand")
    if x.dtype != np.bool_:
        raise call.contradiction(f"it negates {x.dtype}; expected bool.")
    call.record_inputs()
    output = ~x
    call.record("output", output)
    return [output]


def select(call: Call) -> list[np.ndarray]:
    """Where the condition holds x, else y.

    SELECT_V2 broadcasts all three. SELECT wants x and y of one shape, and a condition of the same
    shape, or a scalar, or one truth value for each entry of the first dimension.
    """
    condition, x, y = (call.value(at, what) for at, what in enumerate(("condition", "x", "y")))
    if condition.dtype != np.bool_ or x.dtype != y.dtype:
        raise call.contradiction(
            f"it chooses by {condition.dtype} between {x.dtype} and {y.dtype}; expected bool, and "
            "the same type twice."
        )
    chosen = condition
    if call.operator.code == "SELECT":
        if x.shape != y.shape or condition.shape not in (x.shape, (), x.shape[:1]):
            raise call.contradiction(
                f"its condition {list(condition.shape)} does not choose between "
                f"{list(x.shape)} and {list(y.shape)}."
            )
        chosen = condition.reshape(condition.shape + (1,) * (x.ndim - condition.ndim))
    call.broadcast(chosen, x, y)
    call.record_inputs()
    output = np.where(chosen, x, y)
    call.record("output", output)
    return [output]


FUNCTIONS = (
    dict.fromkeys(COMPARISONS | LOGICAL, compare)
    | {"LOGICAL_NOT": negate}
    | dict.fromkeys(("SELECT", "SELECT_V2"), select)
)
