"""One output number of a convolution taken apart: its window, products, sum and float steps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from drqsim.arithmetic.window import Axis
from drqsim.trace import TensorRecord

Pixel = tuple[int, int, int, int]  # row, column, output channel, input channel


@dataclass(frozen=True)
class Numbers:
    """What makes one output number, in the order of the computation.

    The patterns of ``text.py`` and ``walk.js`` call these by their names.

    Attributes
    ----------
    row, column, channel : int
        The output number's place.
    k, first : int
        The input channel shown, and the first one that this output channel reads.
    x, q, w, products : lists
        An item for each tap, for the input channel shown: the float32 input, its 8-bit code, the
        int8 weight, and code times weight.
    parts : list of int
        The sum of products of each input channel that is read.
    part, raw : int
        That of the input channel shown, and the sum of all.
    zero_point, row_sum, correction : int
        Of the input; the sum of the output channel's weights; the product of both.
    accumulator : int
        ``raw`` - ``correction``.
    scale, filter_scale, factor : float32
        Of the input, of the output channel, and the first product with them (see ``Layer.order``).
    dequantized, bias, pre_activation, output : float32
    """

    row: int
    column: int
    channel: int
    k: int
    first: int
    x: list[np.float32]
    q: list[int]
    w: list[int]
    products: list[int]
    parts: list[int]
    part: int
    raw: int
    zero_point: int
    row_sum: int
    correction: int
    accumulator: int
    scale: np.float32
    filter_scale: np.float32
    factor: np.float32
    dequantized: np.float32
    bias: np.float32
    pre_activation: np.float32
    output: np.float32


@dataclass(frozen=True)
class Layer:
    """What a trace says of one quantized convolution, for one image.

    Attributes
    ----------
    op, kernels, activation : str
        The operator's name, the kernel path, the fused activation.
    order : str
        How the kernel multiplies by the scales: one of the keys of ``recorded.FACTORS``.
    records : dict
        The operator's records by name.
    rows, cols : Axis
        Where the window reads.
    x, q : float32 and int8 (or uint8) arrays [height, width, channels]
        The input and its codes.
    w : int8 array [out, kernel_h, kernel_w, depth]
    scale, zero_point : arrays [1], or [height * width] where each pixel has its own
    filter_scale, bias, row_sums : arrays [out]
    raw, accumulator : int arrays [out_h, out_w, out]
        Sums of code times weight before and after the zero-point correction.
    factor : float32 array [out] or [out_h, out_w, out]
        The first product on the way from ``accumulator`` to ``dequantized``, see ``order``.
    dequantized, pre_activation, output : float32 arrays [out_h, out_w, out]
    """

    op: str
    kernels: str
    activation: str
    order: str
    records: dict[str, TensorRecord]
    rows: Axis
    cols: Axis
    x: np.ndarray
    q: np.ndarray
    w: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray
    filter_scale: np.ndarray
    bias: np.ndarray
    row_sums: np.ndarray
    raw: np.ndarray
    accumulator: np.ndarray
    factor: np.ndarray
    dequantized: np.ndarray
    pre_activation: np.ndarray
    output: np.ndarray

    @property
    def groups(self) -> int:
        return self.x.shape[2] // self.w.shape[3]

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width of the input with its padding."""
        height, width, _ = self.x.shape
        r, c = self.rows, self.cols
        return height + r.before + r.after, width + c.before + c.after

    @property
    def symmetric(self) -> bool:
        """True where the kernel path has no zero point."""
        return "input_zero_point" not in self.records

    @property
    def terms(self) -> int:
        """How many products one sum has."""
        return self.w[0].size

    def first_channel(self, channel: int) -> int:
        """The first input channel that an output channel reads: not 0 in later groups."""
        depth = self.w.shape[3]
        return channel // (len(self.w) // self.groups) * depth

    def window(self, row: int, column: int) -> list[tuple[int, int]]:
        """Where each tap reads in the input; outside of it lies the padding."""
        tops, lefts = (
            [at * a.stride - a.before + tap * a.dilation for tap in range(a.kernel)]
            for at, a in ((row, self.rows), (column, self.cols))
        )
        return list(product(tops, lefts))

    def inside(self, row: int, column: int) -> bool:
        """True for a pixel of the input, False for the padding."""
        return 0 <= row < self.x.shape[0] and 0 <= column < self.x.shape[1]

    def numbers(self, pixel: Pixel) -> Numbers:
        """Everything that makes one output number; a tap outside the input reads the padding."""
        row, column, channel, k = pixel
        at = row, column, channel
        per_pixel = self.zero_point.size > 1
        own = row * self.output.shape[1] + column if per_pixel else 0
        zero_point = int(self.zero_point[own])
        first = self.first_channel(channel)
        depth = self.w.shape[3]
        taps = self.w[channel].reshape(-1, depth).astype(int)
        codes = np.full(taps.shape, zero_point)
        x = np.zeros(len(taps), np.float32)
        for tap, place in enumerate(self.window(row, column)):
            if self.inside(*place):
                codes[tap] = self.q[place][first : first + depth]
                x[tap] = self.x[place][first + k]
        parts = (codes * taps).sum(axis=0)
        raw, row_sum = int(parts.sum()), int(self.row_sums[channel])
        return Numbers(
            row=row,
            column=column,
            channel=channel,
            k=first + k,
            first=first,
            x=list(x),
            q=codes[:, k].tolist(),
            w=taps[:, k].tolist(),
            products=(codes * taps)[:, k].tolist(),
            parts=parts.tolist(),
            part=int(parts[k]),
            raw=raw,
            zero_point=zero_point,
            row_sum=row_sum,
            correction=zero_point * row_sum,
            accumulator=raw - zero_point * row_sum,
            scale=self.scale[own],
            filter_scale=self.filter_scale[channel],
            factor=self.factor[channel if self.factor.ndim == 1 else at],
            dequantized=self.dequantized[at],
            bias=self.bias[channel],
            pre_activation=self.pre_activation[at],
            output=self.output[at],
        )
