"""UNIDIRECTIONAL_SEQUENCE_LSTM with int8 weights (hybrid): the same step, over and over.

One step, for every row of the batch. ``h`` is the output of the step before and ``c`` the cell
state, both zero at first (or what the caller passes in); ``i, f, g, o`` are the four gates::

    qx, qh   = x and h, quantized on the fly                  int8   one scale for every row
    acc      = sum (qx - zp) * Wx[gate]                       int32  likewise with qh and Wh[gate]
    y[gate]  = bias[gate] + acc_x * (s_x * s_Wx)              float32
                          + acc_h * (s_h * s_Wh)
    i, f, o  = 1 / (1 + exp(-y[gate]))                        float32
    g        = tanh(y[cell])                                  float32
    c        = f * c + g * i                                  float32
    h        = o * tanh(c)                                    float32

Nothing of this is int8 for longer than a product: the state is float32, and is quantized again in
the next step. Four options change the step:

* CIFG (no input gate): ``i = 1 - f``.
* Peephole: ``y[i], y[f]`` get ``+ w * c`` and ``y[o]`` gets ``+ w * (the new c)``; ``w`` is int8 in
  the file and float32 in the product.
* Layer norm: ``y`` starts at zero; it is then normalized over the cells, multiplied by a
  coefficient for every cell, and the bias is added.
* Projection: ``h = bias + P (o * tanh(c))``, one more quantized product.

A vector that is all zero (the first state, say) is not multiplied. Every record of a step carries
the time as its first dimension, [time, batch, n] or [time, gates, batch, n] with the gates in the
order input, forget, cell, output; ``reserved`` is the runtime's buffer, which each step overwrites.
``output_state`` is the float32 state that the step reads, ``cell_state`` the one that it leaves.

Left out: float32 and uint8 weights, int8 activations, diagonal recurrent weights.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/unidirectional_sequence_lstm.cc``, ``lstm_eval.cc``
(``LstmStepHybrid``, ``CalculateLstmGateHybrid``, ``UpdateLstmCellFloat``,
``CalculateLstmOutputHybrid``), ``internal/reference/portable_tensor_utils.cc``
(``PortableMeanStddevNormalization``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from drqsim.arithmetic.functions import eigen
from drqsim.errors import InputError
from drqsim.ops.call import Call
from drqsim.ops.recurrent import shared as recurrent
from drqsim.ops.recurrent.shared import Arithmetic, Matrix

f32 = np.float32
GATES = ("input", "forget", "cell", "output")
# where the file has what: the first gate's position, the others follow
INPUT_WEIGHTS, RECURRENT_WEIGHTS, BIAS, COEFFICIENTS = 1, 5, 12, 20
PEEPHOLE = {"input": 9, "forget": 10, "output": 11}
PROJECTION, PROJECTION_BIAS, OUTPUT_STATE, CELL_STATE = 16, 17, 18, 19


class Gate(NamedTuple):
    """The constants of one gate."""

    input: Matrix
    recurrent: Matrix
    bias: np.ndarray
    peephole: Matrix | None
    coefficients: np.ndarray | None  # of the layer norm
    packed: np.ndarray  # bool [batch, cells]: which of its values Eigen handles four at a time


class Layer(NamedTuple):
    """The constants and the options of one LSTM."""

    gates: dict[str, Gate]  # without "input": CIFG
    projection: Matrix | None
    projection_bias: np.ndarray
    activation: str
    cell_clip: float
    proj_clip: float
    rules: Arithmetic


def run(call: Call) -> list[np.ndarray]:
    """Run one LSTM over its sequence; records every step."""
    x = call.value(0, "input")
    layer, state, cell = _layer(call, x)
    call.record("input", x)
    _record_constants(call, layer)
    steps = x if layer.rules.together else x.swapaxes(0, 1)
    recurrent.ask(call, len(steps), 4 * cell.size, x.shape[2] + 2 * state.shape[1])
    records = []
    for step in steps:
        record, state, cell = _step(layer, np.ascontiguousarray(step), state, cell)
        records.append(record)
    recurrent.leave(call, OUTPUT_STATE, state)
    recurrent.leave(call, CELL_STATE, cell)
    outputs = [record.pop("output") for record in records]
    # each row of the gates' buffer has a spare gate and 16 spare values
    buffers = {
        "input_quantized": x.size,
        "input_accumulator": cell.nbytes,
        "gates": 4 * len(cell) * ((len(layer.gates) + 1) * cell.shape[1] + 16),
    }
    recurrent.record_steps(call, records, buffers)
    output = np.stack(outputs)
    output = output if layer.rules.together else np.ascontiguousarray(output.swapaxes(0, 1))
    call.record("output", output)
    return [output]


def _step(layer: Layer, x: np.ndarray, state: np.ndarray, cell: np.ndarray):
    """One step: its records, the new state, the new cell state."""
    rules = layer.rules
    quantized_x, quantized_state = rules.quantize(x), rules.quantize(state)
    sources = (
        (quantized_x, rules.used_rows(x)),
        (quantized_state, rules.used_rows(state)),
    )
    sums, gates = {}, {}
    for name in ("input", "forget", "cell"):
        if name in layer.gates:
            sums[name], gates[name] = _gate(layer, name, sources, cell)
    cell = gates["forget"] * cell
    gates.setdefault("input", f32(1) - gates["forget"])
    cell = rules.add(cell, gates["cell"], gates["input"])
    cell = recurrent.clip(cell, layer.cell_clip)
    sums["output"], gates["output"] = _gate(layer, "output", sources, cell)
    # with NONE the kernel does not even copy: the buffer still holds the cell gate
    activated = rules.activate(cell, layer.activation)
    hidden = gates["output"] * (gates["cell"] if layer.activation == "NONE" else activated)
    record = recurrent.named("input", quantized_x, rules.asymmetric)
    record |= {"output_state": state}
    record |= recurrent.named("output_state", quantized_state, rules.asymmetric)
    for at, name in enumerate(("input_accumulator", "recurrent_accumulator", "pre_activation")):
        record[name] = np.stack([sums[gate][at] for gate in layer.gates])
    record |= {"gates": np.stack([gates[gate] for gate in GATES]), "cell_state": cell}
    record["hidden"] = output = hidden
    if layer.projection is not None:
        quantized = rules.quantize(hidden)
        acc = rules.accumulators(quantized, layer.projection)
        start = np.broadcast_to(layer.projection_bias, (len(x), len(layer.projection_bias)))
        used = rules.used_rows(hidden)
        output = rules.add_product(start, acc, quantized, layer.projection, used)
        output = recurrent.clip(output, layer.proj_clip)
        record |= recurrent.named("hidden", quantized, rules.asymmetric)
        record["projection_accumulator"] = acc
    record["output"] = output
    return record, output, cell


def _gate(layer: Layer, name: str, sources, cell: np.ndarray):
    """One gate: (both accumulators, the value before the activation), and the gate itself."""
    gate, rules = layer.gates[name], layer.rules
    norm = gate.coefficients is not None
    y = np.broadcast_to(f32(0) if norm else gate.bias, cell.shape)
    sums = []
    for (q, used), weights in zip(sources, (gate.input, gate.recurrent), strict=True):
        sums.append(rules.accumulators(q, weights))
        y = rules.add_product(y, sums[-1], q, weights, used)
    if gate.peephole is not None:
        y = rules.add(y, gate.peephole.codes.astype(f32) * gate.peephole.scale, cell)
    if norm:
        y = _normalize(rules, y) * gate.coefficients + gate.bias
    if name == "cell":
        return (*sums, y), rules.activate(y, layer.activation)
    return (*sums, y), eigen.logistic(y, gate.packed, rules.fused)


def _normalize(rules: Arithmetic, y: np.ndarray) -> np.ndarray:
    """Mean 0 and variance 1 over the cells.

    The sums run from left to right on x86 (``PortableMeanStddevNormalization``), on arm64 in four
    registers of four lanes (``NeonMeanStddevNormalization``).
    """

    def mean(a, b):
        total = rules.sum_of_products(a, b, lanes=16 if rules.processor.neon else 1)
        return total[:, None] / f32(a.shape[1])

    difference = y - mean(y, f32(1))
    return difference * (f32(1) / np.sqrt(mean(difference, difference) + f32(1e-8)))


def _record_constants(call: Call, layer: Layer) -> None:
    gates = list(layer.gates.values())
    recurrent.record_weights(call, "input", [gate.input for gate in gates], layer.rules.asymmetric)
    states = [gate.recurrent for gate in gates]
    recurrent.record_weights(call, "recurrent", states, layer.rules.asymmetric)
    peepholes = [gate.peephole for gate in gates if gate.peephole is not None]
    if peepholes:
        recurrent.record_weights(call, "peephole", peepholes, row_sums=False)
    call.record("bias", np.stack([gate.bias for gate in gates]))
    if gates[0].coefficients is not None:
        call.record("layer_norm_coefficients", np.stack([gate.coefficients for gate in gates]))
    if layer.projection is not None:
        recurrent.record_weights(call, "projection", [layer.projection], layer.rules.asymmetric)
        call.record("projection_bias", layer.projection_bias)


def _layer(call: Call, x: np.ndarray) -> tuple[Layer, np.ndarray, np.ndarray]:
    """Check that the operator's tensors fit together: the layer, its state, its cell state."""
    options = call.operator.options
    if len(call.tensors) not in (20, 24):
        raise call.contradiction(f"it has {len(call.tensors)} inputs; the kernel reads 20 or 24.")
    n_cell, n_input = recurrent.check_weights(call, INPUT_WEIGHTS + GATES.index("output"))
    if x.dtype != f32 or x.ndim != 3 or x.shape[2] != n_input or x.size == 0:
        raise InputError(
            f"the input is {x.dtype}{list(x.shape)}; this LSTM reads float32 [time, batch, "
            f"{n_input}], or batch first."
        )
    time_major = bool(options["time_major"])
    batch = x.shape[1 if time_major else 0]
    recurrent_weights = call.tensor(RECURRENT_WEIGHTS + GATES.index("output"), "recurrent weights")
    n_output = recurrent_weights.shape[-1] if recurrent_weights.shape else n_cell
    names = GATES if call.tensors[INPUT_WEIGHTS] is not None else GATES[1:]
    # in the gates' buffer the cell gate lies before the forget gate
    slots = [name for name in ("input", "cell", "forget", "output") if name in names]
    gates = {}
    for name in names:
        packed = _packed(slots.index(name), batch, n_cell, time_major)
        gates[name] = _constants(call, name, n_cell, n_input, n_output, packed)
    for at, what in ((10, "peephole"), (21, "coefficients")):
        missing = [getattr(gates[n], what) is None for n in names if n != "cell" or at == 21]
        if any(missing) and not all(missing):
            raise call.contradiction(f"some of its gates have {what}, others have none.")
    projection = recurrent.matrix(call, PROJECTION, "projection", (n_output, n_cell))
    if projection is None and n_output != n_cell:
        raise call.contradiction(f"{n_cell} cells and {n_output} outputs need a projection.")
    bias = recurrent.vector(call, PROJECTION_BIAS, "projection bias", n_output)
    state = recurrent.state(call, OUTPUT_STATE, "output state", (batch, n_output))
    cell = recurrent.state(call, CELL_STATE, "cell state", (batch, n_cell))
    for clip in ("cell_clip", "proj_clip"):
        if not options[clip] >= 0:
            raise call.contradiction(f"its {clip} is {options[clip]}; the runtime wants 0 or more.")
    layer = Layer(
        gates,
        projection,
        np.zeros(n_output, f32) if bias is None else bias,
        options["fused_activation_function"],
        options["cell_clip"],
        options["proj_clip"],
        Arithmetic(call.processor, bool(options["asymmetric_quantize_inputs"]), time_major),
    )
    return layer, state, cell


def _constants(call: Call, name: str, n_cell: int, n_input: int, n_output: int, packed) -> Gate:
    at = GATES.index(name)
    mandatory = {INPUT_WEIGHTS: "weights", RECURRENT_WEIGHTS: "recurrent weights", BIAS: "bias"}
    for position, what in mandatory.items():
        call.tensor(position + at, f"{name} gate's {what}")
    peephole = None
    if name in PEEPHOLE:
        peephole = recurrent.matrix(call, PEEPHOLE[name], f"{name} gate's peephole", (n_cell,))
    return Gate(
        recurrent.matrix(call, INPUT_WEIGHTS + at, f"{name} gate's weights", (n_cell, n_input)),
        recurrent.matrix(
            call, RECURRENT_WEIGHTS + at, f"{name} gate's recurrent weights", (n_cell, n_output)
        ),
        recurrent.vector(call, BIAS + at, f"{name} gate's bias", n_cell),
        peephole,
        recurrent.vector(call, COEFFICIENTS + at, f"{name} gate's coefficients", n_cell),
        packed,
    )


def _packed(slot: int, batch: int, n_cell: int, time_major: bool) -> np.ndarray:
    """Which values of a gate Eigen handles four at a time: a gate is one vector of its buffer.

    Batch-major, every row of the batch is a vector of its own.
    """
    start, vectors = slot * batch * n_cell, 1 if time_major else batch
    n = batch * n_cell // vectors
    return np.stack([eigen.in_packets(start + n * v, n) for v in range(vectors)]).reshape(batch, -1)
