"""Which scratch tensors the recurrent kernels ask for; see ``scratch.py``."""

from __future__ import annotations

from math import ceil

import numpy as np

from drqsim.memory.site import EMPTY, Scratch, Site, f32, i8, i32


def lstm(site: Site) -> list[Scratch]:
    """``UNIDIRECTIONAL_SEQUENCE_LSTM``."""
    x, (cells, _) = site.source(3), site.weights(2).shape
    batch = x.shape[1] if site.op.options["time_major"] else x.shape[0]
    coupled = site.reads[1] is None  # CIFG: no input gate of its own
    gates = Scratch("gates", f32, (batch, cells * (4 if coupled else 5) + 16))
    if not site.is_hybrid:
        return [gates] + [EMPTY] * 11
    state, cell_state, recurrent = site.tensor(18), site.tensor(19), site.tensor(8, 2)
    sums = 6 if coupled else 8
    if len(site.reads) > 16 and site.reads[16] is not None:
        sums += ceil(np.float32(recurrent.shape[-1]) / cells)
    return [
        gates,
        Scratch("input_quantized", i8, x.shape),
        Scratch("output_state_quantized", i8, state.shape),
        Scratch("hidden_quantized", i8, cell_state.shape),
        Scratch("input_scale", f32, (batch,)),
        Scratch("output_state_scale", f32, (batch,)),
        Scratch("product_scale", f32, (batch,)),
        Scratch("peephole", f32, (cells,)),
        Scratch("accumulator", i32, (cells, batch)),
        Scratch("input_zero_point", f32, (batch,)),  # int32 values, declared float32
        Scratch("output_state_zero_point", f32, (batch,)),
        Scratch("row_sums", i32, (sums, cells), "persistent"),
    ]


def rnn(site: Site) -> list[Scratch]:
    """``RNN`` and ``UNIDIRECTIONAL_SEQUENCE_RNN``."""
    x, (units, _), state = site.source(), site.weights(2).shape, site.tensor(4, 2)
    if not site.is_hybrid:
        return [EMPTY] * 6
    batch = state.shape[0]
    return [
        Scratch("input_quantized", i8, x.shape),
        Scratch("output_state_quantized", i8, state.shape),
        Scratch("product_scale", f32, (batch,)),
        Scratch("accumulator", i32, (units, batch)),
        Scratch("zero_point", i32, (batch,)),
        Scratch("row_sums", i32, (2, units), "persistent"),
    ]


def svdf(site: Site) -> list[Scratch]:
    """``SVDF``."""
    x, (filters, _), time_weights = site.source(2), site.weights(2).shape, site.tensor(2, 2)
    batch = x.shape[0]
    filtered = Scratch("filtered", f32, (batch, filters))
    if not site.is_hybrid:
        return [filtered] + [EMPTY] * 5
    return [
        filtered,
        Scratch("input_quantized", i8, x.shape),
        Scratch("product_scale", f32, (batch,)),
        Scratch("time_weights_dequantized", f32, time_weights.shape, "persistent"),
        Scratch("input_zero_point", f32, (batch,)),
        Scratch("input_row_sums", f32, (filters,), "persistent"),
    ]
