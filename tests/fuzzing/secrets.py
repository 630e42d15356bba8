"""Redaction: no secret of those that are known is shown, in no spelling, however its text is cut."""

from __future__ import annotations

import base64
import html
import json
import random
import shlex
import urllib.parse
from itertools import pairwise

from fuzzing.subject import Subject, demand

from bot.core.redaction import HIDDEN, LONGEST_LINE, Redactor

CANARIES = (
    "canary-hunter2-plain",
    "Canary With Spaces 1",
    "c4n4ry/with+base64==",
    'canary"double\\back',
    "canary'single$HOME`x`",
    "canary<html>&amp;",
    "c\u00e4n\u00e4ry-\u00dcn\u00efcode-\u00df-\u6f22\u5b57",
    "canary%20percent?&=#",
    "{{canary}}${var.x}%{if}",
)
REDACTOR = Redactor(CANARIES)


def spelt(value: str, chance: random.Random) -> str:
    """A value as some tool would print it."""
    raw = value.encode()
    match chance.randrange(14):
        case 0:
            return value.upper()
        case 1:
            return value.swapcase()
        case 2:
            return json.dumps(value)
        case 3:
            return json.dumps(value, ensure_ascii=False)
        case 4:
            return html.escape(value)
        case 5:
            return urllib.parse.quote(value, safe="")
        case 6:
            return urllib.parse.quote_plus(value)
        case 7:
            return shlex.quote(value)
        case 8:
            return raw.hex()
        case 9:
            return base64.b64encode(raw).decode()
        case 10:
            return base64.urlsafe_b64encode(raw).decode()
        case 11:
            return base64.b64encode(b"u:" + raw + b":x").decode()
        case 12:
            return value[::-1]
        case _:
            return value


def redaction(data: bytes) -> None:
    """Any text around a secret, cut anywhere: the secret is not shown, and it is shown alike however it is cut."""
    chance = random.Random(data[:16] + len(data).to_bytes(4, "big"))
    text = data.decode("utf-8", "surrogateescape" if data[:1] == b"\xff" else "replace")
    secret = chance.choice(CANARIES)
    written = spelt(secret, chance)
    at = chance.randint(0, len(text))
    # A value stands between two things that are none of it: a letter right beside base64 is another base64.
    whole = f"{text[:at]} {written} {text[at:]}"
    shown = REDACTOR.text(whole)
    demand(HIDDEN in shown, "something is hidden")
    for form in (written, secret, secret.upper(), secret[::-1]):
        demand(form not in shown, f"a secret is shown: {form!r}")
    cuts = sorted(chance.randint(0, len(whole)) for _ in range(chance.choice((1, 3, 20))))
    stream = REDACTOR.stream()
    pieces = [stream.feed(whole[start:end]) for start, end in pairwise([0, *cuts, len(whole)])]
    demand("".join([*pieces, stream.flush()]) == shown, "the text is shown alike however it is cut")
    # A line without end is looked at in parts, and one where something is hidden again and again only so often.
    ordinary = all(len(line) < LONGEST_LINE and line.count(HIDDEN) < 8 for line in shown.split("\n"))
    if ordinary and max(map(len, whole.split("\n"))) < LONGEST_LINE:
        demand(REDACTOR.text(shown) == shown, "what was redacted is not redacted further")


def values(data: bytes) -> None:
    """Any value may be a secret: text that has it, alone in a line, does not show it."""
    value, _, around = data[:300].decode("utf-8", "replace").partition("\n")
    redactor = Redactor([value])
    whole = f"{around}\n{value}\n"
    shown = redactor.text(whole)
    plain = value.strip()
    hides = len(plain) >= 4 and plain.isalnum() and plain.lower() not in HIDDEN and HIDDEN in redactor.text(plain)
    if hides:
        demand(plain not in shown.replace(HIDDEN, "\n"), "a value that can be hidden is hidden")


LOGS = (
    b"module.web[0].aws_instance.this: Refreshing state... [id=i-0abc] took 3s\n  + password = (sensitive)\n",
    b"https://user:pa55word@example.com/x?token=abcdefabcdef authorization: Bearer abcdefghijklmnopqrstu\n",
    b"-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAx0example\nx+/=\n-----END RSA PRIVATE KEY-----\nafter\n",
    b"AKIAABCDEFGHIJKLMNOP ghp_abcdefghijklmnopqrstuvwxyz012345 eyJhbGciOi.eyJzdWIiOi.SflKxwRJ "
    b"sha256:abc h1:Zk3x9Q+ab/\n",
    "aZ3kQ9xW2mN8vB5cR7tY1uI4oP6 \u6f22\u5b57 (hidden) (hid den)\r\n\x1b[31mred\x1b[0m".encode(),
)
SECRETS = (b"hunter2-hunter2\nlog ", b"ab12cd34\nab12ab12cd34", b"Password1\nx", b"tru\xc3\xa9\n")
WORDS = (
    b"-----BEGIN ",
    b"PRIVATE KEY-----",
    b"-----END ",
    b"://",
    b":x@",
    b"bearer ",
    b"authorization: ",
    b"ghp_",
    b"eyJ",
    b"AKIA",
    b"(hidden)",
    b"password=",
    b"aZ3kQ9xW2mN8vB5cR7tY1uI4oP6",
    b"\n",
    b" ",
    b"%",
    b"\\u00",
    b"&amp;",
    b"canary",
    b"hunter2",
)

SUBJECTS = (
    Subject("redaction", redaction, LOGS, WORDS, 300_000, per_byte=1e-5, weight=1.2),
    Subject("secret-values", values, SECRETS, WORDS, 300, weight=0.7),
)
