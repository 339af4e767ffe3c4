"""What a run recorded: every tensor of every operator, with its dtype, its bytes and its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import count
from types import MappingProxyType

import numpy as np

from drqsim.errors import InputError
from drqsim.names import byte_size, short_form
from drqsim.processor import DEFAULT, in_words
from drqsim.tables import Printed, Printout, Table

# what a tensor is: name -> (role, stage, where it is stored unless the kernel path says otherwise);
# further tensors of a kind are numbered: `input`, `input_2`, `input_3`
KINDS = {
    "input": ("activation", "on-device", "arena"),
    "filter": ("constant", "offline", "file"),
    "filter_scale": ("constant", "offline", "file"),
    "filter_zero_point": ("constant", "offline", "file"),
    "bias": ("constant", "offline", "file"),
    "alpha": ("constant", "offline", "file"),
    "constant": ("constant", "offline", "file"),
    "filter_row_sums": ("scratch", "on-device", "persistent"),
    # int4 weights: as int8, made again in every run; as w + 7, made once
    "filter_unpacked": ("scratch", "on-device", "heap"),
    "filter_packed": ("scratch", "on-device", "heap"),
    "offset_correction": ("scratch", "on-device", "arena"),
    "offset_dequantized": ("intermediate", "on-device", "not stored"),
    "input_scale": ("scratch", "on-device", "arena"),
    "input_zero_point": ("scratch", "on-device", "arena"),
    "input_quantized": ("scratch", "on-device", "arena"),
    "im2col": ("scratch", "on-device", "arena"),
    "accumulator_raw": ("scratch", "on-device", "arena"),
    "accumulator": ("scratch", "on-device", "arena"),
    # of full-integer operators: made of the file's scales once, when the model is loaded
    "output_multiplier": ("scratch", "on-device", "heap"),
    "output_shift": ("scratch", "on-device", "heap"),
    "effective_scale": ("scratch", "on-device", "heap"),
    "accumulator_with_bias": ("intermediate", "on-device", "not stored"),
    "requantized": ("intermediate", "on-device", "not stored"),
    # of recurrent operators: every step's values, the time first
    "input_weights": ("constant", "offline", "file"),
    "input_weights_scale": ("constant", "offline", "file"),
    "recurrent_weights": ("constant", "offline", "file"),
    "recurrent_weights_scale": ("constant", "offline", "file"),
    "peephole_weights": ("constant", "offline", "file"),
    "peephole_weights_scale": ("constant", "offline", "file"),
    "projection_weights": ("constant", "offline", "file"),
    "projection_weights_scale": ("constant", "offline", "file"),
    "projection_bias": ("constant", "offline", "file"),
    "layer_norm_coefficients": ("constant", "offline", "file"),
    "input_row_sums": ("scratch", "on-device", "persistent"),
    "recurrent_row_sums": ("scratch", "on-device", "persistent"),
    "projection_row_sums": ("scratch", "on-device", "persistent"),
    "output_state_scale": ("scratch", "on-device", "arena"),
    "output_state_zero_point": ("scratch", "on-device", "arena"),
    "output_state_quantized": ("scratch", "on-device", "arena"),
    "hidden_scale": ("scratch", "on-device", "arena"),
    "hidden_zero_point": ("scratch", "on-device", "arena"),
    "hidden_quantized": ("scratch", "on-device", "arena"),
    "input_accumulator": ("scratch", "on-device", "not stored"),
    "recurrent_accumulator": ("scratch", "on-device", "not stored"),
    "projection_accumulator": ("scratch", "on-device", "not stored"),
    "time_weights": ("constant", "offline", "file"),
    "time_weights_scale": ("constant", "offline", "file"),
    "time_weights_dequantized": ("scratch", "on-device", "persistent"),
    "memory": ("activation", "on-device", "persistent"),
    "filtered": ("intermediate", "on-device", "arena"),
    "gates": ("intermediate", "on-device", "arena"),
    "hidden": ("intermediate", "on-device", "arena"),
    "output_state": ("activation", "on-device", "persistent"),
    "cell_state": ("activation", "on-device", "persistent"),
    "dequantized": ("intermediate", "on-device", "not stored"),
    "pre_activation": ("intermediate", "on-device", "not stored"),
    "output": ("activation", "on-device", "arena"),
}


@dataclass(frozen=True, eq=False)
class TensorRecord:
    """One tensor of one operator, as one kernel path made it.

    Attributes
    ----------
    op, name : str
        ``conv_2d_0`` and ``accumulator``; the key in the trace is ``conv_2d_0/accumulator``.
    role : str
        ``constant``, ``activation``, ``scratch`` (a buffer that an operator works in) or
        ``intermediate`` (a value that never becomes a tensor).
    stage : str
        ``offline`` (made by the converter) or ``on-device`` (made at inference).
    stored : str
        ``file``, ``arena``, ``persistent`` (arena), ``heap`` (memory of the kernel's own, outside
        the arenas), ``delegate`` or ``not stored``: where this kernel path keeps the values.
    value : array or None
        The values; None when the run was asked to keep shapes only.
    dtype, shape
        Of the values.
    nbytes : int
        Bytes of the values themselves.
    reserved : int
        Bytes that the runtime sets aside for them: more than ``nbytes`` where its buffer is larger
        than what the kernel writes, 0 where there is no buffer.
    born, dies : int or None
        First and last operator (positions in execution order) during which the tensor exists.
    tensor_index : int or None
        The tensor's index in the model file, for what flows into and out of operators.
    tensor_name : str or None
        Its name there, for the same.
    bits : int or None
        4 where the values are stored as int4, two to a byte; ``value`` holds them as int8.
    offset : int or None
        Bytes from the beginning of its arena, once ``MemoryPlan.annotate`` filled it in.
    """

    op: str
    name: str
    role: str
    stage: str
    stored: str
    value: np.ndarray | None
    dtype: np.dtype
    shape: tuple[int, ...]
    nbytes: int
    reserved: int = 0
    born: int | None = None
    dies: int | None = None
    tensor_index: int | None = None
    bits: int | None = None
    offset: int | None = None
    tensor_name: str | None = None

    @property
    def key(self) -> str:
        """``<operator>/<name>``."""
        return f"{self.op}/{self.name}"

    def __str__(self) -> str:
        return short_form(self.dtype, self.shape, self.bits)

    def __repr__(self) -> str:
        where = ", not stored" if self.stored == "not stored" else f" in {self.stored}"
        return f"<{self.key} {self} {self.role}, {self.stage}, {self.nbytes:,} bytes{where}>"


def make_record(
    op: str,
    name: str,
    value: np.ndarray,
    stored: str | None = None,
    reserved: int | None = None,
    keep: bool = True,
    bits: int | None = None,
    **where,
) -> TensorRecord:
    """A record of ``value`` with role, stage and place from the table of kinds.

    ``keep`` says whether the values stay in it, ``bits`` is 4 for values stored as int4; ``where``
    gives ``born``, ``dies``, ``tensor_index`` and ``tensor_name``.
    """
    role, stage, _ = KINDS[kind_of(name)]
    stored = stored or usual_place(name)
    if role == "scratch" and stored == "not stored":
        role = "intermediate"  # scratch is memory
    size = byte_size(value.shape, value.dtype, bits)
    if reserved is None:
        reserved = 0 if stored in ("not stored", "delegate") else size
    kept, dtype, shape = (value if keep else None), value.dtype, value.shape
    where["bits"] = bits
    return TensorRecord(op, name, role, stage, stored, kept, dtype, shape, size, reserved, **where)


def keeper(record: str | Iterable[str]) -> Callable[[str], bool]:
    """Whether the record of a key keeps its values, as ``run`` is asked to ``record``."""
    if record == "values":
        return lambda key: True
    if record == "shapes":
        return lambda key: False
    if isinstance(record, str):
        raise InputError(
            f"record is {record!r}; expected 'values', 'shapes' or a list of patterns such as "
            "['*/accumulator']."
        )
    patterns = list(record)
    return lambda key: any(fnmatchcase(key, pattern) for pattern in patterns)


def usual_place(name: str) -> str:
    """Where a tensor of this name is stored unless its kernel path says otherwise."""
    return KINDS[kind_of(name)][2]


def numbered(kind: str) -> Iterator[str]:
    """``input``, ``input_2``, ``input_3``, ...: the names of tensors of one kind."""
    yield kind
    for number in count(2):
        yield f"{kind}_{number}"


def kind_of(name: str) -> str:
    """``input`` for ``input_2``: the name without its number."""
    kind, _, number = name.rpartition("_")
    return kind if number.isdecimal() else name


class Trace(Printed):
    """The records of a run, in the order in which the tensors came into being.

    ``trace["conv_2d_0/accumulator"]`` is one record, ``trace.op("conv_2d_0")`` all of an operator;
    iterating gives every record. As text and in a notebook it prints as a table, with its
    ``hazards`` below: pairs (operator, sentence) on what in this run's input an operator could not
    quantize well. ``kernels`` and ``processor`` say what was followed. ``states`` holds, by the
    operator's name and the tensor's index, what every state was when its operator began.
    """

    def __init__(
        self,
        records: list[TensorRecord],
        kernels: str,
        hazards: Iterable[tuple[str, str]] = (),
        states: Mapping[str, Mapping[int, np.ndarray]] = MappingProxyType({}),
        processor: str = DEFAULT,
    ):
        self.kernels, self.processor = kernels, processor
        self.hazards = list(hazards)
        self.states = states
        self._records = {record.key: record for record in records}
        self._by_operator: dict[str, list[TensorRecord]] = {}
        for record in self:
            self._by_operator.setdefault(record.op, []).append(record)

    def __getitem__(self, key: str) -> TensorRecord:
        try:
            return self._records[key]
        except KeyError:
            raise InputError(
                f"The trace has no record {key!r}; it has: {', '.join(self._records)}."
            ) from None

    def __contains__(self, key: str) -> bool:
        return key in self._records

    def __iter__(self) -> Iterator[TensorRecord]:
        return iter(self._records.values())

    def __len__(self) -> int:
        return len(self._records)

    def op(self, name: str) -> list[TensorRecord]:
        """The records of operator ``name``, in order."""
        if name not in self._by_operator:
            known = ", ".join(self._by_operator)
            raise InputError(f"The trace has no operator {name!r}; it has: {known}.")
        return list(self._by_operator[name])

    def tensor(self, which: int | str) -> TensorRecord:
        """The activation with this index or name in the model file, as its operator wrote it.

        An input of the model has no such operator: it is what its first reader got. In a file two
        tensors may have one name; it then stands for the one that is written first, and the index
        tells them apart.

        Raises
        ------
        InputError
            When no recorded tensor is called so.
        """
        by_name = isinstance(which, str)
        found = [r for r in self if which == (r.tensor_name if by_name else r.tensor_index)]
        found.sort(key=lambda record: kind_of(record.name) != "output")
        if not found:
            kind = "name" if by_name else "index"
            raise InputError(f"No recorded tensor has the {kind} {which!r}.")
        return found[0]

    def rows(self) -> list[tuple[str, ...]]:
        """One row of text per record: tensor, type, role, stored in, bytes, stage.

        In a trace of several operators the tensor's name begins with the operator's.
        """
        alone = len(self._by_operator) == 1
        return [
            (r.name if alone else r.key, str(r), r.role, _place(r), f"{r.nbytes:,}", r.stage)
            for r in self
        ]

    def _printed(self) -> Printout:
        table = Table(HEADER, self.rows(), right=(4,), kinds=[kind_class(r) for r in self])
        return Printout([table], self._whose(), [": ".join(pair) for pair in self.hazards])

    def _whose(self) -> list[str]:
        """Whose kernels were followed, where it is not the usual processor."""
        return [] if self.processor == DEFAULT else [f"On the {self.followed}."]

    @property
    def followed(self) -> str:
        """``optimized kernels of x86-64``: what was followed, in words."""
        return in_words(self.kernels, self.processor)


HEADER = ("tensor", "type", "role", "stored in", "bytes", "stage")


def kind_class(record: TensorRecord) -> str:
    """The palette's class of a record: ``weight`` for a constant, else its dtype, signed or not."""
    return "weight" if record.role == "constant" else record.dtype.name.removeprefix("u")


def _place(record: TensorRecord) -> str:
    if record.reserved > record.nbytes:
        return f"{record.stored}, {record.reserved:,} set aside"
    if record.stored == "not stored" and record.reserved:
        return f"not stored, {record.reserved:,} set aside in vain"
    return record.stored
