"""HTML read by machine: what a page holds, and whether it is whole."""

from html.parser import HTMLParser

VOID = set("area base br col hr img input link meta path use wbr".split())
EVIL = "<b onload=\"x('&')\">$x_1$"


class Checked(HTMLParser):
    """Parses HTML and complains about tags that do not match and ids that repeat."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.figures, self.tags, self.text = [], [], [], [], ""
        self.feed(html)
        self.close()
        assert self.open == []
        assert len(set(self.ids)) == len(self.ids)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag == "figure":
            self.figures.append(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += "" if "style" in self.open else data
