"""Whole models against the files that TensorFlow's converter and litert-quantizer make of them."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.converter.quantize import RULES
from tests.kit.converted import (
    CASES,
    FILES,
    NO_KERNEL,
    NOT_RUN,
    NOT_SIMULATED,
    TOOLS,
    feeds_of,
    has_codes,
    made_int8,
    quantized,
)
from tests.kit.one_operator import same_bits
from tests.kit.places import GOLDEN
from tests.kit.same_graph import differences

f32 = np.float32

WEIGHTS = np.load(GOLDEN / "converter_weights.npz")


def alive(graph):
    """Without the operators that lead to no output."""
    wanted, kept = set(graph.outputs), []
    for op in reversed(graph.operators):
        if wanted & set(op.outputs):
            kept.append(op)
            wanted |= set(op.inputs)
    return replace(graph, operators=tuple(reversed(kept)))


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("case", CASES)
def test_the_model_is_the_one_that_the_tool_writes(case, tool):
    theirs = drqsim.load(FILES[f"{case}/{tool}"])
    # the converter leaves twenty copies of this operator behind, which nobody reads
    if case == "sequence_rnn" and tool.startswith("tensorflow"):
        assert len(alive(theirs).operators) == 1 < len(theirs.operators)
        theirs = alive(theirs)
    assert differences(quantized(case, tool), theirs) == []


@pytest.mark.parametrize("case", sorted(name for name in FILES if name.startswith("weights/")))
def test_weights_are_those_of_litert_quantizer(case):
    source = drqsim.load(WEIGHTS[f"{case.split('/')[1]}/float_tflite"].tobytes())
    ours = drqsim.quantize(source, rules="litert-quantizer")
    assert differences(ours, drqsim.load(FILES[case])) == []


@pytest.mark.parametrize("case_tool", sorted(set(made_int8()) - NOT_RUN))
def test_the_runtime_runs_what_was_quantized(case_tool, tmp_path):
    graph = quantized(*case_tool)
    drqsim.save(graph, tmp_path / "model.tflite")
    feeds = feeds_of(graph)
    for kernels in ("reference", "optimized", "xnnpack"):
        theirs = litert.run(tmp_path / "model.tflite", feeds, kernels).outputs
        ours, _ = drqsim.run(graph, feeds, kernels)
        assert list(ours) == list(theirs)
        for name, value in ours.items():
            assert same_bits(value, theirs[name]), (kernels, name)


def test_every_operator_that_a_tool_quantizes_is_run():
    ran = {op.code for case in set(made_int8()) - NOT_RUN for op in quantized(*case).operators}
    assert ran >= set(RULES["tensorflow"].weights)


@pytest.mark.parametrize("case_tool", sorted(NO_KERNEL))
def test_the_runtime_refuses_what_no_kernel_reads(case_tool):
    graph = quantized(*case_tool)
    with pytest.raises(drqsim.ModelFileError, match="batch_matmul.cc|quantized_dimension"):
        litert.run(graph, feeds_of(graph), "optimized")


@pytest.mark.parametrize("case_tool", sorted(NOT_SIMULATED))
def test_what_is_not_simulated_says_so(case_tool):
    graph = quantized(*case_tool)
    with pytest.raises(drqsim.UnsupportedOperatorError, match="time weights|reduces int8"):
        drqsim.run(graph, feeds_of(graph), "optimized")


@pytest.mark.parametrize(
    ("case", "smallest"), [("lstm_narrow", 992), ("lstm_peephole", 32), ("sequence_rnn", 1024)]
)
def test_recurrent_weights_become_int8_all_or_none(case, smallest):
    graph = drqsim.load(FILES[f"{case}/float"])
    assert not has_codes(drqsim.quantize(graph, min_elements=smallest + 1))
    every = drqsim.quantize(graph, min_elements=smallest)
    floats = [t for t in every.constants if t.dtype == f32]
    assert has_codes(every) and all("bias" in t.name for t in floats)


def test_a_constant_that_is_an_output_stays_float_there():
    graph = drqsim.load(FILES["shared/float"])
    shared = graph.operators[0].inputs[1]
    made = drqsim.quantize(replace(graph, outputs=(*graph.outputs, shared)))
    assert made.tensors[made.outputs[1]].dtype == f32
    codes = {op.inputs[1] for op in made.operators}
    assert len(codes) == 1 and made.tensors[codes.pop()].dtype == np.int8


def test_weights_that_two_operators_read_along_different_dimensions():
    """litert-quantizer keeps the form of whoever comes first; the converter makes both."""

    def scales(case, tool):
        graph = quantized(case, tool)
        return sorted(t.quantization.scale.size for t in graph.constants if t.quantization)

    assert scales("tied", "tensorflow") == [1, 66]
    assert scales("tied", "litert-quantizer") == [66]
    assert scales("filter_shared", "tensorflow") == [1, 120]
    assert scales("filter_shared", "litert-quantizer") == [120]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("case", CASES)
def test_quantizing_again_changes_nothing(case, tool):
    once = quantized(case, tool)
    assert differences(drqsim.quantize(once, **TOOLS[tool]), once) == []
