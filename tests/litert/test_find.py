"""What lies in the memory of a process that has run a model, and what does not."""

import io
import os
import signal
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drqsim
from drqsim import litert, processor
from drqsim.runtime import child, peek
from tests.kit.places import CASES, MODELS
from tests.kit.strategies import KERNELS

f32 = np.float32
ELSEWHERE = sys.platform != "linux"
pytestmark = pytest.mark.skipif(ELSEWHERE, reason="reads /proc, which only Linux has")


@st.composite
def layers(draw):
    """A layer with enough of everything to be found, of which nothing is found by chance."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups = draw(st.sampled_from((1, 1, 2)))
    depth, out = draw(st.integers(3, 20)), groups * draw(st.integers(8, 40))
    kernel = draw(st.sampled_from(((3, 3), (2, 3), (5, 1))))
    weights = random.integers(-127, 128, (out, *kernel, depth), dtype=np.int8)
    graph = drqsim.conv_relu(
        weights,
        random.normal(size=out).astype(f32),
        input_shape=(draw(st.integers(1, 2)), 6, draw(st.integers(5, 8)), depth * groups),
        stride=draw(st.sampled_from((1, 2))),
        padding=draw(st.sampled_from(("SAME", "VALID"))),
        filter_scale=random.uniform(1e-3, 1e-1, out).astype(f32),
    )
    return graph, random.normal(size=graph.tensors[0].shape).astype(f32)


@pytest.mark.parametrize("kernels", KERNELS)
@settings(max_examples=settings().max_examples // 40 + 1)  # each starts a process
@given(case=layers())
def test_random_layers(kernels, case):
    graph, x = case
    patterns = litert.layer_patterns(graph, x, kernels=kernels)
    found = litert.find_in_memory(graph, x, patterns, kernels)
    delegated = kernels == "xnnpack"
    unsigned = delegated and processor.native().uint8_codes
    groups = x.shape[-1] // graph.tensors[1].shape[-1]
    assert (found["codes, as uint8"] > 0) == unsigned
    assert (found["codes, as int8"] > 0) == (not unsigned)
    assert (found.of("packed weights") > 0) == delegated
    assert (found.of("negated row sums") > 0) == delegated
    # the kernel for groups is the reference one, which has neither
    assert (found.of("row sums") > 0) == (kernels == "optimized" and groups == 1)
    assert (found["accumulator, raw"] > 0) == (kernels == "optimized" and groups == 1)
    assert not found["accumulator, corrected"]
    assert found.of("float filter") == 0
    assert not any(row.given for row in found)


@pytest.mark.parametrize("kernels", KERNELS)
def test_a_float_copy_is_found_where_there_is_one(kernels):
    """The same filter as floats: then each way of looking for them has its find."""
    random = np.random.default_rng(1)
    filter = random.integers(-127, 128, (16, 3, 3, 8), dtype=np.int8)
    scale = random.uniform(1e-3, 1e-1, 16).astype(f32)
    x = random.normal(size=(1, 6, 6, 8)).astype(f32)
    hybrid = drqsim.conv_relu(filter, input_shape=x.shape, filter_scale=scale)
    patterns = litert.layer_patterns(hybrid, x)
    layer = drqsim.conv_relu(filter * scale[:, None, None, None], input_shape=x.shape)
    found = litert.find_in_memory(layer, x, patterns, kernels)
    assert found["float filter, scaled, along inputs"] and not found.of("codes")
    packed = found["float filter, scaled, along outputs"]
    assert (packed or kernels != "xnnpack") and not found.of("packed weights")
    assert [row.name for row in found if row.given] == ["float filter, scaled, along inputs"]


def test_the_output_is_found_and_what_nobody_made_is_not():
    random = np.random.default_rng(2)
    graph = drqsim.conv_relu(random.normal(size=(8, 3, 3, 4)).astype(f32), input_shape=(1, 6, 6, 4))
    x = random.normal(size=(1, 6, 6, 4)).astype(f32)
    drq = drqsim.quantize(graph, min_elements=0)
    for kernels in KERNELS:
        (y,) = drqsim.run(drq, x, kernels, processor="native")[0].values()
        other = y.copy()
        other.flat[-1] += 1
        patterns = {"y": y, "x": x, "other": other, "both": [y, other]}
        found = litert.find_in_memory(drq, x, patterns, kernels)
        assert [row.times > 0 for row in found] == [True, True, False, False]
        assert [row.given for row in found] == [False, True, False, False]
        assert "other" in repr(found) and "not found" in repr(found)
        with pytest.raises(drqsim.InputError, match=r"no pattern 'z' among \['y', 'x'"):
            found["z"]
        with pytest.raises(drqsim.InputError, match="no group 'z'"):
            found.of("z")


@given(
    st.binary(min_size=20, max_size=300),
    st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=4),
    st.integers(1, 40),
)
def test_every_place_is_found_once_however_the_memory_is_cut(content, patterns, at_once):
    content = bytes(each % 3 for each in content)
    wanted = {str(at): bytes(each % 3 for each in p) for at, p in enumerate(patterns)}
    middle = len(content) // 2
    areas = [peek.Area(0, middle, "heap"), peek.Area(middle, len(content), "stack")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peek, "AT_ONCE", at_once)
        found = peek.search_in(io.BytesIO(content), areas, wanted)
    for name, pattern in wanted.items():
        assert found[name] == [
            (at, area.kind)
            for area in areas
            for at in range(area.begin, area.end - len(pattern) + 1)
            if content[at : at + len(pattern)] == pattern
        ]


@pytest.mark.parametrize(
    "patterns, said",
    [
        ({}, "There is no pattern"),
        ([1, 2], "is a dict of arrays, or of lists of arrays, by name"),
        ({1: np.arange(16)}, "is a dict of arrays, or of lists of arrays, by name"),
        ({"p": [[[1], [1, 2]]]}, "A pattern is no array"),
        ({"p": []}, r"'p' has an array float64\[0\] that would be found by chance"),
        ({"p": np.arange(15, dtype=np.int8)}, r"int8\[15\] that would be found by chance"),
        ({"p": [np.arange(16, dtype=np.int8), np.zeros(99)]}, r"float64\[99\] that would"),
        ({"p": np.array([None] * 9)}, "by chance"),
        ({"p": [np.arange(2**22)] * 5}, "5 arrays with 167,772,160 bytes; at most"),
    ],
)
def test_patterns_that_prove_nothing_are_refused(patterns, said):
    with pytest.raises(drqsim.InputError, match=said):
        litert.find_in_memory(CASES / "pad.tflite", np.zeros(1, f32), patterns)


LAYER = drqsim.conv_relu(
    np.random.default_rng(3).normal(size=(8, 2, 2, 8)).astype(f32), input_shape=(1, 4, 4, 8)
)
X = np.random.default_rng(4).normal(size=(1, 4, 4, 8)).astype(f32)


def test_what_forbids_or_ends_a_search_is_a_sentence(monkeypatch):
    def search():
        return litert.find_in_memory(LAYER, X, {"x": X})

    assert search()["x"]
    with monkeypatch.context() as patch:
        patch.setattr(peek, "MOST_SECONDS", -1.0)
        with pytest.raises(drqsim.DrqsimError, match="^The search took longer than -1 seconds"):
            search()
        patch.undo()
        patch.setattr(peek, "MOST_BYTES", 2**20)
        with pytest.raises(drqsim.DrqsimError, match="bytes, and at most 1,048,576 are searched"):
            search()
        patch.undo()
        patch.setattr(sys, "platform", "darwin")
        with pytest.raises(drqsim.DrqsimError, match="which only Linux has; this is darwin.$"):
            search()

    def forbidden(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    def gone(*arguments, **options):
        raise ProcessLookupError(3, "No such process")

    with monkeypatch.context() as patch:
        patch.setattr(peek, "open", gone, raising=False)
        with pytest.raises(drqsim.DrqsimError, match="^The process ended before all its memory"):
            search()
    monkeypatch.setattr(peek, "open", forbidden, raising=False)
    with pytest.raises(drqsim.DrqsimError, match=r"read here \(Permission denied\): the system"):
        search()


def test_a_process_that_crashes_is_a_sentence_and_none_is_left(monkeypatch):
    started, start = [], child._start

    def counted():
        started.append(start())
        return started[-1]

    monkeypatch.setattr(child, "_start", counted)
    assert litert.find_in_memory(LAYER, X, {"x": X})["x"]
    with pytest.raises(drqsim.ModelFileError, match="^The runtime (crashed on|refuses) this model"):
        litert.find_in_memory(CASES / "segv_1031.tflite", np.zeros(6, np.int32), {"x": X})

    def stopped():
        process = counted()
        os.kill(process.pid, signal.SIGSTOP)
        return process

    monkeypatch.setattr(child, "_start", stopped)
    monkeypatch.setattr("drqsim.limits.ANSWER_SECONDS", 0.5)
    with pytest.raises(drqsim.ModelFileError, match="longer than 0.5 seconds"):
        litert.find_in_memory(LAYER, X, {"x": X})
    assert len(started) == 3 and all(process.returncode is not None for process in started)


def test_the_layer_is_named_where_there_are_several():
    digits = drqsim.load(MODELS / "digits_drq.tflite")
    image = np.random.default_rng(5).uniform(size=(1, 8, 8, 1)).astype(f32)
    with pytest.raises(drqsim.InputError, match=r"^op is None; .*: conv_2d_1, conv_2d_2"):
        litert.layer_patterns(digits, image)
    with pytest.raises(drqsim.InputError, match="^op is 'softmax_0'; expected the name of one"):
        litert.layer_patterns(digits, image, "softmax_0")
    with pytest.raises(drqsim.InputError, match="this model has none"):
        litert.layer_patterns(LAYER, X)
    patterns = litert.layer_patterns(digits, image, "conv_2d_1")
    assert litert.find_in_memory(digits, image, patterns).of("packed weights")


def test_a_large_layer():
    random = np.random.default_rng(7)
    weights = random.integers(-127, 128, (512, 2, 2, 512), dtype=np.int8)
    scale = random.uniform(1e-3, 1e-1, 512).astype(f32)
    layer = drqsim.conv_relu(weights, input_shape=(1, 3, 3, 512), filter_scale=scale)
    x = random.normal(size=(1, 3, 3, 512)).astype(f32)
    patterns = litert.layer_patterns(layer, x)
    assert max(len(v) for v in patterns.values() if isinstance(v, list)) < 32
    found = litert.find_in_memory(layer, x, patterns)
    assert found.of("packed weights") and not found.of("float filter")


def test_packed_by_hand():
    """XNNPACK's loops, one weight after the other (``xnn_pack_qs8_conv_goki_w``)."""
    random = np.random.default_rng(6)
    for _ in range(50):
        nr, kr, sr = random.choice([4, 8]), random.choice([1, 2, 8]), random.choice([1, 2, 4])
        many, taps, deep = random.integers(1, 20), random.integers(1, 4), random.integers(1, 20)
        filter = random.integers(-127, 128, (many, taps, deep), dtype=np.int8)
        blocks = litert.packed(filter, nr, kr, sr)
        skr = sr * kr
        assert len(blocks) == -(-many // nr)
        for at, block in enumerate(blocks):
            own = filter[at * nr : at * nr + nr].sum((1, 2), dtype=np.int32)
            assert block[: 4 * nr].view(np.int32).tolist() == [*-own, *[0] * (nr - len(own))]
            expected = []
            for tap in range(taps):
                for group in range(0, -(-deep // skr) * skr, kr):
                    for output in range(nr):
                        first = group // skr * skr + ((group + output * kr) & (skr - 1))
                        for k in range(first, first + kr):
                            inside = at * nr + output < many and k < deep
                            expected.append(filter[at * nr + output, tap, k] if inside else 0)
            assert block[4 * nr :].tolist() == expected
