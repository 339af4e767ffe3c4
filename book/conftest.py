"""For nbval, which runs the chapters as tests: the build's environment, and what is not compared.

HTML and SVG are made anew by every build and are not kept in git, so there is nothing to
compare them with. nbval has no setting for that.
"""

import importlib.util
from pathlib import Path

NOT_COMPARED = ("image/svg+xml", "text/html")


def _book_extension():
    file = Path(__file__).parent / "_ext" / "drqsim_book.py"
    spec = importlib.util.spec_from_file_location("drqsim_book", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # a worker of xdist gets what is set here
        config.option.nbval_cell_timeout *= _book_extension().SLOWER


def pytest_collection_modifyitems(items):
    extension = _book_extension()
    extension.kernel_environment()
    kept = {
        item for item in items if hasattr(item, "cell") and extension.keeps_its_outputs(item.cell)
    }
    items[:] = [item for item in items if item not in kept]
    for chapter in {item.parent for item in items if hasattr(item.parent, "skip_compare")}:
        chapter.skip_compare += NOT_COMPARED
