"""Everything that a user may do with a model, and what comes of it."""

import math
import time
import traceback
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from click.testing import CliRunner

import drqsim
from drqsim import report
from drqsim.cli.commands import drqsim as command
from drqsim.graph import Graph
from tests.kit import pace
from tests.kit.strategies import KERNELS

SECONDS = pace.seconds(5)  # for one use of a model, whatever is in it
MOST_VALUES = 2**20  # that are fed to an input; a larger one is fed nothing, and says so
LONGEST_SENTENCE = 1_000


class Finding(NamedTuple):
    """A use that ended in what has no name, or took too long."""

    use: str
    what: str
    where: str


def feeds(random: np.random.Generator, graph: Graph) -> dict[str, np.ndarray]:
    """Random values for every input."""
    fed = {}
    for at in graph.inputs:
        tensor = graph.tensors[at]
        shape = tensor.shape if math.prod(tensor.shape) <= MOST_VALUES else ()
        values = random.normal(0, 2, shape)
        with np.errstate(all="ignore"):
            fed[tensor.name] = np.asarray(values).astype(tensor.dtype)
    return fed


def _explain(graph: Graph, kernels: str) -> None:
    for processor in None, "arm64-dotprod":
        repr(drqsim.explain(graph, kernels, processor))


def uses(graph: Graph, fed: dict, first: Graph, report_too: bool) -> Iterator[tuple[str, Callable]]:
    """The name of each use, and what does it; ``first`` is the model that this one came from."""
    yield "repr", lambda: repr(graph)
    for kernels in KERNELS:
        yield f"explain {kernels}", lambda kernels=kernels: _explain(graph, kernels)
        for record in ("values", "shapes"):
            yield f"run {kernels}", lambda how=(kernels, record): _look(*_run(graph, fed, *how))
        yield f"plan {kernels}", lambda kernels=kernels: _plan(graph, kernels)
    yield "plan kept", lambda: drqsim.plan_memory(graph, threads=2, preserve_all_tensors=True)
    for per_channel in (True, False):
        yield "quantize", lambda rule=per_channel: _quantize(graph, fed, rule)
    yield "two processors", lambda: repr(drqsim.compare_processors(graph, fed))
    yield "written and read", lambda: _again(graph)
    yield "error", lambda: _error(first, graph, fed)
    yield "error turned", lambda: _error(graph, first, fed)
    if report_too:
        yield "report", lambda: _report(graph, fed, None)
        yield "report of two", lambda: _report(graph, fed, first)
    for op in graph.operators[:4]:
        yield "extract", lambda name=op.name: _alone(graph.extract(name))


def _run(graph: Graph, fed: dict, kernels: str, record: str):
    return drqsim.run(graph, fed, kernels, record)


def _look(outputs: dict, trace) -> None:
    repr(trace), trace._repr_html_()
    for record in list(trace)[:20]:
        repr(record)
        trace.op(record.op), trace[record.key]
        if record.tensor_index is not None:
            trace.tensor(record.tensor_index), trace.tensor(record.tensor_name)


def _plan(graph: Graph, kernels: str) -> None:
    plan = drqsim.plan_memory(graph, kernels)
    repr(plan), plan.rows(), plan.notes()


def _quantize(graph: Graph, fed: dict, per_channel: bool) -> None:
    made = drqsim.quantize(graph, per_channel=per_channel, min_elements=1)
    repr(drqsim.explain(made))
    drqsim.to_bytes(made)
    drqsim.run(made, fed)


def _again(graph: Graph) -> None:
    content = drqsim.to_bytes(graph)
    assert drqsim.to_bytes(drqsim.load(content)) == content


def _report(graph: Graph, fed: dict, first: Graph | None) -> None:
    made = report.make(graph, fed, first, end_to_end=False)
    report.as_html(made), report.as_markdown(made), report.plain.as_json(report.as_data(made))


def _error(floats: Graph, quantized: Graph, fed: dict) -> None:
    repr(drqsim.attribute_error(floats, quantized, fed, end_to_end=len(floats.operators) < 4))


def _alone(graph: Graph) -> None:
    drqsim.explain(graph)
    drqsim.run(graph, feeds(np.random.default_rng(0), graph))


COMMANDS = (
    ("inspect", "{}"),
    ("inspect", "{}", "--json"),
    ("explain", "{}"),
    ("trace", "{}", "--input", "random"),
    ("trace", "{}", "--input", "random", "--json"),
    ("memory", "{}", "--kernels", "xnnpack"),
    ("report", "{}", "-o", "{}.html", "--force"),
    ("report", "{}", "-o", "{}.json", "--format", "json", "--force"),
    ("quantize", "{}", "-o", "{}.q", "--force"),
    ("error", "{}", "{}", "--input", "random"),
)


def commands(path: str) -> Iterator[tuple[str, Callable]]:
    """The command line, on a file."""
    for words in COMMANDS:
        said = [word.format(path) for word in words]
        yield words[0], lambda said=said: _command(said)


def _command(words: list[str]) -> None:
    result = CliRunner().invoke(command, words, prog_name="drqsim")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.stderr
    if result.exit_code:
        assert result.stderr.count("\n") <= 2, result.stderr


def findings(all_uses) -> tuple[list[Finding], list[str]]:
    """What ended without a name or late, and the names of the uses that succeeded."""
    found, done = [], []
    for name, use in all_uses:
        begun = time.process_time()
        try:
            use()
            done.append(name)
        except drqsim.DrqsimError as error:
            if not 0 < len(str(error)) < LONGEST_SENTENCE:
                found.append(Finding(name, f"a sentence of {len(str(error))} letters", ""))
        except Exception as error:  # whatever it is: that is what is looked for
            found.append(Finding(name, f"{type(error).__name__}: {error}"[:200], _where(error)))
        taken = time.process_time() - begun
        if taken > SECONDS:
            found.append(Finding(name, f"{taken:.1f} s", ""))
    return found, done


def _where(error: Exception) -> str:
    """The last lines of drqsim on the way to the error."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/drqsim/" in f.filename] or frames
    return " < ".join(f"{f.filename.rpartition('/drqsim/')[2]}:{f.lineno}" for f in own[:-4:-1])
