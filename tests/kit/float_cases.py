"""Random cases for every float operator: shapes, axes, options, values."""

import numpy as np
from hypothesis import strategies as st

from drqsim.graph import Quantization
from tests.kit.float_values import MODERATE, anything, axes, axis, fused, image, shape, values
from tests.kit.layer_cases import LAYERS
from tests.kit.moving_cases import MOVING
from tests.kit.one_operator import Case, Operand, constants, f32, fed, integers


def binary(draw, code):
    whole = shape(draw)
    part = tuple(1 if draw(st.booleans()) else n for n in whole)[draw(st.integers(0, len(whole))) :]
    operands = [
        Operand(values(draw, whole)),
        Operand(values(draw, draw(st.sampled_from((whole, part)))), draw(st.booleans())),
    ]
    options = fused(draw) if code in ("ADD", "SUB", "MUL", "DIV") else {}
    return Case(code, operands[:: draw(st.sampled_from((1, -1)))], options)


def unary(draw, code):
    x = values(draw, shape(draw))
    if code in ("SQRT", "RSQRT", "LOG"):
        x = np.abs(x)
    return Case(code, fed(x))


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
    x = values(draw, shape(draw, largest=20))
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
    sizes = shape(draw, highest=5, largest=7)
    if draw(st.booleans()):  # more than the registers of a vector sum hold
        sizes = (*sizes[:-1], draw(st.integers(1, 150)))
    x = values(draw, sizes)
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


# one kernel each, the same around it: drawn together
COMPARED = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
COMPARED += ("LOGICAL_AND", "LOGICAL_OR", "LOGICAL_NOT")
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
    "ARG_MAX": arg_max,
    "TOPK_V2": top_k,
    "QUANTIZE": quantized,
    "DEQUANTIZE": dequantized,
    "CAST": cast,
    **MOVING,
    **LAYERS,
}


@st.composite
def cases(draw, code):
    """A random case of one operator; of operators that are joined by a slash, of one of them."""
    code = draw(st.sampled_from(code.split("/")))
    return GENERATORS[code](draw, code)
