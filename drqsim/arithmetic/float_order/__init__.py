"""The order in which float32 products are added up: it decides the last bits of every sum.

A kernel that adds up float32 values rounds after every step, so the same products in another order
make another sum. ``one_by_one`` is the plain loop, with and without a rounding of each product;
``eigen_product`` and ``arm64_product`` are what libraries make of it for the sake of their vectors.
Fused sums are made step by step (``fused_steps``), or by a BLAS that shows the same bits
(``blas_in_order``), also those of a depthwise window (``by_taps``).
"""
