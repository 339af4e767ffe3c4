"""One layer under every scheme."""

from drqsim.schemes.compare import compare_schemes

__all__ = ["compare_schemes"]
