"""No secret is shown, in whichever spelling, however its text is cut into pieces."""

from __future__ import annotations

import base64
import html
import json
import shlex
import struct
import urllib.parse
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.redaction import HIDDEN, LONGEST_LINE, Redactor

SECRET = "p@ss w/ürd & 'quotes'"
# Ten canaries as different as secrets are.
CANARIES = (
    "canary-hunter2-plain",
    "Canary With Spaces 1",
    "c4n4ry/with+base64==",
    'canary"double\\back',
    "canary'single$HOME`x`",
    "canary<html>&amp;",
    "cänäry-Ünïcode-ß-漢字",
    "canary%20percent?&=#",
    "canary\nsecond-line-of-it\nthird-line-of-it",
    "{{canary}}${var.x}%{if}",
)
secret_text = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Z")), min_size=8, max_size=30)
any_text = st.text(st.characters(), max_size=200)


def encodings(value: str) -> dict[str, str]:
    """A value as tools print it, by the name of the encoding."""
    raw = value.encode()
    return {
        "raw": value,
        "json": json.dumps(value),
        "json, not ascii": json.dumps(value, ensure_ascii=False),
        "html": html.escape(value),
        "url": urllib.parse.quote(value, safe=""),
        "url, path": urllib.parse.quote(value),
        "url, lower": urllib.parse.quote(value, safe="").lower(),
        "form": urllib.parse.quote_plus(value),
        "shell": shlex.quote(value),
        "upper": value.upper(),
        "lower": value.lower(),
        "swapped": value.swapcase(),
        "reversed": value[::-1],
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "base64": base64.b64encode(raw).decode(),
        "base64, urlsafe": base64.urlsafe_b64encode(raw).decode(),
        "base64 + 1": base64.b64encode(b"u" + raw + b"\n").decode(),
        "base64 + 2": base64.b64encode(b"u:" + raw + b":x").decode(),
        "base32": base64.b32encode(raw).decode(),
        "base32 + 3": base64.b32encode(b"abc" + raw + b":x").decode(),
        "json in json": json.dumps(json.dumps(value)[1:-1]),
        "escaped": "".join(f"\\u{unit:04x}" for (unit,) in struct.iter_unpack(">H", value.encode("utf-16-be"))),
    }


def streamed(redactor: Redactor, text: str, cuts: list[int]) -> str:
    stream = redactor.stream()
    places = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    return "".join(stream.feed(text[start:end]) for start, end in pairwise(places)) + stream.flush()


@pytest.mark.parametrize("name", encodings(SECRET))
def test_a_secret_is_hidden_in_every_common_spelling(name: str) -> None:
    shown = Redactor([SECRET]).text(f"before {encodings(SECRET)[name]} after")
    assert HIDDEN in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


@pytest.mark.parametrize("canary", CANARIES)
def test_a_canary_in_any_encoding_cut_at_any_place_is_never_shown(canary: str) -> None:
    redactor = Redactor(CANARIES)
    for spelt in encodings(canary).values():
        text = f"first line\nhere: [{spelt}]\nlast line"
        whole = redactor.text(text)
        assert whole.startswith("first line\nhere: [")
        assert whole.endswith("]\nlast line")
        for line in spelt.strip("'\"").split("\n"):
            # Up to two letters at each end may belong to what surrounds a value in base64.
            assert len(line) < 8 or line[3:-4] not in whole.replace(HIDDEN, "\0")
        for cut in range(1, len(text)):
            assert streamed(redactor, text, [cut]) == whole
        assert streamed(redactor, text, list(range(len(text)))) == whole


@given(secret=secret_text, name=st.sampled_from(sorted(encodings("x"))), before=st.text(max_size=20), after=any_text)
@settings(max_examples=300)
def test_no_spelling_of_any_value_comes_through(secret: str, name: str, before: str, after: str) -> None:
    spelt = encodings(secret)[name]
    if name.startswith("json") or (name == "shell" and spelt != secret):
        spelt = spelt[1:-1]  # the quotes are not of the value
    core = spelt.rstrip("=")[3:-4] if name.startswith(("base64 +", "base32 +")) else spelt
    if secret.strip().lower() not in {"localhost"} and secret not in HIDDEN and len(core) >= 8:
        shown = Redactor([secret]).text(f"{before}|{spelt}|{after}")
        assert core not in shown.replace(HIDDEN, "\0") or core in before + after


@given(
    secrets=st.lists(secret_text, max_size=3),
    pieces=st.lists(
        any_text | st.sampled_from(["\n", "eyJ", "-----BEGIN RSA PRIVATE KEY-----\n", "://a:b@", HIDDEN])
    ),
    chosen=st.data(),
)
@settings(max_examples=300)
def test_how_a_text_is_cut_changes_nothing_and_doing_it_again_neither(
    secrets: list[str], pieces: list[str], chosen: st.DataObject
) -> None:
    redactor = Redactor(secrets)
    text = "".join(part for piece in pieces for part in (piece, *secrets))
    whole = redactor.text(text)
    cuts = chosen.draw(st.lists(st.integers(0, len(text)), max_size=6))
    assert streamed(redactor, text, cuts) == whole


@given(secret=secret_text, lines=st.lists(st.text("abc x=:\n", max_size=30), max_size=5))
def test_what_is_redacted_stays_as_it_is_when_redacted_again(secret: str, lines: list[str]) -> None:
    redactor = Redactor([secret])
    shown = redactor.text(secret.join(lines))
    assert redactor.text(shown) == shown


@given(text=st.text("abcdefghijkl .,:;()[]{}=\"'\n\t", max_size=300))
def test_a_text_without_secrets_is_unchanged(text: str) -> None:
    assert Redactor(["Hunter2Hunter2"]).text(text) == text


@given(secret=secret_text, before=st.integers(0, 100), width=st.sampled_from([60, 64, 72, 76]))
def test_of_a_value_in_wrapped_base64_a_few_letters_at_the_lines_end_are_all_that_is_left(
    secret: str, before: int, width: int
) -> None:
    encoded = base64.b64encode(b"x" * before + secret.encode() + b"y" * 10).decode()
    text = "\n".join(encoded[at : at + width] for at in range(0, len(encoded), width))
    start, end = (before * 4 + 2) // 3, (before + len(secret.encode())) * 4 // 3
    known = encoded[start:end]
    shown = Redactor([secret]).text(text)
    for at in range(len(known) - 15):
        assert known[at : at + 15] not in shown.replace("\n", "")


def test_a_line_without_end_is_let_go_in_parts_and_nothing_is_lost() -> None:
    stream = Redactor(["hunter2hunter2"]).stream()
    assert stream.feed("x" * (LONGEST_LINE - 1)) == ""
    first = stream.feed("hunter2hunter2")
    assert first
    assert first + stream.flush() == "x" * (LONGEST_LINE - 1) + HIDDEN


@pytest.mark.parametrize("start", [LONGEST_LINE * 3 // 4 - 7, LONGEST_LINE * 3 // 4 - 1, LONGEST_LINE - 3])
@pytest.mark.parametrize("filler", ["x", "é", ". "])
def test_a_secret_at_the_border_of_two_windows_of_a_line_without_end_is_hidden(start: int, filler: str) -> None:
    redactor = Redactor(["hunter2-hünter2"])
    text = (filler * start)[:start] + "hunter2-hünter2" + filler * LONGEST_LINE
    shown = redactor.text(text)
    assert shown == text.replace("hunter2-hünter2", HIDDEN)
    for size in (1000, 4096, LONGEST_LINE + 5):
        assert streamed(redactor, text, list(range(0, len(text), size))) == shown


def test_a_key_that_begins_at_the_border_of_a_line_without_end_is_hidden() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----"
    for shift in range(40):
        text = (
            "y " * ((LONGEST_LINE * 3 // 4 - shift) // 2) + "z" * (shift % 2) + " " + key + " " + "y " * LONGEST_LINE
        )
        shown = Redactor([]).text(text)
        assert "MIIE" not in shown
        assert "PRIVATE" not in shown


def test_memory_is_bounded_whatever_comes() -> None:
    stream = Redactor(["hunter2hunter2"]).stream()
    given_out = sum(len(stream.feed("y" * 10_000)) for _ in range(100))
    assert given_out > 100 * 10_000 - LONGEST_LINE


def test_a_secret_longer_than_a_window_is_hidden() -> None:
    secret = "".join(chr(33 + number * number % 89) for number in range(3 * LONGEST_LINE))
    assert secret[100:120] not in Redactor([secret]).text(f"{secret}\n")


def test_a_secret_of_several_lines_is_hidden_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nabcdefghijklmnop\nshort\n-----END KEY-----"
    redactor = Redactor([key])
    assert redactor.stream().feed("a\n  abcdefghijklmnop\n") == f"a\n  {HIDDEN}\n"
    assert redactor.text("a short word") == "a short word"


@pytest.mark.parametrize("value", ["", "abc", "true", "PROD", "localhost", "hidden", "   \n"])
def test_what_is_too_short_or_ordinary_is_not_hidden(value: str) -> None:
    text = f"in {value} as is"
    assert Redactor([value]).text(text) == text


def test_a_value_added_while_it_runs_is_hidden_from_then_on() -> None:
    redactor = Redactor([])
    stream = redactor.stream()
    assert stream.feed("hunter2hunter2\n") == "hunter2hunter2\n"
    redactor.add("hunter2hunter2")
    redactor.add("hunter2hunter2")
    assert stream.feed("hunter2hunter2\n") == f"{HIDDEN}\n"


def test_of_two_secrets_that_overlap_nothing_is_left() -> None:
    assert Redactor(["hunter2", "hunter2hunter3"]).text("hunter2hunter3") == HIDDEN
    assert Redactor(["abcdefgh", "efghijkl"]).text("abcdefghijkl") == HIDDEN


def test_what_is_hidden_already_stays_as_it_is() -> None:
    assert Redactor(["hunter2hunter2"]).text(f"a {HIDDEN}{HIDDEN} hunter2hunter2") == f"a {HIDDEN}{HIDDEN} {HIDDEN}"


def test_a_shape_that_stops_inside_a_character_leaves_no_half_of_it() -> None:
    text = "authorization: a" + "é" * 40_000
    assert Redactor([]).text(text).startswith(f"authorization: {HIDDEN}é")
