"""HTML read by machine: what a page holds, and whether it is whole."""

import re
from html.parser import HTMLParser

VOID = set("area base br col hr img input link meta path use wbr rect line circle".split())
EVIL = "<b onload=\"x('&')\">$x_1$"


class Checked(HTMLParser):
    """Collects what a page holds; complains of tags that do not match and of ids that repeat."""

    def __init__(self, page: str):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.hashes = [], [], [], [], []
        self.figures, self.headings, self.text = [], [], ""
        self.feed(page)
        self.close()
        assert self.open == [] and len(set(self.ids)) == len(self.ids)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.figures += [attrs] if tag == "figure" else []
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            if attrs.get(name, "#").startswith("#"):
                self.hashes += [attrs[name][1:]] if name in attrs else []
            else:
                self.links.append(attrs[name])
        assert not any(name.startswith("on") for name in attrs), attrs
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += "" if "style" in self.open else data
