"""What every figure is: HTML for the eye, text for the tests, a description for the ear."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape

import numpy as np

from drqsim.errors import InputError
from drqsim.figures.style import STYLE

KIND_NAMES = ("float32", "int8", "int32", "weight")


@dataclass(frozen=True, repr=False)
class Figure:
    """A picture.

    Attributes
    ----------
    body : str
        The picture as HTML.
    text : str
        The numbers that it shows; this is the figure's ``repr``.
    alt : str
        What is seen, for those who do not see it.
    drawn : bool
        True for a drawing; False for HTML that a screen reader can read by itself.
    caption : str
        Shown below the picture.
    """

    body: str
    text: str
    alt: str
    drawn: bool = False
    caption: str = ""

    def captioned(self, caption: str) -> Figure:
        """The same figure with a caption."""
        return replace(self, caption=caption)

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        caption = f"<figcaption>{escape(self.caption)}</figcaption>" if self.caption else ""
        # an image has nothing inside that could be read out, so not even a caption
        role = ' role="img"' if self.drawn and not caption else ""
        return (
            f'{STYLE}<figure class="drq drq-figure"{role} aria-label="{escape(self.alt)}">'
            f"{self.body}{caption}</figure>"
        )


def check_kind(kind: str) -> str:
    """The kind, if the palette has a colour for it."""
    if kind not in KIND_NAMES:
        raise InputError(f"kind is {kind!r}; expected one of {', '.join(KIND_NAMES)}.")
    return kind


def number(value: float) -> str:
    """A number for a label: whole numbers in full, others to four significant digits."""
    if np.issubdtype(np.asarray(value).dtype, np.integer):
        return f"{int(value):,}"
    return f"{float(value) + 0.0:.4g}"  # adding 0.0 turns -0.0 into 0.0


def byte_count(nbytes: int) -> str:
    """``1 byte``, ``9,216 bytes``."""
    return f"{nbytes:,} byte" + ("" if nbytes == 1 else "s")


def scroller(body: str, label: str) -> str:
    """HTML that may be wider than the page: it scrolls by itself, by keyboard too."""
    return (
        '<div class="drq-scroll" tabindex="0" role="group" '
        f'aria-label="{escape(label)}">{body}</div>'
    )


def minus(value: object) -> str:
    """A number as text, with a real minus sign."""
    return str(value).replace("-", "\N{MINUS SIGN}")
