"""Random cases of the operators that move values: reshaped, joined, cut, padded."""

import math

import numpy as np
from hypothesis import strategies as st

from tests.kit.float_values import anything, axis, image, shape, values, without
from tests.kit.one_operator import Case, Operand, constants, fed, integers


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


MOVING = {
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), padded),
    **dict.fromkeys(("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"), blocked),
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
}
