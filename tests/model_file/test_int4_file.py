"""How the file packs int4 weights, and what of it is refused."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drqsim
from drqsim import litert
from drqsim.model_file import write
from drqsim.model_file.tensors import unpacked
from tests.kit.one_operator import one_operator
from tests.kit.places import MODELS
from tests.kit.strategies import (
    int4_tensor,
)

f32 = np.float32


# the file


def test_how_values_are_packed():
    assert unpacked(np.array([0x21, 0xF8, 0x07], np.uint8), 5).tolist() == [1, 2, -8, -1, 7]


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 40))
def test_what_is_written_reads_back_and_is_what_the_runtime_sees(seed, count):
    weights = int4_tensor(np.random.default_rng(seed), (count,), None)
    content = write.to_bytes(one_operator("DEQUANTIZE", [weights], [(count,)]))
    again = drqsim.load(content).tensors[0]
    assert (str(again), again.nbytes) == (f"int4[{count}]", (count + 1) // 2)
    assert np.array_equal(again.value, weights.value)
    assert not again.value.flags.writeable
    seen = litert.run(content, {}).tensors[0].value
    assert np.array_equal(seen, weights.value)


@pytest.mark.parametrize(("stored", "claimed"), [(8, 10), (8, 6), (7, 9), (7, 6)])
def test_a_buffer_of_the_wrong_size_is_named(stored, claimed):
    weights = int4_tensor(np.random.default_rng(0), (stored,), None)
    content = write.to_bytes(one_operator("DEQUANTIZE", [weights], [(99,)]))
    one_dimension = struct.pack("<2i", 1, stored)
    assert content.count(one_dimension) == 1
    content = content.replace(one_dimension, struct.pack("<2i", 1, claimed))
    says = rf"int4\[{claimed}\], {(claimed + 1) // 2} bytes, but its buffer has {(stored + 1) // 2}"
    with pytest.raises(drqsim.ModelFileError, match=says):
        drqsim.load(content)


@pytest.mark.parametrize(("number", "kind"), [(1, "custom"), (2, "blockwise"), (3, "multi-axis")])
def test_scales_that_are_not_read_are_named(monkeypatch, number, kind):
    import tflite

    monkeypatch.setattr(tflite.QuantizationParameters, "DetailsType", lambda self: number)
    with pytest.raises(drqsim.UnsupportedOperatorError, match=f"has {kind} quantization"):
        drqsim.load(MODELS / "digits_int4.tflite")
