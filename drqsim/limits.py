"""What a run may take: bytes alive at once, and work; and what else is bounded by time or memory.

A model file is hostile until shown otherwise: 300 bytes can ask for a terabyte, or for a week. So a
run has a budget. Who is about to make something large asks first (``Budget.room``, ``Budget.work``)
and gets one sentence where it does not fit. The defaults are for a laptop: less than 1 GiB, and
seconds. ``run(..., limits=Limits(memory=2**34))`` raises them for one run, ``using`` for all in a
``with`` block, ``--max-memory`` and ``--max-work`` on the command line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

import numpy as np

from drqsim.errors import InputError, UnsupportedOperatorError

# Work is counted in products of a matrix product, of which a processor does some 10^10 in a second.
# What else costs, in these, about:
PER_ELEMENT = 256  # that an operator reads or makes: some passes over memory, a tanh
PER_PRODUCT = 16  # outside of a matrix product: a tap of a window, a product of whole numbers
PER_EXACT = 16  # of a float layer, added up in the kernel's own order
PER_STEP = 2**15  # of a loop in Python
PER_OPERATOR = 2**20
# arrays of an operator that are alive at once, for each that it reads or makes: the intermediate
# values of its formula, some of them in float64
COPIES = 5


# a float layer of more products than these is added up in BLAS's order unless told otherwise: the
# kernel's own order takes up to two nanoseconds for each, half a second for so many
EXACT_PRODUCTS = 2**28

# Where a file leaves shapes open, a plan follows the inputs' by running the model on zeros, where
# that is a second or two: so many products, and bytes of all activations together.
FOLLOWED_PRODUCTS = 2_000_000_000
FOLLOWED_BYTES = 2**28
PLANNED_ELEMENTS = 2**28  # of an input whose shape somebody gives to a plan

ANSWER_SECONDS = 300  # for a question to the runtime, in its own process


@dataclass(frozen=True)
class Limits:
    """What a run may take.

    Parameters
    ----------
    memory : int
        Bytes alive at once: tensors that somebody still reads, records that keep their values, and
        what an operator needs while it runs. The file's constants are not counted.
    work : int
        Products of matrix products; other operations count as what they cost in these.
    drawn : int
        Operators of which a report draws the codes.
    """

    memory: int = 3 * 2**28
    work: int = 2**36
    drawn: int = 100

    def __post_init__(self):
        for name, value in vars(self).items():
            if not isinstance(value, (int, np.integer)) or value < 0:
                raise InputError(f"Limits({name}={value!r}): a limit is a whole number from 0 on.")


LAPTOP = Limits()
_CURRENT: ContextVar[Limits] = ContextVar("limits", default=LAPTOP)


def current() -> Limits:
    """The limits of whoever says nothing else."""
    return _CURRENT.get()


@contextmanager
def using(limits: Limits) -> Iterator[None]:
    """These limits for every run in a ``with`` block, however deep inside drqsim."""
    token = _CURRENT.set(limits)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextmanager
def shared_by(runs: int) -> Iterator[None]:
    """In a ``with`` block of so many runs in turn, each may take its part of the work."""
    with using(replace(current(), work=current().work // runs)):
        yield


class Budget:
    """What one run has used of its limits.

    Parameters
    ----------
    limits : Limits, optional
        The current ones unless given.

    Attributes
    ----------
    alive : int
        Bytes of the arrays that are held.
    worked : int
    """

    def __init__(self, limits: Limits | None = None):
        self.limits = current() if limits is None else limits
        self.alive = self.worked = 0
        self._held: dict[int, tuple[np.ndarray, int]] = {}  # by id: an array and its holders

    def hold(self, array: np.ndarray) -> None:
        """Count an array as alive; of one memory that many views share the bytes count once."""
        root = _root(array)
        _, holders = self._held.get(id(root), (root, 0))
        self.alive += root.nbytes if holders == 0 else 0
        self._held[id(root)] = root, holders + 1

    def release(self, array: np.ndarray) -> None:
        """Take back one ``hold``."""
        root, holders = self._held.pop(id(_root(array)))
        if holders > 1:
            self._held[id(root)] = root, holders - 1
        else:
            self.alive -= root.nbytes

    def room(self, who: str, nbytes: int, what: str = "it") -> None:
        """Ask before making something of so many bytes.

        Raises
        ------
        UnsupportedOperatorError
            When it does not fit beside what is alive.
        """
        if self.alive + nbytes > self.limits.memory:
            beside = f" beside {self.alive:,} that are in use" if self.alive else ""
            raise UnsupportedOperatorError(
                f"{who}: {what} takes up to {nbytes:,} bytes{beside}, and a run may use "
                f"{self.limits.memory:,}; raise that with limits=drqsim.Limits(memory=...)."
            )

    def work(self, who: str, operations: int) -> None:
        """Ask before so much work.

        Raises
        ------
        UnsupportedOperatorError
            When the run would have done more than its limit.
        """
        self.worked += operations
        if self.worked > self.limits.work:
            raise UnsupportedOperatorError(
                f"{who}: with it the run takes {self.worked:,} units of work (a product of a "
                f"matrix product is one), and may take {self.limits.work:,}; raise that with "
                "limits=drqsim.Limits(work=...)."
            )


class Values(dict):
    """The values of a run by tensor index; what is not a constant of the file is in the budget."""

    def __init__(self, constants: dict[int, np.ndarray], budget: Budget):
        super().__init__(constants)
        self.budget, self._constants = budget, frozenset(constants)

    def __setitem__(self, index: int, array: np.ndarray) -> None:
        self.drop(index)
        if index not in self._constants:
            self.budget.hold(array)
        super().__setitem__(index, array)

    def drop(self, index: int) -> None:
        """Forget a tensor that nobody reads any more."""
        array = self.pop(index, None)
        if array is not None and index not in self._constants:
            self.budget.release(array)


def _root(array: np.ndarray) -> np.ndarray:
    """The array that owns the memory."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
