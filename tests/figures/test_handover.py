"""Two operators and the tensor between them: every number of the picture is recorded."""

import numpy as np
import pytest

import drqsim
from drqsim import figures
from tests.kit.places import MODELS

FIRST, SECOND = "conv_2d_0", "conv_2d_1"


@pytest.fixture(scope="module")
def trace():
    model = drqsim.load(MODELS / "digits_drq_all_layers.tflite")
    image = np.load(MODELS / "digits_inputs.npz")["images"][:1]
    return drqsim.run(model, image, kernels="xnnpack")[1]


@pytest.mark.parametrize("pixel", [(0, 0), (5, 3), (7, 7), (0, 7)])
def test_the_numbers_of_a_pixel_add_up(trace, pixel):
    figure = figures.handover(trace, FIRST, SECOND, pixel, 7)
    first = {record.name: record.value for record in trace.op(FIRST)}
    lines = repr(figure).splitlines()
    listed, weights = lines[2].removeprefix("  codes ").split(", weights ")
    codes, weights = (np.array(part.split(), int) for part in (listed, weights))
    total = ((codes - first["input_zero_point"][0]) * weights).sum()
    assert total == first["accumulator"][(0, *pixel, 7)]
    assert f"int32 sum {total:,}, float32 output" in lines[3]
    handed_over = first["output"][(0, *pixel, 7)]
    assert lines[3].endswith(f" {handed_over:.4g}")
    code = trace[f"{SECOND}/input_quantized"].value[(0, *pixel, 7)]
    assert f"{SECOND}: code {code}, " in lines[4]
    for number in (total, trace[f"{SECOND}/accumulator"].value[(0, *pixel, 7)]):
        assert f"{number:,}".replace("-", "\u2212") in figure.body


def test_what_cannot_be_drawn_is_said(trace):
    with pytest.raises(
        drqsim.InputError, match=r"pixel is \(8, 0\) and channel 0; expected a pixel"
    ):
        figures.handover(trace, FIRST, SECOND, (8, 0))
    with pytest.raises(drqsim.InputError, match="channel 16; expected .* one of 16 channels"):
        figures.handover(trace, FIRST, SECOND, (0, 0), 16)
    with pytest.raises(drqsim.InputError, match="channel 20; expected .* one of 16 channels"):
        figures.handover(trace, SECOND, FIRST, (0, 0), 20)
    with pytest.raises(drqsim.InputError, match="fully_connected_0 has no .* pass a hybrid 3x3"):
        figures.handover(trace, FIRST, "fully_connected_0", (0, 0))
    with pytest.raises(drqsim.InputError, match="mean_0 has no "):
        figures.handover(trace, FIRST, "mean_0", (0, 0))
