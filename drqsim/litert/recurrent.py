"""Which scratch tensor of a recurrent kernel is which.

A kernel uses the same buffers in every step, so what can be read afterwards is what was written
last. Our records of all steps are therefore written, in the kernel's order, into buffers of our
own, and those are compared. A vector that is all zero is skipped, and leaves its buffers as they
were. (A test that cuts the sequence off after each step reads every step.)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from drqsim.graph import Operator
from drqsim.model_file.schema import completed
from drqsim.runtime import RuntimeRun

# where a recurrent operator has its variable tensors
STATES = {
    "RNN": (4,),
    "SVDF": (4,),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (18, 19),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (4,),
}
Pair = tuple[str, np.ndarray, np.ndarray]


def pairs(operator: Operator, ours: dict[str, np.ndarray], real: RuntimeRun) -> list[Pair]:
    """Pairs (tensor, ours, the runtime's) for a recurrent operator run alone."""
    scratch = [tensor.value for tensor in real.scratch]
    states = [real.tensors[operator.inputs[at]].value for at in STATES[operator.code]]
    return list(
        KERNELS[operator.code](ours, completed(operator.code, operator.options), scratch, states)
    )


def _lstm(
    ours: dict[str, np.ndarray], options, scratch: list[np.ndarray], states: list[np.ndarray]
) -> Iterator[Pair]:
    """The buffers of ``unidirectional_sequence_lstm.cc`` and ``lstm_eval.cc``.

    Parameters
    ----------
    ours : dict of arrays
        The operator's records by name.
    options : mapping
        The operator's options.
    scratch, states : lists of arrays
        The runtime's temporaries in order, and its variable tensors: output state, cell state.
    """
    time_major = options["time_major"]
    x, output = (a if time_major else a.swapaxes(0, 1) for a in (ours["input"], ours["output"]))
    written = {}
    for t, rows in _order(*x.shape[:2], time_major):
        now = {name: value[t][rows] for name, value in ours.items() if name.startswith(_BY_ROW)}
        if x[t, rows].any():
            written |= _of(now, "input")
            written["product_scale"] = now["input_scale"] * ours["input_weights_scale"][-1]
        if ours["output_state"][t, rows].any():
            written |= _of(now, "output_state")
            product = now["output_state_scale"] * ours["recurrent_weights_scale"][-1]
            written["product_scale"] = product
        if "hidden_quantized" in ours and ours["hidden"][t, rows].any():
            # scale and zero point take the buffers of the input's
            written["hidden_quantized"] = now["hidden_quantized"]
            written["input_scale"] = now["hidden_scale"] * ours["projection_weights_scale"]
            if "hidden_zero_point" in ours:
                written["input_zero_point"] = now["hidden_zero_point"]
    if "peephole_weights" in ours:
        written["peephole"] = ours["peephole_weights"][-1] * ours["peephole_weights_scale"][-1]
    row_sums = [ours[n].ravel() for n in _ROW_SUMS if n in ours]
    if row_sums:
        written["row_sums"] = np.concatenate(row_sums)
    forget = "input" if len(ours["bias"]) == 3 else "forget"  # CIFG turns it into 1 - forget
    last = dict(zip(("input", "forget", "cell", "output"), ours["gates"][-1], strict=True))
    gates = [ours["hidden"][-1], last[forget], last["output"]]
    written["gates"] = np.stack(gates if forget == "input" else [last["input"], *gates])
    names = (
        "gates input_quantized output_state_quantized hidden_quantized input_scale "
        "output_state_scale product_scale peephole accumulator input_zero_point "
        "output_state_zero_point row_sums"
    ).split()
    for name, theirs in zip(names, scratch, strict=True):
        if name in written:
            yield name, *_prefix(written[name], theirs)
    yield "final output_state", *_prefix(output[-1], states[0])
    yield "final cell_state", *_prefix(ours["cell_state"][-1], states[1])


# the records whose second dimension is the batch
_BY_ROW = ("input_q", "input_s", "input_z", "output_state_", "hidden_")
_ROW_SUMS = ("input_row_sums", "recurrent_row_sums", "projection_row_sums")


def _order(time: int, batch: int, time_major: bool) -> Iterator[tuple[int, slice]]:
    """(step, rows) in the order of the kernel: all rows together, or one row after the other."""
    if time_major:
        yield from ((t, slice(None)) for t in range(time))
    else:
        yield from ((t, slice(b, b + 1)) for b in range(batch) for t in range(time))


def _of(now: dict, name: str) -> dict:
    parts = ("quantized", "scale", "zero_point")
    return {f"{name}_{part}": now[f"{name}_{part}"] for part in parts if f"{name}_{part}" in now}


def _prefix(mine: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ours, flat, and as much of the runtime's buffer; zero points are declared float32 there."""
    return mine.ravel(), theirs.ravel().view(mine.dtype)[: mine.size]


def _rnn(ours, options, scratch, states) -> Iterator[Pair]:
    """The buffers of ``basic_rnn.cc`` and ``unidirectional_sequence_rnn.cc``.

    Input and state share one buffer of scales and one of zero points.
    """
    together = ours["input"].ndim == 2 or options["time_major"]
    x = ours["input"] if together else ours["input"].swapaxes(0, 1)
    x = x[None] if x.ndim == 2 else x
    written = {}
    for t, rows in _order(*x.shape[:2], together):
        for name, vector, weights in (
            ("input", x, "input"),
            ("output_state", ours["output_state"], "recurrent"),
        ):
            if not vector[t, rows].any():
                continue
            written[f"{name}_quantized"] = ours[f"{name}_quantized"][t][rows]
            scale = ours[f"{name}_scale"][t][rows]
            written["product_scale"] = scale * ours[f"{weights}_weights_scale"]
            if f"{name}_zero_point" in ours:
                written["zero_point"] = ours[f"{name}_zero_point"][t][rows]
    if "input_row_sums" in ours:
        written["row_sums"] = np.stack([ours["input_row_sums"], ours["recurrent_row_sums"]])
    names = "input_quantized output_state_quantized product_scale accumulator zero_point row_sums"
    for name, theirs in zip(names.split(), scratch, strict=True):
        if name in written:
            yield name, *_prefix(written[name], theirs)
    output = (
        ours["output"].reshape(x.shape[:2] + (-1,)) if together else ours["output"].swapaxes(0, 1)
    )
    yield "final output_state", *_prefix(output[-1], states[0])


def _svdf(ours, options, scratch, states) -> Iterator[Pair]:
    """The buffers of ``svdf.cc``."""
    filtered, codes, scale, time_weights, zero_point, row_sums = scratch
    yield "filtered", *_prefix(ours["filtered"], filtered)
    yield "time_weights_dequantized", *_prefix(ours["time_weights_dequantized"], time_weights)
    yield "final memory", *_prefix(ours["memory"], states[0])
    if ours["input"].any():
        yield "input_quantized", *_prefix(ours["input_quantized"], codes)
        yield "product_scale", *_prefix(ours["input_scale"] * ours["input_weights_scale"], scale)
        if "input_zero_point" in ours:
            yield "input_zero_point", *_prefix(ours["input_zero_point"], zero_point)
            yield "input_row_sums", *_prefix(ours["input_row_sums"], row_sums)


KERNELS = {
    "RNN": _rnn,
    "SVDF": _svdf,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _rnn,
}
