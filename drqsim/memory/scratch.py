"""Which scratch tensors every kernel asks for, in the order in which it creates them.

Each function below says what ``Prepare`` of one kernel in ``tflite/kernels/*.cc`` (ai-edge-litert
2.3.0) adds to the runtime's list of tensors. Sizes are what is reserved, not what is written: the
hybrid convolution, for example, reserves a scale for every pixel and writes one for every batch
item. Names are those of the trace where the buffer holds a record: ``accumulator_raw`` where the
kernel writes sums that are not yet corrected for the zero point, ``accumulator`` elsewhere, also
where it writes none.
"""

from __future__ import annotations

from math import prod

import numpy as np

from drqsim.errors import ModelFileError, UnsupportedOperatorError
from drqsim.memory import recurrent_scratch
from drqsim.memory.held import Held
from drqsim.memory.site import EMPTY, Scratch, Site, f32, i8, i32
from drqsim.ops import conv_2d, fully_connected_int4

u8, i16, i64, flag = (np.dtype(t) for t in (np.uint8, np.int16, np.int64, np.bool_))


def _rows(codes: Held, rows: int, units: int, sums: int) -> list[Scratch]:
    """The scratch of a kernel that gives every row of its input a scale."""
    return [
        Scratch("input_quantized", i8, codes.shape),
        Scratch("input_scale", f32, (rows,)),
        Scratch("accumulator", i32, (units, rows)),
        Scratch("input_zero_point", i32, (rows,)),
        Scratch("filter_row_sums", i32, (sums,), "persistent"),
    ]


def _conv_2d(site: Site) -> list[Scratch]:
    x, filters = site.source(4), site.weights(4)
    batch, height, width, channels = x.shape
    out, kernel_h, kernel_w, depth = filters.shape
    _, out_h, out_w, _ = _written(site, 4)
    option = site.op.options
    strides = option["stride_h"], option["stride_w"]
    dilations = option["dilation_h_factor"], option["dilation_w_factor"]
    hybrid = site.is_hybrid
    # with several threads Eigen convolves: on a second copy of the weights, without unfolding; the
    # arm64 builds have ruy in its place (TFLITE_WITH_RUY)
    eigen = site.threads != 1 and not site.is_reference and filters.dtype == f32
    eigen = eigen and not site.processor.neon
    eigen = eigen and dilations == (1, 1)
    eigen = eigen and filters.stored != "arena" and (filters.stored != "heap" or filters.is_known)
    unfolds = (*strides, *dilations, kernel_h, kernel_w) != (1,) * 6
    unfolds = unfolds and not eigen and (hybrid or not site.is_reference)
    scratch = []
    if unfolds:
        patch = kernel_h * kernel_w * depth
        scratch.append(Scratch("im2col", i8 if hybrid else x.dtype, (batch, out_h, out_w, patch)))
    if eigen:
        shape = (kernel_h * kernel_w * depth, out)
        scratch.append(Scratch("filter_transposed", f32, shape, "persistent"))
    if hybrid:
        groups = conv_2d.groups_of(filters.shape, channels)
        scale = np.ones(1) if filters.quantization is None else filters.quantization.scale
        kernel = conv_2d.kernel_of(scale, groups, site.kernels)
        # one slot for every pixel is reserved, one for every batch item is used
        slots = (batch * height * width * groups,)
        scratch += [
            Scratch("input_quantized", i8, x.shape),
            Scratch("input_scale", f32, slots),
            Scratch(
                "accumulator_raw" if kernel.corrects else "accumulator",
                i32,
                (out, batch * out_h * out_w),
            ),
        ]
        if kernel.asymmetric:
            scratch += [
                Scratch("input_zero_point", i32, slots),
                Scratch("filter_row_sums", i32, (out,), "persistent"),
            ]
    return scratch


def _depthwise_conv_2d(site: Site) -> list[Scratch]:
    x = site.source(4)
    if not site.is_hybrid:
        return []
    return [
        Scratch("input_quantized", i8, x.shape),
        Scratch("input_scale", f32, x.shape[:1]),
        Scratch("input_zero_point", i32, x.shape[:1]),
    ]


def _fully_connected(site: Site) -> list[Scratch]:
    x, filters = site.source(), site.weights(2)
    units, depth = filters.shape
    if not site.is_hybrid:
        return [EMPTY] * 6
    if fully_connected_int4.fits(filters, site.kernels):
        rows, held, units = fully_connected_int4.blocks(prod(x.shape) // depth, depth, units)
        return [
            Scratch("input_quantized", i8, (rows, held)),
            Scratch("input_scale", f32, (rows,)),
            Scratch("accumulator_raw", i32, (rows, units)),
            Scratch("offset_correction", i32, (rows,)),
            EMPTY,
            EMPTY,
        ]
    return [*_rows(x, prod(x.shape) // depth, units, units), EMPTY]


def _batch_matmul(site: Site) -> list[Scratch]:
    left, right = site.source(), site.weights()
    if min(len(left.shape), len(right.shape)) < 2:
        raise ModelFileError(f"{site.op.name} reads an operand of fewer than two dimensions.")
    once = "persistent" if right.stored == "file" else "arena"
    scratch = [
        Scratch("input_transposed", left.dtype, _swapped(left.shape)),
        Scratch("filter_transposed", right.dtype, _swapped(right.shape), once),
    ]
    if not site.is_hybrid:
        return scratch + [EMPTY] * 5
    rows = left.shape[-1] if site.op.options["adj_x"] else left.shape[-2]
    units = right.shape[-2] if site.op.options["adj_y"] else right.shape[-1]
    slots = (prod(left.shape[:-2]) * rows,)
    return scratch + [
        Scratch("input_quantized", i8, left.shape),
        Scratch("input_scale", f32, slots),
        Scratch("accumulator", i32, (units, rows)),
        Scratch("input_zero_point", i32, slots),
        Scratch("filter_row_sums", i32, (prod(right.shape[:-2]) * units,), "persistent"),
    ]


def _swapped(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:-2], shape[-1], shape[-2])


def _transpose_conv(site: Site) -> list[Scratch]:
    x, filters = site.source(4), site.weights(4)
    batch, height, width, _ = x.shape
    out, kernel_h, kernel_w, depth = filters.shape
    scratch = []
    if not site.is_reference:
        scratch += [
            Scratch("col2im", f32, (height * width, out * kernel_h * kernel_w), "heap"),
            Scratch("filter_transposed", filters.dtype, (kernel_h, kernel_w, out, depth), "heap"),
        ]
    if site.is_hybrid:
        slots = (batch * height * width,)
        scratch += [
            Scratch("input_quantized", i8, x.shape),
            Scratch("input_scale", f32, slots),
            Scratch("input_zero_point", i32, slots),
        ]
    return scratch


def _reduce(site: Site) -> list[Scratch]:
    x, axes = site.tensor(0), site.tensor(1)
    if not axes.is_known:
        raise UnsupportedOperatorError(
            f"{site.op.name} computes its axes at run time; drqsim plans constant axes."
        )
    total = {i32: i64, i64: i64, flag: flag}.get(x.dtype, f32)
    # MEAN and SUM keep the sums, as many as outputs, apart; an extreme needs none
    sums = (prod(_written(site)),) if site.op.code in ("MEAN", "SUM") else None
    # looked at by the kernel: in the arena for a constant input, else allocated when it runs
    place = "arena" if x.is_known else "heap"
    generic = site.is_reference or (site.op.code == "SUM" and x.dtype in (i8, u8, i16))
    seldom = generic and site.op.code != "MEAN" and place == "heap"
    return [
        Scratch("index", i32, (len(x.shape),)),
        Scratch("axes", i32, (prod(axes.shape),)),
        Scratch("sum", total, sums),
        Scratch("dimensions", i32, None if seldom else (len(x.shape),), place),
    ]


def _written(site: Site, rank: int | None = None) -> tuple[int, ...]:
    shape = site.writes[0].shape if site.writes else None
    if shape is None or (rank is not None and len(shape) != rank):
        raise ModelFileError(f"{site.op.name} has no output of {rank or 'known'} dimensions.")
    return shape


# kernels that need scratch; TensorFlow Lite code -> what it creates
TABLE = {
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": _fully_connected,
    "MEAN": _reduce,
    "REDUCE_MAX": _reduce,
    "REDUCE_MIN": _reduce,
    "RNN": recurrent_scratch.rnn,
    "SUM": _reduce,
    "SVDF": recurrent_scratch.svdf,
    "TRANSPOSE_CONV": _transpose_conv,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": recurrent_scratch.lstm,
    "UNIDIRECTIONAL_SEQUENCE_RNN": recurrent_scratch.rnn,
}
# how many a kernel creates when the model is loaded, before any operator is prepared
AT_LOADING = {
    "RNN": 6,
    "SVDF": 6,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 12,
    "UNIDIRECTIONAL_SEQUENCE_RNN": 6,
}
