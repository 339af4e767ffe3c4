"""SVDF with int8 weights (hybrid): a filter over the input, then one over its own past.

The memory holds the last values of every filter, zero at first. One call, for every row::

    q       = x, quantized on the fly                  int8     one scale for every row
    acc     = sum (q - zp) * W                         int32
    feature = acc * (s_x * s_W)                        float32
    memory  = the newest values of feature             float32  the oldest falls out
    y       = bias + sum over rank and memory of
              memory * (q_time * s_time)               float32
    output  = activation(y)                            float32

Only the first product is int8. The weights over time are int8 in the file, but they are dequantized
once, when the operator runs first, and kept as float32: true weight dequantization.

Left out: float32 and uint8 weights, int8 activations.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/svdf.cc``, ``internal/reference/svdf.h``
(``EvalHybridSVDF``), ``internal/optimized/neon_tensor_utils.cc`` (``NeonVectorVectorDotProduct``,
``NeonReductionSumVector``).
"""

from __future__ import annotations

import numpy as np

from drqsim.errors import InputError
from drqsim.ops.call import Call
from drqsim.ops.recurrent import shared as recurrent

f32 = np.float32
FEATURE_WEIGHTS, TIME_WEIGHTS, BIAS, STATE = 1, 2, 3, 4


def run(call: Call) -> list[np.ndarray]:
    """Run one SVDF; records every tensor."""
    x, options = call.value(0, "input"), call.operator.options
    filters, n_input = recurrent.check_weights(call, FEATURE_WEIGHTS)
    if x.dtype != f32 or x.ndim != 2 or x.shape[1] != n_input or x.size == 0:
        raise InputError(
            f"the input is {x.dtype}{list(x.shape)}; this SVDF reads float32 [batch, {n_input}]."
        )
    rank = options["rank"]
    if rank < 1 or filters % rank:
        raise call.contradiction(f"its rank is {rank}; it must divide its {filters} filters.")
    time_shape = call.tensor(TIME_WEIGHTS, "time weights").shape
    if len(time_shape) != 2 or time_shape[1] < 1:
        raise call.contradiction(f"its time weights are {list(time_shape)}; expected [filters, n].")
    size = time_shape[1]
    feature_weights = recurrent.matrix(call, FEATURE_WEIGHTS, "weights", (filters, n_input))
    time_weights = recurrent.matrix(call, TIME_WEIGHTS, "time weights", (filters, size))
    bias = recurrent.vector(call, BIAS, "bias", filters // rank)
    memory = recurrent.state(call, STATE, "state", (len(x), filters, size))
    asymmetric = bool(options["asymmetric_quantize_inputs"])
    recurrent.ask(call, 1, memory.size, n_input)

    call.record("input", x)
    recurrent.record_weights(call, "input", [feature_weights], asymmetric and x.any())
    recurrent.record_weights(call, "time", [time_weights], row_sums=False)
    time_float = time_weights.codes.astype(f32) * time_weights.scale
    call.record("time_weights_dequantized", time_float)
    if bias is not None:
        call.record("bias", bias)
    rules = recurrent.Arithmetic(call.processor, asymmetric, together=True)
    q = rules.quantize(x)
    acc = rules.accumulators(q, feature_weights)
    zeros = np.zeros(acc.shape, f32)
    feature = rules.add_product(zeros, acc, q, feature_weights, rules.used_rows(x))
    memory = np.concatenate([memory[:, :, 1:], feature[:, :, None]], axis=2)
    recurrent.leave(call, STATE, memory)
    for name, value in recurrent.named("input", q, asymmetric).items():
        call.record(name, value)
    call.record("input_accumulator", acc)
    call.record("dequantized", feature, stored="arena", reserved=0)  # where `filtered` will be
    call.record("memory", memory)
    filtered = rules.sum_of_products(memory, time_float, lanes=4)
    call.record("filtered", filtered)
    y = rules.sum_of_products(filtered.reshape(len(x), -1, rank), f32(1), lanes=4)
    y = y if bias is None else y + bias
    call.record("pre_activation", y, stored="arena", reserved=0)  # where the output will be
    output = rules.activate(y, options["fused_activation_function"])
    call.record("output", output)
    return [output]
