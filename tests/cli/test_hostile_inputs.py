"""Inputs by strangers: each is refused in one sentence, or read as what it says that it is."""

import io
import os
import time
import tracemalloc
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import drqsim
from drqsim.cli.inputs import read_inputs
from tests.kit import pace
from tests.kit.command import DRQ, FLOAT, refused, run
from tests.kit.hostile_arrays import GOOD, hostile, npy

MOST_SECONDS = pace.seconds(5)


def packed(content: bytes, way=zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", way) as archive:
        archive.writestr("x.npy", content)
    return made.getvalue()


def says(*shape, descr="<f4") -> bytes:
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()


def test_drawn_hostile_files(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, read = drqsim.load(DRQ), 0
    random = np.random.default_rng(0)
    for at in range(request.config.getoption("--hostile")):
        ending, content = hostile(random)
        name = f"x{ending}"
        Path(name).write_bytes(content)
        begun = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                fed, _ = read_inputs(model, (name,))
            except drqsim.InputError as error:
                assert str(error).count("\n") == 0 and str(error).endswith((".", "first.")), error
            else:
                (x,) = fed.values()
                assert (x.shape, x.dtype) == (GOOD.shape, GOOD.dtype)
                read += 1
        assert time.monotonic() - begun < MOST_SECONDS, at
    assert read  # damage that nobody can see, or that does not matter


HEADERS = {
    "mixed keys": b"{'descr': '<f4', 3: False, 'shape': (1,), }",
    "a tuple as type": b"{'descr': ('<f4',), 'fortran_order': False, 'shape': (1, 8, 8, 1), }",
    "past 64 bits": b"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616,), }",
    "negative": b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 8, 8, 1), }",
    "minus one alone": b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
    "a truth as size": b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 8, 8, True), }",
    "no dict": b"[1, 2]",
    "not closed": b"{'descr': '<f4', ",
    "deep": b"(" * 9000,
    "long": b" " * 20_000,
    "nothing": b"",
    "no Python": b"{'descr': '<f4' 'shape': ?}",
}


@pytest.mark.parametrize("case", HEADERS)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_headers_by_hand(tmp_path, monkeypatch, case, version):
    monkeypatch.chdir(tmp_path)
    content = npy(HEADERS[case], version=version)
    Path("x.npy").write_bytes(content)
    Path("x.npz").write_bytes(packed(content))
    for source in ("x.npy", "x.npy[0]", "x.npz", "x.npz:x", "x.npz:x[3]"):
        assert "damaged" in refused(1, "trace", DRQ, "--input", source)


def test_the_header_decides_before_anything_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = packed(npy(says(2**29 - 2**22), bytes(2**18)))
    header_only = bytearray(whole)
    header_only[200:300] = bytes(100)  # unpacking fails soon after the header
    Path("bomb.npz").write_bytes(header_only)
    Path("type.npz").write_bytes(packed(npy(says(1, 8, 8, 1, descr="<f8"), b"")))
    long = npy(says(1, 8, 8, 1), GOOD.tobytes() + bytes(2**25))
    for at, way in enumerate((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)):
        Path(f"long{at}.npz").write_bytes(packed(long[: 2 ** (22 if at else 25)], way))
    far = npy(says(2**29, 8, 8, 1), b"")
    Path("far.npz").write_bytes(packed(far))
    Path("far.npy").write_bytes(far)
    Path("length.npz").write_bytes(packed(npy(b" " * 2**25, version=2)))
    model = drqsim.load(DRQ)
    tracemalloc.start()
    for source in ("bomb.npz", "bomb.npz:x", "bomb.npz:x[3]"):
        with pytest.raises(drqsim.InputError, match="got the shape|number 3 of"):
            read_inputs(model, (source,))
    for source, text in {
        "type.npz": "got float64",
        "far.npz[9999999]": "into a packed array, at most",
        "far.npy[9999999]": "ends after 0 of 256 bytes",
        "length.npz": "header claims 33,554,432 bytes",
    }.items():
        with pytest.raises(drqsim.InputError, match=text):
            read_inputs(model, (source,))
    for at in range(3):  # more is packed than the header says: the rest stays packed
        (x,) = read_inputs(model, (f"long{at}.npz",))[0].values()
        assert np.array_equal(x, GOOD)
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()


def test_what_numpy_and_others_write_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = drqsim.load(DRQ)
    many = np.concatenate([GOOD - at for at in range(5)])
    np.save("c.npy", many)
    np.save("f.npy", np.asfortranarray(many))
    np.save("big.npy", many.astype(">f4"))
    np.savez_compressed("many.npz", images=many, other=many[:2])
    for source in ("c.npy[3]", "f.npy[3]", "big.npy[3]", "many.npz:images[3]"):
        (x,) = read_inputs(model, (source,))[0].values()
        assert np.array_equal(x, many[3:4]) and x.dtype == np.dtype(np.float32)
    Path("order.npy").write_bytes(
        npy(b"{'shape':(1,8,8,1),'fortran_order':False,\"descr\":'<f4'}", version=3)
    )
    assert np.array_equal(next(iter(read_inputs(model, ("order.npy",))[0].values())), GOOD)
    (x,) = read_inputs(model, ("c.npy",), many=True)[0].values()
    assert np.array_equal(x, many)
    assert run("error", FLOAT, DRQ, "--input", "c.npy", "--no-end-to-end")[0] == 0
    assert "got the shape [5, 8, 8, 1]" in refused(1, "trace", DRQ, "--input", "c.npy")


def test_damaged_archives_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = npy(says(1, 8, 8, 1))
    for name, field, value in (("password", 6, 1), ("method", 8, 97), ("version", 4, 99)):
        data = bytearray(packed(good))
        central = data.rfind(b"PK\x01\x02")
        data[field] = data[central + field + 2] = value
        Path(f"{name}.npz").write_bytes(data)
    for way in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        data = bytearray(packed(good, way))
        data[60:90] = bytes(30)
        Path(f"way{way}.npz").write_bytes(data)
    checksum = bytearray(packed(good, zipfile.ZIP_STORED))
    checksum[-200] ^= 1
    Path("checksum.npz").write_bytes(checksum)
    for path in sorted(Path().glob("*.npz")):
        assert f"Cannot read '{path}'" in refused(1, "trace", DRQ, "--input", path)


@pytest.mark.parametrize("ending", ["tflite", "npy", "npz", "png"])
def test_pipes_and_devices_are_not_waited_for(tmp_path, monkeypatch, ending):
    monkeypatch.chdir(tmp_path)
    name = f"pipe.{ending}"
    os.mkfifo(name)
    os.symlink("/dev/zero", f"zero.{ending}")
    Path(f"folder.{ending}").mkdir()
    for source in (name, f"zero.{ending}", f"folder.{ending}"):
        call = ["inspect", source] if ending == "tflite" else ["trace", DRQ, "--input", source]
        says = "Is a directory" if "folder" in source else "pipe or a device"
        assert says in refused(1, *call)


def test_empty_and_enormous_inputs_are_said_to_be_so(tmp_path):
    model = drqsim.load(DRQ)
    at = model.inputs[0]
    # a value is drawn as float64, eight bytes, and becomes one of four
    too_large = f"Random inputs: it takes up to {12 * (2**31 - 1):,} bytes"
    for shape, says in {(0, 8, 8, 1): "is empty", (2**31 - 1,): too_large}.items():
        tensors = list(model.tensors)
        tensors[at] = replace(tensors[at], shape=shape, signature=None)
        with pytest.raises(drqsim.DrqsimError, match=says):
            fed, _ = read_inputs(replace(model, tensors=tuple(tensors)), ("random",))
            drqsim.run(replace(model, tensors=tuple(tensors)), fed)
    with pytest.raises(drqsim.InputError, match="got the shape"):
        drqsim.run(model, np.zeros((0, 8, 8, 1), np.float32))
