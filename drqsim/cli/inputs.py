"""``--input``: from words on the command line to arrays that fit a model."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from drqsim import limits
from drqsim.cli.arrays import MOST_BYTES, ArrayFile, Header, told
from drqsim.cli.screen import Screen
from drqsim.errors import InputError
from drqsim.graph import Graph, Tensor
from drqsim.model_file.whole_file import open_regular
from drqsim.ops.fed import check_type_and_shape
from drqsim.ops.unread import check_input

HELP = """\
What to feed: 'random', a .npy file, a .npz file (arrays by input name, or file.npz:array), or a
.png of the input's size (scaled to 0..1). 'x.npz:images[3]' is the fourth of many. With several
inputs, repeat it as NAME=FILE; of inputs with one name the second is called NAME:1."""


def read_inputs(
    graph: Graph, specs: tuple[str, ...], seed: int = 0, many: bool = False
) -> tuple[dict, list[str]]:
    """The arrays by input name, and notes on what was done to them.

    Parameters
    ----------
    graph : Graph
    specs : strings
        As in ``HELP``.
    seed : int
        For ``random``: floats between -1 and 1, whole numbers 0 and 1.
    many : bool
        Whether an array may hold several inputs along its first dimension.

    Raises
    ------
    InputError
        When a file cannot be read, or an input is missing, unknown or there twice.
    """
    indices = dict.fromkeys(graph.inputs)
    tensors = {name: graph.tensors[i] for name, i in zip(graph.input_names, indices, strict=True)}
    fed: dict[str, np.ndarray] = {}
    notes: list[str] = []
    drawn = _draw(tensors, seed) if any(s.endswith("random") for s in specs) else {}
    for spec in specs:
        name, source = split(spec, tensors)
        if source == "random":
            found = drawn if name is None else {name: drawn[name]}
            found = {n: x for n, x in found.items() if name is not None or n not in fed}
        else:
            found = _read(source, name, tensors, many, notes)
        for twice in set(found) & set(fed):
            raise InputError(f"The input {twice!r} is given twice; give it once.")
        fed |= found
    missing = [name for name in tensors if name not in fed]
    if missing:
        raise InputError(
            f"Nothing is given for the input {missing[0]!r}; add --input '{missing[0]}=FILE', or "
            "--input random for all that are left."
        )
    return fed, notes


def named_files(specs: tuple[str, ...]) -> list[str]:
    """Every name in ``specs`` that may be a file's, whatever the inputs of the model are called."""
    sources = [s for spec in specs for s in (spec, *_after_each_equals_sign(spec))]
    return [str(_parts(source)[0]) for source in sources]


def _after_each_equals_sign(spec: str) -> list[str]:
    return [spec[found.end() :] for found in re.finditer("=", spec)]


def split(spec: str, names: Iterable[str]) -> tuple[str | None, str]:
    """``name=source`` in two, if there is an input of that name."""
    for name in sorted(names, key=len, reverse=True):
        if spec.startswith(f"{name}="):
            return name, spec[len(name) + 1 :]
    before, equals, _ = spec.partition("=")
    if equals and not os.path.exists(spec) and not re.search(r"[/.]", before):
        raise InputError(f"This model has no input {before!r}; it has: {listed(names)}.")
    return None, spec


def _draw(tensors: dict[str, Tensor], seed: int) -> dict[str, np.ndarray]:
    for tensor in tensors.values():
        check_input(tensor)
    needed = sum(tensor.nbytes for tensor in tensors.values())
    # what is drawn is float64, and becomes float32 afterwards
    limits.Budget().room("Random inputs", 3 * needed)
    random = np.random.default_rng(seed)
    drawn = {}
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f":
            drawn[name] = random.uniform(-1, 1, tensor.shape).astype(tensor.dtype)
        else:
            drawn[name] = random.integers(0, 2, tensor.shape).astype(tensor.dtype)
    return drawn


def _read(source: str, name: str | None, tensors: dict, many: bool, notes: list[str]) -> dict:
    """What a file holds, by input name."""
    path, key, at = _parts(source)
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".npz", ".png"):
        raise InputError(
            f"The input {source!r} is neither 'random' nor the name of a .npy, .npz or .png file; "
            "pass one of these."
        )
    to = next(iter(tensors)) if name is None and len(tensors) == 1 else name
    if to is None and (suffix != ".npz" or key is not None):
        raise InputError(
            f"This model has {len(tensors)} inputs; say which one gets {path.name!r}: "
            f"--input 'NAME={path.name}' with NAME one of {listed(tensors)}."
        )
    if suffix == ".png":
        return {to: _picture(path, tensors[to], notes)}
    with ArrayFile(path) as file:
        if suffix == ".npy":
            chosen = {to: ""}
        elif key is not None or name is not None:
            chosen = {to: name if key is None else key}
        else:
            chosen = _by_name(file, tensors)
        read = {}
        for to, each in chosen.items():
            if each not in file.names:
                raise InputError(
                    f"{path.name!r} has no array {each!r}; it has: {', '.join(file.names[:20])}."
                )
            fits = partial(_fits, tensors[to], at=at, many=many, source=source)
            read[to] = file.read(each, fits, at)
    return read


def _by_name(file: ArrayFile, tensors: dict[str, Tensor]) -> dict[str, str]:
    """Which input gets which array of an archive: the one of its name, or one alone."""
    same = [name for name in file.names if name in tensors]
    if not same and len(file.names) == len(tensors) == 1:
        return dict(zip(tensors, file.names, strict=True))
    if not same:
        raise InputError(
            f"{file.path.name!r} holds the arrays {listed(file.names)}, and the model has the "
            f"inputs {listed(tensors)}; choose one as --input '{file.path.name}:ARRAY'."
        )
    return dict(zip(same, same, strict=True))


def listed(names) -> str:
    """The first twenty names of the user's, for a message."""
    names = list(names)
    return ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")


def _parts(source: str) -> tuple[Path, str | None, int | None]:
    """``file.npz:array[3]`` in three; a file that is really called so is that file."""
    if not os.path.exists(source):
        found = re.fullmatch(r"(.+\.np[yz])(?::([^\[\]]+))?(?:\[(\d{1,9})\])?", source, re.I)
        if found:
            return Path(found[1]), found[2], found[3] and int(found[3])
    return Path(source), None, None


def _fits(tensor: Tensor, header: Header, at: int | None, many: bool, source: str) -> None:
    """Refuse by its header an array that the model cannot read."""
    shape = header.shape
    if at is not None:
        if not shape or at >= shape[0]:
            raise InputError(f"{source!r} asks for number {at} of an array {list(shape)}.")
        shape = (1, *shape[1:])
    size = tensor.shape[0] if tensor.shape else 0
    if many and size and shape and shape[0] and shape[0] % size == 0:
        shape = (size, *shape[1:])
    check_type_and_shape(tensor, header.dtype.newbyteorder("="), shape)


def _picture(path: Path, tensor: Tensor, notes: list[str]) -> np.ndarray:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise InputError(
            f"Reading {path.name!r} needs the package 'pillow'; run: pip install pillow, or pass "
            "the picture as a .npy file."
        ) from error
    modes = {1: "L", 3: "RGB", 4: "RGBA"}
    shape = tensor.shape
    if len(shape) != 4 or shape[0] != 1 or shape[3] not in modes or tensor.dtype != np.float32:
        raise InputError(
            f"The input {tensor.name!r} is {tensor}, no picture (float32, one, with 1, 3 or 4 "
            "channels); pass a .npy file."
        )
    with told(path), open_regular(path) as file:
        try:
            image = Image.open(file, formats=("PNG",))
        except UnidentifiedImageError as error:
            raise InputError(f"{path.name!r} is not a PNG picture.") from error
        size = (1, image.height, image.width, shape[3])
        if not tensor.accepts(size) or 4 * prod(size) > MOST_BYTES:
            raise InputError(
                f"{path.name!r} is {image.width} pixels wide and {image.height} high; the "
                f"model reads {shape[2]} by {shape[1]}: resize it first."
            )
        if image.mode.startswith(("I", "F")):
            raise InputError(
                f"{path.name!r} has 16 bits or more for a pixel; save it with 8, or pass the "
                "values as a .npy file."
            )
        mode, pixels = image.mode, image.convert(modes[shape[3]])
        values = np.asarray(pixels, np.float32).reshape(size) / np.float32(255)
    turned = "" if mode == modes[shape[3]] else f", from {mode} to {modes[shape[3]]}"
    notes.append(f"{path.name}: values scaled from 0..255 to 0..1{turned}.")
    return values


def feed(
    screen: Screen, graph: Graph, specs: tuple[str, ...], seed: int, many: bool = False
) -> dict:
    """The inputs by name; what was done to them is said on stderr."""
    fed, notes = read_inputs(graph, specs, seed, many)
    for note in notes:
        screen.note(note)
    return fed
