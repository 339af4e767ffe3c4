"""What a layer with int8 weights should leave in memory, as bytes to look for.

XNNPACK packs the weights when it prepares a layer: for a block of outputs the negated row sums,
then for each tap of the window and each group of inputs the weights of all of the block's outputs.
How many outputs and inputs those are depends on the processor, so each layout is a pattern of its
own. The builtin kernels pack weights, too, while they multiply, but no row sums with them.

Source, ai-edge-litert 2.3.0: XNNPACK ``src/reference/packing.cc`` (``xnn_pack_qs8_conv_goki_w``,
``xnn_pack_qs8_gemm_goi_w``) and ``src/configs/gemm-config.c`` (``init_qd8_f32_qc8w_gemm_config``).
"""

from __future__ import annotations

import numpy as np

from drqsim.errors import InputError
from drqsim.graph import Graph
from drqsim.interpreter import run
from drqsim.litert.find import is_telling
from drqsim.model_file.operands import input_of, weights_of

# outputs in a block, inputs in a group, and over how many groups an output's are shifted
LAYOUTS = (
    (64, 4, 1),  # AMX; dense layers with AVX512-VNNI
    (16, 8, 1),  # AVX-512; arm64 with i8mm
    (8, 8, 1),  # AVX2, AVX-VNNI
    (4, 8, 1),  # SSE
    (16, 4, 1),  # arm64 with dot product
    (16, 1, 1),  # arm64, in assembly
    (8, 2, 4),  # arm64
)
RUN = 8  # floats side by side that a copy of a filter would have, along its outputs or its inputs
MANY = 16  # of what there is more, some are taken


def layer_patterns(
    model: Graph,
    x: np.ndarray | dict[str, np.ndarray],
    op: str | None = None,
    kernels: str = "xnnpack",
) -> dict[str, np.ndarray | list[np.ndarray]]:
    """What to look for with ``find_in_memory`` after a layer with int8 weights has run.

    Parameters
    ----------
    model : Graph
    x : array, or dict of arrays by input name
    op : str, optional
        The name of a CONV_2D or FULLY_CONNECTED with int8 weights and a float32 input, which the
        model has once if none is named.
    kernels : {"xnnpack", "optimized", "reference"}
        By whose rules the input is quantized.

    Returns
    -------
    dict of arrays, and of lists of arrays
        In six groups, without what would be found by chance (see ``find_in_memory``):

        ``codes``
            those of the input, ``as int8`` and ``as uint8``, 128 more, which is what some
            processors keep; in the input's shape
        ``packed weights``
            int8, for each layout that XNNPACK has a list with the blocks of ``packed``; of many
            blocks some from all over the filter
        ``row sums``, ``negated row sums``
            int32, a list: those of four outputs side by side
        ``accumulator``
            int32, lists of four sums of one pixel, ``corrected`` for the zero point and ``raw``
        ``float filter``
            float32, lists of runs of eight weights, ``along outputs`` and ``along inputs``, times
            their scales and without them

    Raises
    ------
    InputError
        When there is no such layer, or ``x`` does not fit.

    Notes
    -----
    A dense layer, or a 1x1 convolution, of more than a few rows packs its codes, too, in an order
    that is not among these. And in a whole model later operators may use the memory of the codes.
    """
    chosen = _layer(model, op)
    weights = weights_of(model, model.operator(chosen))
    _, trace = run(model, x, kernels, [f"{chosen}/*"], processor="native")
    codes = trace[f"{chosen}/input_quantized"].value
    signed = codes if codes.dtype == np.int8 else (codes ^ 128).view(np.int8)
    # outputs, taps, inputs
    filter = weights.value.reshape(len(weights.value), -1, weights.shape[-1])
    groups = input_of(model, model.operator(chosen)).shape[-1] // filter.shape[-1]
    found: dict[str, np.ndarray | list[np.ndarray]] = {
        "codes, as int8": signed,
        "codes, as uint8": signed.view(np.uint8) ^ 128,
    }
    for layout in LAYOUTS:
        name = "packed weights, {} outputs x {} inputs".format(*layout[:2])
        each = np.split(filter, groups)
        found[name] = _spread([block for part in each for block in packed(part, *layout)])
    sums = filter.sum((1, 2), dtype=np.int32).reshape(groups, -1)
    found["row sums"] = _runs(sums, 4)
    found["negated row sums"] = _runs(-sums, 4)
    corrected = trace[f"{chosen}/accumulator"].value
    found["accumulator, corrected"] = _runs(corrected, 4)
    if f"{chosen}/input_zero_point" in trace:
        zero_point = trace[f"{chosen}/input_zero_point"].value.astype(np.int32).reshape(-1, 1, 1)
        own = corrected.reshape(len(zero_point), -1, sums.size)  # of each image, row or pixel
        found["accumulator, raw"] = _runs(own + zero_point * sums.ravel(), 4)
    scale = weights.quantization.scale.reshape(-1, 1, 1)
    for form, floats in (("scaled", filter * scale), ("unscaled", filter.astype(np.float32))):
        found[f"float filter, {form}, along outputs"] = _runs(floats.transpose(1, 2, 0), RUN)
        found[f"float filter, {form}, along inputs"] = _runs(floats, RUN)
    lists = {k: v if isinstance(v, list) else [v] for k, v in found.items()}
    return {k: found[k] for k, v in lists.items() if v and all(map(is_telling, v))}


def packed(filter: np.ndarray, outputs: int, inputs: int, shifted: int = 1) -> list[np.ndarray]:
    """A filter [outputs, taps, inputs] as XNNPACK packs it, int8.

    Returns
    -------
    list of int8 arrays, one for each block of outputs
        The negated row sums of the block, an int32 each, and behind them the weights: [taps, groups
        of inputs, outputs, inputs]. What a last block lacks in outputs and a last group in inputs
        is zero.
    """
    many, taps, deep = filter.shape
    whole = np.pad(filter, ((0, -many % outputs), (0, 0), (0, -deep % (inputs * shifted))))
    sums = -whole.sum((1, 2), dtype="<i4").reshape(-1, outputs)
    # every output begins one group later than the one before it, and goes round
    whole = whole.reshape(len(whole), taps, -1, shifted, inputs)
    for at in range(len(whole)):
        whole[at] = np.roll(whole[at], -(at % outputs % shifted), axis=2)
    blocks = whole.reshape(-1, outputs, taps, whole.shape[2] * shifted, inputs)
    return [
        np.concatenate([own.view(np.int8), block.transpose(1, 2, 0, 3).ravel()])
        for own, block in zip(sums, blocks, strict=True)
    ]


def _layer(model: Graph, name: str | None) -> str:
    fitting = [
        op.name
        for op in model.operators
        if op.code in ("CONV_2D", "FULLY_CONNECTED")
        and (weights := weights_of(model, op)) is not None
        and weights.value is not None
        and weights.dtype == np.int8
        and not weights.bits
        and weights.quantization is not None
        and input_of(model, op).dtype == np.float32
    ]
    chosen = [each for each in fitting if name in (None, each)]
    if len(chosen) != 1:
        what = "op is None" if name is None else f"op is {name!r}"
        raise InputError(
            f"{what}; expected the name of one CONV_2D or FULLY_CONNECTED with int8 weights and a "
            f"float32 input: {', '.join(fitting) or 'this model has none'}."
        )
    return chosen[0]


def _runs(values: np.ndarray, length: int) -> list[np.ndarray]:
    """Runs along the last dimension, from all over the array, but those of few values."""
    whole = values[..., : values.shape[-1] // length * length].reshape(-1, length)
    runs = [each for each in whole if len(np.unique(each)) > length // 2]
    return _spread(runs)


def _spread(arrays: list[np.ndarray]) -> list[np.ndarray]:
    return arrays[:: max(1, len(arrays) // MANY)]
