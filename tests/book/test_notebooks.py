"""The chapters as they lie in git: clean, run from top to bottom, all in the table of contents."""

import importlib.util

import pytest

from tests.kit.places import ROOT

spec = importlib.util.spec_from_file_location("notebooks", ROOT / "book/_ext/notebooks.py")
notebooks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(notebooks)


@pytest.mark.parametrize("path", notebooks.chapters(), ids=lambda path: path.stem)
def test_chapter_is_clean(path):
    assert notebooks.check(path) == []


def test_every_page_is_in_the_table_of_contents():
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8").split()
    pages = [p for p in (ROOT / "book").iterdir() if p.suffix in (".ipynb", ".md")]
    assert [p.name for p in pages if f"book/{p.stem}" not in toc] == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"execution_count": None}, "was never run"),
        ({"source": ""}, "is empty"),
        ({"metadata": {"execution": {"iopub.busy": "now"}}}, "is not clean"),
        ({"outputs": [{"data": {"text/html": "<b>1</b>"}}]}, "is not clean"),
        ({"outputs": [{"data": {"image/png": "iVBORw0KGgo="}}]}, "is not clean"),
        ({"outputs": [{"data": {"text/plain": "<f at 0x7f00ab00cd00>"}}]}, "address"),
        ({"outputs": [{"data": {"text/plain": "<Figure size 500x300>"}}]}, "mystnb.image.alt"),
        ({"outputs": [{"output_type": "error", "ename": "ValueError"}]}, "catch the error"),
        ({"outputs": [{"output_type": "stream", "name": "stderr", "text": "oh"}]}, "stderr: oh"),
    ],
)
def test_lint_complains(tmp_path, change, complaint):
    path = tmp_path / "chapter.ipynb"
    path.write_text(_notebook_with(change), encoding="utf-8")
    assert complaint in " / ".join(notebooks.check(path))


def test_lint_is_content_with_a_clean_chapter(tmp_path):
    path = tmp_path / "chapter.ipynb"
    path.write_text(_notebook_with({}), encoding="utf-8")
    assert notebooks.check(path) == []


READER = "def double():\n    return [2 * n for n in numbers]\n\n"


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        (["numbers = [1]", READER, "Explorer(lambda k: double(), [1], 'k')", "numbers = [2]"], "4"),
        ([READER + "Explorer(double, [1], 'k')", "from x import y as numbers"], "2"),
        ([READER + "def f(k):\n    return double()", "Explorer(f, [1])", "def double(): 0"], "3"),
        ([READER + "numbers = [1]", "Explorer(double, [1], 'k')", "n = 3\nnumber = 4"], None),
        ([READER, "numbers = 1", "Explorer(abs, [1], 'k')", "numbers = 2"], None),
    ],
)
def test_what_a_knob_reads_keeps_its_meaning(cells, complaint):
    cells = [notebooks.nbformat.v4.new_code_cell(source) for source in cells]
    found = list(notebooks.check_knobs(notebooks.nbformat.v4.new_notebook(cells=cells)))
    assert [line.split()[:2] for line in found] == ([["cell", complaint]] if complaint else [])


@pytest.mark.parametrize(
    ("tagged", "other", "complaint"),
    [
        ("found = 1", "print(found)", "cell 2 needs found from cell 1"),
        ("found = 1", "found = 2\nprint(found)", None),
        ("print(1)", "print(2)", None),
    ],
)
def test_what_only_some_systems_run_is_needed_by_no_other_cell(tagged, other, complaint):
    cells = [notebooks.nbformat.v4.new_code_cell(source) for source in (tagged, other)]
    cells[0].metadata["tags"] = ["reads-memory"]
    found = notebooks.check_reads_memory(notebooks.nbformat.v4.new_notebook(cells=cells))
    assert [line.partition(",")[0] for line in found] == ([complaint] if complaint else [])


@pytest.mark.parametrize("can", [True, False])
def test_a_cell_that_cannot_be_run_here_keeps_what_it_printed(tmp_path, monkeypatch, can):
    monkeypatch.syspath_prepend(ROOT / "book/_ext")
    extension = importlib.import_module("drqsim_book")
    monkeypatch.setattr(extension, "memory_can_be_read", lambda: can)
    nbformat = notebooks.nbformat
    cells = [nbformat.v4.new_code_cell(f"print({n} + 1)", execution_count=n) for n in (1, 2)]
    cells[0].metadata["tags"] = ["reads-memory"]
    for cell in cells:
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="as it was\n")]
    path = tmp_path / "chapter.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    ran = notebooks.run(path).cells
    assert [cell.outputs[0].text for cell in ran] == ["2\n" if can else "as it was\n", "3\n"]


def _notebook_with(change):
    defaults = {
        "display_data": {"data": {}, "metadata": {}},
        "error": {"ename": "", "evalue": "", "traceback": []},
        "stream": {},
    }
    nbformat = notebooks.nbformat
    cell = nbformat.v4.new_code_cell("1", id="one", execution_count=1) | change
    outputs = [{"output_type": "display_data"} | output for output in cell["outputs"]]
    cell["outputs"] = [defaults[output["output_type"]] | output for output in outputs]
    metadata = notebooks.NOTEBOOK_METADATA
    notebook = nbformat.v4.new_notebook(cells=[nbformat.from_dict(cell)], metadata=metadata)
    return nbformat.writes(notebook) + "\n"
