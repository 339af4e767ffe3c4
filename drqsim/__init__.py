"""drqsim: dynamic-range quantization in TensorFlow Lite, every tensor of it on show."""

# Each name and the module that it lives in, which is imported when the name is first used: a
# command starts at once, and Ctrl-C finds it ready.
_HOMES = {
    "Attribution": "attribution.parts",
    "DrqsimError": "errors",
    "Explorer": "explorer",
    "Graph": "graph",
    "InputError": "errors",
    "Limits": "limits",
    "MemoryPlan": "memory",
    "MissingPackageError": "errors",
    "ModelFileError": "errors",
    "Operator": "graph",
    "ProcessorComparison": "across_processors",
    "Quantization": "graph",
    "Tensor": "graph",
    "TensorRecord": "trace",
    "Trace": "trace",
    "UnsupportedOperatorError": "errors",
    "attribute_error": "attribution.attribute",
    "check": "exercises.checking",
    "compare_processors": "across_processors",
    "compare_schemes": "schemes.compare",
    "conv_relu": "lesson",
    "explain": "verdict",
    "load": "model_file.read",
    "plan_memory": "memory",
    "quantize": "converter.quantize",
    "run": "interpreter",
    "save": "model_file.write",
    "to_bytes": "model_file.write",
}
# rooms that are used by their names: drqsim.litert.compare
_ROOMS = ("figures", "in_short", "limits", "litert", "report")

__all__ = [name for name in _HOMES if name != "Explorer"]  # which needs more than NumPy


def __getattr__(name: str):
    from importlib import import_module  # here: Ctrl-C is not expected before drqsim.cli runs

    if name in _HOMES:
        found = globals()[name] = getattr(import_module(f"drqsim.{_HOMES[name]}"), name)
        return found
    if not name.startswith("_"):
        from importlib.util import find_spec  # slow to import, and seldom asked for

        if find_spec(f"drqsim.{name}"):
            return import_module(f"drqsim.{name}")
    raise AttributeError(f"module 'drqsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_ROOMS})
