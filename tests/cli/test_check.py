"""``drqsim check``: right models pass, wrong ones fail, and what was not judged is counted."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import drqsim
from drqsim import interpreter, ops
from tests.kit.command import DRQ, parsed, run
from tests.kit.places import CASES, MODELS
from tests.kit.strategies import KERNELS

f32 = np.float32
SUM = "within the bound of the sum"


@cache
def centered():
    """Rows whose mean is 0: what is computed as their mean is rounding noise."""
    x = np.random.default_rng(0).normal(size=(1, 16, 16, 96))
    return ((x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)).astype(f32)


@cache
def large():
    """An input whose sums are some hundreds, which RELU6 cuts to 6."""
    random = np.random.default_rng(0)
    random.normal(size=(64, 1, 1, 16))  # the filter
    return (random.normal(size=(1, 64, 64, 16)) * 10).astype(f32)


INPUTS = {"mean_cancels": centered, "relu6_check": large, "layernorm_twice_drq": None}


def check(name, tmp_path, kernels, *more, x=None):
    source = "random"
    if x is not None:
        source = tmp_path / "x.npy"
        np.save(source, x)
    file = CASES / f"{name}.tflite"
    return run("check", file, "--input", source, "--kernels", kernels, *more)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", INPUTS)
def test_right_models_pass(name, kernels, tmp_path):
    x = INPUTS[name]() if INPUTS[name] else None
    status, out, _ = check(name, tmp_path, kernels, "--json", x=x)
    found = parsed(out)
    assert status == 0 and found["passed"] and found["verdict"] == "Passed"
    assert not found["not_compared"]
    for row in found["operators"]:
        if row["verdict"] == SUM:
            assert row["operator"].startswith(("mean", "conv_2d")) and 0 < row["of_bound"] < 0.1
        elif row["verdict"] == "equal":
            assert row["difference"] == row["of_bound"] == 0


def scaled(monkeypatch, code, by):
    """An operator whose outputs are off by a factor."""
    right = ops.TABLE[code]

    def wrong(call):
        def record(name, value, *rest, **more):
            value = value * f32(by) if name == "output" else value
            call.record(name, value, *rest, **more)

        return [y * f32(by) for y in right(replace(call, record=record))]

    monkeypatch.setitem(ops.TABLE, code, wrong)


@pytest.mark.parametrize(("name", "code"), [("mean_cancels", "MEAN"), ("relu6_check", "CONV_2D")])
def test_sums_that_are_wrong_fail(name, code, tmp_path, monkeypatch):
    """By a thousandth, in sums whose terms do not cancel each other."""
    scaled(monkeypatch, code, 1.001)
    x = np.abs(INPUTS[name]())
    status, out, _ = check(name, tmp_path, "optimized", x=x)
    assert status == 1 and out.count("FAILED") == 1
    assert f"Different: {code.lower()}_0." in out


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(
    ("name", "left_out", "count"),
    [
        ("while_loop_drq", "while_0", 1),
        ("lstm_while_drq", "while_0", 4),
        ("lstm_hybrid", "lstm_0", 1),  # it has states
    ],
)
def test_what_was_not_compared_is_counted_and_named(
    name, left_out, count, kernels, tmp_path, monkeypatch
):
    code = left_out.removesuffix("_0").upper()
    monkeypatch.delitem(ops.TABLE, code, raising=False)
    status, out, _ = check(name, tmp_path, kernels)
    assert status == 3 and "Passed" not in out and "FAILED" not in out
    assert f"INCOMPLETE: {count - 1} of {count} operators agree" in out
    assert f"Not compared: {left_out}." in out and f"does not simulate {code}" in out
    status, out, _ = check(name, tmp_path, kernels, "--json")
    found = parsed(out)
    assert status == 3 and not found["passed"] and list(found["not_compared"]) == [left_out]
    assert len(found["operators"]) == count - 1


def test_a_model_without_operators_has_an_output_to_compare(tmp_path):
    status, out, _ = check("no_operators", tmp_path, "optimized", "--json")
    found = parsed(out)
    assert status == 0 and found["operators"] == [] and found["codes"] == 0
    assert [output["verdict"] for output in found["outputs"]] == ["equal"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("fc_quant_spec", "FULLY_CONNECTED"),
        ("fc_output_with_a_scale", "FULLY_CONNECTED"),
        ("buffer_data_and_offset", "MUL"),
    ],
)
def test_a_file_counts_as_the_runtime_reads_it(name, code, tmp_path, monkeypatch):
    """Equal, or FAILED: the runtime's own outputs of the whole file decide."""
    status, out, _ = check(name, tmp_path, "xnnpack", "--json")
    found = parsed(out)
    apart = max(output["difference"] for output in found["outputs"])
    assert found["passed"] == (apart == 0) == (status == 0)
    scaled(monkeypatch, code, 1.001)
    status, out, _ = check(name, tmp_path, "xnnpack")
    assert status == 1 and "FAILED" in out and "Passed" not in out


def test_an_output_that_nothing_explains_fails(monkeypatch, tmp_path):
    """Each operator agrees when it is fed, and yet the whole gives another number."""
    right = interpreter.run

    def wrong(graph, *arguments, **options):
        outputs, trace = right(graph, *arguments, **options)
        whole = len(graph.operators) > 1
        return {name: y + f32(whole) for name, y in outputs.items()}, trace

    monkeypatch.setattr(interpreter, "run", wrong)
    status, out, _ = check("mean_cancels", tmp_path, "reference", x=centered())
    assert status == 1 and "FAILED: 2 of 2 operators agree" in out
    assert "Output 'c' differs" in out and "by 1 at most" in out and "Nothing explains" in out


def test_an_output_counts_once_and_a_difference_has_its_unit():
    status, out, _ = run("check", DRQ, "--input", "random", "--kernels", "xnnpack", "--json")
    found, model = parsed(out), drqsim.load(DRQ)
    taken = [row for row in found["operators"] if row["tensors"] == 1]
    assert len(taken) >= 11  # of what XNNPACK takes, nothing but the output can be read
    for row in taken:
        (index,) = model.operator(row["operator"]).outputs
        assert row["elements"] == np.prod(model.tensors[index].shape)
    (output,) = found["outputs"]
    assert status == 0 and output["elements"] == 10 and output["low"] < output["high"]
    x = np.random.default_rng(0).uniform(-1, 1, (1, 8, 8, 1)).astype(f32)
    compared = drqsim.litert.compare_model(DRQ, x, "xnnpack")
    assert output["difference"] == compared.difference


@pytest.mark.parametrize("kernels", KERNELS)
def test_weights_that_are_unpacked_are_judged_with_their_readers(kernels):
    file = MODELS / "digits_weight_only.tflite"
    status, out, _ = run("check", file, "--input", "random", "--kernels", kernels)
    count = len(drqsim.load(file).operators)
    assert status == 0 and f"Passed: {count} of {count} operators" in out


def test_the_exit_statuses_are_in_the_help():
    told = " ".join(run("check", "--help")[1].split())
    assert "1 where something differs (FAILED)" in told and "3 where nothing does" in told
