"""Hostile Markdown becomes safe HTML: what a Git host shows of a comment, and nothing more."""

from __future__ import annotations

import re
from html import escape

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

_LINE_CLASSES = {"+": "d-add", "-": "d-del", "!": "d-warn", "@": "d-hunk", "~": "d-warn"}
_CLASS = re.compile(r"(d-(add|del|warn|hunk)|language-[\w+-]{1,30})")
_TAGS = frozenset(
    ("a", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4",
     "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "pre", "s", "samp", "span", "strong", "sub",
     "summary", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul")
)  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "details": {"open"},
    "td": {"align"},
    "th": {"align"},
    "ol": {"start"},
    "code": {"class"},
    "span": {"class"},
}


def diff_lines(text: str) -> str:
    """The lines of a diff as HTML, each coloured by its first character; everything escaped."""
    spans: list[str] = []
    for line in text.split("\n"):
        kind = _LINE_CLASSES.get(line.lstrip()[:1]) if line else None
        spans.append(f'<span class="{kind}">{escape(line)}</span>' if kind else escape(line))
    return "\n".join(spans)


def _highlight(code: str, language: str, _attributes: str) -> str:
    return diff_lines(code) if language == "diff" else ""


_PARSER = MarkdownIt("commonmark", {"html": True, "breaks": True, "highlight": _highlight}).enable(
    ["table", "strikethrough"]
)


def _allowed(_tag: str, attribute: str, value: str) -> str | None:
    if attribute == "class" and not _CLASS.fullmatch(value):
        return None
    return value


def render(text: str) -> Markup:
    """A comment as HTML. Scripts, styles, event handlers, comments and foreign schemes do not get through."""
    clean = nh3.clean(
        _PARSER.render(text),
        tags=set(_TAGS),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=_allowed,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )
    return Markup(clean)  # noqa: S704 - nh3 has just made it safe
