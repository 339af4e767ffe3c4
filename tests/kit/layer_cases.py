"""Random layers with float weights."""

from hypothesis import strategies as st

from tests.kit.float_values import MODERATE, fused, image, shape, values
from tests.kit.one_operator import Case, Operand, constants, fed, integers


def window(draw) -> tuple[list[int], dict]:
    """A kernel size and the options of a convolution with it."""
    options = fused(draw) | {
        "padding": draw(st.sampled_from(("SAME", "VALID"))),
        "stride_h": draw(st.integers(1, 3)),
        "stride_w": draw(st.integers(1, 3)),
    }
    return [draw(st.integers(1, 4)) for _ in range(2)], options


def depthwise(draw, code):
    kernel, options = window(draw)
    dilation = draw(st.sampled_from(((1, 1), (2, 1), (2, 2))))
    options |= dict(zip(("dilation_h_factor", "dilation_w_factor"), dilation, strict=True))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    x = values(draw, image(draw, reach), MODERATE)
    options["depth_multiplier"] = draw(st.sampled_from((1, 1, 2, 3)))
    out = x.shape[3] * options["depth_multiplier"]
    weights = values(draw, (1, *kernel, out), MODERATE)
    return Case(code, fed(x) + constants(weights, values(draw, (out,), MODERATE)), options)


def convolution(draw, code):
    kernel, options = window(draw)
    dilation = draw(st.sampled_from(((1, 1), (2, 1), (2, 2))))
    options |= dict(zip(("dilation_h_factor", "dilation_w_factor"), dilation, strict=True))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    x = values(draw, image(draw, reach), MODERATE)
    groups = draw(st.sampled_from([n for n in (1, 1, 2, 3) if x.shape[3] % n == 0]))
    out = groups * draw(st.integers(1, 20 // groups))
    weights = values(draw, (out, *kernel, x.shape[3] // groups), MODERATE)
    return Case(code, fed(x) + constants(weights, values(draw, (out,), MODERATE)), options)


def dense(draw, code):
    rank, width = draw(st.integers(1, 3)), draw(st.sampled_from((1, 3, 8, 17, 64)))
    x = values(draw, (*(draw(st.integers(1, 4)) for _ in range(rank - 1)), width), MODERATE)
    out = draw(st.sampled_from((1, 2, 5, 8, 16)))
    bias = values(draw, (out,), MODERATE) if draw(st.booleans()) else None
    operands = fed(x) + constants(values(draw, (out, width), MODERATE))
    operands += [Operand(bias, bias is not None)]
    return Case(code, operands, fused(draw) | {"keep_num_dims": draw(st.booleans())})


def transpose_conv(draw, code):
    kernel, options = window(draw)
    x = values(draw, image(draw, largest=3), MODERATE)
    out = draw(st.integers(1, 5))
    strides = options["stride_h"], options["stride_w"]
    if options["padding"] == "SAME":
        size = [n * s for n, s in zip(x.shape[1:3], strides, strict=True)]
    else:
        size = [(n - 1) * s + k for n, s, k in zip(x.shape[1:3], strides, kernel, strict=True)]
    bias = constants(values(draw, (out,), MODERATE)) if draw(st.booleans()) else []
    weights = constants(values(draw, (out, *kernel, x.shape[3]), MODERATE))
    operands = integers([len(x), *size, out]) + weights + fed(x) + bias
    return Case(code, operands, options)


def batch_matmul(draw, code):
    outer = shape(draw, lowest=0, highest=2, largest=3)
    rows, inner, cols = (draw(st.integers(1, 9)) for _ in range(3))
    options = {"adj_x": draw(st.booleans()), "adj_y": draw(st.booleans())}
    part = tuple(1 if draw(st.booleans()) else n for n in outer)
    left = (inner, rows) if options["adj_x"] else (rows, inner)
    right = (cols, inner) if options["adj_y"] else (inner, cols)
    x = values(draw, (*outer, *left), MODERATE)
    y = values(draw, (*draw(st.sampled_from((outer, part))), *right), MODERATE)
    return Case(code, [Operand(x), Operand(y, draw(st.booleans()))], options)


LAYERS = {
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "FULLY_CONNECTED": dense,
    "TRANSPOSE_CONV": transpose_conv,
    "BATCH_MATMUL": batch_matmul,
}
