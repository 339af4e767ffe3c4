"""The offline half: what a converter does to make a float model dynamic-range quantized.

Two tools do it, and they do not agree:

===================================  ==========================  ===========================
rule                                 TensorFlow's converter      litert-quantizer
===================================  ==========================  ===========================
smallest weights, in elements        1,024                       no minimum
rounding of the codes                half away from zero         half to even
arithmetic                           float64                     float32
scale of an all-zero channel         3.937e-9 (range 1e-6)       7.874e-12 (largest 1e-9)
``asymmetric_quantize_inputs``       set to true                 left as it was: false
BATCH_MATMUL                         one scale                   one scale per column
GATHER, LSTM, RNN, SVDF              one scale                   float32
===================================  ==========================  ===========================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from drqsim.converter.dequantize_tables import dequantize_tables
from drqsim.errors import InputError
from drqsim.graph import Graph, Quantization, Tensor, expect_graph, freeze
from drqsim.model_file.operands import OPERANDS, channel_axis
from drqsim.model_file.schema import OPTIONS
from drqsim.model_file.subgraphs import check_whole
from drqsim.qparams import Quantized, quantize_weights, quantize_weights_f32

f32 = np.float32
_FLAG = "asymmetric_quantize_inputs"
# the TensorFlow converter leaves constants with fewer elements in float32
MIN_ELEMENTS = 1024


class Rules(NamedTuple):
    """What one tool does."""

    weights: Mapping[str, tuple[int, ...]]  # operator code -> positions of what becomes int8
    unbounded: Mapping[str, tuple[int, ...]]  # those of them that no minimum applies to
    min_elements: int
    whole: tuple[str, ...]  # operators that become int8 with all their weights or not at all
    convert: Callable[[np.ndarray, int | None], Quantized]
    one_scale: tuple[str, ...]  # operators whose weights have one scale though kernels read several
    asymmetric: bool  # sets asymmetric_quantize_inputs
    axis_of_first_reader: bool  # weights that several operators read have one form, not several


# the operators that both tools quantize
_BY_BOTH = (
    "BATCH_MATMUL",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "EMBEDDING_LOOKUP",
    "FULLY_CONNECTED",
    "TRANSPOSE_CONV",
)
# GetQuantizableOperandIndices, GetDynamicRangeQuantKernelSupport and RequireAsymmetricQuantize-
# InputsAttr in tflite/converter/ir/tfl_ops.td; prepare_quantize_dynamic_range.cc
_TENSORFLOW = Rules(
    weights={"GATHER": (0,)}
    | {
        code: OPERANDS[code].all_weights
        for code in (
            *_BY_BOTH,
            "SVDF",
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            "UNIDIRECTIONAL_SEQUENCE_RNN",
        )
    },
    unbounded={},
    min_elements=MIN_ELEMENTS,
    whole=("UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"),
    convert=quantize_weights,
    one_scale=("BATCH_MATMUL",),
    asymmetric=True,
    axis_of_first_reader=False,
)
# default_policy.py, and materialize_* in algorithms/uniform_quantize/common_quantize.py: of these
# operators every float32 constant but the bias, even one in the place of the input
_LITERT_QUANTIZER = Rules(
    weights={
        code: tuple(sorted((OPERANDS[code].input, OPERANDS[code].weights))) for code in _BY_BOTH
    },
    unbounded={code: (OPERANDS[code].input,) for code in _BY_BOTH}
    | {"BATCH_MATMUL": (0, 1), "EMBEDDING_LOOKUP": (0, 1)},
    min_elements=0,
    whole=(),
    convert=quantize_weights_f32,
    one_scale=(),
    asymmetric=False,
    axis_of_first_reader=True,
)
RULES = {"tensorflow": _TENSORFLOW, "litert-quantizer": _LITERT_QUANTIZER}


class Use(NamedTuple):
    """Weights to be quantized: which operator reads them where, and along which dimension."""

    operator: int
    position: int
    tensor: int
    axis: int | None  # None: one scale for the whole tensor


def quantize(
    graph: Graph,
    per_channel: bool = True,
    min_elements: int | None = None,
    rules: str = "tensorflow",
) -> Graph:
    """What post-training dynamic-range quantization does to a model file.

    Constant weights become int8; biases, activations and everything else stay float32. No data is
    needed: the ranges of the inputs are found at run time.

    Parameters
    ----------
    graph : Graph
        A float model. Weights that are int8 already, and their operators, stay as they are.
    per_channel : bool
        One scale for each output channel (the tools' default), or one for the whole tensor.
        Operators whose weights have one scale in any case are listed above.
    min_elements : int, optional
        Weights with fewer elements stay float32. By default the tool's own rule: 1,024 for
        ``"tensorflow"``, 0 for ``"litert-quantizer"``, where the minimum does not reach
        BATCH_MATMUL and EMBEDDING_LOOKUP.
    rules : {"tensorflow", "litert-quantizer"}
        Whose rules: those of TensorFlow's converter (``Optimize.DEFAULT`` without a data set), or
        those of litert-quantizer's recipe ``dynamic_wi8_afp32``; with ``min_elements=1024`` of its
        ``dynamic_legacy_wi8_afp32``.

    Returns
    -------
    Graph
        The graph with int8 weights, bit for bit those that the tool writes. Weights that some
        operator needs in float32, or along another dimension, are in it once for each form. Under
        TensorFlow's rules a table that GATHER reads has a DEQUANTIZE behind it, or behind the
        GATHER when that makes fewer numbers.

    Raises
    ------
    InputError
        When weights are not finite or have too few dimensions, ``min_elements`` is negative or
        ``rules`` is unknown.
    UnsupportedOperatorError
        When the graph comes from a file with several subgraphs or signatures: only the first would
        be quantized.

    Notes
    -----
    TensorFlow 2.21, ``prepare_quantize_dynamic_range.cc``, ``quantize.cc``,
    ``optimize_op_order.cc``, ``quantization_utils.cc``; litert-quantizer 0.11,
    ``naive_min_max_quantize.py``, ``uniform_quantize_tensor.py``. What the converter does to the
    float graph before it quantizes (folding, a BATCH_MATMUL of two matrices made a dense layer) is
    not done here. It leaves RNN alone, which it does not know, and judges the two weights of an
    SVDF one by one: a file in which only one of them is int8 is misread by the runtime.
    litert-quantizer gives weights that several operators read the channels of the first of them,
    and quantizes a constant left side of BATCH_MATMUL, which the runtime refuses.
    """
    expect_graph(graph)
    check_whole(graph)
    if rules not in RULES:
        raise InputError(f"rules is {rules!r}; expected one of {', '.join(RULES)}.")
    tool = RULES[rules]
    minimum = tool.min_elements if min_elements is None else min_elements
    if isinstance(minimum, bool) or not isinstance(minimum, int) or minimum < 0:
        raise InputError(f"min_elements is {minimum!r}; expected a whole number from 0.")
    uses = [
        use
        for at in range(len(graph.operators))
        for use in _uses(graph, at, tool, minimum, per_channel)
    ]
    if tool.axis_of_first_reader:
        first = {use.tensor: use.axis for use in reversed(uses)}
        uses = [use._replace(axis=first[use.tensor]) for use in uses]
    quantized, forms = _with_codes(graph, uses, tool)
    tables = {forms[u.tensor, u.axis] for u in uses if graph.operators[u.operator].code == "GATHER"}
    return dequantize_tables(quantized, sorted(tables)) if tables else quantized


def _uses(graph: Graph, at: int, tool: Rules, minimum: int, per_channel: bool) -> list[Use]:
    """The weights of one operator that the tool quantizes."""
    op = graph.operators[at]
    found, kept = [], []
    for position in tool.weights.get(op.code, ()):
        tensor = graph.tensor_of(op, position)
        if tensor is None or tensor.value is None or tensor.dtype != f32:
            continue
        bounded = position not in tool.unbounded.get(op.code, ())
        one_scale = not per_channel or op.code in tool.one_scale
        axis = None if one_scale else channel_axis(op, tensor)
        if axis is not None and not 0 <= axis < len(tensor.shape):
            raise InputError(
                f"{op.name} has weights {tensor}, too few dimensions for its channels."
            )
        use = Use(at, position, op.inputs[position], axis)
        (kept if bounded and tensor.value.size < minimum else found).append(use)
    return [] if kept and op.code in tool.whole else found


def _with_codes(graph: Graph, uses: list[Use], tool: Rules) -> tuple[Graph, dict]:
    """The graph with int8 weights where they are used; which tensor has them, by tensor and axis.

    They take the place of the float32 weights, unless somebody still reads those.
    """
    tensors, operators = list(graph.tensors), list(graph.operators)
    converted = {(use.operator, use.position) for use in uses}
    taken = set(graph.outputs) | {
        index
        for at, op in enumerate(operators)
        for position, index in enumerate(op.inputs)
        if (at, position) not in converted
    }
    forms: dict[tuple[int, int | None], int] = {}
    made: dict[tuple, Tensor] = {}  # of the same bytes of the file, the same codes
    for use in uses:
        form = use.tensor, use.axis
        if form not in forms:
            floats = graph.tensors[use.tensor]
            source = floats.value.__array_interface__["data"][0], floats.shape, use.axis
            if source not in made:
                made[source] = _quantized(floats, use.axis, tool)
            codes = replace(made[source], name=floats.name, signature=floats.signature)
            if use.tensor in taken:
                forms[form] = len(tensors)
                tensors.append(replace(codes, name=f"{codes.name}/int8_{len(tensors)}"))
            else:
                forms[form] = use.tensor
                tensors[use.tensor] = codes
                taken.add(use.tensor)
        op = operators[use.operator]
        inputs, options = list(op.inputs), dict(op.options)
        inputs[use.position] = forms[form]
        if tool.asymmetric and _FLAG in OPTIONS.get(op.code, ("", {}))[1]:
            options[_FLAG] = True
        operators[use.operator] = replace(
            op, inputs=tuple(inputs), options=MappingProxyType(options)
        )
    return replace(graph, tensors=tuple(tensors), operators=tuple(operators)), forms


def _quantized(weights: Tensor, axis: int | None, tool: Rules) -> Tensor:
    codes, scale, zero_point = tool.convert(weights.value, axis)
    quantization = Quantization(freeze(scale), freeze(zero_point), axis or 0)
    return replace(weights, dtype=codes.dtype, value=freeze(codes), quantization=quantization)
