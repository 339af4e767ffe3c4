"""The runtime has kernels for some versions of an operator; a file with another one is refused."""

from dataclasses import replace

import numpy as np
import pytest

import drqsim
from drqsim import litert
from drqsim.ops import TABLE, versions
from tests.kit.one_operator import one_operator
from tests.kit.pool import layers

LAYERS = {graph.operators[0].code: graph for graph in layers() if len(graph.operators) == 1}
BUILTIN = {"reference": versions.NEWEST_REFERENCE, "optimized": versions.NEWEST}


def with_version(graph, version):
    (op,) = graph.operators
    return replace(graph, operators=(replace(op, version=version),))


def is_found(graph, kernels) -> bool:
    """Whether the runtime has a kernel, whatever that says to the model."""
    try:
        litert.read_memory(graph, kernels)
    except drqsim.DrqsimError as error:
        return "Didn't find op" not in str(error)
    return True


def test_every_operator_of_the_table_has_a_newest_version():
    assert set(versions.NEWEST) == set(versions.NEWEST_REFERENCE) == set(TABLE) == set(LAYERS)


@pytest.mark.parametrize("kernels", BUILTIN)
@pytest.mark.parametrize("code", sorted(TABLE))
def test_the_newest_version_is_the_runtime_s(code, kernels):
    newest = BUILTIN[kernels][code]
    assert is_found(with_version(LAYERS[code], max(newest, 1)), kernels) == (newest > 0)
    for other in (0, newest + 1):
        graph = with_version(LAYERS[code], other)
        assert not is_found(graph, kernels)
        assert versions.unknown_version(graph.operators[0], kernels)


@pytest.mark.parametrize("kernels", ("reference", "optimized", "xnnpack"))
def test_a_version_without_a_kernel_is_told_and_refused_in_the_runtime_s_words(kernels):
    x = np.ones((1, 2), np.float32)
    graph = with_version(one_operator("RELU", [x.shape], [x.shape]), 9)
    said = "Didn't find op for builtin opcode 'RELU' version '9'"
    with pytest.raises(drqsim.ModelFileError, match=said):
        litert.run(graph, x, kernels)
    with pytest.raises(drqsim.ModelFileError, match=f"know versions 1 to 3: {said}"):
        drqsim.run(graph, x, kernels)
    assert said in drqsim.explain(graph, kernels).verdicts[0].why
    assert drqsim.load(drqsim.to_bytes(graph)).operators[0].version == 9
