"""Operators with int8 or int16 activations: full-integer."""
