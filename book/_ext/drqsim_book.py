"""Sphinx extension of the book: what must hold for a build, wherever and however it is started.

* Chapter kernels find `drqsim` (their working directory is `book/`), and know from
  `DRQSIM_STATIC=1` that their output goes on a page with no kernel behind it.
* The site needs nothing from another host: MathJax is copied from the installed package
  `django-static-mathjax` (Apache-2.0), and the scripts of Thebe, which every Jupyter Book
  carries and which point to a CDN, are left out.
* A cell with the tag `reads-memory` reads the memory of another process. Where the system does not
  let it, which is everywhere but on Linux, the cell is not run: its page shows what it printed.
* On an emulated processor, as of `.arm64/`, a cell may take as many times longer as
  `DRQSIM_SLOWER` says.
* A link to the glossary carries the first sentence of its entry, which terms.js shows.
* A chapter can be started in Colab or Binder only from a public repository: while `_config.yml`
  names none, there are no buttons for that.
"""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes

ROOT = Path(__file__).resolve().parents[2]
MATHJAX_FILES = (
    "es5/tex-mml-chtml.js",
    "es5/output/chtml/fonts/woff-v2/*.woff",
    "LICENSE",
)
READS_MEMORY = "reads-memory"
SLOWER = int(os.environ.get("DRQSIM_SLOWER", "1"))
GLOSSARY = "book/glossary"


def kernel_environment():
    """Set what a chapter's kernel inherits."""
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    os.environ["DRQSIM_STATIC"] = "1"


@cache
def memory_can_be_read():
    """Whether a process may read the memory of one that it has started."""
    waits = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE) as child:
        try:
            os.close(os.open(f"/proc/{child.pid}/mem", os.O_RDONLY))
        except OSError:
            return False
    return True


def keeps_its_outputs(cell):
    """Whether a cell cannot be run on this system."""
    return READS_MEMORY in cell.metadata.get("tags", ()) and not memory_can_be_read()


def run_what_can_be_run():
    """Let nbclient, which runs the chapters, leave out the cells that this system cannot run."""
    from nbclient import NotebookClient

    run = NotebookClient.async_execute_cell

    async def run_or_keep(client, cell, *arguments, **options):
        if keeps_its_outputs(cell):
            return cell
        return await run(client, cell, *arguments, **options)

    if run.__name__ != run_or_keep.__name__:
        NotebookClient.async_execute_cell = run_or_keep


def read_in_parallel(app):
    """Run the chapters side by side, on every core.

    Two extensions do not say that they allow this: one numbers sections after everything has been
    read, the other does something for LaTeX only.
    """
    app.parallel = os.cpu_count() or 1
    for name in ("sphinx_multitoc_numbering", "sphinx_jupyterbook_latex"):
        app.extensions[name].parallel_read_safe = True


def launch_from_repository(app, config):
    """Take the launch buttons away if there is no address that they could lead to."""
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options.pop("repository_url", None)
        config.html_theme_options.pop("launch_buttons", None)


def wait_longer(app, config):
    """Give a cell the time that it takes here."""
    config.nb_execution_timeout *= SLOWER


def copy_mathjax(app, exception):
    """Copy MathJax, its fonts and its licence to `_static/mathjax`."""
    if exception or app.builder.format != "html":
        return
    source = Path(find_spec("mathjax").origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for pattern in MATHJAX_FILES:
        for file in source.glob(pattern):
            copy = target / file.relative_to(source).as_posix().removeprefix("es5/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def drop_thebe(app, pagename, templatename, context, doctree):
    """Take Thebe's scripts off the page: there is no server for them to talk to."""

    def is_thebe(asset):
        attributes = getattr(asset, "attributes", {})
        return "thebe" in f"{getattr(asset, 'filename', asset)} {attributes.get('body', '')}"

    for name in ("script_files", "css_files"):
        context[name] = [asset for asset in context[name] if not is_thebe(asset)]


@cache
def definitions(env):
    """The first sentence of each entry of the glossary, by the place that a link leads to."""
    found = {}
    if GLOSSARY not in env.found_docs:  # a part of the book is built
        return found
    for item in env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        first = item.next_node(nodes.paragraph).astext()
        sentence = re.split(r"(?<=[.])\s", " ".join(first.split()), maxsplit=1)[0]
        for term in item.findall(nodes.term):
            found |= dict.fromkeys(term["ids"], sentence)
    return found


def define_terms(app, doctree, docname):
    """Hand each link to the glossary what it is about."""
    if app.builder.format != "html":
        return
    for link in doctree.findall(nodes.reference):
        place = link.get("refid") or link.get("refuri", "").rpartition("#")[2]
        sentence = definitions(app.env).get(place)
        if sentence:
            link["reftitle"] = sentence


def setup(app):
    """Register the above with Sphinx."""
    kernel_environment()
    run_what_can_be_run()
    app.add_css_file("drqsim.css", priority=900)
    app.add_js_file("a11y.js", loading_method="defer")
    app.add_js_file("terms.js", loading_method="defer")
    app.connect("config-inited", launch_from_repository)
    app.connect("config-inited", wait_longer)
    app.connect("builder-inited", read_in_parallel)
    app.connect("doctree-resolved", define_terms)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
