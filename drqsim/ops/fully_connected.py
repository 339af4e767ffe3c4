"""FULLY_CONNECTED with int8 or int4 weights (hybrid): a matrix product, one scale for every row.

The hybrid kernel, for one row of the input and output channel ``o``::

    q    = round(x / s_in) + zp                    int8   per row; symmetric unless the file's
                                                          asymmetric_quantize_inputs says otherwise
    acc  = sum q * w[o] - zp * row_sum[o]          int32
    y    = bias[o] + acc * (s_in * s_w[o])         float32; the output starts as the bias

Both builtin paths run the same code. XNNPACK ignores the flag: it is always asymmetric. int4
weights are unpacked to int8 in every run, but for the layers that have a kernel of their own on the
optimized path: ``fully_connected_int4``.

Sources, ai-edge-litert 2.3.0: ``tflite/kernels/fully_connected.cc`` (``EvalHybridDense``),
``internal/optimized/sse_tensor_utils.cc``; XNNPACK ``src/qs8-gemm`` (the QD8 variants).
"""

from __future__ import annotations

import numpy as np

from drqsim import accumulate
from drqsim.arithmetic.functions import eigen
from drqsim.errors import InputError
from drqsim.graph import Tensor
from drqsim.ops import builtin, float_products, fully_connected_int4, fused, weights, xnnpack
from drqsim.ops.call import Call

f32 = np.float32


def run(call: Call) -> list[np.ndarray]:
    """Run one dense layer; records every tensor of the kernel path."""
    x = call.value(0, "input")
    matrix = weights.dense(call)
    out, depth = matrix.shape
    if x.dtype != call.float_type or x.size % depth or x.size == 0:
        raise InputError(
            f"the input is {x.dtype}{list(x.shape)}; this dense layer reads float32, a multiple of "
            f"{depth} elements."
        )
    if call.operator.options["keep_num_dims"] and x.shape[-1:] != (depth,):
        raise InputError(f"the input {list(x.shape)} must end in {depth} to keep its dimensions.")
    call.sized((x.size // depth, out))
    call.work(x.size * out)
    bias = weights.bias(call, 2, out)
    scale = weights.scales(call, matrix, axis=0)
    weights.record_given(call, x, matrix, scale, bias)
    rows = x.reshape(-1, depth)
    kernel = _kernel(call, matrix, scale)
    if kernel is None:
        float_products.ask(call, x.size * out)
        pre_activation = float_products.dense(call, rows, matrix.value, bias)
    else:
        pre_activation = kernel(call, rows, matrix, scale, bias, x.shape)
    keep = call.operator.options["keep_num_dims"]
    shape = (*x.shape[:-1], out) if keep else (len(rows), out)
    pre_activation = pre_activation.reshape(shape)
    call.record("pre_activation", pre_activation)
    output = _activate(call, pre_activation)
    call.record("output", output)
    return [output]


def _kernel(call: Call, matrix: Tensor, scale: np.ndarray | None):
    """Which code multiplies; None for float weights."""
    if scale is None:
        return None
    if call.kernels == "xnnpack":
        return _xnnpack
    return fully_connected_int4.run if fully_connected_int4.fits(matrix, call.kernels) else _builtin


def _activate(call: Call, x: np.ndarray) -> np.ndarray:
    """All fused activations work here; unlike convolutions, NONE and RELU let infinity pass."""
    activation = call.operator.options["fused_activation_function"]
    if activation == "TANH":
        return eigen.tanh(x, call.processor.neon) if x.dtype == f32 else np.tanh(x)
    if activation == "SIGN_BIT":
        if np.isnan(x).any():
            raise InputError("its fused SIGN_BIT reads the sign of a NaN, which has no meaning.")
        return np.signbit(x).astype(f32)
    clamp = fused.apply if call.tensors[1].quantization else fused.clamp
    output = clamp(x, fused.check(call, activation), unbounded=True)
    if activation != "NONE" and np.isnan(x).any():  # two infinities of the int4 kernel's sums, too
        fused.lower_nan(output, activation)
    return output


def _builtin(call: Call, rows, filters: Tensor, filter_scale, bias, shape) -> np.ndarray:
    matrix = filters.value
    bias = np.zeros(len(matrix), f32) if bias is None else bias
    if _is_zero(call, rows):
        # an input that is all zero takes a short cut: the output is the bias, no scratch is touched
        return np.broadcast_to(bias, (len(rows), len(bias))).copy()
    if filters.bits:
        call.record("filter_unpacked", matrix)
    asymmetric = call.operator.options["asymmetric_quantize_inputs"]
    codes, scale, zero_point = builtin.quantize(call, rows, asymmetric)
    call.record("input_scale", scale)
    call.record("input_zero_point", zero_point)
    call.record("input_quantized", codes.reshape(shape))
    row_sums = builtin.family(call.processor).row_sums(matrix)
    call.record("filter_row_sums", row_sums)
    out, depth = matrix.shape
    product = builtin.product(call.processor, len(rows), depth, out)
    raw = product.dot(codes, matrix)
    if product.writes:
        call.record("accumulator_raw", raw)
    accumulator = raw - zero_point[:, None] * row_sums
    reserved = 0 if product.writes else accumulator.nbytes
    call.record("accumulator", accumulator, stored="not stored", reserved=reserved)
    scale = filter_scale * scale[:, None]
    call.record("dequantized", accumulator.astype(f32) * scale)
    return product.add(bias, accumulator.astype(f32), scale)


def _is_zero(call: Call, rows: np.ndarray) -> bool:
    """The kernel's own test: on x86 four values at a time, where a NaN is not above zero in size.

    ``NeonIsZeroVector``; the last ``n % 4`` values must equal zero, which a NaN does not, and on
    arm64 all of them must.
    """
    flat = rows.reshape(-1)
    whole = 0 if call.processor.neon else flat.size - flat.size % 4
    return not flat[whole:].any() and not (np.abs(flat[:whole]) > 0).any()


def _xnnpack(call: Call, rows, filters: Tensor, filter_scale, bias, shape) -> np.ndarray:
    matrix = filters.value
    bias = np.zeros(len(matrix), f32) if bias is None else bias
    own, int4 = xnnpack.dense(call.processor), bool(filters.bits)
    codes, scale, zero_point = xnnpack.quantize_input(call, own, rows, shape, int4)
    codes = codes.reshape(rows.shape)
    row_sums = accumulate.row_sums(matrix)
    call.record("filter_row_sums", row_sums, stored="delegate")
    accumulator = accumulate.exact_matmul(codes, matrix) - zero_point[:, None] * row_sums
    call.record("accumulator", accumulator, stored="not stored")
    dequantized, with_bias = own.rescale(accumulator, scale[:, None], filter_scale, bias)
    call.record("dequantized", dequantized)
    return with_bias
