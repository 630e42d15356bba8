"""Comments that people write, and hostile text in the comments and pages that we write."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from fuzzing.subject import Subject, demand
from markdown_it import MarkdownIt

from bot.core.commands import HELP, MAX_COMMANDS, MAX_REASON, MAX_WORDS, Malformed, Parsed, Unknown, parse
from bot.core.config.document import shown
from bot.core.face.markdown import ZERO, block, code, inside_comment, plain, visible
from bot.core.face.render import marker, marker_of
from bot.core.record import Command, Verb
from bot.forge.pages.markdown import render as forge_html
from bot.web.pages import to_html

BOT = ("hg-bot[bot]",)
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
BRACKETED = re.compile(r"\]\(|https?:")


def _parsed(body: str) -> tuple[Parsed, ...]:
    return parse(body, bot_names=BOT)


def commands(data: bytes) -> None:
    """Any comment gives commands, answers or nothing; quotes and code give nothing."""
    body = data.decode("utf-8", "replace")
    found = _parsed(body)
    demand(len(found) <= MAX_COMMANDS, "not more than can be answered")
    for each in found:
        _sane(each)
    quoted = re.sub(r"(?m)^", "> ", body.replace("\r\n", "\n").replace("\r", "\n"))
    demand(_parsed(quoted) == (), "a quote asks for nothing")
    demand(
        _parsed(re.sub(r"(?m)^", "    ", body.replace("\r\n", "\n").replace("\r", "\n"))) == (),
        "indented code asks for nothing",
    )
    fence = "~" * 9
    if fence not in body:
        demand(_parsed(f"{fence}\n{body}\n{fence}") == (), "fenced code asks for nothing")
    if "-->" not in body:
        demand(_parsed(f"<!--\n{body}\n-->") == (), "what is hidden asks for nothing")
    for each in found:
        if isinstance(each, Command):
            demand(_parsed(_written(each)) == (each,), "a command written out is the same command")


def _sane(each: Parsed) -> None:
    match each:
        case Command():
            demand(len(each.words) <= MAX_WORDS and len(each.reason) <= MAX_REASON, "bounded arguments")
            demand(each.reason.isprintable() and all(word.isascii() for word in each.words), "harmless arguments")
        case Unknown():
            demand(each.word.isprintable() and "`" not in each.word, "an unknown word can be quoted")
        case Malformed():
            demand(each.why.isprintable() and any(row.verb is each.verb for row in HELP), "a sentence for its author")


def _written(each: Command) -> str:
    words = [*each.words]
    if each.verb is Verb.HOLD and each.reason:
        words.append(each.reason)
    words += ["--all"] * each.all + ["--state"] * each.state + [f"--accept={each.accept}"] * bool(each.accept)
    return " ".join([f"/{each.verb.value}", *words])


class _Tags(HTMLParser):
    """Which elements and attributes a page has, and the text in it."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.opened: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def markdown(data: bytes) -> None:
    """Hostile text in a sentence, a cell or a block stays text: it neither breaks out nor hides nor pings."""
    text = data.decode("utf-8", "replace")
    tags = _Tags(_MARKDOWN.render(f"x {plain(text)} y")).opened
    demand(set(tags) <= {"p", "br"}, f"text in a sentence has no markup: {tags}")
    tags = _Tags(_MARKDOWN.render(f"| a | b |\n|---|---|\n| {code(text)} | {plain(text)} |\n")).opened
    demand(
        tags.count("tr") == 2 and tags.count("td") == 2 and tags.count("code") == 1, f"a cell stays a cell: {tags}"
    )
    demand(set(tags) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}, f"a cell has no other markup: {tags}")
    tags = _Tags(_MARKDOWN.render(f"before\n\n{block(text.split(chr(10)))}\n\nafter\n")).opened
    demand(tags == ["p", "pre", "code", "p"], f"a block stays a block: {tags}")
    for made in (plain(text, 10_000), code(text), shown(text)):
        demand(visible(made.replace(ZERO, "")) == made.replace(ZERO, ""), "nothing invisible is left")
    demand("@" not in plain(text).replace("@\u2060", ""), "nobody is pinged")
    demand(
        marker_of(f"{marker(inside_comment(text), 1)}\n") or len(text) > 100 or "\n" in text,
        "a marker is found again",
    )


ALLOWED = {"class", "href", "title", "open", "align", "src", "alt", "width", "height", "start", "rel", "type"}


def pages(data: bytes) -> None:
    """Any Markdown becomes HTML that runs nothing and sends nowhere."""
    text = data.decode("utf-8", "replace")
    for page in (str(to_html(text)), str(forge_html(text))):
        found = _Tags(page)
        demand(
            not {"script", "style", "iframe", "object", "form", "svg", "link", "meta"} & set(found.opened), "harmless"
        )
        for tag, name, value in found.attributes:
            demand(name in ALLOWED, f"no attribute {name} of {tag}")
            if name in ("href", "src"):
                scheme = re.match(r"[\s\x00-\x1f]*([a-z][a-z0-9+.-]*):", value, re.IGNORECASE)
                demand(scheme is None or scheme[1].lower() in ("http", "https", "mailto"), f"no address {value!r}")


COMMENTS = (
    b"/plan web-prod edge-*\nthanks\n\n/hold until monday\n",
    b"@hg-bot deploy web --accept=abcd1234\n> /merge\n```\n/merge\n```\n/explain",
    b"headgate plan all --all\nheadgate is great\n<!-- \n/merge\n-->\n`/plan`\n/ok-to-plan 0123abc\n",
    "@headgate unlock \u2014state\r\n~~~ text\r\n/merge\r\n~~~\r\n/unhold /remove-hold\n/HOLD cancel\n/why".encode(),
)
HOSTILE = (
    b"<!-- headgate:main:page:1 -->\n**x** [a](javascript:alert(1)) ![](http://x/y) "
    b"<img src=x onerror=alert(1)> @acme/team #1 www.x.y",
    b"| a | b |\n|---|---|\n| `x|y` | **z** |\n\n- [ ] x\n\n"
    b"<details open><summary>s</summary>\n\n```diff\n+ a\n- b\n```\n\n</details>",
    b"# h\n\n> q\n> > r\n\n1. a\n2. b\n\n***\n"
    b'&lt;script&gt; <a href="x" onclick="y">z</a> <http://a.b> [r]: x \'y\'\n[r]\n~~s~~ \\* ``` ` ```',
    "x\u202e\u200b\u2066y \u2028z\x1b[31mred\x1b[0m\r\nline\x00".encode(),
)
VERBS = tuple(f"\n/{verb.value} ".encode() for verb in Verb)
MARKS = (
    b"|",
    b"`",
    b"``",
    b"~~~~",
    b"<a ",
    b"](",
    b"javascript:",
    b"&#x6a;",
    b"data:text/html,",
    b" onload=",
    b"<svg",
    b"--",
    b"    ",
    b"\\|",
)

SUBJECTS = (
    Subject(
        "commands",
        commands,
        COMMENTS,
        (*VERBS, b"@hg-bot ", b"headgate ", b"> ", b"--all", b"--accept="),
        100_000,
        per_byte=2e-5,
        weight=1.2,
    ),
    Subject("markdown", markdown, HOSTILE, MARKS, 20_000, per_byte=1e-4, weight=0.2),
    Subject("pages", pages, HOSTILE, MARKS, 70_000, per_byte=1e-4, weight=0.15),
)
