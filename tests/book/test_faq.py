"""The questions people ask: each with its thread, its proof, and no thread left out.

Threads are ``owner/name#number`` for GitHub, else the address.
"""

import importlib
import re
import sys
from pathlib import Path

import nbformat
import pytest

from tests.kit.places import ROOT

BOOK = ROOT / "book"
SITE = ROOT / "_build/html/book"
PAGES = sorted(path for path in BOOK.glob("faq-*") if path.suffix in (".md", ".ipynb"))
LINK = re.compile(r"\[([^\[\]]+)\]\(([^()\s]+)\)")
GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)/(?:issues|pull)/(\d+)$")
PROVES = re.compile(r"cells? below|\{cite:p\}`|https://|benchmarks/|tests/")

# The collected threads, by what they are about.
THREADS = {
    "faq-what-is-float": """
        discuss.ai.google.dev/t/31815 discuss.tensorflow.org/t/25396 stackoverflow.com/q/68522115
        stackoverflow.com/q/66099911 discuss.pytorch.org/t/112542 tensorflow/tensorflow#86293
        tensorflow/tflite-micro#757 google-ai-edge/litert-torch#112 pytorch/pytorch#33487
        google-ai-edge/ai-edge-quantizer#474 openxla/stablehlo#1575 openxla/stablehlo#1792
        openxla/stablehlo#2050 IntelLabs/nlp-architect#114""",
    "faq-turning-it-off": """
        tensorflow/tensorflow#38781 tensorflow/tensorflow#48751 alibaba/TinyNeuralNetwork#23
        tensorflow/tensorflow#41151 tensorflow/tensorflow#38652 tensorflow/tensorflow#38285
        tensorflow/tflite-micro#2722 microsoft/onnxruntime#15341""",
    "faq-speed": """
        tensorflow/tensorflow#51749 tensorflow/model-optimization#810 tensorflow/tensorflow#52105
        tensorflow/tensorflow#40183 tensorflow/tensorflow#51586 tensorflow/tensorflow#55525
        tensorflow/tensorflow#40914 tensorflow/tensorflow#25021 google/XNNPACK#999
        google/XNNPACK#6653 microsoft/onnxruntime#10559 microsoft/onnxruntime#16009
        microsoft/onnxruntime#12854 microsoft/onnxruntime#6695 microsoft/onnxruntime#6277""",
    "faq-not-quantized": """
        tensorflow/tensorflow#53094 tensorflow/tensorflow#76422 tensorflow/tensorflow#20691
        tensorflow/tensorflow#43541 tensorflow/tensorflow#45932 tensorflow/tensorflow#58823
        google-ai-edge/litert-torch#1068""",
    "faq-disagree": """
        tensorflow/tensorflow#45237 tensorflow/tensorflow#55448 tensorflow/tensorflow#39923
        microsoft/onnxruntime#14642 microsoft/onnxruntime#6004 microsoft/onnxruntime#5849
        pytorch/pytorch#103646 tensorflow/tensorflow#102943 tensorflow/tensorflow#104605""",
    "faq-intermediates": """
        tensorflow/tensorflow#23384 tensorflow/tensorflow#32920 tensorflow/tensorflow#49129
        tensorflow/tensorflow#49484 tensorflow/tensorflow#93917 tensorflow/tensorflow#97677
        google-coral/edgetpu#607 tensorflow/model-optimization#911 stackoverflow.com/q/53109990
        google-ai-edge/LiteRT#413 tensorflow/tensorflow#79355 tensorflow/tensorflow#86949
        tensorflow/tensorflow#56899""",
    "faq-memory": """
        microsoft/onnxruntime#15106 apple/coremltools#200 tensorflow/tensorflow#59771
        tensorflow/tflite-support#791 tensorflow/tflite-micro#2474 Deeplite/deeplite-profiler#26""",
    "faq-where-it-runs": """
        tensorflow/tflite-micro#2543 tensorflow/tflite-micro#1556 tensorflow/tflite-micro#1188
        tensorflow/tflite-micro#1189 tensorflow/tensorflow#43386 tensorflow/tensorflow#55928
        tensorflow/tensorflow#64223 apache/tvm#7114 Samsung/ONE#9535 Samsung/ONE#11047
        microsoft/onnxruntime#6430 microsoft/onnxruntime#10007""",
    "faq-accuracy": """
        pytorch/pytorch#70480 pytorch/pytorch#71110 pytorch/tutorials#899 IntelLabs/distiller#462
        pytorch/pytorch#28202 Tiarin-Hino/ability-draft-plus#80 quic/aimet#2477
        google-ai-edge/LiteRT#136""",
    "faq-nobody-asked": "",
}


def text_of(path: Path) -> str:
    """A page as Markdown, a code cell as the line ``%code``."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(c.source if c.cell_type == "markdown" else "%code" for c in cells)


def questions(text: str) -> list[tuple[str, str]]:
    """The sections of a page that are questions, each with what stands under it."""
    parts = re.split(r"^## (.+)$", text, flags=re.M)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def thread(address: str) -> str:
    if found := GITHUB.match(address):
        return "#".join(found.groups())
    return address.removeprefix("https://")


def problems(text: str, asked: bool = True) -> list[str]:
    """What is missing under the questions of a page, one sentence each."""
    found = []
    for question, body in questions(text):
        head, _, proof = body.partition("**Proof:**")
        threads, _, answer = head.strip().partition("\n\n") if asked else ("", "", head)
        words = len(re.sub(r"\]\(\S+\)|`[^`]*`", " ", answer).split())
        if not question.endswith("?"):
            found.append(f"{question}: is no question")
        if asked and not (threads.startswith("*Asked in*") and LINK.findall(threads)):
            found.append(f"{question}: says of no thread that it was asked in it")
        if not 25 <= words <= 140:
            found.append(f"{question}: the answer has {words} words")
        if not LINK.findall(proof) and not PROVES.search(proof):
            found.append(f"{question}: has no proof")
        if re.search(r"cells? below", proof) and "%code" not in proof:
            found.append(f"{question}: names a cell that is not there")
    return found or ([] if questions(text) else ["no question at all"])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_question_has_a_thread_an_answer_and_a_proof(path):
    assert problems(text_of(path), asked=path.stem != "faq-nobody-asked") == []


@pytest.mark.parametrize("page", THREADS)
def test_every_collected_thread_is_linked(page):
    (path,) = [p for p in PAGES if p.stem == page]
    linked = {thread(address) for _, address in LINK.findall(text_of(path))}
    assert set(THREADS[page].split()) - linked == set()


def test_no_page_is_left_out():
    assert [path.stem for path in PAGES] == sorted(THREADS)
    start = (BOOK / "faq.md").read_text(encoding="utf-8")
    linked = {address for _, address in LINK.findall(start)}
    assert {path.name for path in PAGES} - linked == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_proof_names_the_section_that_it_leads_to(path):
    """``[Chapter, "Section"](file#anchor)``; that the anchor exists is seen on the built site."""
    for label, address in LINK.findall(text_of(path)):
        file, _, anchor = address.partition("#")
        if address.startswith("https://") or not anchor or '"' not in label:
            continue
        headings = re.findall(r"^#+ (.+)$", text_of(BOOK / file), flags=re.M)
        chapter, section = re.fullmatch(r'(?:(.+), )?"(.+)"', label).groups()
        assert section in headings, (label, headings)
        assert chapter in (None, headings[0]), (label, headings[0])
        assert anchor == re.sub(r"[^\w -]", "", section.lower()).replace(" ", "-"), label


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("is it?", "it is"), "is no question"),
        (("*Asked in*", "In"), "of no thread"),
        (("https://github.com/a/b/issues/1", ""), "of no thread"),
        ((" because" * 30, " because"), "1 words"),
        (("[Chapter](input.ipynb)", "Believe us."), "has no proof"),
        (("[Chapter](input.ipynb)", "the cell below"), "not there"),
    ],
)
def test_what_is_missing_is_named(change, complaint):
    text = "# Page\n\n## Why is it?\n\n*Asked in* [b#1](https://github.com/a/b/issues/1).\n\n"
    text += " because" * 30 + "\n\n**Proof:** [Chapter](input.ipynb)\n"
    assert problems(text) == []
    assert change[0] in text
    assert complaint in " / ".join(problems(text.replace(*change)))


def test_the_table_of_measurements_has_what_the_benchmark_measures():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        layers = importlib.import_module("faq_speed").LAYERS
    finally:
        sys.path.pop(0)
    source = nbformat.read(BOOK / "is-it-faster.ipynb", 4).cells[1].source
    told: dict = {}
    exec(source[source.index("PATHS =") : source.index("def speed")], told)
    words = [set(re.findall(r"\w+", name)) for name in layers]
    named = [set(re.findall(r"\w+", name)) for name in told["LAYERS"]]
    assert all(name <= measured for name, measured in zip(named, words, strict=True))
    for processor in told["MEASURED"].values():
        assert set(processor) == set(told["PATHS"])
        assert {len(ratios) for ratios in processor.values()} == {len(layers)}


def test_the_learning_path_leads_through_every_chapter():
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    files = [BOOK.parent / f"{name}.ipynb" for name in re.findall(r"file: (\S+)", toc)]
    chapters = {f.name for f in files if f.exists() and not f.name.startswith("faq")}
    text = (BOOK / "learning-path.md").read_text(encoding="utf-8")
    table = text[text.index("## What each chapter is for") :]
    rows = re.findall(r"^\| \[([^\]]+)\]\(([^)]+)\) \| .+ \| .+ \|$", table, re.M)
    titles = {name: text_of(BOOK / name).splitlines()[0].removeprefix("# ") for _, name in rows}
    assert [(title, name) for title, name in rows if title != titles[name]] == []
    assert chapters - set(titles) == {"one-page-summary.ipynb"}


@pytest.fixture(scope="module")
def built(browser):
    """A tab for the built site, without a network."""
    if not (ROOT / "_build/.built").exists():
        pytest.fail("The site has not been built: run `make book` first.", pytrace=False)
    context = browser.new_context(offline=True)
    yield context.new_page()
    context.close()


def test_the_summary_is_printed_on_one_page(built):
    built.goto((SITE / "one-page-summary.html").as_uri())
    built.evaluate("window.MathJax?.startup?.promise")
    for paper in ("A4", "Letter"):
        sheet = built.pdf(format=paper)
        assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 1
    built.emulate_media(media="print")
    built.set_viewport_size({"width": 726, "height": 1055})  # A4 without the margins
    bottom = built.evaluate("document.querySelector('#on-one-page').getBoundingClientRect().bottom")
    assert 500 < bottom <= 1055


@pytest.mark.parametrize(
    ("words", "page"), [("microcontroller", "faq-where-it-runs"), ("row sums", "accumulator")]
)
def test_the_search_needs_no_network(built, words, page):
    built.goto((SITE.parent / "search.html").as_uri() + f"?q={words.replace(' ', '+')}")
    built.wait_for_selector(f"#search-results a[href*='{page}']", timeout=10_000)
