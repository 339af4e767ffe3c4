"""Which of the runtime's kernels multiplies the codes of a hybrid operator: its family.

The runtime picks it by what the processor has. Told is what is known; elsewhere, of operators in
float32 and in full integers for one, nothing.

Sources, ai-edge-litert 2.3.0: XNNPACK ``src/configs/gemm-config.c`` and ``src/subgraph.c``;
``tflite/kernels/internal/optimized``: ``neon_tensor_utils.cc``, ``sse_tensor_utils.cc``,
``optimized_ops.h``, ``integer_ops/depthwise_conv_hybrid.h``, ``4bit``.
"""

from __future__ import annotations

from drqsim.model_file.operands import input_of
from drqsim.ops import conv_2d, fully_connected_int4
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
    if kernel == "XNNPACK":
        return (_xnnpack_arm64 if processor.neon else _xnnpack_x86)(site, processor)
    if site.op.code not in BUILTIN:
        return ""
    return BUILTIN[site.op.code](site, kernel, processor)


def _xnnpack_x86(site: Site, processor: Processor) -> str:
    uint8 = processor.uint8_int4 if site.weights.bits else processor.uint8_codes
    if processor.uint8_codes:
        kernels = "AVX512-VNNI" if processor.avx512 else "AVX-VNNI"
    else:
        kernels = "AVX-512 or AMX" if processor.avx512 else "up to AVX2"
    return f"{kernels}, {'uint8' if uint8 else 'int8'} codes"


def _xnnpack_arm64(site: Site, processor: Processor) -> str:
    if processor.dot_product and _is_dense_in_xnnpack(site):
        return "KleidiAI"
    if processor.int8_mm:
        return "NEON i8mm"
    return "NEON dot product" if processor.dot_product else "NEON"


def _is_dense_in_xnnpack(site: Site) -> bool:
    if site.op.code != "CONV_2D":
        return site.op.code in ("FULLY_CONNECTED", "BATCH_MATMUL")
    strides = site.op.options["stride_h"], site.op.options["stride_w"]
    return conv_2d.becomes_dense(site.weights.shape, strides, _channels(site))


def _channels(site: Site) -> int:
    return input_of(site.graph, site.op).shape[3]


def _convolution(site: Site, kernel: str, processor: Processor) -> str:
    groups = conv_2d.groups_of(site.weights.shape, _channels(site))
    row = conv_2d.kernel_of(site.weights.quantization.scale, groups, kernel)
    if conv_2d.is_dense(row, site.weights.shape[0]):
        return _dot_products(processor)
    return LOOPS if row is conv_2d.PER_CHANNEL_REFERENCE else RUY


def _depthwise(site: Site, kernel: str, processor: Processor) -> str:
    if kernel == "reference":
        return LOOPS
    return "NEON" if processor.neon else "NEON's code as SSE"


def _dense(site: Site, kernel: str, processor: Processor) -> str:
    if fully_connected_int4.fits(site.weights, kernel):
        return "4-bit NEON" if processor.neon else "4-bit SSE"
    return _dot_products(processor)


def _dot_products(processor: Processor) -> str:
    return "NEON dot products" if processor.neon else "SSE dot products"


def _loops(site: Site, kernel: str, processor: Processor) -> str:
    return LOOPS


BUILTIN = {
    "BATCH_MATMUL": _loops,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "TRANSPOSE_CONV": _loops,
}
