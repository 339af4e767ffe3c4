"""Errors of the library in the words of the command line: options in the place of arguments."""

from __future__ import annotations

import re

# what the library says -> what somebody at a terminal can do
WORDS = (
    (r"choose another with output=, or pass end_to_end=False", "pass --no-end-to-end"),
    (r"; (run one of its|extract its other) [^;.]*with graph\.extract\(name\)", ""),
    (r"Convert it with \.astype\(numpy\.(\w+)\)", r"Save it as \1"),
    (r"\ballow_nonfinite=True", "--allow-nonfinite"),
    (r"(?s)\bPass input_shapes=\{.*: shape\} with the shape", "Pass --input-shape with the shape"),
    (r"\blimits=drqsim\.Limits\((\w+)=\.\.\.\)", r"--max-\1"),
    (r"\bkernels='(\w+)'", r"--kernels \1"),
    (r"\bfloat_order='(\w+)'", r"--float-order \1"),
)


def for_the_terminal(text: str) -> str:
    """A sentence of the library as the command line says it."""
    for said, put in WORDS:
        text = re.sub(said, put, text)
    return text
