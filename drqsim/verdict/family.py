"""Which of the runtime's kernels multiplies the codes of a hybrid operator: its family.

The runtime picks it by what the processor has, and on arm64 also by the sizes; where a file leaves
those open, the sizes that it declares count. Told is what is known; elsewhere, of operators in
float32 and in full integers for one, nothing.

Sources, ai-edge-litert 2.3.0: XNNPACK ``src/configs/gemm-config.c`` and ``src/subgraph.c``;
``tflite/kernels/internal/optimized``: ``neon_tensor_utils.cc``, ``sse_tensor_utils.cc``,
``optimized_ops.h``, ``integer_ops/depthwise_conv_hybrid.h``, ``4bit``.
"""

from __future__ import annotations

import math

from drqsim.arithmetic.window import axis
from drqsim.model_file.operands import input_of
from drqsim.ops import (
    builtin,
    conv_2d,
    depthwise_conv_2d,
    fully_connected_int4,
    transpose_conv,
    xnnpack,
)
from drqsim.processor import Processor
from drqsim.verdict.said import Site

LOOPS, RUY = "plain loops", "ruy's matrix product"


def family_of(site: Site, kernel: str, processor: Processor) -> str:
    """The family of the kernel that runs a hybrid operator; empty where it is not known.

    Parameters
    ----------
    site : Site
    kernel : {"reference", "optimized", "XNNPACK"}
        Which kernels its verdict names.
    processor : Processor
    """
    if not _can_run(site):
        return ""
    if kernel == "XNNPACK":
        return (_xnnpack_arm64 if processor.neon else _xnnpack_x86)(site, processor)
    if site.op.code not in BUILTIN:
        return ""
    return BUILTIN[site.op.code](site, kernel, processor)


def _can_run(site: Site) -> bool:
    """Whether the sizes are such as the choice of a kernel can be made of."""
    if site.op.code in ("FULLY_CONNECTED", "BATCH_MATMUL"):
        return 0 not in site.weights.shape
    shapes = site.weights.shape, site.source.shape, _made(site)
    steps = [v for name, v in site.op.options.items() if name.startswith(("stride_", "dilation_"))]
    whole = all(len(shape) == 4 and 0 not in shape for shape in shapes)
    return whole and min(steps, default=1) >= 1


def _xnnpack_x86(site: Site, processor: Processor) -> str:
    uint8 = processor.uint8_int4 if site.weights.bits else processor.uint8_codes
    if processor.uint8_codes:
        kernels = "AVX512-VNNI" if processor.avx512 else "AVX-VNNI"
    else:
        kernels = "AVX-512 or AMX" if processor.avx512 else "up to AVX2"
    return f"{kernels}, {'uint8' if uint8 else 'int8'} codes"


def _xnnpack_arm64(site: Site, processor: Processor) -> str:
    own = _in_xnnpack(site, processor)
    if own is xnnpack.KLEIDIAI:
        return "KleidiAI"
    if processor.int8_mm:
        return "NEON i8mm"
    if processor.dot_product:
        return "sdot assembly" if own is xnnpack.FOUR_ROWS else "NEON dot products"
    return "NEON"


def _in_xnnpack(site: Site, processor: Processor) -> xnnpack.Kernel:
    """Which of XNNPACK's kernels multiplies."""
    code, options = site.op.code, site.op.options
    if code in ("FULLY_CONNECTED", "BATCH_MATMUL"):
        return xnnpack.dense(processor)
    shape, strides = site.weights.shape, (options["stride_h"], options["stride_w"])
    if code == "CONV_2D":
        return conv_2d.kernel_in_xnnpack(processor, shape, strides, _channels(site), _made(site))
    rows = transpose_conv.rows_in_xnnpack(shape, strides, _made(site))
    return xnnpack.convolution(processor, rows)


def _channels(site: Site) -> int:
    return input_of(site.graph, site.op).shape[3]


def _made(site: Site) -> tuple[int, ...]:
    """The shape of the output, as far as the file says."""
    return site.graph.tensors[site.op.outputs[0]].shape


def _convolution(site: Site, kernel: str, processor: Processor) -> str:
    groups = conv_2d.groups_of(site.weights.shape, _channels(site))
    row = conv_2d.kernel_of(site.weights.quantization.scale, groups, kernel)
    out, *taps, depth = site.weights.shape
    if conv_2d.is_dense(row, out):
        pixels = math.prod(_made(site)[:3])
        return PRODUCTS[builtin.product(processor, pixels, math.prod(taps) * depth, out)]
    return LOOPS if row is conv_2d.PER_CHANNEL_REFERENCE else RUY


def _depthwise(site: Site, kernel: str, processor: Processor) -> str:
    if kernel == "reference":
        return LOOPS
    if not processor.neon:
        return "NEON's code as SSE"
    options, image, filters = site.op.options, site.source.shape, site.weights.shape
    rows, cols = (
        axis(
            image[at],
            filters[at],
            options[f"stride_{side}"],
            options[f"dilation_{side}_factor"],
            options["padding"],
        )
        for at, side in ((1, "h"), (2, "w"))
    )
    assembly = depthwise_conv_2d.is_assembly(processor, filters, rows, cols, image)
    return "3x3 assembly" if assembly else "NEON"


def _dense(site: Site, kernel: str, processor: Processor) -> str:
    if fully_connected_int4.fits(site.weights, kernel):
        return "4-bit NEON" if processor.neon else "4-bit SSE"
    out, depth = site.weights.shape
    rows = math.prod(site.source.shape) // depth
    return PRODUCTS[builtin.product(processor, rows, depth, out)]


def _loops(site: Site, kernel: str, processor: Processor) -> str:
    return LOOPS


PRODUCTS = {
    builtin.SSE_DOT: "SSE dot products",
    builtin.LOOP: "NEON loop",
    builtin.ASSEMBLY: "sdot assembly",
    builtin.RUY: RUY,
}
BUILTIN = {
    "BATCH_MATMUL": _loops,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "TRANSPOSE_CONV": _loops,
}
