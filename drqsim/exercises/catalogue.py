"""The exercises: for each a skeleton, random cases, and the known wrong answers with their hints.

``drqsim.check`` (``checking.py``) runs a reader's function on the cases. A known wrong answer is a
function too (``cases.py``): when a reader's results are the same as its results, its hint
is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from drqsim import qparams
from drqsim.errors import InputError
from drqsim.exercises import cases


class Exercise(NamedTuple):
    """One exercise."""

    skeleton: str
    results: tuple[str, ...]
    case: Callable  # (random generator, number of the case) -> arguments, right results
    wrong: tuple[tuple[Callable, str], ...]  # a known wrong answer and its hint
    hint: str  # when no known wrong answer is recognized

    @property
    def arguments(self) -> list[str]:
        """What the function takes, in order."""
        return self.skeleton[self.skeleton.index("(") + 1 : self.skeleton.index(")")].split(", ")


def skeleton(name: str) -> None:
    """Print the function to be completed for the exercise ``name``."""
    print(find(name).skeleton)


def find(name: str) -> Exercise:
    """The exercise ``name``; an ``InputError`` when there is none."""
    if name not in EXERCISES:
        raise InputError(f"There is no exercise {name!r}; expected one of {', '.join(EXERCISES)}.")
    return EXERCISES[name]


EVEN = (
    "you round half to even, as np.rint, np.round and Python's round do. The builtin kernels round "
    "half away from zero: 0.5 becomes 1, and -0.5 becomes -1."
)
ORDER = (
    "the scales are multiplied in another order, which differs in the last bit. The optimized "
    "kernel makes acc * (s_w * s_x); the reference kernel's order is acc * s_w * s_x, and "
    "XNNPACK's acc * s_x * s_w."
)
BIAS_CODES = (
    "the bias was quantized: rounded to whole steps of s_x * s_w and added to the accumulator, as "
    "in a full-integer model. Here it stays float32 and is added after the scales."
)
SYMMETRIC = (
    "your input is quantized symmetrically (max|x| / 127, zero point 0). With a scale for each "
    "channel of the weights, the builtin kernels quantize the input asymmetrically: the range from "
    "smallest to largest value, with 0 in it, is cut into 255 steps."
)
EXERCISES = {
    "scale": Exercise(
        '''\
def scale(weights):
    """The symmetric scale of each output channel's weights.

    weights: float32 [out, height, width, in], no channel all zero.
    Returns float32 [out]: the largest weight, in size, gets code 127.
    """
    ...''',
        ("scale",),
        cases.scale_case,
        (
            (
                partial(cases.scale, channels=False),
                "that is one scale for the whole tensor (per-tensor). Each output channel, the "
                "first dimension, has its own.",
            ),
            (
                lambda w: np.repeat(cases.scale(w, channels=False), len(w)),
                "all channels got the same scale, that of the whole tensor. Each has its own.",
            ),
            (
                partial(cases.scale, over=128),
                "divide by 127, not by 128: the codes of weights reach from -127 to 127.",
            ),
            (
                partial(cases.scale, of=lambda w: w),
                "you take the largest weight, but it is the largest size that counts: max|w|. "
                "A negative weight may be the largest in size.",
            ),
            (
                cases.scale_of_range,
                "(max - min) / 255 is the asymmetric rule, the one for inputs. Weights are "
                "symmetric: max|w| / 127.",
            ),
        ),
        "a channel's scale is its largest weight in size, over 127.",
    ),
    "zero_point": Exercise(
        '''\
def zero_point(x):
    """The asymmetric scale and zero point of an input.

    x: float32 [n]. Zeros alone have scale 1 and zero point 0.
    Returns float32, int: the step, and the code that stands for 0.0.
    """
    ...''',
        ("scale", "zero_point"),
        cases.zero_point_case,
        (
            (cases.symmetric_scale, SYMMETRIC),
            (
                partial(cases.zero_point, widened=False),
                "the range must contain 0, which needs a code of its own: take "
                "min(x.min(), 0) and max(x.max(), 0).",
            ),
            (partial(cases.zero_point, rounded=np.rint), EVEN),
            (
                partial(cases.zero_point, rounded=np.trunc),
                "the zero point was cut off where it should be rounded, half away from zero.",
            ),
            (
                partial(cases.zero_point, first=0),
                "that zero point is one of uint8, from 0 to 255. The codes are int8 and begin "
                "at -128.",
            ),
            (
                partial(cases.zero_point, steps=256),
                "256 codes have 255 steps between them: the scale is (max - min) / 255.",
            ),
        ),
        "the scale is (max - min) / 255 of a range that contains 0, and the zero point is "
        "-128 - min / scale, rounded half away from zero before the scale is stored as float32. "
        "Zeros alone have scale 1 and zero point 0.",
    ),
    "quantize": Exercise(
        '''\
def quantize(x, scale, zero_point):
    """The int8 codes of an input.

    x: float32 [n]; scale: float32; zero_point: int. The kernel does not
    divide: it multiplies by the float32 number 1 / scale.
    Returns int8 [n].
    """
    ...''',
        ("codes",),
        cases.quantize_case,
        (
            (partial(cases.quantize, rounded=np.rint), EVEN),
            (
                cases.shifted_first,
                "the zero point was added before rounding. That turns ties around: round "
                "x * (1 / scale) first, half away from zero, then add the zero point.",
            ),
            (
                partial(cases.quantize, rounded=np.trunc),
                "the fraction was cut off, as astype does. Round before you convert.",
            ),
            (
                lambda x, scale, zero_point: cases.quantize(x, scale, 0),
                "the zero point was not added: the code of 0.0 is the zero point, not 0.",
            ),
            (
                lambda x, scale, zero_point: cases.quantize(x, scale, -zero_point),
                "the zero point is added to the steps, not subtracted.",
            ),
            (
                partial(cases.quantize, clamped=False),
                "a code beyond -128 to 127 wrapped around. Clamp before you convert to int8.",
            ),
        ),
        "a code is round(x * (1 / scale)) + zero_point, half away from zero, clamped to "
        "-128 to 127.",
    ),
    "accumulator_range": Exercise(
        '''\
def accumulator_range(filter, zero_point):
    """The least and the greatest accumulator of each output channel.

    filter: int8 [out, height, width, in]; zero_point: int, the input's.
    The accumulator is the sum of (q - zero_point) * w over a window,
    whose codes q can be anything from -128 to 127.
    Returns two integer arrays [out].
    """
    ...''',
        ("low", "high"),
        cases.range_case,
        (
            (
                partial(cases.sum_range, corrected=False),
                "the zero-point correction was forgotten: the bounds are those of q * w, the raw "
                "sum. The accumulator adds up (q - zero_point) * w.",
            ),
            (
                partial(cases.sum_range, signs=False),
                "one code was taken for all weights. Each weight's sign decides which end of the "
                "codes makes its product small, and which makes it large.",
            ),
            (
                cases.widest_range,
                "no sum is beyond these bounds, but they are not reached: use the weights that "
                "are there, and the zero point, instead of 255 * 127 for each product.",
            ),
        ),
        "the smallest product of a weight is the lesser of (-128 - z) * w and (127 - z) * w. Add "
        "them up for each channel in int32: in int8 they wrap around.",
    ),
    "conv": Exercise(
        '''\
def conv(x, filter, filter_scale, bias):
    """A hybrid 3x3 convolution and its ReLU: stride 1, padding SAME.

    x: float32 [batch, height, width, in], no image all zero;
    filter: int8 [out, 3, 3, in]; filter_scale, bias: float32 [out].
    Returns float32 [batch, height, width, out], to the last bit.
    """
    y = []
    for image in x:
        # 1. scale and zero point of this image
        # 2. its int8 codes
        # 3. the padding: a ring of one pixel of ... what?
        # 4. the accumulator of each pixel and channel, an exact integer
        # 5. back to float32: acc * (filter_scale * scale) + bias
        # 6. ReLU
        ...
    return np.stack(y)''',
        ("y",),
        cases.whole_conv,
        (
            (
                cases.float_conv,
                "this is a float matmul in disguise: the weights were dequantized (filter * "
                "filter_scale) and multiplied with x as it is. The kernel quantizes x and "
                "multiplies int8 codes; the scales come after the sum.",
            ),
            (partial(cases.conv, by=qparams.symmetric), SYMMETRIC),
            (
                partial(cases.conv, fill=0),
                "the padding was filled with the code 0. Outside the image lies 0.0, and its code "
                "is the zero point.",
            ),
            (partial(cases.conv, rounded=np.rint), EVEN),
            (
                partial(cases.conv, corrected=False),
                "the zero-point correction was forgotten: the sum of q * w still holds zero_point "
                "times the sum of the weights. Subtract it, or sum (q - zero_point) * w.",
            ),
            (
                partial(cases.conv, corrected=False, fill=0),
                "the zero point was forgotten twice: in the padding, whose code is the zero "
                "point, and in the sum, which is to be of (q - zero_point) * w.",
            ),
            (
                partial(cases.conv, whole_batch=True),
                "the whole batch got one scale. Each image has a range, so a scale and a zero "
                "point, of its own.",
            ),
            (partial(cases.conv, bias_as="codes"), BIAS_CODES),
            (partial(cases.conv, bias_as="none"), "the bias was not added."),
            (partial(cases.conv, relu=False), "the ReLU is missing: negative results become 0."),
            (partial(cases.conv, order="input last"), ORDER),
            (partial(cases.conv, order="weights last"), ORDER),
        ),
        "take it apart: check('zero_point', ...), check('quantize', ...) and "
        "check('dequantize', ...) judge the steps one by one.",
    ),
    "dequantize": Exercise(
        '''\
def dequantize(accumulator, input_scale, filter_scale, bias):
    """From the exact sum back to float32, before the activation function.

    accumulator: int32 [1, height, width, out]; input_scale: float32;
    filter_scale, bias: float32 [out]. The optimized kernel multiplies the
    two scales first.
    Returns float32 [1, height, width, out], to the last bit.
    """
    ...''',
        ("y",),
        cases.last_steps,
        (
            (partial(cases.dequantize, order="input last"), ORDER),
            (partial(cases.dequantize, order="weights last"), ORDER),
            (partial(cases.dequantize, bias_as="codes"), BIAS_CODES),
            (
                partial(cases.dequantize, bias_as="in front"),
                "the bias was added to the accumulator as it is. It is in real numbers, so it is "
                "added after the scales.",
            ),
            (partial(cases.dequantize, bias_as="none"), "the bias was not added."),
        ),
        "y = float32(accumulator) * (filter_scale * input_scale) + bias, each step rounded to "
        "float32.",
    ),
}
