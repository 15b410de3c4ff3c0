"""A page of ours as a parser sees it."""

from __future__ import annotations

import html.parser
import re
from pathlib import Path

PAGES = Path(__file__).parents[2] / "templates" / "pages"
STYLE = (PAGES / "style.css").read_text(encoding="utf-8")
ELEMENTS = frozenset(
    (
        *("html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section"),
        *("footer", "a", "p", "h1", "h2", "h3", "ul", "li", "dl", "dt", "dd", "div", "span"),
        *("strong", "code", "time", "table", "caption", "thead", "tbody", "tr", "th", "td"),
        *("details", "summary", "svg", "desc", "path", "rect", "wbr", "figure", "figcaption"),
        *("line", "text", "circle", "g", "defs", "marker"),
    )
)


class HtmlPage(html.parser.HTMLParser):
    """The elements, attributes, links and words of a page; it must be well-formed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()
        self.landmarks: list[str] = []
        self.headings: list[str] = []
        self.ids: set[str] = set()
        self.counted_ids = 0
        self.count: dict[str, int] = {}
        self.policy = ""
        self.styles: list[str] = []
        self._words: list[str] = []
        self.feed(text)

    @property
    def text(self) -> str:
        """The words of the body, with one blank between two."""
        whole = " ".join(" ".join(self._words).split()).replace(" \0 ", "")
        return re.sub(r" ([,;.])", r"\1", whole)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.names.add(tag)
        self.count[tag] = self.count.get(tag, 0) + 1
        self.attributes |= values.keys()
        self.addresses |= {values[name] for name in ("href", "src", "xlink:href") if name in values}
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"]
        if "id" in values:
            self.ids.add(values["id"])
            self.counted_ids += 1
        if tag in ("header", "nav", "main", "section", "footer"):
            self.landmarks.append(tag)
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)
        if tag == "wbr":
            self._words.append("\0")
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.styles.append(data.strip())
        if "style" not in self.open and "svg" not in self.open:
            self._words.append(data.strip("\n") if data.strip() else "")
