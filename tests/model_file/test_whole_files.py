"""Files of types and subgraphs past the first: loaded, told truly, never written cut short."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim.kernels import KERNELS
from drqsim.model_file import write
from drqsim.model_file.write import to_bytes
from drqsim.report import plain
from drqsim.report.words import about_the_file, weigh
from tests.kit.command import run
from tests.kit.places import CASES, MODELS

# file -> (int8 constants, their bytes, operators that touch a type not read with that type)
UNREAD = {
    "resource_variable_drq": (
        1,
        4096,
        dict.fromkeys(
            (
                *("var_handle_0", "read_variable_0", "assign_variable_0", "read_variable_1"),
                *("NoOp/var_handle_0", "NoOp/assign_variable_0"),
            ),
            "resource[]",
        ),
    ),
    "rfft_mel_drq": (
        1,
        5160,
        {
            "rfft2d_0": "complex64[1,7,1,129]",
            "reshape_2": "complex64[1,7,1,129]",
            "complex_abs_0": "complex64[1,7,129]",
        },
    ),
    "string_passthrough_drq": (1, 3072, {}),
}


def case(name):
    return CASES / f"{name}.tflite"


@pytest.mark.parametrize("name", UNREAD)
def test_a_type_that_is_not_read_is_told_and_all_else_too(name):
    count, nbytes, touching = UNREAD[name]
    graph = drqsim.load(case(name))
    found = weigh(graph)
    assert (found.quantized, found.quantized_bytes) == (count, nbytes)
    verdicts = {v.operator: v for v in drqsim.explain(graph)}
    assert verdicts["fully_connected_0"].arithmetic == "int8"
    told = {op: v for op, v in verdicts.items() if "a type that drqsim does not know" in v.why}
    assert set(told) == set(touching)
    for op, kind in touching.items():
        assert told[op].arithmetic == "not known" and kind in told[op].why
    for arguments in (["inspect"], ["explain"], ["explain", "--json"], ["inspect", "--json"]):
        status, out, error = run(arguments[0], str(case(name)), *arguments[1:])
        assert (status, error) == (0, "") and "fully_connected_0" in out
    assert "void" not in run("inspect", str(case(name)))[1]


@pytest.mark.parametrize("name", UNREAD)
def test_what_touches_such_a_type_is_refused_in_one_sentence(name, tmp_path):
    graph = drqsim.load(case(name))
    with pytest.raises(drqsim.UnsupportedOperatorError, match="a type that drqsim does not know"):
        to_bytes(replace(graph, others=()))
    made = tmp_path / "q.tflite"
    for arguments in (
        ["trace", str(case(name)), "--input", "random"],
        ["memory", str(case(name))],
        ["quantize", str(case(name)), "-o", str(made)],
    ):
        status, out, error = run(*arguments)
        assert (status, out) == (1, "") and error.count("\n") == 1, (arguments, error)
    assert not made.exists()


def test_the_operator_alone_is_refused_by_its_name():
    part = drqsim.load(case("rfft_mel_drq")).extract("reshape_2")
    with pytest.raises(drqsim.UnsupportedOperatorError, match=r"reshape_2 .* complex64\[1,7,1,129"):
        drqsim.run(part, np.zeros((1, 7, 1, 129), np.complex64))


def test_bytes_of_a_constant_of_such_a_type_are_kept(monkeypatch):
    import tflite

    whole = drqsim.load(MODELS / "digits_drq.tflite")
    monkeypatch.setattr(tflite.Tensor, "Type", lambda self: 18)
    graph = drqsim.load(MODELS / "digits_drq.tflite")
    for tensor, before in zip(graph.tensors, whole.tensors, strict=True):
        assert str(tensor) == f"bfloat16{str(before)[str(before).index('[') :]}"
        assert (tensor.value is None) == (before.value is None)
        if tensor.value is not None:
            assert tensor.value.tobytes() == before.value.tobytes()
            assert tensor.nbytes == before.nbytes
    assert about_the_file(graph)[0].startswith("No constant is int8")
    assert weigh(graph).other_bytes == sum(t.nbytes for t in whole.constants)


# file -> (int8 constants, their bytes, subgraphs, signatures, operators with int8 weights)
SEVERAL = {
    "lstm_while_drq": (
        3,
        7424,
        ("main", "while_cond", "while_body"),
        ("serving_default",),
        ("fully_connected_0", "while_body/fully_connected_0", "while_body/fully_connected_1"),
    ),
    "while_loop_drq": (
        1,
        2304,
        ("main", "while_cond", "while_body"),
        (),
        ("while_body/fully_connected_0",),
    ),
    "composite": (1, 1920, ("main", "body"), (), ("body/fully_connected_0",)),
    "resource_variable_drq": (1, 4096, ("main", "NoOp"), ("step",), ("fully_connected_0",)),
    "two_signatures_drq": (
        2,
        4096,
        ("decode", "encode", "encode_alias"),
        ("decode", "encode", "encode_alias"),
        ("fully_connected_0", "encode/fully_connected_0", "encode_alias/fully_connected_0"),
    ),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_every_subgraph_is_told(name):
    count, nbytes, subgraphs, signatures, coded = SEVERAL[name]
    graph = drqsim.load(case(name))
    assert graph.subgraph_names == subgraphs and tuple(graph.signatures) == signatures
    found = weigh(graph)
    assert (found.quantized, found.quantized_bytes) == (count, nbytes)
    told = " ".join(about_the_file(graph))
    assert f"{count} constant" in told and f" int8: {nbytes:,} bytes" in told
    assert f"The file has {len(subgraphs)} subgraphs" in told
    for kernels in KERNELS:
        verdicts = list(drqsim.explain(graph, kernels))
        assert tuple(v.operator for v in verdicts if v.arithmetic == "int8") == coded
        assert len(verdicts) == sum(len(each.operators) for each in graph.subgraphs)
        assert len({v.operator for v in verdicts}) == len(verdicts)
    for arguments in ("inspect",), ("explain",), ("inspect", "--json"), ("explain", "--json"):
        status, out, error = run(arguments[0], str(case(name)), *arguments[1:])
        assert (status, error) == (0, "")
        assert all(operator in out for operator in coded if arguments != ("inspect", "--json"))


RUNS = {
    "while_loop_drq": ("while_0", "while_body (3 operators, 1 of them with int8 weights)"),
    "lstm_while_drq": ("while_0", "while_body (19 operators, 2 of them with int8 weights)"),
    "composite": ("stablehlo_composite_0", "it runs body (1 operator, 1 of them with"),
    "resource_variable_drq": ("call_once_0", "it runs NoOp (2 operators, none of them with"),
}


@pytest.mark.parametrize("name", RUNS)
def test_an_operator_that_runs_subgraphs_says_which_and_is_refused_by_name(name):
    operator, why = RUNS[name]
    graph = drqsim.load(case(name))
    verdict = drqsim.explain(graph)[operator]
    assert verdict.arithmetic == "as its subgraphs" and why in verdict.why
    x = {at: np.zeros(graph.tensors[i].shape, np.float32) for i, at in graph.fed_names.items()}
    with pytest.raises(drqsim.UnsupportedOperatorError, match=graph.operator(operator).code):
        drqsim.run(graph, x)
    alone = drqsim.explain(graph.extract(operator))
    assert alone[operator].why == verdict.why


def test_signatures_name_subgraphs_and_tensors():
    signatures = drqsim.load(case("two_signatures_drq")).signatures
    assert signatures["decode"] == (0, {"y": 0}, {"back": 2})
    assert signatures["encode"] == (1, {"x": 0}, {"code": 2})
    assert signatures["encode_alias"] == (2, {"x": 0}, {"code": 2})
    data = plain.of_graph(drqsim.load(case("two_signatures_drq")))
    assert data["signatures"]["encode"]["subgraph"] == 1 and list(data["subgraphs"])[0] == "encode"


@pytest.mark.parametrize("name", ["two_signatures_float", *SEVERAL])
def test_what_would_lose_subgraphs_is_not_written(name, tmp_path):
    graph, made = drqsim.load(case(name)), tmp_path / "q.tflite"
    for refuse in (to_bytes, drqsim.quantize):
        with pytest.raises(drqsim.UnsupportedOperatorError, match="would lose the others"):
            refuse(graph)
    status, out, error = run("quantize", str(case(name)), "-o", str(made))
    assert (status, out) == (1, "") and error.count("\n") == 1 and not made.exists()


def damaged(name, what, wrong):
    """The case with one number of one table overwritten."""
    import tflite

    content = bytearray(case(name).read_bytes())
    model = tflite.Model.GetRootAs(content, 0)
    entry = {
        "subgraph of a signature": lambda: (model.SignatureDefs(0)._tab, 12),
        "tensor of a signature": lambda: (model.SignatureDefs(0).Outputs(0)._tab, 6),
        "body of a loop": lambda: (model.Subgraphs(0).Operators(0).BuiltinOptions(), 6),
    }[what]
    table, field = entry()
    at = table.Pos + table.Offset(field)
    content[at : at + 4] = wrong.to_bytes(4, "little", signed=True)
    return bytes(content)


@pytest.mark.parametrize(
    ("name", "what", "wrong", "says"),
    [
        ("two_signatures_drq", "tensor of a signature", 3, "names tensor 3 of 3"),
        ("two_signatures_drq", "tensor of a signature", 2**30, "names tensor 1073741824 of 3"),
        ("while_loop_drq", "body of a loop", 3, "while_0 runs subgraph 3, but the file has 3"),
        ("while_loop_drq", "body of a loop", -1, "while_0 runs subgraph -1, but the file has 3"),
    ],
)
def test_an_index_that_leads_nowhere_is_damage(name, what, wrong, says):
    with pytest.raises(drqsim.ModelFileError, match=says):
        drqsim.load(damaged(name, what, wrong))


def test_a_subgraph_that_is_named_many_times_is_damage(monkeypatch):
    """Everybody who tells of a file goes through each subgraph that it names."""
    import tflite

    whole = drqsim.load(MODELS / "digits_drq.tflite")
    assert whole.subgraphs == (whole,)
    offsets_once = write._offsets

    def offsets(builder, start, places):
        often = 2000 if start is tflite.ModelStartSubgraphsVector else 1
        return offsets_once(builder, start, places * often)

    monkeypatch.setattr(write, "_offsets", offsets)
    with pytest.raises(drqsim.ModelFileError, match="its subgraphs overlap or repeat"):
        drqsim.load(to_bytes(whole))


def test_check_does_not_pass_a_file_of_which_it_ran_one_signature():
    status, out, _ = run("check", str(case("two_signatures_drq")), "--input", "random")
    assert status == 3 and "INCOMPLETE: 1 of 3 operators agree" in out
    beside = "encode/fully_connected_0, encode_alias/fully_connected_0"
    assert f"Not compared: {beside}." in out
    assert "encode/fully_connected_0: not compared, a run of the first subgraph does not" in out
