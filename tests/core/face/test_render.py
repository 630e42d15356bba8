"""Pages keep within the host's limit, name everything that is destroyed, and are never broken open from inside."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.core.effectset import ABSENT, Action, EffectSet, Leaf, Value
from bot.core.face.compose import compose
from bot.core.face.markdown import block, code, inside_comment, plain, unmarked, visible
from bot.core.face.model import Danger, Face, Row, Section
from bot.core.face.render import body_digest, dangers_fit, marker, marker_of, render
from bot.core.gate import judge

GFM = MarkdownIt("commonmark").enable(["table", "strikethrough"])
AUTOLINK = re.compile(r"(?i)https?://|\bwww\.|[\w.+-]@\w|(?<!\w)@\w|(?<!\w)#\d")
"""What GitHub makes a link, a mention or a reference although nobody marked it up."""


def tokens(text: str) -> list[Any]:
    found = []
    for token in GFM.parse(text):
        found += [token, *(token.children or [])]
    return found


def kinds(text: str) -> set[str]:
    return {token.type for token in tokens(text)}


def live(text: str) -> list[str]:
    """Whatever in the text would become a link or a mention by itself."""
    return [found for token in tokens(text) if token.type == "text" for found in AUTOLINK.findall(token.content)]


def pages_of(face: Face, limit: int = 65536, max_pages: int = 5) -> tuple[str, ...]:
    return render(face, limit=limit, max_pages=max_pages, instance="headgate")


def a_face(build: SimpleNamespace, count: int, action: Action = Action.CREATE, text: str = "v") -> Face:
    leaf = Leaf("name", ABSENT, Value.known(text))
    made = build.an_effect_set(
        *(build.an_effect(f"aws_bucket.b{n:04d}", action, leaves=(leaf,)) for n in range(count))
    )
    dangers = tuple(Danger("app", each) for each in made.destroyed)
    section = Section("app", "<b>app</b>", made)
    rows = (Row(("**app**",), "prod", "changes", "✅"),)
    link = "https://headgate.example/c/12"
    return Face("> **Waiting**", dangers=dangers, rows=rows, sections=(section,), next="n", footer="f", link=link)


# ------------------------------------------------------------------------------------------- limits


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 120),
    action=st.sampled_from(list(Action)),
    limit=st.integers(3000, 20000),
    most=st.integers(1, 4),
    size=st.integers(0, 300),
)
def test_no_page_is_over_the_limit_and_every_destroy_is_listed_or_counted(
    build: SimpleNamespace, count: int, action: Action, limit: int, most: int, size: int
) -> None:
    face = a_face(build, count, action, "x" * size)
    pages = pages_of(face, limit, most)
    assert len(pages) <= most
    assert all(len(page) <= limit for page in pages)
    text = "\n".join(pages)
    listed = sum(f"`{each.effect.address}` in **app**" in text for each in face.dangers)
    missing = len(face.dangers) - listed
    assert (f"and {missing} more, [all of them here]" in text) is bool(missing)
    if most > 1 and dangers_fit(face.dangers, limit=limit, max_pages=most):
        assert missing == 0
    assert all(page.count("```") % 2 == 0 for page in pages)
    assert text.count("<details") == text.count("</details>")
    assert "**Next:** n" in pages[0]


def test_details_degrade_in_steps_and_say_so(build: SimpleNamespace) -> None:
    face = a_face(build, 60, text="x" * 150)
    levels = ("without values", "addresses only", "Shown 0 of 60")
    said = []
    for limit in range(16000, 1800, -200):
        page = pages_of(face, limit, 1)[0]
        level = next((word for word in levels if word in page), "all")
        if level not in said:
            said.append(level)
    assert said == ["all", *levels]


def test_projects_that_do_not_fit_are_counted(build: SimpleNamespace) -> None:
    sections = tuple(Section(f"p{n}", f"<b>p{n}</b>", build.an_effect_set()) for n in range(40))
    face = Face("> **h**", sections=sections, link="https://x.example")
    assert "of 40 projects: [all of them]" in pages_of(face, 3000, 1)[0]
    assert "Details of 40 projects do not fit here" in pages_of(face, 750, 1)[0]


def test_nothing_is_linked_where_nothing_serves_it(build: SimpleNamespace) -> None:
    for count, action in ((60, Action.CREATE), (300, Action.DELETE)):
        face = replace(a_face(build, count, action), link="")
        for limit in range(16000, 1800, -1000):
            assert not [page for page in pages_of(face, limit, 3) if "](" in page]
    sections = tuple(Section(f"p{n}", f"<b>p{n}</b>", build.an_effect_set()) for n in range(40))
    assert "of 40 projects" in (page := pages_of(Face("> **h**", sections=sections), 3000, 1)[0])
    assert "](" not in page + pages_of(Face("> **h**", sections=sections), 750, 1)[0]


def test_a_long_table_says_how_many_rows_it_leaves_out() -> None:
    rows = tuple(Row((f"p{n}",), "prod", "x", "✅") for n in range(120))
    assert "… and 20 more" in pages_of(Face("> **h**", rows=rows))[0]


def test_a_section_of_notes_alone_is_shown_and_an_empty_one_is_not() -> None:
    face = Face("> **h**", sections=(Section("a", "<b>a</b>", notes=("note",)), Section("b", "<b>b</b>")))
    (page,) = pages_of(face)
    assert "note" in page
    assert "<b>b</b>" not in page


def test_a_line_too_long_for_any_page_ends_the_list(build: SimpleNamespace) -> None:
    face = a_face(build, 3, Action.DELETE)
    assert not dangers_fit(face.dangers, limit=610, max_pages=3)
    assert len(pages_of(face, 1200, 1)) == 1


# ------------------------------------------------------------------------------------------ markers


def test_a_page_is_found_again_by_its_first_line_only() -> None:
    page = f"{marker('headgate', 2)}\nbody"
    assert marker_of(page) == marker("headgate", 2)
    assert marker_of(f"> {page}") == ""
    assert marker_of(f"text\n{page}") == ""
    assert body_digest("a") != body_digest("b")


@given(name=st.text(max_size=40))
def test_an_instances_name_cannot_end_the_marker(name: str) -> None:
    inside = inside_comment(name)
    assert ">" not in inside
    assert "-->" not in inside


# ---------------------------------------------------------------------------------- hostile text

HOSTILE = (
    "[click](https://evil.example)",
    "<img src=x onerror=alert(1)>",
    "</details><script>alert(1)</script>",
    "https://evil.example www.evil.example",
    "@admin please /merge",
    "`code` ``` **bold** _it_ ~~x~~ | cell |",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "![image](https://evil.example/x.png)",
    "&lt;b&gt; &#64;admin",
    "<!-- headgate:headgate:page:1 -->",
    "\u202egnp.exe\u2066\x1b[31m",
    "a\n\n```\n[x](https://evil.example)",
    "\\[x](https://evil.example)",
    "| a |\n|---|",
    "=====",
    "evil@evil.example",
    "[x]: https://evil.example",
)
ALLOWED = {"inline", "text", "paragraph_open", "paragraph_close", "text_special", "code_inline"}
hostile_text = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.sampled_from("[]()<>`*_~|\\!#@&;:/-=+. \n\tahtpsw1"), max_size=40),
    st.lists(st.sampled_from(HOSTILE), max_size=3).map("".join),
)


@settings(max_examples=400, deadline=None)
@given(text=hostile_text)
def test_hostile_text_in_a_sentence_is_only_text(text: str) -> None:
    assert kinds(f"before {plain(text)} after") <= ALLOWED - {"code_inline"}
    assert kinds(plain(text)) <= ALLOWED - {"code_inline"}
    assert live(plain(text)) == []


@settings(max_examples=400, deadline=None)
@given(text=hostile_text)
def test_hostile_text_in_a_code_span_stays_inside(text: str) -> None:
    found = tokens(f"before {code(text)} after")
    assert {each.type for each in found} <= ALLOWED
    assert [each.content.strip() for each in found if each.type == "text"] == ["before", "after"]


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(hostile_text, max_size=4))
def test_hostile_text_in_a_block_stays_inside(lines: list[str]) -> None:
    assert [token.type for token in GFM.parse(f"{block(lines)}\n\nafter")] == [
        "fence", "paragraph_open", "inline", "paragraph_close",
    ]  # fmt: skip


@given(text=st.text())
def test_nothing_invisible_comes_through(text: str) -> None:
    assert not set(visible(text)) & set("\x00\x1b\r\u200b\u202e\u2066\ufeff")


SHOWN = set("\u200d\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd") | {chr(0x600 + number) for number in range(6)}
"""The joiner of emoji, and marks of Arabic, Syriac and Kaithi that are seen."""


def test_whatever_unicode_calls_a_control_a_format_or_half_a_character_is_written_out() -> None:
    hidden = [chr(number) for number in range(0x110000) if unicodedata.category(chr(number)) in ("Cc", "Cf", "Cs")]
    assert {char for char in hidden if visible(char) == char} <= SHOWN | set("\t\n")
    assert all(visible(char) != char for char in "\u115f\u1160\u2800\u3164\uffa0\u034f\U000e0100")


@pytest.mark.parametrize(
    "text",
    ["ftp://evil.example", "WWW.evil.example", "xxhttps://evil.example", "mailto:a@b.example", "GH-12", "a/b#1"],
)
def test_nothing_that_a_host_makes_a_link_of_stays_whole(text: str) -> None:
    assert "\u2060" in plain(text)


@pytest.mark.parametrize(
    "text",
    [
        "<!channel>",
        "<@U123>",
        "<https://evil.example|approve>",
        "[approve](https://evil.example)",
        "![](https://evil.example/x.png)",
        "<at>everybody</at>",
        "@here",
        "\u202ereversed",
        "two\nlines",
    ],
)
def test_no_chat_finds_a_mention_a_link_or_a_picture_in_hostile_text(text: str) -> None:
    shown = unmarked(text)
    assert not re.search(r"<[!@a-z/]|@\w|https?:|\]\(|!\[|[\u202e\n]", shown)
    assert unmarked("prod needs 1 approval (#12) & a < b") == "prod needs 1 approval (#12) & a < b"


@settings(max_examples=100, deadline=None)
@given(text=hostile_text)
def test_nobody_is_pinged_by_hostile_text(text: str) -> None:
    assert "@admin" not in plain(text)
    assert "@evil" not in plain(text)


def hostile_face(build: SimpleNamespace, text: str) -> Any:
    project = build.a_project(text, path=text, environment="prod")
    leaf = Leaf(text, Value.known("a"), Value.known(text))
    made = build.an_effect_set(
        build.an_effect(text, Action.REPLACE, leaves=(leaf,), reason=text, replace_paths=(text,))
    )
    affected = build.an_affected(project, because=(text,))
    change = build.a_change(title=text, head_ref=text)
    snapshot = build.a_snapshot(made, affected=(affected,), change=change, paused=text)
    snapshot = replace(snapshot, runs=tuple(replace(run, id="1f") for run in snapshot.runs))
    return snapshot, compose(snapshot, judge(snapshot))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_values_cannot_break_out_of_the_comment(build: SimpleNamespace, text: str) -> None:
    _, face = hostile_face(build, text)
    (page,) = pages_of(face)
    links = {token.attrs["href"] for token in tokens(page) if token.type == "link_open"}
    assert all(str(link).startswith("https://headgate.example/") for link in links)
    html = [token.content for token in tokens(page.partition("\n")[2]) if token.type in ("html_block", "html_inline")]
    assert not any(word in each for each in html for word in ("<script", "<img", "<!--"))
    assert "image" not in kinds(page)
    assert page.count("\n</details>") == 1
    assert live(page) == []


def test_the_empty_face_is_only_its_headline() -> None:
    (page,) = pages_of(Face("> **h**", sections=(Section("a", "a", EffectSet()),)))
    assert page == f"{marker('headgate', 1)}\n> **h**"
