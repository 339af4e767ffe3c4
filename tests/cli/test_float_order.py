"""``--float-order``: how float layers add up, and what is said where BLAS does it unasked."""

import numpy as np
import pytest

import drqsim
from drqsim.ops import float_products
from tests.kit.command import refused, run
from tests.kit.one_operator import one_operator

SAID = "with --float-order exact the sums"


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A float dense layer that counts as large."""
    monkeypatch.setattr(float_products, "EXACT_PRODUCTS", 100)
    random = np.random.default_rng(1)
    weights, bias = (random.normal(size=shape).astype(np.float32) for shape in ((8, 300), (8,)))
    layer = one_operator("FULLY_CONNECTED", [(2, 300), weights, bias], [(2, 8)])
    drqsim.save(layer, tmp_path / "model.tflite")
    return tmp_path / "model.tflite"


def test_a_trace_says_where_blas_adds_up_and_how_to_have_it_otherwise(model, tmp_path):
    sums = {}
    for order in (None, "exact", "blas"):
        saved = tmp_path / f"{order}.npz"
        chosen = [] if order is None else ["--float-order", order]
        status, out, _ = run("trace", model, "--input", "random", "--save", saved, *chosen)
        assert status == 0
        assert (SAID in " ".join(out.split())) == (order is None)
        sums[order] = np.load(saved)["fully_connected_0/output"]
    assert np.array_equal(sums[None], sums["blas"])
    assert not np.array_equal(sums["exact"], sums["blas"])


def test_a_report_takes_it_too(model, tmp_path):
    for chosen in ((), ("--float-order", "exact")):
        page = tmp_path / f"{len(chosen)}.md"
        assert run("report", model, "-o", page, "--format", "md", *chosen)[0] == 0
        assert page.read_text(encoding="utf-8").count("BLAS") == (not chosen)


def test_another_order_is_refused(model):
    said = refused(2, "trace", model, "--input", "random", "--float-order", "kernel")
    assert "--float-order" in said and "exact" in said and "blas" in said
