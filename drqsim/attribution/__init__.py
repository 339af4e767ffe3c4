"""Where the error of a quantized model arises."""

from drqsim.attribution.attribute import attribute_error
from drqsim.attribution.parts import Attribution

__all__ = ["Attribution", "attribute_error"]
