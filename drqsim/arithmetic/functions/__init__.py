"""exp, log, tanh and their kin as the kernels compute them, bit for bit; none is the true value.

==================  ================================================================================
``glibc``           the C library's ``expf``, ``logf`` and so on, which the reference kernels call,
                    and the optimized ones where they have nothing of their own
``eigen``           what the optimized and the recurrent kernels take from Eigen, four values at a
                    time; what does not fill four goes through the C library
``quotients``       XNNPACK's quotients of two polynomials, the same wherever there is FMA
``exponentials``    what XNNPACK derives from a power of two: one formula for each kind of processor
``roots``           XNNPACK's square root, from the processor's own estimate
==================  ================================================================================
"""
