"""No secret is shown, in whichever common spelling, however its text is cut into pieces."""

from __future__ import annotations

import base64
import html
import json
import shlex
import urllib.parse
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.redaction import HIDDEN, LONGEST_LINE, Redactor, spellings

SECRET = "p@ss w/ürd & 'quotes'"
secret_text = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=8, max_size=30)


@pytest.mark.parametrize(
    "spelt",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        html.escape(SECRET),
        urllib.parse.quote(SECRET, safe=""),
        urllib.parse.quote_plus(SECRET),
        shlex.quote(SECRET),
        SECRET.swapcase(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        base64.b64encode(b"user:" + SECRET.encode()).decode(),
        base64.b64encode(b"u:" + SECRET.encode() + b"\n").decode(),
    ],
)
def test_a_secret_is_hidden_in_every_common_spelling(spelt: str) -> None:
    shown = Redactor([SECRET]).text(f"before {spelt} after")
    assert HIDDEN in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


@given(secret=secret_text, before=st.text(max_size=20), after=st.text(max_size=20))
def test_the_value_itself_never_comes_through(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret])
    if secret.lower() not in {"localhost"}:
        assert secret not in redactor.text(f"{before}|{secret}|{after}").replace(HIDDEN, "\0")


@given(cuts=st.lists(st.integers(0, 60), max_size=6))
def test_a_secret_cut_between_pieces_is_still_hidden(cuts: list[int]) -> None:
    text = "one line\nthe token is hunter2hunter2 here\nrest without end"
    stream = Redactor(["hunter2hunter2"]).stream()
    places = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    shown = "".join(stream.feed(text[start:end]) for start, end in pairwise(places))
    assert shown + stream.flush() == text.replace("hunter2hunter2", HIDDEN)


def test_a_line_without_end_is_let_go_in_parts_and_nothing_is_lost() -> None:
    stream = Redactor(["hunter2hunter2"]).stream()
    assert stream.feed("x" * (LONGEST_LINE - 1)) == ""
    first = stream.feed("hunter2hunter2")
    assert first
    assert first + stream.flush() == "x" * (LONGEST_LINE - 1) + HIDDEN


def test_a_secret_of_several_lines_is_hidden_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nabcdefghijklmnop\nshort\n-----END KEY-----"
    stream = Redactor([key]).stream()
    assert stream.feed("a\n  abcdefghijklmnop\n") == f"a\n  {HIDDEN}\n"
    assert "short" not in spellings(key)


@pytest.mark.parametrize("value", ["", "abc", "true", "PROD", "localhost"])
def test_what_is_too_short_or_ordinary_is_not_hidden(value: str) -> None:
    text = f"in {value} as is"
    assert Redactor([value]).text(text) == text


@pytest.mark.parametrize(
    "token",
    [
        "ghp_" + "a1" * 18,
        "github_pat_" + "a1_" * 10,
        "glpat-" + "a1-" * 8,
        "AKIA" + "A1" * 8,
        "xoxb-" + "123-" * 5,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_credential_is_hidden_though_nobody_named_it(token: str) -> None:
    assert Redactor([]).text(f"x {token} y") == f"x {HIDDEN} y"


def test_a_value_added_while_it_runs_is_hidden_from_then_on() -> None:
    redactor = Redactor([])
    assert redactor.text("hunter2hunter2") == "hunter2hunter2"
    redactor.add("hunter2hunter2")
    redactor.add("hunter2hunter2")
    assert redactor.text("hunter2hunter2") == HIDDEN


def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    assert Redactor(["hunter2", "hunter2hunter3"]).text("hunter2hunter3") == HIDDEN
