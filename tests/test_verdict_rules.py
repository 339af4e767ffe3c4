"""The rules behind the verdicts: what each says, and that none is left without an operator."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert, verdict
from drqsim.graph import Graph, Operator, Quantization, Tensor
from drqsim.kernels import KERNELS
from drqsim.model_file.operands import OPERANDS

f32 = np.float32
SCALE = Quantization(f32([0.1]), np.zeros(1, np.int64))


def activation(dtype, *shape) -> Tensor:
    return Tensor("x", shape, np.dtype(dtype))


def constant(dtype, *shape, quantization=None, bits=None) -> Tensor:
    return Tensor("w", shape, np.dtype(dtype), np.ones(shape, dtype), quantization, bits=bits)


def codes(*shape, bits=None) -> Tensor:
    return constant(np.int8, *shape, quantization=SCALE, bits=bits)


def graph(code: str, *reads: Tensor | None, writes=(f32,), runs=(), **options) -> Graph:
    """One operator; None among what it reads is left out."""
    there = [t for t in reads if t is not None]
    results = [replace(activation(dtype, 1, 4), name=f"y{i}") for i, dtype in enumerate(writes)]
    indices = iter(range(len(there)))
    inputs = tuple(-1 if t is None else next(indices) for t in reads)
    outputs = tuple(range(len(there), len(there) + len(results)))
    fed = tuple(i for i, t in enumerate(there) if t.is_fed)
    op = Operator(code, f"{code.lower()}_0", inputs, outputs, options, runs)
    return Graph((*there, *results), (op,), fed, outputs)


X = activation(f32, 1, 4)
STRIDES = {"stride_h": 1, "stride_w": 1}
# rule -> (graph, arithmetic, a part of the sentence)
CASES = {
    "_computes_in_halves": (
        graph("RELU", activation(np.float16, 1, 4), writes=(np.float16,)),
        "not known",
        "XNNPACK takes it with float16[1,4]",
    ),
    "_is_refused": (graph("QUANTIZE", X, writes=()), "refused", "no output"),
    "_is_unwritten": (graph("DEQUANTIZE", codes(4)), "not known", "does not write it"),
    "_touches_unread": (
        graph("CAST", replace(X, dtype=np.dtype("V2"), unread="BFLOAT16")),
        "not known",
        "it reads bfloat16[1,4], a type that drqsim does not know",
    ),
    "_runs_subgraphs": (
        replace(
            graph("CALL_ONCE", runs=(1,)),
            others=(graph("FULLY_CONNECTED", X, codes(4, 4)),),
        ),
        "as its subgraphs",
        "it runs subgraph_1 (1 operator, 1 of them with int8 weights)",
    ),
    "_reads_nothing": (graph("CONV_3D", None), "refused", "no input 0"),
    "_lacks_weights": (graph("CONV_3D", X), "refused", "no weights (input 1)"),
    "_has_other_dimensions": (
        graph("CONV_2D", activation(f32, 1, 4, 4, 4), codes(4, 4), constant(f32, 4), **STRIDES),
        "refused",
        "4 dimensions or more",
    ),
    "_is_dequantize": (
        graph("DEQUANTIZE", constant(np.uint8, 4, quantization=SCALE)),
        "float32",
        "constant uint8[4] into float32",
    ),
    "_is_quantize": (graph("QUANTIZE", X, writes=(np.int8,)), "float32", "turns float32[1,4] into"),
    "_moves_codes": (
        graph("GATHER", codes(9, 4), activation(np.int32, 1), writes=(np.int8,)),
        "int8 codes passed on",
        "reads int8[9,4]",
    ),
    "_is_custom": (
        graph("CUSTOM", X, custom_code="Mine"),
        "not known",
        "Mine, a custom operator",
    ),
    "_is_lstm": (
        graph("LSTM", X, *[codes(4, 4)] * 8, *[None] * 11),
        "int8",
        "8 int8 weights, 128 bytes",
    ),
    "_is_unknown": (graph("WHILE", X), "not known", "does not know what WHILE computes"),
    "_reads_and_writes_codes": (
        graph("SOFTMAX", activation(np.int16, 1, 4), writes=(np.int16,)),
        "int16 (full integer)",
        "reads and writes codes",
    ),
    "_has_slopes": (graph("PRELU", X, constant(f32, 4)), "float32", "its slopes are float32"),
    "_has_no_weights": (graph("RELU", X), "float32", "the activations it reads are float32"),
    "_has_codes_without_scale": (
        graph("FULLY_CONNECTED", X, constant(np.int8, 4, 4)),
        "not known",
        "int8[4,4] have no scale",
    ),
    "_is_full_integer": (
        graph("FULLY_CONNECTED", activation(np.int8, 1, 4), codes(4, 4), writes=(np.int8,)),
        "int8 (full integer)",
        "codes in, codes out",
    ),
    "_reads_no_floats": (
        graph("BATCH_MATMUL", activation(np.int8, 1, 4), codes(4, 4), writes=(np.int8,)),
        "not known",
        "reads int8[1,4] with weights int8[4,4]",
    ),
    "_has_float_weights": (
        graph("FULLY_CONNECTED", X, constant(f32, 4, 4)),
        "float32",
        "16 elements, fewer than 1,024",
    ),
    "_has_old_codes": (
        graph("FULLY_CONNECTED", X, constant(np.uint8, 4, 4, quantization=SCALE)),
        "int8",
        "the file calls uint8",
    ),
    "_has_other_weights": (
        graph("SVDF", X, constant(np.uint8, 4, 4, quantization=SCALE), codes(4, 2), None, X),
        "not known",
        "weights uint8[4,4]",
    ),
    "_has_no_hybrid_kernel": (
        graph("CONV_3D", activation(f32, 1, 4, 4, 4, 2), codes(1, 1, 1, 2, 4)),
        "refused",
        "no hybrid kernel",
    ),
    "_has_no_int4_kernel": (
        graph("BATCH_MATMUL", X, codes(4, 4, bits=4)),
        "refused",
        "no kernel for it with int4",
    ),
    "_is_lookup": (
        graph("EMBEDDING_LOOKUP", activation(np.int32, 1), codes(9, 4)),
        "int8 rows to float32",
        "only the rows that are looked up",
    ),
    "_is_delegated": (graph("FULLY_CONNECTED", X, codes(4, 4)), "int8", "always asymmetric"),
    "_is_hybrid": (
        graph("SVDF", X, codes(4, 4), codes(4, 2), None, activation(f32, 1, 8)),
        "int8",
        "XNNPACK has no SVDF",
    ),
}
RULES = {applies.__name__: applies for applies, _ in verdict.RULES}


def test_every_rule_has_a_case():
    assert list(CASES) == list(RULES) and len(verdict.RULES) == len(RULES)


@pytest.mark.parametrize("rule", CASES)
def test_the_first_rule_that_applies_is_the_one(rule):
    bare, arithmetic, says = CASES[rule]
    found = drqsim.explain(bare).verdicts[0]
    assert found.arithmetic == arithmetic and says in found.why
    without = tuple(pair for pair in verdict.RULES if pair[0] is not RULES[rule])
    assert len(without) == len(verdict.RULES) - 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("drqsim.verdict.explanation.RULES", without)
        try:
            other = drqsim.explain(bare).verdicts[0]
        except (AttributeError, IndexError, KeyError, StopIteration):
            return  # nothing below was made for such an operator
    assert other != found


@pytest.mark.parametrize(
    ("code", "reads", "writes", "arithmetic", "kinds"),
    [
        ("ADD", (np.int32, np.int32), np.int32, "int32", "int32"),
        ("LOGICAL_NOT", (np.bool_,), np.bool_, "bool", "bool"),
        ("SELECT", (np.bool_, f32, f32), f32, "float32", "bool and float32"),
        ("CAST", (np.int32,), f32, "float32", "int32"),
        ("EQUAL", (np.int8, np.int8), np.bool_, "int8 (full integer)", "int8"),
    ],
)
def test_without_weights_the_types_that_are_read_are_told(code, reads, writes, arithmetic, kinds):
    bare = graph(code, *(activation(dtype, 1, 4) for dtype in reads), writes=(writes,))
    for kernels in KERNELS:
        (found,) = drqsim.explain(bare, kernels)
        assert found.arithmetic == arithmetic
        assert found.why == f"it has no weights; the activations it reads are {kinds}"


def test_an_operator_may_read_constants_alone():
    (found,) = drqsim.explain(graph("ADD", constant(f32, 4), constant(f32, 4)))
    assert (found.arithmetic, found.why[-15:]) == ("float32", "constants alone")


@pytest.mark.parametrize(
    ("elements", "says"), [(1023, "fewer than"), (1024, "file is not quantized")]
)
def test_weights_of_1024_elements_are_not_too_few(elements, says):
    dense = graph("FULLY_CONNECTED", activation(f32, 1, elements), constant(f32, 1, elements))
    (found,) = drqsim.explain(dense)
    assert says in found.why
    assert (drqsim.quantize(dense).tensors[1].dtype == np.int8) == (elements == 1024)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_grouped_filter_with_equal_scales_reads_an_asymmetric_input(groups):
    layer = drqsim.conv_relu(
        np.random.default_rng(0).integers(-9, 9, (4, 3, 3, 4 // groups)).astype(np.int8),
        input_shape=(1, 5, 5, 4),
        filter_scale=f32([0.1] * 4),
    )
    (found,) = drqsim.explain(layer, "optimized")
    assert f"{'asymmetric' if groups > 1 else 'symmetric'} input" in found.why
    x = np.random.default_rng(1).uniform(0, 1, (1, 5, 5, 4)).astype(f32)
    scratch = litert.run(layer, x, "optimized").scratch
    lowest = next(t.value for t in scratch if t.dtype == np.int8 and t.shape == x.shape).min()
    assert (lowest < 0) == (groups > 1)


def test_an_operator_that_is_not_known_is_counted_as_such():
    from drqsim.report import node_data
    from drqsim.report.words import about_the_arithmetic

    bare = CASES["_is_unknown"][0]
    (line,) = about_the_arithmetic(drqsim.explain(bare))
    assert line == "On the xnnpack kernels 1 of 1 operator is not known to drqsim: while_0."
    (made,) = node_data.of_arithmetic(bare, drqsim.explain(bare))["results"].values()
    assert made == {"value": "not known", "bgColor": node_data.NOTHING_COLOR}


SHAPES = ((), (4,), (4, 0), (0, 4), (2, 2, 2), (4, 3, 3, 0), (0, 3, 3, 4), (2, 2, 2, 2, 2))


@pytest.mark.parametrize("code", sorted(OPERANDS))
@pytest.mark.parametrize("bits", [None, 4])
def test_weights_of_any_shape_get_a_verdict(code, bits):
    x = activation(f32, 1, 5, 5, 4)
    for shape in SHAPES:
        reads = [x] * (1 + max(OPERANDS[code].input, *OPERANDS[code].all_weights))
        reads[OPERANDS[code].weights] = codes(*shape, bits=bits)
        bare = graph(code, *reads)
        for kernels in KERNELS:
            assert drqsim.explain(bare, kernels)[bare.operators[0].name].why


@pytest.mark.parametrize("code", [c for c, wanted in OPERANDS.items() if wanted.exactly])
def test_weights_of_another_number_of_dimensions_are_refused_by_the_runtime(code):
    shape = (4, 2, 1) if OPERANDS[code].exactly == 2 else (1, 2, 4)
    reads = [activation(f32, 1, 1, 2, 4), codes(*shape)]
    if code == "TRANSPOSE_CONV":
        output_shape = Tensor("shape", (4,), np.dtype(np.int32), np.int32([1, 1, 2, 4]))
        reads = [output_shape, *reversed(reads)]
    bare = graph(code, *reads, constant(f32, 4), **STRIDES if "CONV" in code else {})
    for kernels in KERNELS:
        (found,) = drqsim.explain(bare, kernels)
        assert found.arithmetic == "refused" and f"{OPERANDS[code].exactly} of the" in found.why
        with pytest.raises(drqsim.ModelFileError, match="refuses"):
            litert.run(bare, np.ones((1, 1, 2, 4), f32), kernels)


@pytest.mark.parametrize("flag", [True, False])
def test_a_dense_layer_reads_its_input_as_its_flag_says(flag):
    dense = graph("FULLY_CONNECTED", X, codes(4, 4), asymmetric_quantize_inputs=flag)
    (found,) = drqsim.explain(dense, "optimized")
    assert f", {'asymmetric' if flag else 'symmetric'} input" in found.why
    scratch = litert.run(dense, f32([[1, 2, 3, 4]]), "optimized").scratch
    lowest = next(t.value for t in scratch if t.dtype == np.int8 and t.shape == (1, 4)).min()
    assert (lowest < 0) == flag
