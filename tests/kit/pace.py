"""How long things may take: as many times longer as `.arm64/bin/python` says that it is slower."""

import os

SLOWER = float(os.environ.get("DRQSIM_SLOWER", "1"))


def seconds(usual: float) -> float:
    """A limit of CPU time, on this interpreter."""
    return usual * SLOWER
