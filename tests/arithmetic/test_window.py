"""Output sizes and padding of one axis, worked out by hand from ``tflite/kernels/padding.h``."""

import pytest

from drqsim.arithmetic.window import axis


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "out", "before", "after"),
    [
        (4, 3, 2, 1, 2, 0, 1),  # (2 - 1) * 2 + 3 - 4 = 1
        (5, 4, 1, 1, 5, 1, 2),  # (5 - 1) * 1 + 4 - 5 = 3
        (5, 3, 1, 2, 5, 2, 2),  # a tap every other pixel reaches over 5
    ],
)
def test_the_smaller_half_of_the_padding_is_in_front(
    size, kernel, stride, dilation, out, before, after
):
    assert axis(size, kernel, stride, dilation, "SAME")[3:] == (out, before, after)


def test_a_window_smaller_than_its_stride_needs_no_padding():
    assert axis(4, 1, 2, 1, "SAME")[3:] == (2, 0, 0)  # (2 - 1) * 2 + 1 - 4 = -1


@pytest.mark.parametrize(("size", "out"), [(2, 0), (3, 1), (4, 1), (5, 2)])
def test_without_padding_only_whole_windows_count(size, out):
    assert axis(size, 3, 2, 1, "VALID")[3:] == (out, 0, 0)
