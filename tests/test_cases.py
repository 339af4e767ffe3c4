"""Files on which drqsim was wrong once: the right numbers, and the runtime's own."""

import re
from pathlib import Path

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.graph import Graph
from drqsim.kernels import KERNELS

CASES = Path(__file__).parent / "cases"

# file -> the first three values of every output, as the runtime gives them for inputs drawn as
# ``drawn`` does; where XNNPACK has others, its own stand behind "|"
RIGHT = {
    "unrolled_rnn_shared_state": "0.565373 0.988684 -0.959126; -0.295416 -0.908764 0.984064",
    "sequence_rnn_shared_state": "0.778353 0.323079 0.248455; 0.873711 -0.973993 0.958438",
    "duplicate_names": "0.734350; -0.186503",
    "same_names": "-12.519123 6.987767 -9.161223 | -12.519124 6.987767 -9.161222",
    "two_outputs_one_name": "-7.617635 3.828053 -4.901379; 0.886852 -2.631364 -1.300511"
    " | -7.614191 3.837750 -4.910882; 0.853106 -2.606755 -1.352536",
    "output_twice": "-7.617635 3.828053 -4.901379; -7.617635 3.828053 -4.901379"
    " | -7.614191 3.837750 -4.910882; -7.614191 3.837750 -4.910882",
    "add_state": "0.273923 -0.460427 -0.918053",
    "softmax_no_options": "0.333333 0.333333 0.333333",
    "buffer_data_and_offset": "0.547847",
    "fc_bias_2d": "-8.363713 3.009751 -2.573228 | -8.360269 3.019448 -2.582732",
    "fc_variable_weights": "0.000000 0.000000",
    "fc_hybrid_i8": "-7.617635 3.828053 -4.901379 | -7.614191 3.837750 -4.910882",
    "fc_hybrid_u8": "-7.617635 3.828053 -4.901379",
    "fc_quant_spec": "-4.966716 -3.186917 3.373509",
    "fc_output_with_a_scale": "6.000000 5.955133 6.000000",
    "gather_int8": "-0.270000 -0.550000 -1.130000",
    "empty_into_softmax": "",
    "no_operators": "0.273923 -0.460427 -0.918053",
}


# file -> the operator that the runtime refuses on every path, and its reason
REFUSED = {
    "relu_two_inputs": ("relu_0", "activations.cc:224 NumInputs(node) != 1 (2 != 1)"),
    "conv_2d_rank2": ("conv_2d_0", "conv.cc:356 input->dims->size != 4 (2 != 4)"),
    "add_one_input": ("add_0", "add.cc:96 NumInputs(node) != 2 (1 != 2)"),
    "minimum_four_outputs": ("minimum_0", "maximum_minimum.cc:58 NumOutputs(node) != 1 (4 != 1)"),
    "quantize_no_output": ("quantize_0", "quantize.cc:160 NumOutputs(node) != 1 (0 != 1)"),
    "few_inputs_rnn": ("rnn_0", "basic_rnn.cc:60 node->inputs->size != 5 (1 != 5)"),
    "few_inputs_svdf": ("svdf_0", "svdf.cc:83 node->inputs->size != 5 (1 != 5)"),
    "pad_one_input": ("pad_0", "pad.cc:54 num_inputs == 2 || num_inputs == 3 was not true"),
}


def drawn(graph: Graph) -> dict[str, np.ndarray]:
    """One draw for each input, in the file's order: floats in -1..1, whole numbers 0 and 1."""
    random, fed = np.random.default_rng(0), {}
    for name, index in zip(graph.input_names, dict.fromkeys(graph.inputs), strict=True):
        tensor = graph.tensors[index]
        if tensor.dtype.kind == "f":
            fed[name] = random.uniform(-1, 1, tensor.shape).astype(tensor.dtype)
        else:
            fed[name] = random.integers(0, 2, tensor.shape).astype(tensor.dtype)
    return fed


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", RIGHT)
def test_a_file_gives_the_right_numbers_and_the_bits_of_the_runtime(name, kernels):
    path = CASES / f"{name}.tflite"
    graph = drqsim.load(path)
    known, _ = drqsim.run(graph, drawn(graph), kernels, processor="x86-64")
    builtin, _, xnnpack = RIGHT[name].partition(" | ")
    right = xnnpack if xnnpack and kernels == "xnnpack" else builtin
    told = (" ".join(f"{v:.6f}" for v in values.ravel()[:3]) for values in known.values())
    assert "; ".join(told) == right
    ours, _ = drqsim.run(graph, drawn(graph), kernels)
    theirs = litert.run(path, drawn(graph), kernels, outputs_only=True).outputs
    assert list(ours) == list(theirs)
    for output in ours:
        assert ours[output].shape == theirs[output].shape
        assert ours[output].tobytes() == theirs[output].tobytes()


@pytest.mark.parametrize("name", ("constant_is_input", "constant_bias_is_input"))
def test_a_constant_cannot_be_fed(name):
    graph = drqsim.load(CASES / f"{name}.tflite")
    for refusing in (drqsim.run, litert.run):
        with pytest.raises(drqsim.ModelFileError, match="is a constant of the file"):
            refusing(graph, drawn(graph))
    assert len(drqsim.explain(graph)) == 1


def test_a_depthwise_convolution_over_no_channels_is_refused():
    graph = drqsim.load(CASES / "zero_channels_into_depthwise.tflite")
    words = r"depthwise_conv.cc:133 SizeOfDimension\(input, 3\) > 0 was not true"
    for kernels in KERNELS:
        for refusing in (drqsim.run, litert.run):
            with pytest.raises(drqsim.ModelFileError, match=words):
                refusing(graph, drawn(graph), kernels)


@pytest.mark.parametrize("name", ("empty_batch", "in_zero"))
def test_an_empty_input_is_called_so(name):
    graph = drqsim.load(CASES / f"{name}.tflite")
    with pytest.raises(drqsim.InputError, match="is empty, .*: drqsim does not run empty inputs"):
        drqsim.run(graph, drawn(graph))


def test_an_output_that_nobody_writes_is_refused():
    graph = drqsim.load(CASES / "unwritten_output.tflite")
    with pytest.raises(drqsim.ModelFileError, match="The model returns tensor 2 .'t2'., which is"):
        drqsim.run(graph, drawn(graph))


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", REFUSED)
def test_what_the_runtime_refuses_is_told_and_refused_with_its_reason(name, kernels):
    path, (operator, reason) = CASES / f"{name}.tflite", REFUSED[name]
    graph = drqsim.load(path)
    told = drqsim.explain(graph, kernels)
    assert told[operator].arithmetic == "refused" and reason in told[operator].why
    assert [verdict.arithmetic for verdict in told].count("refused") == 1
    words = re.escape(reason)
    for refusing in (drqsim.run, litert.run):
        with pytest.raises(drqsim.ModelFileError, match=words):
            refusing(graph, drawn(graph), kernels)
    with pytest.raises(drqsim.ModelFileError, match=words):
        drqsim.plan_memory(graph, kernels)


@pytest.mark.parametrize("name", ("elu", "leaky_prelu_hswish_drq"))
def test_elu_has_no_reference_kernel(name):
    graph = drqsim.load(CASES / f"{name}.tflite")
    told = drqsim.explain(graph, "reference")
    assert [v.operator for v in told if v.arithmetic == "refused"] == ["elu_0"]
    assert drqsim.explain(graph, "optimized")["elu_0"].arithmetic == "float32"
    for refusing in (drqsim.run, litert.run):
        with pytest.raises(drqsim.ModelFileError, match="Didn't find op for builtin opcode 'ELU'"):
            refusing(graph, drawn(graph), "reference")
