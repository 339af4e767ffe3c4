"""The runtime's three kernel paths, and the one refusal of a name that is none of them."""

from __future__ import annotations

from drqsim.errors import InputError

KERNELS = ("reference", "optimized", "xnnpack")
ORDERS = ("exact", "blas")  # in which float layers add up: the kernel's own, or that of a library


def checked(kernels: str) -> str:
    """The name of a kernel path, as it was passed.

    Raises
    ------
    InputError
        When there is no path of that name.
    """
    if not isinstance(kernels, str) or kernels not in KERNELS:
        raise InputError(f"kernels is {kernels!r}; expected one of {', '.join(KERNELS)}.")
    return kernels
