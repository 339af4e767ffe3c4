"""The errors a caller can meet: what was passed, what was expected, what to do."""


class DrqsimError(Exception):
    """Base of every error that drqsim raises on purpose."""


class ModelFileError(DrqsimError):
    """The model file is damaged, or holds something that no runtime could run."""


class UnsupportedOperatorError(DrqsimError):
    """The model is valid, but uses an operator or option that drqsim does not simulate."""


class InputError(DrqsimError):
    """An argument makes no sense: wrong shape, dtype, non-finite values, unknown name."""
