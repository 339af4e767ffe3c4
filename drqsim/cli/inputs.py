"""``--input``: from words on the command line to arrays that fit a model."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np

from drqsim.cli.screen import Screen
from drqsim.errors import InputError
from drqsim.graph import Graph, Tensor

MOST_BYTES = 2**31  # of one array in a file: a few bytes may claim any shape
HELP = """\
What to feed: 'random', a .npy file, a .npz file (arrays by input name, or file.npz:array), or a
.png of the input's size (scaled to 0..1). 'x.npz:images[3]' is the fourth of many. With several
inputs, repeat it as NAME=FILE."""


def read_inputs(graph: Graph, specs: tuple[str, ...], seed: int = 0) -> tuple[dict, list[str]]:
    """The arrays by input name, and notes on what was done to them.

    Parameters
    ----------
    graph : Graph
    specs : strings
        As in ``HELP``.
    seed : int
        For ``random``: floats between -1 and 1, whole numbers 0 and 1.

    Raises
    ------
    InputError
        When a file cannot be read, or an input is missing, unknown or there twice.
    """
    tensors = {graph.tensors[i].name: graph.tensors[i] for i in graph.inputs}
    fed: dict[str, np.ndarray] = {}
    notes: list[str] = []
    drawn = _draw(tensors, seed)
    for spec in specs:
        name, source = _split(spec, tensors)
        if source == "random":
            found = drawn if name is None else {name: drawn[name]}
            found = {n: x for n, x in found.items() if name is not None or n not in fed}
        else:
            found = _read(source, name, tensors, notes)
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


def _split(spec: str, tensors: dict[str, Tensor]) -> tuple[str | None, str]:
    """``name=source`` in two, if there is an input of that name."""
    for name in sorted(tensors, key=len, reverse=True):
        if spec.startswith(f"{name}="):
            return name, spec[len(name) + 1 :]
    before, equals, _ = spec.partition("=")
    if equals and not os.path.exists(spec) and not re.search(r"[/.]", before):
        known = ", ".join(map(repr, tensors))
        raise InputError(f"This model has no input {before!r}; it has: {known}.")
    return None, spec


def _draw(tensors: dict[str, Tensor], seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    drawn = {}
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f":
            drawn[name] = random.uniform(-1, 1, tensor.shape).astype(tensor.dtype)
        else:
            drawn[name] = random.integers(0, 2, tensor.shape).astype(tensor.dtype)
    return drawn


def _read(source: str, name: str | None, tensors: dict, notes: list[str]) -> dict:
    """What a file holds, by input name."""
    path, key, at = _parts(source)
    suffix = path.suffix.lower()
    if suffix == ".npz" and name is None and key is None:
        arrays = _open(path, tensors=tensors)
        if set(arrays) <= set(tensors):
            return {n: _one(x, at, source) for n, x in arrays.items()}
        if len(arrays) != 1 or len(tensors) != 1:
            raise InputError(
                f"{path.name!r} holds the arrays {', '.join(map(repr, arrays))}, and the model "
                f"has the inputs {', '.join(map(repr, tensors))}; choose one as "
                f"--input '{path.name}:ARRAY'."
            )
        return {next(iter(tensors)): _one(*arrays.values(), at, source)}
    if name is None:
        if len(tensors) != 1:
            raise InputError(
                f"This model has {len(tensors)} inputs; say which one gets {path.name!r}: "
                f"--input 'NAME={path.name}' with NAME one of {', '.join(map(repr, tensors))}."
            )
        (name,) = tensors
    if suffix == ".npz":
        arrays = _open(path, key or name, tensors)
        return {name: _one(arrays[key or name], at, source)}
    if suffix == ".npy":
        return {name: _one(_open(path)[""], at, source)}
    if suffix == ".png":
        return {name: _picture(path, tensors[name], notes)}
    raise InputError(
        f"The input {source!r} is neither 'random' nor the name of a .npy, .npz or .png file; "
        "pass one of these."
    )


def _parts(source: str) -> tuple[Path, str | None, int | None]:
    """``file.npz:array[3]`` in three; a file that is really called so is that file."""
    if not os.path.exists(source):
        found = re.fullmatch(r"(.+\.np[yz])(?::([^\[\]]+))?(?:\[(\d{1,9})\])?", source, re.I)
        if found:
            return Path(found[1]), found[2], found[3] and int(found[3])
    return Path(source), None, None


def _one(array: np.ndarray, at: int | None, source: str) -> np.ndarray:
    """One of many along the first dimension, which stays."""
    if at is None:
        return array
    if array.ndim == 0 or at >= array.shape[0]:
        raise InputError(f"{source!r} asks for number {at} of an array {list(array.shape)}.")
    return array[at : at + 1]


def _open(path: Path, key: str | None = None, tensors=()) -> dict[str, np.ndarray]:
    """The arrays of a .npy (under ``""``) or .npz file; with ``key``, that one alone."""
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                _check_header(file, path.name)
                return {"": np.load(file, allow_pickle=False)}
        with zipfile.ZipFile(path) as archive:
            members = {n.removesuffix(".npy"): n for n in archive.namelist() if n.endswith(".npy")}
            if key is not None and key not in members:
                raise InputError(
                    f"{path.name!r} has no array {key!r}; it has: {', '.join(members)}."
                )
            wanted = [key] if key is not None else list(members)
            if key is None and set(tensors) & set(members):
                wanted = [n for n in members if n in tensors]
            elif key is None and len(members) != 1:
                return dict.fromkeys(members)  # their names say what to choose from
            arrays = {}
            for each in wanted:
                with archive.open(members[each]) as file:
                    _check_header(file, path.name)
                    arrays[each] = np.lib.format.read_array(file, allow_pickle=False)
            return arrays
    except OSError as error:
        raise InputError(f"Cannot read {str(path)!r}: {error.strerror or error}.") from error
    # what a damaged archive or array makes NumPy, zipfile and zlib raise
    except (
        ValueError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        SyntaxError,
        MemoryError,
    ) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"Cannot read {path.name!r} as a NumPy file without objects: {why}."
        ) from error


def _check_header(file, name: str) -> None:
    """Refuse an array that claims more bytes than any input needs, before they are allocated."""
    version = np.lib.format.read_magic(file)
    read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
    shape, _, dtype = read.get(version[0], np.lib.format.read_array_header_2_0)(file)
    nbytes = dtype.itemsize
    for size in shape:
        nbytes *= size
    if nbytes > MOST_BYTES:
        raise InputError(f"{name!r} holds an array of {nbytes:,} bytes; at most {MOST_BYTES:,}.")
    file.seek(0)


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
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if (image.height, image.width) != shape[1:3] and tensor.accepts(shape):
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
            values = np.asarray(pixels, np.float32).reshape(shape) / np.float32(255)
    except UnidentifiedImageError as error:
        raise InputError(f"{path.name!r} is not a PNG picture.") from error
    except OSError as error:
        raise InputError(f"Cannot read {str(path)!r}: {error.strerror or error}.") from error
    except (ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path.name!r} is a damaged picture: {error}.") from error
    turned = "" if mode == modes[shape[3]] else f", from {mode} to {modes[shape[3]]}"
    notes.append(f"{path.name}: values scaled from 0..255 to 0..1{turned}.")
    return values


def feed(screen: Screen, graph: Graph, specs: tuple[str, ...], seed: int) -> dict:
    """The inputs by name; what was done to them is said on stderr."""
    fed, notes = read_inputs(graph, specs, seed)
    for note in notes:
        screen.note(note)
    return fed
