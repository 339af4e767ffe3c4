"""How every result prints: aligned text, and HTML that escapes whatever a file's names hold."""

import numpy as np
import pytest

import drqsim
from drqsim import tables
from drqsim.tables import Printed, Printout, Table

EVIL = "<script>&'\""
ESCAPED = "&lt;script&gt;&amp;&#x27;&quot;"


class Result(Printed):
    def __init__(self, *printed, **more):
        self.printed = Printout(*printed, **more)

    def _printed(self):
        return self.printed


def test_text_is_aligned_and_says_everything_once_in_order():
    first = Table(("name", "bytes"), [("a", "1,024"), ("longer", "7")], right=(1,), title="Title")
    second = Table(("only",), [("x",)])
    assert repr(Result([first, second], ["a note"], ["a hazard"])) == (
        "Title\nname    bytes\na       1,024\nlonger      7\n\nonly\nx\na note\na hazard"
    )


def test_html_escapes_and_says_the_same():
    kinds = [f'int8"{EVIL}']
    table = Table(("type",), [(EVIL,)], kinds=kinds, title=EVIL)
    markup = Result([table], [EVIL], [EVIL])._repr_html_()
    assert markup.count("<table") == 2 and markup.count("<p>") == 2
    assert EVIL not in markup and "<script" not in markup
    assert f"<p>{ESCAPED}</p>" in markup and f'class="drq-badge drq-int8&quot;{ESCAPED}"' in markup
    assert markup.endswith(tables.html_table(("beware",), [(EVIL,)]))


def test_without_hazards_there_is_no_table_of_them():
    assert "beware" not in Result([Table(("a",), [("b",)])])._repr_html_()


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((4, 3, 3, 32)).astype(np.float32)
    layer = drqsim.conv_relu(weights, np.zeros(4, np.float32), input_shape=(1, 5, 5, 32))
    return layer, drqsim.quantize(layer)


def results(layer, drq):
    x = np.zeros((1, 5, 5, 32), np.float32)
    yield drqsim.run(drq, x)[1]
    yield drqsim.explain(drq)
    yield drqsim.plan_memory(drq)
    yield drqsim.attribute_error(layer, drq, x)
    yield drqsim.compare_schemes(layer, x)
    yield drqsim.litert.compare(drq, x)
    yield drqsim.litert.compare_model(drq, x)
    yield drqsim.litert.compare_memory(drq)


def test_every_result_prints_its_first_row_both_ways(model):
    for result in results(*model):
        assert isinstance(result, Printed)
        name = result._printed().tables[0].rows[0][0]
        assert name in repr(result) and f">{name}</td>" in result._repr_html_()


def test_a_plan_keeps_the_hazards_of_the_trace_that_it_annotates(model):
    _, trace = drqsim.run(model[1], np.zeros((1, 5, 5, 32), np.float32))
    annotated = drqsim.plan_memory(model[1]).annotate(trace)
    assert trace.hazards and annotated.hazards == trace.hazards
