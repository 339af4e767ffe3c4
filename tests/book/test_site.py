"""The built site, page by page: whole, readable by everybody, and at home on any machine."""

import importlib.util
import re
import types
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tests.kit.places import ROOT

BUILD = ROOT / "_build"
SITE = BUILD / "html"
VOID = set("area base br col embed hr img input link meta source track wbr".split())
HOST = r"((?:https?:)?//[\w-]+\.[\w.-]+)"
IN_CSS = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])""" + HOST)
IN_SCRIPT = re.compile(r"""["'`]""" + HOST)
PATH = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|Users)/\w+")


class Page(HTMLParser):
    """What the tests want to know about one page, gathered in a single pass."""

    def __init__(self, path):
        super().__init__()
        self.path, self.name = path, path.relative_to(SITE).as_posix()
        self.html = path.read_text(encoding="utf-8")
        self.redirect = 'http-equiv="refresh"' in self.html.lower()
        self.ids, self.links, self.resources, self.figures = set(), [], [], []
        self.inline, self.text, self.prose, self.title, self.headings = "", "", "", "", []
        self._open, self._labelled = [], None
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):
        a = {name: value or "" for name, value in attrs}
        self.ids |= {a.get("id"), a.get("name")} - {None}
        self.inline += f" {a.get('style', '')}"
        if tag == "a" and "href" in a:
            self.links.append(a["href"])
        elif tag == "meta" and a.get("http-equiv", "").lower() == "refresh":
            self.links.append(a["content"].partition("=")[2].strip("'\""))
        elif tag == "link" and a.get("rel") not in ("canonical", "author"):
            self.resources.append(a.get("href", ""))
        elif tag in ("object", "image", "use"):
            self.resources.append(a.get("data") or a.get("href") or a.get("xlink:href") or "#")
        self.resources += [a[name] for name in ("src", "poster") if a.get(name)]
        self.resources += [part.split()[0] for part in a.get("srcset", "").split(",") if part]
        hidden = a.get("aria-hidden") == "true" or a.get("role") in ("presentation", "none")
        if tag in ("img", "svg") and not hidden and not self._inside("svg", "button"):
            self.figures.append([tag, a.get("src", ""), a.get("alt") or a.get("aria-label", "")])
        if tag == "h1" and not any("jb-print-docs-body" in id_ for _, id_ in self._open):
            self.headings.append("")
        if tag not in VOID:
            self._open.append((tag, a.get("id", "")))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        if self._inside(tag):
            while self._open.pop()[0] != tag:
                pass

    def handle_data(self, data):
        if self._inside("script", "style"):
            self.inline += data
        elif self._inside("svg") and self._inside("title") and self.figures:
            self.figures[-1][2] += data
        elif self._inside("title"):
            self.title += data
        else:
            self.text += data
            if not self._inside("pre", "code"):
                self.prose += data
            if self._inside("h1") and self.headings:
                self.headings[-1] += data

    def _inside(self, *tags):
        return any(tag in tags for tag, _ in self._open)


@pytest.fixture(scope="module")
def pages():
    if not (BUILD / ".built").exists():
        pytest.fail("The site has not been built: run `make book` first.", pytrace=False)
    files = [f for f in sorted(SITE.rglob("*.html")) if "_static" not in f.parts]
    assert files, "the site has no pages"
    return {page.path: page for page in map(Page, files)}


@pytest.fixture(scope="module")
def content(pages):
    """The pages without those that only send the reader on."""
    return [page for page in pages.values() if not page.redirect]


def test_there_is_a_page_for_each_chapter(pages):
    toc = re.findall(r"(?:root|file): (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    assert [name for name in toc if SITE / f"{name}.html" not in pages] == []
    assert SITE / "index.html" in pages


def test_links_lead_somewhere(pages):
    broken = []
    for page in pages.values():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link in ("", "#"):
                continue
            target = page.path
            if parts.path:
                target = (page.path.parent / unquote(parts.path)).resolve()
            anchor = unquote(parts.fragment)
            if not target.is_file() or (
                anchor and target in pages and anchor not in pages[target].ids
            ):
                broken.append(f"{page.name}: {link}")
    assert broken == []


def test_local_resources_exist(pages):
    missing = []
    for page in pages.values():
        for resource in page.resources:
            parts = urlsplit(resource)
            file = page.path.parent / unquote(parts.path)
            if not parts.scheme and not parts.netloc and parts.path and not file.is_file():
                missing.append(f"{page.name}: {resource}")
    assert missing == []


def test_nothing_is_loaded_from_another_host(pages):
    asked = []
    for page in pages.values():
        asked += [
            f"{page.name}: {resource}" for resource in page.resources if urlsplit(resource).netloc
        ]
        found = IN_CSS.findall(page.inline) + IN_SCRIPT.findall(page.inline)
        asked += [f"{page.name}: {host}" for host in found]
    for sheet in SITE.rglob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.S)
        asked += [f"{sheet.name}: {host}" for host in IN_CSS.findall(text)]
    assert asked == []


def test_figures_say_what_they_show(content):
    silent = []
    for page in content:
        for tag, source, alt in page.figures:
            name = Path(unquote(urlsplit(source).path)).name
            if not alt.strip() or alt.strip() == name or re.search(r"\.(png|svg|jpe?g)$", alt):
                silent.append(f"{page.name}: {tag} {source} has alt text {alt!r}")
    assert silent == []


def test_each_page_has_a_title_and_one_heading(content):
    for page in content:
        assert page.title.strip(), f"{page.name} has no title"
        assert len(page.headings) == 1, f"{page.name} has these h1: {page.headings}"
        assert page.headings[0].strip(" #"), f"{page.name} has an empty h1"


def test_no_page_shows_what_went_wrong(content):
    marks = ("<Figure size", "Traceback (most recent call last)", "WARNING")
    shown = [f"{page.name}: {mark}" for page in content for mark in marks if mark in page.text]
    # MyST that was not understood stays in the text: a role, a directive, a label.
    shown += [
        f"{page.name}: {found}"
        for page in content
        for found in re.findall(r"\{[a-z:-]+\}`|[:`]{3}\{\w*", page.prose)
    ]
    assert shown == []


def test_no_page_names_a_path_of_the_machine(content):
    named = [f"{page.name}: {found}" for page in content for found in PATH.findall(page.text)]
    named += [f"{page.name}: {ROOT}" for page in content if f"{ROOT}/" in page.html]
    assert named == []


def test_pages_are_light(content):
    """What a page needs apart from what the theme and MathJax bring along for all pages."""
    heavy = {}
    for page in content:
        files = {(page.path.parent / unquote(urlsplit(r).path)).resolve() for r in page.resources}
        own = [f for f in files if f.is_file() and SITE / "_static" not in f.parents]
        weight = len(page.html.encode()) + sum(file.stat().st_size for file in own)
        if weight > 1.5e6:
            heavy[page.name] = weight
    assert heavy == {}


def test_launch_buttons_lead_to_the_repository_if_there_is_one(content):
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    repository = config["repository"]["url"]
    for page in content:
        hosts = [urlsplit(link).netloc for link in page.links]
        found = {host for host in hosts if host in ("colab.research.google.com", "mybinder.org")}
        chapter = (ROOT / page.name).with_suffix(".ipynb").is_file()
        assert len(found) == (2 if repository and chapter else 0), page.name


@pytest.mark.parametrize("address", ["", "https://github.com/someone/drqsim"])
def test_no_repository_no_launch_buttons(address):
    spec = importlib.util.spec_from_file_location("drqsim_book", ROOT / "book/_ext/drqsim_book.py")
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    options = {"repository_url": address, "launch_buttons": {"colab_url": "x"}, "other": 1}
    config = types.SimpleNamespace(html_theme_options=dict(options))
    extension.launch_from_repository(None, config)
    assert config.html_theme_options == (options if address else {"other": 1})


def test_mathjax_is_part_of_the_site(pages):
    home = SITE / "_static/mathjax"
    assert (home / "tex-mml-chtml.js").is_file()
    assert list(home.glob("output/chtml/fonts/woff-v2/*.woff"))
    assert (home / "LICENSE").is_file()
