"""Files of strangers in the place of an input: headers by hand, archives, bombs, pictures."""

import io
import struct
import zipfile
import zlib

import numpy as np

GOOD = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8, 1)
FIELDS = {
    "descr": """'<f4' '>f4' '|f4' 'f4' '<f8' '<f99' '<f' '|O' 'O' '|V4' '<U9' 'M8[ns]' '<i99' ''
        '(9,)f4' '(99999999999,)f4' 'f4,f4' '<f4\\x00' '\\ud800' None 4 [] {} ('<f4',) ('<f4',(2,))
        [('a','<f4')] [('a',)] [('a','<f4',(-1,))] [('','<f4'),('','<f4')] b'<f4' True""".split(),
    "fortran_order": "False True 0 1 None 'no' [] 1.5 False,False".split(),
    "shape": """(1,8,8,1) (1,8,8,1,) [1,8,8,1] (-1,8,8,1) (-1,) (0,8,8,1) (1,8,8) () 64 (64,) None
        (1,8,8,True) (1,8,8,1.0) (1,8,8,'1') (1,8,8,None) (1,8,8,1e3) (1,8,8,-0) ((1,8),8,1)
        (10**9,) (18446744073709551616,) (9223372036854775808,8,8,1) (4294967296,4294967296) {1}
        (1,8888888888,8,1) (1L,8,8,1) (1,8,8,1)*99999999""".split(),
}
KEYS = ["'descr'", "'fortran_order'", "'shape'", "3", "None", "b'shape'", "()", "'Shape'", "1.5"]
SCRAPS = [*"()[]{},:'\\\n\t\0\"#é", "0", "0x", "1_", "9" * 20, "{{ }}", "(((", "---", "lambda"]


def npy(header: bytes, values: bytes = GOOD.tobytes(), version: int = 1, length=None) -> bytes:
    """A ``.npy`` file with a header as it is given, which may lie about its length."""
    size = struct.pack("<H" if version == 1 else "<I", len(header) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + header + values


def header(random) -> bytes:
    """A header with one thing or more that NumPy would not write."""
    right = ["'<f4'", "False", "(1, 8, 8, 1)"]
    at = [int(n) for n in random.choice(3, random.integers(1, 3), replace=False)]
    values = [str(random.choice(v)) if i in at else right[i] for i, v in enumerate(FIELDS.values())]
    keys = [f"'{key}'" for key in FIELDS]
    pairs = [f"{key}: {value}" for key, value in zip(keys, values, strict=True)]
    if random.random() < 0.4:
        pairs.append(f"{random.choice(KEYS)}: {random.choice(['0', *values])}")
    if random.random() < 0.3:
        pairs.pop(random.integers(3))
    text = "{" + ", ".join(pairs) + ", }"
    for _ in range(random.integers(3) if random.random() < 0.5 else 0):
        where = random.integers(len(text) + 1)
        text = text[:where] + str(random.choice(SCRAPS)) + text[where + random.integers(3) :]
    if random.random() < 0.1:
        text = str(random.choice(["(", "-", "[", "{1:", "~"])) * int(random.integers(1, 9000))
    return text.encode("utf8", "surrogatepass") + b"\n"


def archive(random) -> bytes:
    """An archive with the array, or with a hostile one, packed in one of four ways."""
    made = io.BytesIO()
    way = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    with zipfile.ZipFile(made, "w", int(random.choice(way))) as target:
        saved = io.BytesIO()
        np.save(saved, GOOD)
        content = npy(header(random)) if random.random() < 0.3 else saved.getvalue()
        target.writestr("x.npy", content + bytes(int(random.choice([0, 0, 10**6]))))
        if random.random() < 0.2:
            name = random.choice(["y.npy", "x.npy.npy", "../x.npy", "é.txt"])
            target.writestr(str(name), content)
    data = bytearray(made.getvalue())
    if random.random() < 0.5:  # flags, method, version, sizes: of both of its headers
        field = int(random.choice([4, 6, 8, 14, 18, 22, 26]))
        value = int(random.choice([1, 8, 9, 14, 20, 93, 97, 99, 255]))
        central = data.rfind(b"PK\x01\x02")
        for place in (field, central + field + 2):
            data[place] = value
    return damaged(random, bytes(data)) if random.random() < 0.6 else bytes(data)


def damaged(random, data: bytes) -> bytes:
    """Some bytes changed, cut out, cut off or put twice."""
    changed = bytearray(data)
    for _ in range(int(random.integers(1, 6))):
        at, size = int(random.integers(len(changed) + 1)), int(random.integers(1, 40))
        kind = random.integers(5)
        if kind < 2 and at < len(changed):
            changed[at] = int(random.integers(256))
        elif kind == 2:
            del changed[at : at + size]
        elif kind == 3:
            changed[at:at] = changed[at : at + size]
        elif random.random() < 0.3:
            del changed[at:]
    return bytes(changed)


def picture(random) -> bytes:
    """A picture of its own size and depth, damaged; some with their checksums mended."""
    bits, color = [(8, 0), (8, 2), (16, 0), (1, 0), (8, 3), (8, 6), (16, 2)][random.integers(7)]
    wide, high = [(8, 8), (8, 8), (8, 7), (0, 8), (2**31 - 1, 2**31 - 1), (60000, 60000)][
        random.integers(6)
    ]
    rows = zlib.compress(bytes(8 * (1 + 8 * 8)))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", wide, high, bits, color, 0, 0, 0))]
    chunks += [(b"zTXt", b"k\0\0" + zlib.compress(bytes(10**7)))] * int(random.random() < 0.1)
    chunks += [(b"IDAT", rows), (b"IEND", b"")]
    mended = random.random() < 0.5
    made = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        if mended and random.random() < 0.3:
            body = damaged(random, body)
        check = zlib.crc32(name + body)
        made += struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)
    return made if mended else damaged(random, made)


def hostile(random) -> tuple[str, bytes]:
    """The ending of a name, and what the file holds."""
    kind = random.integers(4)
    if kind == 0:
        version = random.choice([1, 1, 2, 3, 0, 9])
        length = random.choice([None, None, 0, 9, 2**16 - 1])
        return ".npy", npy(header(random), version=int(version), length=length)
    if kind == 1:
        saved = io.BytesIO()
        np.save(saved, GOOD)
        return ".npy", damaged(random, saved.getvalue())
    return (".npz", archive(random)) if kind == 2 else (".png", picture(random))
