"""``drqsim.check``: a reader's function against drqsim's own, on random cases."""

from __future__ import annotations

import textwrap
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from drqsim.errors import InputError
from drqsim.exercises.catalogue import Exercise, find
from drqsim.names import short_form

f32 = np.float32
# float32 sums in another order agree this well, in parts of the largest result
SAME_BUT_FOR_ROUNDING = 3e-6
EXPLAINED = 0.8  # the part of the cases that a known wrong answer must explain to be named
SHOWN = 40  # an array with more values is shown by its ends


@dataclass(frozen=True)
class Judgment:
    """What came of a check; printed, it says so in words.

    Parameters
    ----------
    exercise : str
    cases : int
        How many random cases were tried.
    failed : int
        How many of them went wrong; when the function raises an error, no more are tried.
    message : str
        The first case that went wrong, what was expected there, and a hint.
    """

    exercise: str
    cases: int
    failed: int
    message: str

    @property
    def passed(self) -> bool:
        """Whether every case came out right."""
        return self.failed == 0

    def __repr__(self) -> str:
        return self.message


def check(name: str, function: Callable, cases: int = 50, seed: int = 0) -> Judgment:
    """Judge ``function`` as an answer to the exercise ``name``.

    Parameters
    ----------
    name : str
        One of ``drqsim.exercises.EXERCISES``; ``drqsim.exercises.skeleton(name)`` prints what
        the function is to take and to return.
    function : callable
        The answer. It gets copies, so it may write to its arguments.
    cases : int
        How many random cases, from 20 on. The first ones are small.
    seed : int
        Which random cases; the same number draws the same ones.

    Returns
    -------
    Judgment
        ``passed``, and in print the first failing case with a hint.

    Raises
    ------
    InputError
        When there is no such exercise, ``function`` cannot be called, or ``cases`` or ``seed`` is
        no sensible number. An error inside ``function`` becomes part of the judgment.

    Notes
    -----
    The command ``drqsim check`` is another thing: it holds drqsim against the installed runtime on
    a model, as ``drqsim.litert.compare`` does.
    """
    exercise = find(name)
    if not callable(function):
        raise InputError(
            f"check({name!r}, ...) got {type(function).__name__}; pass the function itself, "
            "without calling it."
        )
    for what, number, least in (("cases", cases, 20), ("seed", seed, 0)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise InputError(f"{what} is {number!r}; expected a whole number from {least}.")
    rng = np.random.default_rng(seed)
    drawn = [exercise.case(rng, at) for at in range(cases)]
    answers = []
    for at, (arguments, _) in enumerate(drawn):
        try:
            with np.errstate(all="ignore"):  # what overflows is told as a wrong result
                returned = function(*_copies(arguments))
        except Exception as error:  # whatever a reader's function raises
            text = f"{name}: case {at + 1} of {cases} stopped. {_told(error, function)}"
            return Judgment(name, cases, 1, _wrapped(text))
        try:
            answers.append(_results(returned))
        except ValueError:
            kind = type(returned).__name__
            text = f"{name}: your function returned a {kind} that makes no array."
            return Judgment(name, cases, 1, _wrapped(text))
    wrong = [at for at, (_, right) in enumerate(drawn) if not _right(answers[at], right)]
    if not wrong:
        return Judgment(name, cases, 0, f"{name}: passed {cases} random cases.")
    arguments, right = drawn[wrong[0]]
    lines = [
        f"{name}: {len(wrong)} of {cases} random cases fail. Case {wrong[0] + 1}:",
        *(f"  {n:<13}{_shown(v)}" for n, v in zip(exercise.arguments, arguments, strict=True)),
        *_difference(exercise.results, right, answers[wrong[0]]),
        f"Hint: {_hint(exercise, drawn, answers, wrong[0])}",
    ]
    return Judgment(name, cases, len(wrong), "\n".join(map(_wrapped, lines)))


def _wrapped(line: str) -> str:
    """A line as several of at most 70 columns, which a page of the book has room for."""
    indent = " " * 15 if line.startswith(" ") else ""
    return textwrap.fill(
        line, 70, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _copies(arguments: tuple) -> list:
    return [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]


def _results(returned) -> tuple[np.ndarray, ...]:
    """What a function returned, as arrays of its own."""
    several = returned if isinstance(returned, tuple) else (returned,)
    return tuple(np.array(one) for one in several)


def _right(answer: tuple[np.ndarray, ...], right: tuple) -> bool:
    """Equal in number, shape, type and every bit; -0.0 is 0.0."""
    return len(answer) == len(right) and all(
        got.shape == np.shape(want) and _fits(got.dtype, want) and np.array_equal(got, want)
        for got, want in zip(answer, right, strict=True)
    )


def _fits(dtype: np.dtype, want) -> bool:
    """Codes and floats have one type; a sum or a zero point may be any integer."""
    exact = np.asarray(want).dtype
    return dtype == exact or (exact.itemsize > 1 and dtype.kind in "iu" and exact.kind == "i")


def _near(answer: tuple[np.ndarray, ...], other: tuple, tolerance: float) -> bool:
    """Whether two results agree within ``tolerance`` of the largest value."""
    if len(answer) != len(other):
        return False
    for got, want in zip(answer, other, strict=True):
        wide = np.asarray(want, np.float64)
        if got.shape != wide.shape or got.dtype.kind not in "iuf":
            return False
        # NaN is near nothing
        if not (np.abs(got - wide) <= tolerance * np.abs(wide).max(initial=0)).all():
            return False
    return True


def _hint(exercise: Exercise, drawn: list, answers: list, first: int) -> str:
    """Of the known wrong answer that explains most cases, the first failing one among them."""

    def agreeing(others, tolerance):
        return [_near(*pair, tolerance) for pair in zip(answers, others, strict=True)]

    rights = [right for _, right in drawn]
    floats = any(np.asarray(part).dtype == f32 for part in rights[0])
    # a last bit is told from another only where the results are the same to the last bit
    last_bit = floats and all(agreeing(rights, SAME_BUT_FOR_ROUNDING))
    tolerance = SAME_BUT_FOR_ROUNDING if floats and not last_bit else 0
    best, explained = None, max(sum(agreeing(rights, tolerance)), EXPLAINED * len(drawn))
    with np.errstate(all="ignore"):
        for wrong, hint in exercise.wrong:
            others = [_results(wrong(*arguments)) for arguments, _ in drawn]
            same = agreeing(others, tolerance)
            if same[first] and sum(same) > explained:
                best, explained = hint, sum(same)
    if best:
        return best
    told = _mismatch(exercise, answers[first], rights[first])
    if told or not last_bit:
        return told or exercise.hint
    return (
        "all results are right but for the last bits of float32. Is something computed in another "
        "type or order? A sum of integers is exact; a float matmul over dequantized codes rounds "
        f"at every step. {exercise.hint[0].upper()}{exercise.hint[1:]}"
    )


def _mismatch(exercise: Exercise, answer: tuple[np.ndarray, ...], right: tuple) -> str | None:
    """What is wrong with number, shape or type of the results."""
    names = ", ".join(exercise.results)
    if len(answer) == 1 and answer[0].dtype == object and answer[0].shape == ():
        if answer[0].item() is None:
            return f"your function returned nothing; end it with a return of {names}."
    if len(answer) != len(right):
        return f"results returned: {len(answer)}; expected {len(right)}: {names}."
    for name, got, want in zip(exercise.results, answer, right, strict=True):
        want = np.asarray(want)
        if got.shape != want.shape:
            return f"the shape of {name} is {list(got.shape)}; expected {list(want.shape)}."
        if not _fits(got.dtype, want):
            kind = (
                "an integer" if want.dtype.itemsize > 1 and want.dtype.kind == "i" else want.dtype
            )
            return f"{name} is {got.dtype}; expected {kind}, as the kernel has it."
    return None


def _difference(names: tuple[str, ...], right: tuple, answer: tuple[np.ndarray, ...]) -> list[str]:
    """What was expected and what came, at the first place where they differ."""
    lines = []
    comparable = len(answer) == len(right)
    for at, (name, want) in enumerate(zip(names, right, strict=True)):
        got, want = answer[at] if comparable else None, np.asarray(want)
        if got is not None and _right((got,), (want,)):
            continue
        label = {"expected": _shown(want), "got": "" if got is None else _shown(got)}
        if got is not None and got.shape == want.shape and want.size > 8:
            places = np.argwhere(~(got == want))
            if len(places):
                place = tuple(places[0])
                index = f"{name}[{','.join(map(str, place))}]"
                label = {k: f"{index} = {_number(v[place])}" for k, v in
                         (("expected", want), ("got", got))}  # fmt: skip
                label["got"] += f"  ({len(places)} of {want.size} values differ)"
        else:
            label = {k: f"{name} {v}" for k, v in label.items()}
        lines += [f"  {k:<13}{v}" for k, v in label.items() if got is not None or k == "expected"]
    if not comparable:
        lines.append(f"  {'got':<13}{'; '.join(_shown(one) for one in answer) or 'nothing'}")
    return lines


def _shown(value) -> str:
    """``float32[1,2,2]: 0.5 1 -2 4``; a large array by its type and its ends."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        return "None" if value is None or array.tolist() is None else f"values of {array.dtype}"
    if array.ndim == 0:
        return _number(array[()])
    form = short_form(array.dtype, array.shape)
    if array.size > SHOWN:
        return f"{form}: from {_number(array.min())} to {_number(array.max())}"
    return f"{form}: {' '.join(_number(v) for v in array.flat)}"


def _number(value) -> str:
    """The shortest text that stands for this number and no other of its type."""
    if np.asarray(value).dtype.kind in "biu":
        return str(int(value))
    return (
        np.format_float_positional(value, trim="-")
        if value == 0 or 1e-5 < abs(value) < 1e9
        else str(value)
    )


def _told(error: Exception, function: Callable) -> str:
    """An error in a reader's function, with the last line of it that was reached."""
    home = getattr(getattr(function, "__code__", None), "co_filename", None)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == home]
    what = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
    at = f" (line {own[-1].lineno}: {own[-1].line})" if own else ""
    return f"Your function raised {what}{at}"
