"""Refusals in the words of the command line, and by the operator that is to blame."""

from tests.kit.command import refused
from tests.kit.places import CASES

NMS = CASES / "nms_float.tflite", CASES / "nms_drq.tflite"
MASK = ["check", CASES / "mask_inf_drq.tflite", "--input", CASES / "mask_in.npz"]


def test_an_error_without_parts_names_the_option():
    said = refused(1, "error", *NMS, "--input", "random")
    assert "--no-end-to-end" in said and "non_max_suppression_v4_0" in said
    said = refused(1, "error", *NMS, "--input", "random", "--no-end-to-end")
    assert "NON_MAX_SUPPRESSION_V4" in said


def test_zero_times_an_infinite_mask_is_named_with_its_operator():
    said = refused(1, *MASK, "--kernels", "xnnpack")
    assert "The first NaN comes from mul_0." in said
    assert "--allow-nonfinite" in said and "allow_nonfinite" not in said
    said = refused(1, *MASK, "--kernels", "xnnpack", "--allow-nonfinite")
    assert "Pass --kernels optimized" in said
