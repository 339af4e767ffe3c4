"""What a converter does to make a float model dynamic-range quantized."""

from drqsim.converter.quantize import quantize

__all__ = ["quantize"]
