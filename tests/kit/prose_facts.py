"""What the words around a number of the book say it is, and what it then has to be."""

import inspect
import math
import re

import drqsim
from drqsim.converter.quantize import MIN_ELEMENTS
from drqsim.kernels import KERNELS
from drqsim.qparams import SMALLEST_WEIGHT_RANGE
from tests.kit.numbers import COUNTED
from tests.kit.places import MODELS, ROOT

GRAPH = drqsim.load(MODELS / "digits_drq.tflite")
WEIGHTS = [t.value for t in GRAPH.tensors if t.value is not None and t.value.ndim > 1]
LAYER = GRAPH.extract("conv_2d_1")
FILTER = LAYER.tensor_of(LAYER.operators[0], 1).value
DEPTHWISE, DENSE = WEIGHTS[3], WEIGHTS[-1]
HYBRID = sum(value.dtype == "int8" for value in WEIGHTS)
README = (MODELS / "README.md").read_text(encoding="utf-8")
RIGHT = int(re.search(r"^\| `digits_float.tflite` .* (\d+) \|$", README, re.M)[1])
CASES = inspect.signature(drqsim.check).parameters["cases"].default
OPERATORS, CLASSES = len(GRAPH.operators), WEIGHTS[1].shape[0]

# What a range of codes or of values may be, where it begins at 0 or below.
FORMATS = {(-128, 127), (-127, 127), (0, 255), (0, 127), (0, 1), (-1, 1)}
# the letters with which a number word begins are looked at first: that is much faster
N = rf"(?<!\w)(?=[-\dtfsen])(-?\d[\d,]*(?:\.\d+)?|(?:{'|'.join(COUNTED)})\b)"


def compiled(*phrases):
    return [(re.compile(words, re.IGNORECASE), values) for words, values in phrases]


# Limits of the formats and rules of the converter: nothing else may stand in these places.
LIMITS = compiled(
    (rf"(?:rule of|fewer than|at least|from) {N} elements|rule of {N}", {MIN_ELEMENTS}),
    (rf"{N} elements o(?:r more|n)", {MIN_ELEMENTS}),
    (rf"left {N} elements|{N} float32 weights take", {MIN_ELEMENTS - 1}),
    (rf"(?:all|the|on) {N} (?:kernel )?paths", {len(KERNELS)}),
    (rf"{N}(?: |-)bits?\b", {2, 4, 7, 8, 15, 16, 32, 64}),
    (
        r"(?:zero point|code|exactly|contain|stands? for|byte|counted from|lands on"
        r"|(?:padding|only) with|other than|lower bound|minimum is|code is|code of|need not be"
        r"|symmetric around) (\d(?:\.\d)?)(?![\d.,x]*\d)",
        {0},
    ),
    # a 1 after these words is a 0 that was changed, more likely than not
    (r"(?:always|above|is not|, not|channel|step|It is|are not) ([01])(?![\d.,x]*\d)", {0}),
    (r"centered on (\d)|zeros would have the scale (\d)|`RELU` they are (\d)", {0}),
    (r"cuts our value down to (\d)", {1}),
    (r"the scale (\d)(?![\d.,]*\d|e)", {0, 1}),
    (r"(?:zero point|code) (-?\d{2,3})\b", range(-128, 128)),
    (r"/ ?\(?(\d{3})\b(?!\.\d)|\((\d{3})/range|which is (\d+) for 8", {127, 255}),
    (r"(\d{3}) steps (?:of|above)|divides (\d+) by the range", {255}),
    (r"the (\d{3}) codes", {256}),
    (r"(\d{3}) - \\max|upper end, (\d+)|and (\d+) (?:does|is) not", {127}),
    (r"as large as \d+ · (\d+)|it can be \d+ · (\d+)", {127}),
    (r"clipped to (-?\d+)|(-\d+) occurs", {-127}),
    (r"leaving out (-?\d+)|The code (-\d+) never", {-128}),
    (rf"each takes {N} bytes|biases of {N} bytes", {4}),
    (r"divided by (\d{3})\b|in size, over (\d{3})\b", {127}),
    (rf"With {N} every tensor", {MIN_ELEMENTS - 1}),
    (rf"{N} like the float model|Fifteen times {N}|all three get {N} right", {RIGHT}),
    (r"value here (?:passes|reaches) (\d)", {6}),
    (rf"float32, {N} bytes|scale of {N} bytes", {4}),
    (r"at most \$(2\^\{-\d+\})", {2**-24}),  # half of float32's last place
    (r"denormal below about \$(10\^\{-\d+\})", {10**-38}),
    (r"below (\d+e-\d+)|the scale (\d+e-\d+)", {SMALLEST_WEIGHT_RANGE / 2}),
    (r"scale of such a vector is (\d)|add up to (\d)\b", {1}),
    (rf"int64, {N} bytes|zero point of {N}, always", {8}),
)

# Constants of the formulas.
LIMITS += compiled(
    (r"\$(\d)/(?:s|\\sqrt)|\((\d)\)/\(s\)|(\d)/\(255/range", {1}),
    (r"\^\{b-1\} - (\d)", {1}),
    (r"(?<!\d)(\d)\^\{[bn]|k\^(\d)", {2}),
    (r"s\^(\d)\)?/|\\sum [xw]\^(\d)|\\sigma\^(\d)|20 \\log (\d)", {2}),  # a variance, a decibel
    (r"(?<!\d)(\d) (?:p|C)\b", {4}),  # bytes of a float32
    (r"C \+ (\d)\b", {8}),  # bytes of a scale and a zero point
    (r"saves (\d) bytes", {3}),
    (r"z\) w = (\d)|bias is (\d)|filter needs none, so there \$p = (\d)", {0}),
)

# The digits network and the layer that the book follows, counted in the file.
FACTS = compiled(
    (rf"same {N} operators|: {N} operators|of the {N} operators compute", {OPERATORS}),
    (
        rf"{N} (?:hybrid|int8) operators|{N} weight tensors have|{N} operators compute"
        rf"|inside {N} of the|each of the {N} gives|{N} operators the float"
        rf"|with integers, {N} do not|{N} rows shrink",
        {HYBRID},
    ),
    (rf"{N} (?:small ones|small weight tensors)", {len(WEIGHTS) - HYBRID}),
    (rf"the {N} (?:numbers (?:before|that)|probabilities|logits)|over {N} logits", {CLASSES}),
    (rf"tensor with {N} elements", {FILTER.size}),
    (rf"its {N} (?:output channels|weight scales)", {FILTER.shape[0]}),
    (rf"other {N} channels follow", {FILTER.shape[0] - 1}),
    (rf"on {N} random cases", {CASES}),
    (rf"all {N} pixels", {math.prod(LAYER.tensors[LAYER.outputs[0]].shape[1:3])}),
    (rf"dense layer has {N} scales", {DENSE.shape[0]}),
    (rf"other {N} channels are left", {DEPTHWISE.shape[3] - 1}),
    (
        rf"(?:its|the|all|these|meet|so) {N} (?:weight|code|weight code|step|product)s",
        {FILTER[0].size},
    ),
    (
        rf"{N} taps|{N} shifted copies|{N} products of code|sum of {N} products|not of {N} times",
        {FILTER[0, :, :, 0].size},
    ),
)

# Where the version of a program is pinned, by the words before it.
PINS = {
    "LiteRT ": "ai-edge-litert",
    "ai-edge-litert` ": "ai-edge-litert",
    "ai-edge-litert ": "ai-edge-litert",
    "ONNX Runtime ": "onnxruntime",
    "TensorFlow ": "tensorflow-cpu",
    "Python ": 'requires-python = "',
}
PINNED = "\n".join(
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("requirements.txt", "pyproject.toml", "tests/golden/make_converter_weights.py")
)
