"""Random cases for every float operator: shapes, axes, options, values."""

import math

import numpy as np
from hypothesis import strategies as st

from drqsim.graph import Quantization
from tests.kit.one_operator import Case, Operand, constants, f32, fed, integers
from tests.kit.strategies import DISTRIBUTIONS

ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
CHANNELS = (1, 2, 3, 4, 5, 8, 9, 16, 17, 33)
# sums and transcendental functions are held to a bound, which has no meaning past float32's range
MODERATE = ("normal", "positive", "negative", "relu", "shifted", "uniform", "constant", "sparse")
ALL = tuple(sorted(set(DISTRIBUTIONS) - {"mixed batch"}))
MOVED = (np.float32, np.int8, np.uint8, np.int16, np.int32, np.int64, np.bool_)


def values(draw, shape, names=ALL) -> np.ndarray:
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    name = draw(st.sampled_from(names)) if math.prod(shape) > 1 else "normal"
    return np.asarray(DISTRIBUTIONS[name](random, shape)).astype(f32)


def anything(draw, shape) -> np.ndarray:
    """Values of any type that can be moved around."""
    dtype = draw(st.sampled_from(MOVED))
    if dtype == np.float32:
        return values(draw, shape)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return random.integers(0, 2 if dtype == np.bool_ else 100, shape).astype(dtype)


def without(x, *refused) -> np.ndarray:
    """The same values as float32 where the runtime's kernel refuses their type."""
    return x.astype(f32) if x.dtype in refused else x


def shape(draw, lowest=1, highest=4, largest=6) -> tuple[int, ...]:
    return tuple(draw(st.lists(st.integers(1, largest), min_size=lowest, max_size=highest)))


def image(draw, lowest=(1, 1), largest=6) -> tuple[int, int, int, int]:
    height, width = (draw(st.integers(at, at + largest)) for at in lowest)
    return draw(st.integers(1, 2)), height, width, draw(st.sampled_from(CHANNELS))


def axis(draw, rank) -> int:
    return draw(st.integers(-rank, rank - 1))


def axes(draw, rank) -> list[int]:
    chosen = draw(st.lists(st.integers(0, rank - 1), min_size=1, max_size=rank, unique=True))
    return [a - rank if draw(st.booleans()) else a for a in chosen]


def fused(draw) -> dict:
    return {"fused_activation_function": draw(st.sampled_from(ACTIVATIONS))}


def binary(draw, code):
    whole = shape(draw)
    part = tuple(1 if draw(st.booleans()) else n for n in whole)[draw(st.integers(0, len(whole))) :]
    made = values if code != "POW" else positive
    operands = [
        Operand(made(draw, whole)),
        Operand(made(draw, draw(st.sampled_from((whole, part)))), draw(st.booleans())),
    ]
    options = fused(draw) if code in ("ADD", "SUB", "MUL", "DIV") else {}
    return Case(code, operands[:: draw(st.sampled_from((1, -1)))], options)


def positive(draw, wanted) -> np.ndarray:
    return np.abs(values(draw, wanted, ("normal", "uniform", "positive"))) + f32(1e-3)


def unary(draw, code):
    x = values(draw, shape(draw), MODERATE if code in ("SIN", "COS") else ALL)
    if code in ("SQRT", "RSQRT", "LOG"):
        x = np.abs(x)
    return Case(code, fed(np.clip(x, -80, 80) if code == "EXP" else x))


def few(draw, dtype, wanted) -> np.ndarray:
    """Values of which many are equal."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = np.dtype(dtype)
    if dtype == np.float32:
        return random.choice(f32([-1.5, -1e-40, -0.0, 0, 1e-40, 2, 2.0000002]), wanted)
    return random.integers(*((0, 2) if dtype == np.bool_ else (-2, 3)), wanted).astype(dtype)


def compared(draw, code):
    kinds = [] if code.startswith("LOGICAL") else [np.float32, np.int32, np.int64]
    kinds += [np.bool_] if code.startswith(("LOGICAL", "EQUAL", "NOT")) else []
    dtype = draw(st.sampled_from(kinds))
    whole = shape(draw)
    part = tuple(1 if draw(st.booleans()) else n for n in whole)[draw(st.integers(0, len(whole))) :]
    a = few(draw, dtype, whole)
    if code == "LOGICAL_NOT":
        return Case(code, fed(a), {}, (np.bool_,))
    b = few(draw, dtype, draw(st.sampled_from((whole, part))))
    operands = [Operand(a), Operand(b, draw(st.booleans()))]
    return Case(code, operands[:: draw(st.sampled_from((1, -1)))], {}, (np.bool_,))


def selected(draw, code):
    whole = shape(draw)
    conditions = [(), whole, whole[:1]]
    x, y = anything(draw, whole), None
    if code == "SELECT_V2":
        part = tuple(1 if draw(st.booleans()) else n for n in whole)
        conditions[2] = part
        parts = (whole, part, part[draw(st.integers(0, len(whole))) :])
        y = np.resize(np.roll(x, 1), draw(st.sampled_from(parts)))
    y = np.roll(x, 1) if y is None else y
    condition = few(draw, np.bool_, draw(st.sampled_from(conditions)))
    pair = [Operand(x), Operand(y, draw(st.booleans()))]
    if code == "SELECT_V2":
        pair = pair[:: draw(st.sampled_from((1, -1)))]
    return Case(code, [*fed(condition), *pair], {}, (x.dtype,))


def normalized(draw, code):
    x = values(draw, shape(draw, largest=20), MODERATE)
    return Case(code, fed(x), {"fused_activation_function": "NONE"} if code[:2] == "L2" else {})


def pool(draw, code):
    window = [draw(st.integers(1, 4)) for _ in range(2)]
    options = fused(draw) | {
        "padding": draw(st.sampled_from(("SAME", "VALID"))),
        "stride_h": draw(st.integers(1, 3)),
        "stride_w": draw(st.integers(1, 3)),
        "filter_height": window[0],
        "filter_width": window[1],
    }
    return Case(code, fed(values(draw, image(draw, window))), options)


def reduction(draw, code):
    x = values(draw, shape(draw, highest=5, largest=7))
    keep = {"keep_dims": draw(st.booleans())}
    return Case(code, fed(x) + integers(axes(draw, x.ndim)), keep)


def arg_max(draw, code):
    x = values(draw, shape(draw))
    number, dtype = draw(st.sampled_from(((2, np.int32), (4, np.int64))))
    place = np.int32(axis(draw, x.ndim))
    return Case(code, [*fed(x), *constants(place)], {"output_type": number}, (dtype,))


def top_k(draw, code):
    x = np.round(values(draw, shape(draw, largest=9), MODERATE))  # many equal values
    k = np.int32(draw(st.integers(1, x.shape[-1])))
    return Case(code, [*fed(x), *constants(k)], {}, (f32, np.int32))


def resized(draw, code):
    x = values(draw, image(draw))
    size = [draw(st.integers(1, 14)) for _ in range(2)]
    if draw(st.booleans()):
        size = [2 * x.shape[1], 2 * x.shape[2]]
    mode = draw(st.sampled_from(("", "align_corners", "half_pixel_centers")))
    names = ("align_corners", "half_pixel_centers")
    return Case(code, fed(x) + integers(size), {name: name == mode for name in names})


def reshaped(draw, code):
    x = anything(draw, shape(draw))
    target = list(draw(st.permutations(x.shape)))
    if draw(st.booleans()):
        target = [math.prod(target[:-1]), target[-1]]
    if draw(st.booleans()):
        target[draw(st.integers(0, len(target) - 1))] = -1
    where = draw(st.sampled_from(("constant", "fed", "option")))
    shapes = {"constant": integers(target), "fed": fed(np.array(target, np.int32)), "option": []}
    options = {"new_shape": tuple(target)} if where == "option" else {"new_shape": ()}
    return Case(code, fed(x) + shapes[where], options, (x.dtype,))


def squeezed(draw, code):
    x = anything(draw, tuple(draw(st.lists(st.sampled_from((1, 1, 3)), min_size=1, max_size=5))))
    ones = [a for a, n in enumerate(x.shape) if n == 1]
    chosen = draw(st.lists(st.sampled_from(ones), unique=True)) if ones else []
    chosen = [a - x.ndim if draw(st.booleans()) else a for a in chosen]
    return Case(code, fed(x), {"squeeze_dims": tuple(chosen)}, (x.dtype,))


def expanded(draw, code):
    x = anything(draw, shape(draw))
    return Case(code, fed(x) + constants(np.int32(axis(draw, x.ndim + 1))), {}, (x.dtype,))


def transposed(draw, code):
    x = anything(draw, shape(draw))
    return Case(code, fed(x) + integers(draw(st.permutations(range(x.ndim)))), {}, (x.dtype,))


def concatenated(draw, code):
    first = anything(draw, shape(draw))
    along = axis(draw, first.ndim)
    parts = [first]
    for _ in range(draw(st.integers(1, 5))):
        sizes = list(first.shape)
        sizes[along] = draw(st.integers(1, 4))
        parts.append(np.resize(first, sizes))
    options = {"axis": along, "fused_activation_function": "NONE"}
    return Case(code, fed(*parts), options, (first.dtype,))


def packed(draw, code):
    first = without(anything(draw, shape(draw, highest=3)), np.bool_)
    parts = [np.roll(first, at) for at in range(draw(st.integers(1, 4)))]
    options = {"values_count": len(parts), "axis": axis(draw, first.ndim + 1)}
    return Case(code, fed(*parts), options, (first.dtype,))


def unpacked(draw, code):
    x = without(anything(draw, shape(draw)), np.int64)
    along = axis(draw, x.ndim)
    options = {"num": x.shape[along], "axis": along}
    return Case(code, fed(x), options, (x.dtype,) * x.shape[along])


def divided(draw, code):
    sizes = list(shape(draw))
    along, parts = axis(draw, len(sizes)), draw(st.integers(1, 4))
    sizes[along] *= parts
    x = without(anything(draw, tuple(sizes)), np.bool_)
    operands = constants(np.int32(along)) + fed(x)
    return Case(code, operands, {"num_splits": parts}, (x.dtype,) * parts)


def gathered(draw, code):
    batch = draw(st.sampled_from((0, 0, 1, 2)))
    shared = [draw(st.integers(1, 3)) for _ in range(batch)]
    x = anything(draw, (*shared, *shape(draw, highest=3)))
    along = draw(st.integers(batch, x.ndim - 1))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    wanted = (*shared, *shape(draw, lowest=0, highest=2))
    places = random.integers(0, x.shape[along], wanted).astype(draw(st.sampled_from(("i4", "i8"))))
    along = along - x.ndim if draw(st.booleans()) else along
    operands = [Operand(x, draw(st.booleans())), Operand(places)]
    return Case(code, operands, {"axis": along, "batch_dims": batch}, (x.dtype,))


def shaped(draw, code):
    number, dtype = draw(st.sampled_from(((2, np.int32), (4, np.int64))))
    return Case(code, fed(anything(draw, shape(draw))), {"out_type": number}, (dtype,))


def blocked(draw, code):
    block = draw(st.integers(2, 3))
    batch, height, width, depth = image(draw, largest=3)
    sizes = (batch, height, width, depth * block**2)
    if code == "SPACE_TO_DEPTH":
        sizes = (batch, height * block, width * block, depth)
    x = draw(st.sampled_from((values, anything)))(draw, sizes)
    x = without(x, np.int16, np.bool_)
    return Case(code, fed(x), {"block_size": block}, (x.dtype,))


def cut(draw, code):
    x = anything(draw, shape(draw))
    begins = [draw(st.integers(0, n - 1)) for n in x.shape]
    sizes = [draw(st.integers(1, n - b)) for n, b in zip(x.shape, begins, strict=True)]
    sizes = [-1 if draw(st.booleans()) else size for size in sizes]
    return Case(code, fed(x) + integers(begins, sizes), {}, (x.dtype,))


def stridden(draw, code):
    x = anything(draw, shape(draw))
    options = dict.fromkeys(
        ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0
    )
    begins, ends, steps, left = [], [], [], list(x.shape)
    ellipsis = draw(st.sampled_from((None, None, 0, 1)))
    while left:
        bit, size = 1 << len(begins), left[0]
        if len(begins) == ellipsis:
            options["ellipsis_mask"] = bit
            begin, end, step = 0, 0, 1
            del left[: draw(st.integers(0, len(left) - 1))]
        elif len(begins) < 4 and draw(st.integers(0, 5)) == 0:
            options["new_axis_mask"] |= bit
            begin, end, step = 0, 1, 1
        else:
            left.pop(0)
            begin = draw(st.integers(-size, size - 1))
            end = draw(st.integers(-size - 2, size + 2))
            step = draw(st.sampled_from((1, 1, 2, 3, -1, -2)))
            if draw(st.integers(0, 3)) == 0:
                options["shrink_axis_mask"] |= bit
                step, end = 1, begin + 1
                if ellipsis is not None:  # it may shift the entry to another dimension
                    begin = draw(st.sampled_from((0, -1)))
            for name in ("begin_mask", "end_mask"):
                if draw(st.integers(0, 2)) == 0:
                    options[name] |= bit
        for collected, value in zip((begins, ends, steps), (begin, end, step), strict=True):
            collected.append(value)
        if ellipsis is None and draw(st.integers(0, 4)) == 0:
            break  # the other dimensions are taken whole
    return Case(code, fed(x) + integers(begins, ends, steps), options, (x.dtype,))


def padded(draw, code):
    x = anything(draw, shape(draw)) if code != "MIRROR_PAD" else values(draw, shape(draw))
    x = without(x, np.bool_, np.int16, np.uint8)
    mode = draw(st.sampled_from(("REFLECT", "SYMMETRIC")))
    limits = [n - (mode == "REFLECT") if code == "MIRROR_PAD" else 3 for n in x.shape]
    borders = [[draw(st.integers(0, limit)) for _ in range(2)] for limit in limits]
    operands = fed(x) + integers(borders)
    if code == "PADV2":
        operands += constants(np.array([7], x.dtype))
    return Case(code, operands, {"mode": mode} if code == "MIRROR_PAD" else {}, (x.dtype,))


def scales(draw, count) -> np.ndarray:
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return random.choice((1e-3, 0.1, 0.5, 1.0), count).astype(f32) * draw(st.sampled_from((1, 0.3)))


def quantization(draw, dtype, sizes) -> Quantization:
    along, count = 0, 1
    if dtype != np.int16 and draw(st.booleans()):
        along = draw(st.integers(0, len(sizes) - 1))
        count = sizes[along]
    limits = np.iinfo(dtype)
    zero = 0 if dtype == np.int16 else draw(st.integers(limits.min, limits.max))
    return Quantization(scales(draw, count).astype(f32), np.full(count, zero, np.int64), along)


def quantized(draw, code):
    dtype = draw(st.sampled_from((np.int8, np.uint8, np.int16)))
    x = values(draw, shape(draw, largest=9))
    return Case(code, fed(x), {}, (dtype,), quantization(draw, dtype, x.shape))


def dequantized(draw, code):
    sizes = shape(draw)
    dtype = draw(st.sampled_from((np.int8, np.uint8, np.int16, np.float16)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if dtype == np.float16:
        return Case(code, fed(values(draw, sizes, MODERATE).astype(dtype)))
    limits = np.iinfo(dtype)
    codes = random.integers(limits.min, limits.max + 1, sizes).astype(dtype)
    return Case(code, [Operand(codes, False, quantization(draw, dtype, sizes))])


def cast(draw, code):
    numbers = {np.float32: 0, np.int32: 2, np.uint8: 3, np.int64: 4, np.bool_: 6}
    numbers |= {np.int16: 7, np.int8: 9, np.float16: 1}
    source, target = (draw(st.sampled_from(sorted(numbers, key=str))) for _ in range(2))
    x = values(draw, shape(draw), MODERATE) * f32(draw(st.sampled_from((1, 50))))
    if np.dtype(source).kind == "u" or np.dtype(target).kind == "u":
        x = np.abs(x)
    options = {"in_data_type": numbers[source], "out_data_type": numbers[target]}
    return Case(code, fed(x.astype(source)), options, (target,))


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


# one kernel each, the same around it: drawn together
COMPARED = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
COMPARED += ("LOGICAL_AND", "LOGICAL_OR", "LOGICAL_NOT")
LAYERS = {
    "DEPTHWISE_CONV_2D": depthwise,
    "FULLY_CONNECTED": dense,
    "TRANSPOSE_CONV": transpose_conv,
    "BATCH_MATMUL": batch_matmul,
}
GENERATORS = {
    **dict.fromkeys(("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM"), binary),
    **dict.fromkeys(("SQUARED_DIFFERENCE", "POW"), binary),
    **dict.fromkeys(("ABS", "NEG", "EXP", "SQRT", "RSQRT", "SQUARE", "LOG"), unary),
    **dict.fromkeys(("SIN", "COS", "FLOOR"), unary),
    **dict.fromkeys(COMPARED, compared),
    **dict.fromkeys(("SELECT", "SELECT_V2"), selected),
    **dict.fromkeys(("L2_NORMALIZATION", "LOG_SOFTMAX"), normalized),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D"), pool),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), reduction),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), resized),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), padded),
    **dict.fromkeys(("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"), blocked),
    "ARG_MAX": arg_max,
    "TOPK_V2": top_k,
    "RESHAPE": reshaped,
    "SQUEEZE": squeezed,
    "EXPAND_DIMS": expanded,
    "TRANSPOSE": transposed,
    "CONCATENATION": concatenated,
    "PACK": packed,
    "UNPACK": unpacked,
    "SPLIT": divided,
    "GATHER": gathered,
    "SHAPE": shaped,
    "SLICE": cut,
    "STRIDED_SLICE": stridden,
    "QUANTIZE": quantized,
    "DEQUANTIZE": dequantized,
    "CAST": cast,
    **LAYERS,
}


@st.composite
def cases(draw, code):
    """A random case of one operator; of operators that are joined by a slash, of one of them."""
    code = draw(st.sampled_from(code.split("/")))
    return GENERATORS[code](draw, code)
