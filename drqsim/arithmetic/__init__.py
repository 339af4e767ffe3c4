"""Arithmetic in NumPy as the kernels do it: rounding, sums and functions, to the last bit."""
