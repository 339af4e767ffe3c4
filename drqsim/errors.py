"""The errors a caller can meet: what was passed, what was expected, what to do."""

from importlib import import_module

# the package behind an import -> the extra of drqsim that installs it
EXTRAS = {
    "ai_edge_litert": "runtime",
    "click": "cli",
    "flatbuffers": "tflite",
    "matplotlib": "cli",
    "rich": "cli",
    "tflite": "tflite",
}


class DrqsimError(Exception):
    """Base of every error that drqsim raises on purpose."""


class ModelFileError(DrqsimError):
    """The model file is damaged, or holds something that no runtime could run."""


class UnsupportedOperatorError(DrqsimError):
    """The model is valid, but uses an operator or option that drqsim does not simulate."""


class InputError(DrqsimError):
    """An argument makes no sense: wrong shape, dtype, non-finite values, unknown name."""


class MissingPackageError(DrqsimError, ImportError):
    """A package that this needs beside NumPy is not installed."""


def package(name: str):
    """Import a package that not everybody has.

    Raises
    ------
    MissingPackageError
        When it is not installed; the error tells what to install.
    """
    try:
        return import_module(name)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRAS:
            raise
        raise MissingPackageError(
            f"This needs the package {missing!r}, which is not installed; run: "
            f"pip install 'drqsim[{EXTRAS[missing]}]'",
            name=missing,
        ) from error
