"""A quantized convolution as a trace holds it: its values, and the window that makes its sums."""

from __future__ import annotations

import numpy as np

from drqsim import accumulate, processor
from drqsim.arithmetic.floats import flush_denormals
from drqsim.arithmetic.window import Axis, axis, pad, patches
from drqsim.errors import InputError
from drqsim.figures.flow import ACTIVATIONS, activation_seen
from drqsim.graph import Operator
from drqsim.ops import conv_2d, xnnpack
from drqsim.trace import TensorRecord, Trace
from drqsim.walk.numbers import Layer

# what one page can hold and a reader can overlook
MOST_PIXELS = 256  # of the input, and of the output: each is a cell that is drawn
MOST_TAPS = 49  # of the filter
MOST_DEPTH = 64  # input channels that one output reads: each is a number that is written
MOST_VALUES = 100_000  # of all tensors together

# the product that a kernel makes first on the way back to float
FACTORS = {
    "scales together": lambda acc, filter_scale, scale: _product(filter_scale, scale),
    "filter scale first": lambda acc, filter_scale, scale: acc * filter_scale,
    "input scale first": lambda acc, filter_scale, scale: flush_denormals(acc * scale),
}


def _product(filter_scale: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Of both scales: one for every channel, and for every pixel that has its own."""
    return filter_scale * scale if scale.size > 1 else (filter_scale * scale).reshape(-1)


def read(trace: Trace, op: str | Operator | None, image: int) -> Layer:
    """Gather one image's values; the sums of products must be the recorded accumulator.

    Raises
    ------
    InputError
        When the operator is no quantized convolution, is too large, or kept no values.
    """
    name = getattr(op, "name", op) or next(iter(trace)).op
    records = {record.name: record for record in trace.op(name)}
    values = _checked(name, records, image)
    batch = len(values["input"])

    def of_image(key):
        """This image's values: the first dimension is the image, or counts its pixels."""
        return values[key].reshape(batch, -1)[image]

    accumulator, output = values["accumulator"][image], values["output"][image]
    q, w, scale = values["input_quantized"][image], values["filter"], of_image("input_scale")
    zero_point = np.zeros(1, np.int32)
    if "input_zero_point" in values:
        zero_point = of_image("input_zero_point")
    row_sums = w.reshape(len(w), -1).sum(axis=1, dtype=np.int32)
    row_sums = values.get("filter_row_sums", row_sums)
    corrections = zero_point.reshape(-1, 1) * row_sums
    if len(corrections) > 1:  # one for each pixel
        corrections = corrections.reshape(output.shape)
    rows, cols = _window(name, op, q, w, zero_point, accumulator + corrections)
    order = _order(trace, records, (rows.stride, cols.stride))
    filter_scale = np.broadcast_to(values["filter_scale"], len(w))
    scales = scale.reshape(*output.shape[:2], 1) if scale.size > 1 else scale
    return Layer(
        op=name,
        kernels=trace.kernels,
        activation=_activation(op, values),
        order=order,
        records=records,
        rows=rows,
        cols=cols,
        x=values["input"][image],
        q=q,
        w=w,
        scale=scale,
        zero_point=zero_point,
        filter_scale=filter_scale,
        bias=values["bias"],
        row_sums=row_sums,
        raw=accumulator + corrections,
        accumulator=accumulator,
        factor=FACTORS[order](accumulator.astype(np.float32), filter_scale, scales),
        dequantized=values["dequantized"][image],
        pre_activation=values["pre_activation"][image],
        output=output,
    )


def _checked(name: str, records: dict[str, TensorRecord], image: int) -> dict[str, np.ndarray]:
    """The values by name, if the walk can show them."""
    if not name.startswith("conv_2d_") or "accumulator" not in records:
        raise InputError(
            f"{name} is not a convolution with int8 weights in this trace; the walk shows a "
            "quantized CONV_2D."
        )
    values = {key: record.value for key, record in records.items()}
    if any(value is None for value in values.values()):
        raise InputError(f"the trace has no values of {name}; run with record='values'.")
    batch = len(values["input"])
    if not 0 <= image < batch:
        raise InputError(f"image {image} does not exist: the input has {batch}.")
    _check_size(name, values)
    return values


def _window(name: str, op, q, w, zero_point: np.ndarray, raw: np.ndarray) -> tuple[Axis, Axis]:
    """Where the window reads, so that the sums of code times weight are ``raw``."""
    for rows, cols in _geometries(op, q.shape, w.shape, raw.shape):
        if np.array_equal(_sums(q, w, rows, cols, zero_point), raw):
            return rows, cols
    raise InputError(
        f"no window over the input of {name} gives the recorded accumulator; pass the "
        "operator itself, graph.operator(name), which knows stride, dilation and padding."
    )


def _order(trace: Trace, records: dict[str, TensorRecord], strides: tuple[int, int]) -> str:
    """Which of ``FACTORS`` the kernel takes."""
    filters, channels = records["filter"].shape, records["input"].shape[3]
    if records["input_scale"].stored == "delegate":
        followed, made = processor.of(trace.processor), records["output"].shape
        own = conv_2d.kernel_in_xnnpack(followed, filters, strides, channels, made)
        return "input scale first" if own.rescale is xnnpack.fused else "scales together"
    groups = conv_2d.groups_of(filters, channels)
    kernel = conv_2d.kernel_of(records["filter_scale"].value, groups, trace.kernels)
    first = kernel.rescale is conv_2d.filter_scale_first
    return "filter scale first" if first else "scales together"


def _check_size(name: str, values: dict[str, np.ndarray]) -> None:
    x, w, y = values["input"], values["filter"], values["output"]
    total = 2 * x[0].size + w.size + 5 * y[0].size
    for what, size, most in (
        ("input pixels", x[0, ..., 0].size, MOST_PIXELS),
        ("output pixels", y[0, ..., 0].size, MOST_PIXELS),
        ("taps", w[0, ..., 0].size, MOST_TAPS),
        ("channels in a sum", w.shape[3], MOST_DEPTH),
        ("values to embed", total, MOST_VALUES),
    ):
        if size > most:
            raise InputError(
                f"{name} has {size:,} {what}; the walk draws at most {most:,}. Pass a trace of a "
                "smaller layer or a smaller input."
            )
    floats = ("input", "dequantized", "pre_activation", "output")
    if not all(np.isfinite(values[key]).all() for key in floats):
        raise InputError(f"{name} has infinite values or NaN, which the walk cannot embed.")


def _activation(op: str | Operator | None, values: dict[str, np.ndarray]) -> str:
    """The fused activation: told by the operator, or seen in the values."""
    if isinstance(op, Operator):
        told = op.options["fused_activation_function"]
        return told if told in ACTIVATIONS else "NONE"
    seen = activation_seen(values["pre_activation"], values["output"])
    return seen if seen in ACTIVATIONS else "NONE"


def _geometries(op, x: tuple[int, ...], w: tuple[int, ...], y: tuple[int, ...]):
    """The window that the operator says, or all whose output has the right size."""
    if isinstance(op, Operator):
        get = op.options.get
        strides = get("stride_h", 1), get("stride_w", 1)
        dilations = get("dilation_h_factor", 1), get("dilation_w_factor", 1)
        options = [(strides, dilations, get("padding", "SAME"))]
    else:
        options = [
            ((tall, wide), (1, 1), padding)
            for padding in ("SAME", "VALID")
            for tall in range(1, x[0] + 1)
            for wide in range(1, x[1] + 1)
        ]
    for strides, dilations, padding in options:
        axes = [axis(x[i], w[1 + i], strides[i], dilations[i], padding) for i in (0, 1)]
        if (axes[0].out, axes[1].out) == y[:2]:
            yield axes


def _sums(q, w, rows: Axis, cols: Axis, zero_point: np.ndarray) -> np.ndarray:
    """Sum of code times weight over each window, int32 [out_h, out_w, out]."""
    windows = patches(pad(q[None], rows, cols, zero_point[:1]), rows, cols)
    return accumulate.grouped(windows, w, q.shape[2] // w.shape[3])[0]
