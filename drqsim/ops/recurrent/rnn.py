"""RNN and UNIDIRECTIONAL_SEQUENCE_RNN with int8 weights (hybrid): one step, and a sequence of them.

One step, for every row of the batch; ``h`` is the output of the step before, zero at first::

    qx, qh = x and h, quantized on the fly             int8     one scale for every row
    acc    = sum (qx - zp) * Wx                        int32    likewise with qh and Wh
    y      = bias + acc_x * (s_x * s_Wx)               float32
                  + acc_h * (s_h * s_Wh)
    h      = activation(y)                             float32

A vector that is all zero (the first state, say) is not multiplied. The records of a step carry the
time as their first dimension, [time, batch, n]; ``output_state`` is what the step reads, and
``reserved`` the runtime's buffer, which each step overwrites.

Left out: float32 and uint8 weights.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/basic_rnn.cc``, ``unidirectional_sequence_rnn.cc``,
``internal/kernel_utils.cc`` (``RnnBatchStep``).
"""

from __future__ import annotations

import numpy as np

from drqsim.errors import InputError
from drqsim.ops.call import Call
from drqsim.ops.recurrent import shared as recurrent

f32 = np.float32
INPUT_WEIGHTS, RECURRENT_WEIGHTS, BIAS, STATE = 1, 2, 3, 4


def run(call: Call) -> list[np.ndarray]:
    """Run one RNN over its sequence; records every step."""
    x, options = call.value(0, "input"), call.operator.options
    units, n_input = recurrent.check_weights(call, INPUT_WEIGHTS)
    ndim = 2 if call.operator.code == "RNN" else 3
    if x.dtype != f32 or x.ndim != ndim or x.shape[-1] != n_input or x.size == 0:
        raise InputError(
            f"the input is {x.dtype}{list(x.shape)}; this operator reads float32 of {ndim} "
            f"dimensions, the last {n_input}."
        )
    call.tensor(RECURRENT_WEIGHTS, "recurrent weights")
    call.tensor(BIAS, "bias")
    matrices = {
        "input": recurrent.matrix(call, INPUT_WEIGHTS, "weights", (units, n_input)),
        "recurrent": recurrent.matrix(call, RECURRENT_WEIGHTS, "recurrent weights", (units, units)),
    }
    bias = recurrent.vector(call, BIAS, "bias", units)
    # an RNN is one step of all rows together
    together = ndim == 2 or bool(options["time_major"])
    steps = x[None] if ndim == 2 else x if together else x.swapaxes(0, 1)
    state = recurrent.state(call, STATE, "hidden state", (steps.shape[1], units))
    asymmetric = bool(options["asymmetric_quantize_inputs"])
    rules = recurrent.Arithmetic(call.processor, asymmetric, together)
    recurrent.ask(call, len(steps), state.size, n_input + units)

    call.record("input", x)
    for name, matrix in matrices.items():
        recurrent.record_weights(call, name, [matrix], asymmetric)
    call.record("bias", bias)
    records, outputs = [], []
    for step in steps:
        record = {"output_state": state}
        y = np.broadcast_to(bias, state.shape)
        for name, vector, what in (
            ("input", np.ascontiguousarray(step), "input"),
            ("output_state", state, "recurrent"),
        ):
            q = rules.quantize(vector)
            record |= recurrent.named(name, q, asymmetric)
            record[f"{what}_accumulator"] = acc = rules.accumulators(q, matrices[what])
            y = rules.add_product(y, acc, q, matrices[what], rules.used_rows(vector))
        record["pre_activation"] = y
        state = rules.activate(y, options["fused_activation_function"])
        records.append(record)
        outputs.append(state)
    recurrent.leave(call, STATE, state)
    recurrent.record_steps(call, records, {"input_quantized": x.size})
    output = np.stack(outputs)
    output = output[0] if ndim == 2 else output if together else output.swapaxes(0, 1)
    output = np.ascontiguousarray(output)
    call.record("output", output)
    return [output]
