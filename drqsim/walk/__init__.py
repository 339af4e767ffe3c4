"""The tensor walk: point at an output pixel and see the sum that made it, from codes to ReLU."""

from __future__ import annotations

from drqsim.errors import InputError
from drqsim.graph import Operator
from drqsim.trace import Trace
from drqsim.walk import page, text
from drqsim.walk.numbers import Layer
from drqsim.walk.recorded import read

__all__ = ["Walk"]


class Walk:
    """A quantized convolution that can be pointed at.

    As HTML it shows the layer's tensors as grids. Pointing at an output pixel (mouse, finger or
    keyboard) outlines the window it sees and writes out the sum behind it: every product of the
    input channel shown, the sums of all input channels, the zero-point correction, the scales, the
    bias and the activation. It needs no kernel, and without JavaScript the first pixel is there.
    As text it is the sum of that first pixel.

    Parameters
    ----------
    trace : Trace
        Of any kernel path; it holds the values.
    op : str or Operator, optional
        A CONV_2D with int8 weights; by default the first operator of the trace. The name is enough
        where the sizes leave one window (stride and padding) that gives the recorded sums; an
        ``Operator`` says what they are.
    pixel : (image, row, column), optional
        Whose sum is shown first; by default the middle of image 0.
    channel, input_channel : int
        Which output channel, and into which of the input channels it reads one looks first.
    caption : str
        Shown below.

    Raises
    ------
    InputError
        When the operator is no quantized convolution or too large to draw, when the trace has no
        values, or when pixel or channel do not exist.
    """

    def __init__(
        self,
        trace: Trace,
        op: str | Operator | None = None,
        pixel: tuple[int, int, int] | None = None,
        channel: int = 0,
        input_channel: int = 0,
        caption: str = "",
    ):
        image = pixel[0] if pixel else 0
        self.layer: Layer = read(trace, op, image)
        height, width, channels = self.layer.output.shape
        _, row, column = pixel or (0, height // 2, width // 2)
        for what, at, count in (
            ("row", row, height),
            ("column", column, width),
            ("channel", channel, channels),
            ("input_channel", input_channel, self.layer.w.shape[3]),
        ):
            if not 0 <= at < count:
                raise InputError(f"{what} is {at}; expected 0 to {count - 1}.")
        self.start = row, column, channel, input_channel
        self.caption = caption

    def sum_of(self, row: int, column: int, channel: int, input_channel: int = 0) -> str:
        """The sum behind one output number, line by line."""
        numbers = self.layer.numbers((row, column, channel, input_channel))
        return text.written_out(self.layer, numbers)

    def __repr__(self) -> str:
        return self.sum_of(*self.start)

    def _repr_html_(self) -> str:
        return page.html(self.layer, self.start, self.caption)
