"""The weighted operators with float32 weights: what they compute before the fused activation.

Products and sums are float32. A kernel adds them up in its own order (XNNPACK with fused
multiply-adds, the builtin kernels with Eigen's or ruy's blocks), BLAS in another, so the last bits
may differ: each of two sums of ``n`` terms is within ``n * 2^-24 * sum |terms|`` of the true one.

Each function is called by the operator's own file, which has checked that the tensors fit together.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/depthwise_conv.cc``, ``fully_connected.cc``,
``transpose_conv.cc``, ``batch_matmul.cc``, ``internal/reference/*.h``.
"""

from __future__ import annotations

import numpy as np

from drqsim.ops.call import Call
from drqsim.ops.geometry import Axis, patches

f32 = np.float32


def float_depthwise(
    call: Call,
    x: np.ndarray,
    filters: np.ndarray,
    bias: np.ndarray,
    rows: Axis,
    cols: Axis,
    multiplier: int,
) -> np.ndarray:
    """Each channel convolved with ``multiplier`` filters of its own.

    Parameters
    ----------
    call : Call
        Where ``pre_activation`` is recorded.
    x : float32 [batch, height, width, channels]
    filters : float32 [1, kernel_h, kernel_w, channels * multiplier]
    bias : float32 [channels * multiplier]
    rows, cols : Axis
        The window.
    multiplier : int
        Outputs for each input channel; they lie next to each other.

    Returns
    -------
    float32 [batch, out_h, out_w, channels * multiplier]
        Before the fused activation.
    """
    windows = patches(x, rows, cols, np.zeros(len(x), f32))
    taps = filters.reshape(rows.kernel, cols.kernel, x.shape[3], multiplier)
    total = np.zeros((len(x), rows.out, cols.out, x.shape[3], multiplier), f32)
    for row in range(rows.kernel):
        for col in range(cols.kernel):
            total += windows[:, :, :, row, col, :, np.newaxis] * taps[row, col]
    pre_activation = total.reshape(len(x), rows.out, cols.out, -1) + bias
    call.record("pre_activation", pre_activation)
    return pre_activation


def float_dense(
    call: Call, x: np.ndarray, weights: np.ndarray, bias: np.ndarray | None
) -> np.ndarray:
    """``x @ weights.T + bias`` for x [n, in] and weights [out, in], before the activation."""
    pre_activation = x @ weights.T
    if bias is not None:
        pre_activation = pre_activation + bias
    call.record("pre_activation", pre_activation)
    return pre_activation


def float_transpose_conv(
    call: Call,
    x: np.ndarray,
    filters: np.ndarray,
    bias: np.ndarray | None,
    rows: Axis,
    cols: Axis,
    size: tuple[int, int],
) -> np.ndarray:
    """Every input pixel paints the filter, times its value, into the output.

    Parameters
    ----------
    call : Call
        Where ``pre_activation`` is recorded.
    x : float32 [batch, height, width, in]
    filters : float32 [out, kernel_h, kernel_w, in]
    bias : float32 [out] or None
    rows, cols : Axis
        The window of the convolution that goes the other way, from the output to the input.
    size : (height, width)
        Of the output; what falls outside is dropped.

    Returns
    -------
    float32 [batch, height, width, out]
        Before the fused activation.
    """
    batch, height, width, _ = x.shape
    out = len(filters)
    painted = x.reshape(-1, x.shape[3]) @ filters.reshape(-1, x.shape[3]).T
    painted = painted.reshape(batch, height, width, out, rows.kernel, cols.kernel)
    reach = [
        max((count - 1) * a.stride + a.kernel, a.before + want)
        for count, a, want in zip((height, width), (rows, cols), size, strict=True)
    ]
    canvas = np.zeros((batch, *reach, out), f32)
    for row in range(rows.kernel):
        for col in range(cols.kernel):
            below = slice(row, row + (height - 1) * rows.stride + 1, rows.stride)
            right = slice(col, col + (width - 1) * cols.stride + 1, cols.stride)
            canvas[:, below, right] += painted[..., row, col]
    pre_activation = np.ascontiguousarray(
        canvas[:, rows.before : rows.before + size[0], cols.before : cols.before + size[1]]
    )
    if bias is not None:
        pre_activation = pre_activation + bias
    call.record("pre_activation", pre_activation)
    return pre_activation


def float_batch_matmul(call: Call, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``x @ y`` over the last two dimensions, which ``adj_x`` and ``adj_y`` swap first."""
    options = call.operator.options
    x = np.swapaxes(x, -1, -2) if options["adj_x"] else x
    y = np.swapaxes(y, -1, -2) if options["adj_y"] else y
    return x @ y
