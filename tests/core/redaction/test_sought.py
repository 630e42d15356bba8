"""What redaction would have hidden is found in what is stored, and told by a name only."""

from __future__ import annotations

import base64
import html
import json
import shlex
import urllib.parse

import pytest

from bot.core.redaction.sought import OVERLAP, Sought
from bot.core.redaction.spellings import LONGEST

VALUE = "p&ss/w'rd-5f0c1e7a9b\"+x"

SPELLINGS = {
    "raw": VALUE,
    "base64 at 0": base64.b64encode(VALUE.encode()).decode(),
    "base64 at 1": base64.b64encode(b"x" + VALUE.encode() + b"yy").decode(),
    "base64 at 2": base64.b64encode(b"xx" + VALUE.encode() + b"y").decode(),
    "base64url": base64.urlsafe_b64encode(VALUE.encode()).decode(),
    "URL": urllib.parse.quote(VALUE, safe=""),
    "JSON": json.dumps(VALUE),
    "HTML": html.escape(VALUE),
    "shell": shlex.quote(VALUE),
    "hex": VALUE.encode().hex(),
    "HEX": VALUE.encode().hex().upper(),
    "reversed": VALUE[::-1],
    "upper": VALUE.upper(),
    "swapped": VALUE.swapcase(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_value_is_found_in_every_spelling(spelling: str) -> None:
    sought = Sought({"one": VALUE, "other": "something-else-entirely"})
    assert sought.within(b"before " + SPELLINGS[spelling].encode() + b" after") == {"one"}
    assert sought.within(b"nothing of the kind") == frozenset()


@pytest.mark.parametrize("url", ["postgresql://u:S3cr%40t-word@db/x", "redis://:S3cr%40t-word@cache:6379/0"])
def test_the_password_of_a_url_is_found_alone_too(url: str) -> None:
    assert Sought({"url": url}).within(b"the password is S3cr@t-word") == {"url"}
    assert Sought({"url": url}).within(b"db cache:6379") == frozenset()


def test_a_text_that_is_no_url_is_no_error() -> None:
    assert Sought({"x": "http://[broken-secret"}).within(b"http://[broken-secret") == {"x"}


def test_the_lines_around_every_private_key_are_no_finding() -> None:
    lines = ("-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "-----END PRIVATE KEY-----")
    sought = Sought({"key": "\n".join(lines)})
    assert sought.within(b"-----BEGIN PRIVATE KEY-----") == frozenset()
    assert sought.within(lines[1].encode()) == {"key"}


def test_the_parts_of_a_file_of_credentials_are_found_and_what_it_says_openly_is_not() -> None:
    sought = Sought({"file": json.dumps({"project_id": "acme-production", "private_key_id": "0f1e2d3c4b5a6978"})})
    assert sought.within(b"0f1e2d3c4b5a6978") == {"file"}
    assert sought.within(b"acme-production") == frozenset()


def test_a_value_that_would_be_found_everywhere_is_told_instead_of_sought() -> None:
    sought = Sought({"short": "abc", "ordinary": "prod", "good": "long-enough-secret"})
    assert sought.unsought == {"short", "ordinary"}


def test_no_spelling_is_longer_than_what_is_looked_at_twice() -> None:
    assert OVERLAP >= 4 * LONGEST
