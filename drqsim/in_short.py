"""Dynamic-range quantization of one convolution, whole, in NumPy: to be copied and changed.

It has the bits of the runtime's ``optimized`` kernel, for a finite image, a filter of odd sides,
stride 1, padding SAME, a ReLU, and channels that do not all have the same scale.
``tests/test_in_short.py`` holds it against the runtime, and shows three corners left out here:

- On x86 the kernel rounds +-0.49999997 to +-1, in whole groups of eight values.
- It adds up a channel's weights in eight int16 lanes: 2,000 weights of one sign may overflow.
- The inverse scale of an input that spans less than 1e-36 may overflow, and so may huge results.
"""

import numpy as np

f32, f64 = np.float32, np.float64


def half_away(v):
    """Round to the nearest whole number, ties away from zero (C's ``round``)."""
    whole = np.trunc(v)
    return whole + np.copysign(np.abs(v - whole) >= 0.5, v)


def quantize_weights(w):
    """Offline, once: one scale for each output channel of [out, h, w, in]."""
    scale = np.maximum(np.abs(w.astype(f64)).max(axis=(1, 2, 3)), 5e-7) / 127
    codes = np.clip(half_away(w / scale.reshape(-1, 1, 1, 1)), -127, 127)
    return codes.astype(np.int8), scale.astype(f32)


def quantize_input(x):
    """On the device, for every image: over its own range, with 0 in it."""
    low, high = np.minimum(x.min(), f32(0)), np.maximum(x.max(), f32(0))
    if low == high:  # nothing but zeros
        return np.zeros(x.shape, np.int8), f32(1), 0
    scale = f64(high - low) / 255
    low_is_nearer = 128 - low / scale < 127 + high / scale
    zero_point = -128 - low / scale if low_is_nearer else 127 - high / scale
    zero_point = int(half_away(np.clip(zero_point, -128, 127)))
    codes = half_away(x * (f32(1) / f32(scale))) + zero_point
    return np.clip(codes, -128, 127).astype(np.int8), f32(scale), zero_point


def conv_relu(x, codes_w, scale_w, bias):
    """On the device: float32 [h, w, in] goes in, [h, w, out] comes out."""
    codes, scale_x, zero_point = quantize_input(x)
    kernel = codes_w.shape[1:3]
    border = [(side // 2, side // 2) for side in (*kernel, 1)]
    codes = np.pad(codes, border, constant_values=zero_point)  # the code of 0.0
    windows = np.lib.stride_tricks.sliding_window_view(codes, kernel, (0, 1))
    windows, weights = windows.astype(np.int32), codes_w.astype(np.int32)
    raw = np.einsum("hwcij,oijc->hwo", windows, weights)  # int32: int8 * int8
    row_sums = weights.sum((1, 2, 3), np.int32)
    accumulator = raw - zero_point * row_sums  # sums of (code - zero_point) * w
    pre_activation = accumulator.astype(f32) * (scale_w * scale_x) + bias
    return np.maximum(pre_activation, f32(0))  # float32: what is stored
