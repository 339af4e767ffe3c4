"""Reading and writing model files: what is read is what is there, and nonsense is named."""

import numpy as np
import pytest

import drqsim
from drqsim.model_file import write
from tests.kit.one_operator import one_operator
from tests.kit.places import MODELS

FILES = sorted(MODELS.glob("*.tflite"))


def test_the_models_of_the_book_are_here():
    assert {file.name for file in FILES} >= {
        "digits_float.tflite",
        "digits_drq.tflite",
        "digits_drq_per_tensor.tflite",
    }


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_what_is_written_reads_back(file):
    first = drqsim.load(file)
    again = drqsim.load(write.to_bytes(first))
    assert repr(first) == repr(again)
    for a, b in zip(first.tensors, again.tensors, strict=True):
        assert (a.name, str(a)) == (b.name, str(b))
        if a.value is not None:
            assert np.array_equal(a.value.view(np.uint8), b.value.view(np.uint8))
        if a.quantization is not None:
            assert np.array_equal(a.quantization.scale, b.quantization.scale)
            assert a.quantization.axis == b.quantization.axis
    for a, b in zip(first.operators, again.operators, strict=True):
        assert dict(a.options) == dict(b.options)


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_the_runtime_sees_the_same_tensors(file):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    graph = drqsim.load(file)
    runtime = Interpreter(
        str(file), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    runtime.allocate_tensors()
    details = {d["index"]: d for d in runtime.get_tensor_details()}
    for index, tensor in enumerate(graph.tensors):
        assert details[index]["name"] == tensor.name
        assert tuple(details[index]["shape"]) == tensor.shape
        assert np.dtype(details[index]["dtype"]) == tensor.dtype
        if tensor.value is not None:
            assert np.array_equal(runtime.get_tensor(index), tensor.value)
        if tensor.quantization is not None:
            scales = details[index]["quantization_parameters"]["scales"]
            assert np.array_equal(scales, tensor.quantization.scale)


def test_the_digits_net_is_what_the_book_says():
    graph = drqsim.load(MODELS / "digits_drq.tflite")
    by_name = {op.name: graph.tensor_of(op, 1) for op in graph.operators}
    assert str(by_name["conv_2d_0"]) == "float32[16,3,3,1]"  # 144 elements: below the rule
    assert str(by_name["conv_2d_1"]) == "int8[32,3,3,16]"
    assert str(by_name["depthwise_conv_2d_0"]) == "float32[1,3,3,32]"
    assert str(by_name["depthwise_conv_2d_1"]) == "int8[1,3,3,128]"


def test_operator_codes_in_the_newer_field_are_read():
    graph = drqsim.load(MODELS / "digits_weight_only.tflite")
    codes = [op.code for op in graph.operators]
    assert codes.count("DEQUANTIZE") == 9 and "ADD" not in codes


def test_accuracy_on_the_held_out_digits():
    from ai_edge_litert.interpreter import Interpreter

    data = np.load(MODELS / "digits_inputs.npz")
    for name in ("digits_float", "digits_drq", "digits_int4", "digits_drq_all_layers"):
        runtime = Interpreter(str(MODELS / f"{name}.tflite"))
        runtime.allocate_tensors()
        index = runtime.get_input_details()[0]["index"]
        out = runtime.get_output_details()[0]["index"]
        hits = 0
        for image, label in zip(data["test_images"], data["test_labels"], strict=True):
            runtime.set_tensor(index, (image / np.float32(16)).reshape(1, 8, 8, 1).astype("f4"))
            runtime.invoke()
            hits += int(runtime.get_tensor(out).argmax() == label)
        assert hits / len(data["test_labels"]) > 0.97


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "0 bytes without the identifier"),
        (b"\x00" * 64, "without the identifier 'TFL3'"),
        (b"\x10\x00\x00\x00TFL3" + b"\xff" * 200, "damaged"),
    ],
)
def test_bytes_that_are_no_model(content, says):
    with pytest.raises(drqsim.ModelFileError, match=says):
        drqsim.load(content)


def test_a_sparse_tensor_is_named(monkeypatch):
    import tflite

    monkeypatch.setattr(tflite.Tensor, "Sparsity", lambda self: object())
    with pytest.raises(drqsim.UnsupportedOperatorError, match="stored sparsely"):
        drqsim.load(MODELS / "digits_drq.tflite")


def test_a_type_that_no_runtime_knows_is_damage(monkeypatch):
    import tflite

    monkeypatch.setattr(tflite.Tensor, "Type", lambda self: 77)
    with pytest.raises(drqsim.ModelFileError, match="type number 77, which no runtime knows"):
        drqsim.load(MODELS / "digits_drq.tflite")


def test_a_file_that_is_not_there():
    with pytest.raises(drqsim.ModelFileError, match=r"Cannot read 'missing\.tflite'"):
        drqsim.load("missing.tflite")


@pytest.mark.parametrize("length", [100, 1000, 20000, 51000])
def test_a_file_cut_short(length):
    content = (MODELS / "digits_drq.tflite").read_bytes()[:length]
    with pytest.raises(drqsim.ModelFileError):
        drqsim.load(content)


def test_random_damage_ends_in_a_named_error_or_in_a_graph():
    content = (MODELS / "digits_drq.tflite").read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        for at in random.integers(0, len(content), 8):
            damaged[at] = random.integers(0, 256)
        try:
            drqsim.load(bytes(damaged))
        except drqsim.DrqsimError:
            refused += 1
    assert 0 < refused < 300  # damage inside the weights is no error, damage to the tables is


def test_an_operator_code_in_the_new_field_alone_is_read():
    """litert-quantizer fills only ``builtin_code``; the schema package then reads ADD."""
    graph = drqsim.load(MODELS / "digits_weight_only.tflite")
    assert [op.code for op in graph.operators].count("DEQUANTIZE") == 9
    assert graph.operators[0].name == "dequantize_0"


@pytest.mark.parametrize("field", ["Deprecated", "newer"])
@pytest.mark.parametrize("code", ["RELU", "GELU"])
def test_an_operator_code_may_stand_in_either_field(code, field):
    """The older is one byte and ends at 127; above, it holds 127, and only the newer counts."""
    import tflite

    content = bytearray(write.to_bytes(one_operator(code, [(1, 4)], [(1, 4)])))
    assert drqsim.load(bytes(content)).operators[0].code == code
    table = tflite.Model.GetRootAs(content, 0).OperatorCodes(0)._tab
    older, newer = (table.Pos + table.Offset(slot) for slot in (4, 10))
    number = getattr(tflite.BuiltinOperator, code)
    assert content[older] == min(number, 127)
    assert int.from_bytes(content[newer : newer + 4], "little") == number
    if field == "newer":
        content[older] = 0
    elif code == "RELU":
        content[newer : newer + 4] = bytes(4)
    assert drqsim.load(bytes(content)).operators[0].code == code


@pytest.mark.parametrize("dimensions", [8, 9])
def test_a_tensor_has_eight_dimensions_at_most(dimensions):
    content = write.to_bytes(one_operator("RELU", [(1,) * dimensions], [(1,) * dimensions]))
    if dimensions == 8:
        assert drqsim.load(content).tensors[0].shape == (1,) * 8
        return
    with pytest.raises(drqsim.ModelFileError, match="has 9 dimensions.* at most 8"):
        drqsim.load(content)


def test_a_constant_may_be_empty():
    """A RESHAPE to no dimensions at all reads a shape of no numbers."""
    shape = np.empty(0, np.int32)
    graph = drqsim.load(write.to_bytes(one_operator("RESHAPE", [(1, 1), shape], [()])))
    assert graph.tensors[1].value is not None and graph.tensors[1].value.shape == (0,)
    assert drqsim.run(graph, np.float32([[3]]))[0]["y"].shape == ()


def test_vectors_signatures_and_scalars_survive_writing_and_reading():

    from drqsim.graph import Graph, Operator, Tensor

    f32 = np.dtype(np.float32)
    tensors = (
        Tensor("x", (1, 2, 3), f32, signature=(-1, 2, 3)),
        Tensor("two", (), f32, np.array(2, np.float32)),
        Tensor("y", (1, 6), f32, signature=(-1, 6)),
        Tensor("z", (1, 6), f32, signature=(-1, 6)),
    )
    operators = (
        Operator("RESHAPE", "reshape_0", (0,), (2,), {"new_shape": (-1, 6)}),
        Operator("MUL", "mul_0", (2, 1), (3,)),
    )
    again = drqsim.load(write.to_bytes(Graph(tensors, operators, (0,), (3,))))
    assert again.operators[0].options["new_shape"] == (-1, 6)
    assert again.operators[1].options["fused_activation_function"] == "NONE"
    assert [t.signature for t in again.tensors] == [t.signature for t in tensors]
    assert again.tensors[1].value.shape == ()
    x = np.ones((4, 2, 3), np.float32)
    assert drqsim.run(again, x)[0]["z"].tolist() == np.full((4, 6), 2.0).tolist()


def test_a_saved_model_is_one_that_the_runtime_runs(tmp_path):
    from drqsim import litert

    image = np.load(MODELS / "digits_inputs.npz")["images"][:1]
    ours = drqsim.quantize(drqsim.load(MODELS / "digits_float.tflite"))
    drqsim.save(ours, tmp_path / "ours.tflite")
    assert [file.name for file in tmp_path.iterdir()] == ["ours.tflite"]
    for kernels in ("reference", "optimized", "xnnpack"):
        (mine,) = litert.run(tmp_path / "ours.tflite", image, kernels).outputs.values()
        (theirs,) = litert.run(MODELS / "digits_drq.tflite", image, kernels).outputs.values()
        assert np.array_equal(mine, theirs)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    graph = drqsim.load(MODELS / "digits_drq.tflite")
    with pytest.raises(drqsim.InputError, match=r"Cannot write 'm\.tflite'"):
        drqsim.save(graph, tmp_path / "missing" / "m.tflite")
