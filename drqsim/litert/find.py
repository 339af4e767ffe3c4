"""Look into the memory of a process that has just run a model, also where no tensor shows it.

XNNPACK lets nobody ask for its packed weights or for the codes of an input. But they are bytes in
the memory of the process, and on Linux a parent may read the memory of its child. So a child runs
the model and waits, and this process looks for the bytes that should be there, or should not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drqsim.errors import InputError
from drqsim.graph import Graph, shorten
from drqsim.interpreter import inputs_by_index
from drqsim.kernels import checked
from drqsim.names import short_form
from drqsim.runtime import read_both
from drqsim.runtime.child import alone
from drqsim.runtime.peek import expect_linux, search
from drqsim.tables import Printed, Printout, Table

SHORTEST, FEWEST = 16, 4  # bytes, and different ones; less is found by chance
MOST_PATTERNS = 2000
MOST_PATTERN_BYTES = 2**27


@dataclass(frozen=True)
class FoundRow:
    """One pattern: how often it was found, and where.

    Attributes
    ----------
    name, form : str
        The form is that of its arrays: ``int8[1,8,8,16]``, and ``2 x`` before it where it has two.
    nbytes : int
    times : int
        How often; of several arrays the one that was found least often.
    stored : tuple of str
        ``heap``, ``anonymous``, ``stack`` or the name of a file: the kinds of memory it was in.
    given : bool
        Whether it lies in the model file or in an input, which the child was given: then that it
        was found says nothing of what the runtime made.
    """

    name: str
    form: str
    nbytes: int
    times: int
    stored: tuple[str, ...]
    given: bool


class Found(Printed):
    """How often each pattern was found: indexed by its name, and by group (``of``).

    Attributes
    ----------
    rows : list of FoundRow
    kernels : str
    """

    def __init__(self, rows: list[FoundRow], kernels: str):
        self.rows, self.kernels = rows, kernels

    def __getitem__(self, name: str) -> int:
        for row in self.rows:
            if row.name == name:
                return row.times
        raise InputError(f"There is no pattern {name!r} among {[r.name for r in self.rows]}.")

    def __iter__(self) -> Iterator[FoundRow]:
        return iter(self.rows)

    def of(self, group: str) -> int:
        """How often those patterns were found whose names begin so, up to a comma."""
        rows = [row for row in self.rows if row.name.partition(", ")[0] == group]
        if not rows:
            groups = sorted({row.name.partition(", ")[0] for row in self.rows})
            raise InputError(f"There is no group {group!r} among {groups}.")
        return sum(row.times for row in rows)

    def _printed(self) -> Printout:
        cells = [
            (
                shorten(row.name),
                row.form,
                f"{row.nbytes:,}",
                f"{row.times:,}" if row.times else "not found",
                ", ".join(row.stored),
            )
            for row in self.rows
        ]
        given = [row.name for row in self.rows if row.given]
        notes = [f"In the file or in an input already: {', '.join(given)}."] if given else []
        return Printout([Table(_HEADER, cells, right=(2, 3))], notes)


_HEADER = ("pattern", "type", "bytes", "found", "in")


def find_in_memory(
    model: Graph | bytes | str | Path,
    x: np.ndarray | dict[str, np.ndarray],
    patterns: Mapping[str, np.ndarray | Sequence[np.ndarray]],
    kernels: str = "xnnpack",
    allow_nonfinite: bool = False,
) -> Found:
    """Run a model in a process of its own, and look for patterns of bytes in all of its memory.

    Linux only. The process runs the model once, in one thread, and waits while it is looked at; it
    is given the file and the input, and no pattern. What is looked through is all that it can have
    written to: its heap, stacks, and anonymous areas.

    Parameters
    ----------
    model : Graph, bytes or path
    x : array, or dict of arrays by input name
    patterns : dict of arrays, or of lists of arrays
        By name what to look for: the bytes of the array, in its order, at any address. Of a list
        all arrays have to be there, anywhere. An array has 16 bytes or more, 4 different ones.
        ``layer_patterns`` makes those of a layer.
    kernels : {"xnnpack", "optimized", "reference"}
    allow_nonfinite : bool
        Whether NaN and infinity may be fed, as for ``run``.

    Returns
    -------
    Found
        A row for each pattern; indexed by a name it gives how often that was found.

    Raises
    ------
    InputError
        When a pattern would be found by chance, or ``x`` does not fit the model.
    ModelFileError
        When the runtime refuses the model, or crashes on it.
    DrqsimError
        Elsewhere than on Linux, where the system forbids to read a child's memory, and when there
        is too much of it.

    Notes
    -----
    Not to find is only as good as the pattern: a copy in another layout has other bytes.
    """
    expect_linux("find_in_memory")
    kernels, wanted = checked(kernels), _wanted(patterns)
    graph, content = read_both(model)
    fed = list(inputs_by_index(graph, x, allow_nonfinite).items())
    pieces = {
        f"{name}/{at}": array.tobytes()
        for name, arrays in wanted.items()
        for at, array in enumerate(arrays)
    }
    with alone(kernels) as (pid, ask):
        ask("hold", content=content, fed=fed)
        places = search(pid, pieces)
    known = [content, *(array.tobytes() for _, array in fed)]
    rows = []
    for name, arrays in wanted.items():
        own = [f"{name}/{at}" for at in range(len(arrays))]
        times = min(len(places[piece]) for piece in own)
        stored = {kind for piece in own for _, kind in places[piece]} if times else ()
        given = all(any(pieces[piece] in each for each in known) for piece in own)
        nbytes = sum(array.nbytes for array in arrays)
        rows.append(FoundRow(name, _form(arrays), nbytes, times, tuple(sorted(stored)), given))
    return Found(rows, kernels)


def _wanted(patterns: Mapping) -> dict[str, list[np.ndarray]]:
    """The patterns as lists of arrays.

    Raises
    ------
    InputError
        When there is none, or too many, or one would be found by chance.
    """
    if not isinstance(patterns, Mapping) or not all(isinstance(name, str) for name in patterns):
        raise InputError("patterns is a dict of arrays, or of lists of arrays, by name.")
    lists = {k: v if isinstance(v, (list, tuple)) else [v] for k, v in patterns.items()}
    try:
        wanted = {name: [np.asarray(each) for each in value] for name, value in lists.items()}
    except ValueError as error:
        raise InputError(f"A pattern is no array: {error}") from None
    if not wanted:
        raise InputError("There is no pattern to look for.")
    count = sum(map(len, wanted.values()))
    nbytes = sum(array.nbytes for arrays in wanted.values() for array in arrays)
    if count > MOST_PATTERNS or nbytes > MOST_PATTERN_BYTES:
        raise InputError(
            f"The patterns are {count:,} arrays with {nbytes:,} bytes; at most "
            f"{MOST_PATTERNS:,} with {MOST_PATTERN_BYTES:,} are looked for."
        )
    for name, arrays in wanted.items():
        for array in arrays or [np.zeros(0)]:
            if not is_telling(array):
                raise InputError(
                    f"The pattern {name!r} has an array {short_form(array.dtype, array.shape)} "
                    f"that would be found by chance: it takes {SHORTEST} bytes or more, with "
                    f"{FEWEST} different ones."
                )
    return wanted


def is_telling(array: np.ndarray) -> bool:
    """Whether the bytes of an array are too many, and too different, to lie there by chance."""
    if array.dtype.hasobject or array.nbytes < SHORTEST:
        return False
    return len(set(array.tobytes())) >= FEWEST


def _form(arrays: list[np.ndarray]) -> str:
    form = short_form(arrays[0].dtype, arrays[0].shape)
    return form if len(arrays) == 1 else f"{len(arrays)} x {form}"
